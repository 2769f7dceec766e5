#pragma once

#include "learning/base/work_crew.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace dybw {

/// A crew of threads that wait for work; the caller of `run` works too, and gets the first of what they
/// throw. One caller at a time.
class thread_crew final : public work_crew {
public:
  /// `lanes` threads in all, the caller's included; 0: one per processor. Fewer if the system does not give
  /// so many.
  explicit thread_crew(std::size_t lanes);
  ~thread_crew() override;
  thread_crew(const thread_crew&) = delete;
  thread_crew& operator=(const thread_crew&) = delete;

  std::size_t lanes() const override { return threads_.size() + 1; }
  void run(std::size_t count, const piece& work) override;

private:
  void help(std::size_t lane);
  void take_pieces(std::size_t lane);

  const piece* work_ = nullptr; ///< written before `calls_` is counted up
  std::size_t count_ = 0;
  bool over_ = false;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::size_t> busy_{0}; ///< helpers that have not finished this call
  std::atomic_flag failed_;
  std::exception_ptr failure_; ///< what the first that failed threw
  std::vector<std::thread> threads_;
};

} // namespace dybw
