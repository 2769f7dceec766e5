#include "actors/system/process_usage.hpp"

#include <ctime>
#include <sys/resource.h>

namespace dybw {

namespace {

double clock_s(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

} // namespace

double process_cpu_s() {
  return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

double thread_cpu_s() {
  return clock_s(CLOCK_THREAD_CPUTIME_ID);
}

nanoseconds time_asleep() {
  timespec all{};
  timespec awake{};
  clock_gettime(CLOCK_MONOTONIC, &awake);
  clock_gettime(CLOCK_BOOTTIME, &all);
  const auto total = [](const timespec& t) {
    return std::chrono::seconds{t.tv_sec} + nanoseconds{t.tv_nsec};
  };
  return total(all) - total(awake);
}

std::uint64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

} // namespace dybw
