#pragma once

#include <atomic>
#include <cerrno>

#include <dlfcn.h>
#include <pthread.h>

// Replaces `pthread_create` in the program that includes it, in one of its files. Not with AddressSanitizer
// and ThreadSanitizer, which have one of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace dybw::test {

inline std::atomic<int> threads_left{-1}; ///< below 0: as many as the system gives

/// As long as it lives this process gets so many threads more.
class few_threads {
public:
  explicit few_threads(int more) { threads_left = more; }
  ~few_threads() { threads_left = -1; }
  few_threads(const few_threads&) = delete;
  few_threads& operator=(const few_threads&) = delete;
};

} // namespace dybw::test

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*begin)(void*),
                              void* argument) noexcept {
  static auto* const real = reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  for (auto left = dybw::test::threads_left.load(); left >= 0;) {
    if (left == 0)
      return EAGAIN;
    if (dybw::test::threads_left.compare_exchange_weak(left, left - 1))
      break;
  }
  return real(thread, attributes, begin, argument);
}
#endif
