#include "actors/thread_crew.hpp"

namespace dybw {

thread_crew::thread_crew(std::size_t lanes) {
  if (lanes == 0)
    lanes = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t lane = 1; lane < lanes; ++lane)
    threads_.emplace_back([this, lane] { help(lane); });
}

thread_crew::~thread_crew() {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
  }
  called_.notify_all();
  for (auto& t : threads_)
    t.join();
}

void thread_crew::run(std::size_t count, const piece& work) {
  if (count == 0)
    return;
  if (threads_.empty() || count == 1) {
    for (std::size_t i = 0; i < count; ++i)
      work(i, 0);
    return;
  }
  {
    const std::lock_guard lock{mutex_};
    work_ = &work;
    count_ = count;
    next_ = 0;
    busy_ = threads_.size();
    ++calls_;
  }
  called_.notify_all();
  take_pieces(0);
  std::unique_lock lock{mutex_};
  left_.wait(lock, [this] { return busy_ == 0; });
}

void thread_crew::take_pieces(std::size_t lane) {
  for (auto i = next_++; i < count_; i = next_++)
    (*work_)(i, lane);
}

void thread_crew::help(std::size_t lane) {
  std::uint64_t seen = 0;
  std::unique_lock lock{mutex_};
  for (;;) {
    called_.wait(lock, [&] { return over_ || calls_ != seen; });
    if (over_)
      return;
    seen = calls_;
    lock.unlock();
    take_pieces(lane);
    lock.lock();
    if (--busy_ == 0)
      left_.notify_one();
  }
}

} // namespace dybw
