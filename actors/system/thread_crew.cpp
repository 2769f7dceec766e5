#include "actors/system/thread_crew.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace dybw {

thread_crew::thread_crew(std::size_t lanes) {
  if (lanes == 0)
    lanes = std::max(1U, std::thread::hardware_concurrency());
  threads_.reserve(lanes - 1);
  try {
    for (std::size_t lane = 1; lane < lanes; ++lane)
      threads_.emplace_back([this, lane] { help(lane); });
  } catch (const std::exception& e) { // what is done does not depend on how many do it
    spdlog::warn("{} of {} threads work, the system gives no more: {}", this->lanes(), lanes, e.what());
  }
}

thread_crew::~thread_crew() {
  over_ = true;
  ++calls_;
  calls_.notify_all();
  for (auto& t : threads_)
    t.join();
}

void thread_crew::run(std::size_t count, const piece& work) {
  if (threads_.empty() || count < 2) {
    for (std::size_t i = 0; i < count; ++i)
      work(i, 0);
    return;
  }
  work_ = &work;
  count_ = count;
  next_ = 0;
  busy_ = threads_.size();
  failed_.clear();
  failure_ = nullptr;
  ++calls_;
  calls_.notify_all();
  take_pieces(0);
  for (auto left = busy_.load(); left > 0; left = busy_)
    busy_.wait(left);
  if (failure_)
    std::rethrow_exception(failure_);
}

void thread_crew::take_pieces(std::size_t lane) {
  try {
    for (auto i = next_++; i < count_; i = next_++)
      (*work_)(i, lane);
  } catch (...) {
    next_ = count_; // nobody begins another piece
    if (!failed_.test_and_set())
      failure_ = std::current_exception();
  }
}

void thread_crew::help(std::size_t lane) {
  for (std::uint64_t seen = 0;;) {
    calls_.wait(seen);
    ++seen; // the next call comes only when all helpers have finished this one
    if (over_)
      return;
    take_pieces(lane);
    if (--busy_ == 0)
      busy_.notify_one();
  }
}

} // namespace dybw
