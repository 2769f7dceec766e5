#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>

/// Where a process spends its processor time, by the names of its threads, as Linux counts it.
namespace dybw::bench {

struct thread_time {
  double running_s = 0; ///< on a processor
  double ready_s = 0;   ///< waiting for a processor
  double switches = 0;  ///< times it was put on a processor
  thread_time& operator+=(const thread_time& x);
};

struct thread_times {
  std::map<std::string, thread_time> by_name;
  double kernel_s = 0; ///< of all threads, in the kernel
  double user_s = 0;
};

/// Of this process, since it began. Empty where /proc has none.
thread_times read_thread_times();
thread_times operator-(const thread_times& later, const thread_times& sooner);
nlohmann::json to_json(const thread_times& x);

/// At most 15 characters.
void name_this_thread(const char* name);

} // namespace dybw::bench
