#include "bench/exchange/thread_times.hpp"

#include <filesystem>
#include <fstream>

#include <sys/prctl.h>
#include <sys/resource.h>

namespace dybw::bench {

namespace {

double to_s(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

} // namespace

thread_time& thread_time::operator+=(const thread_time& x) {
  running_s += x.running_s;
  ready_s += x.ready_s;
  switches += x.switches;
  return *this;
}

thread_times read_thread_times() {
  thread_times all;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  all.kernel_s = to_s(usage.ru_stime);
  all.user_s = to_s(usage.ru_utime);
  std::error_code ignored; // a thread may end meanwhile
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task", ignored}) {
    std::string name;
    std::getline(std::ifstream{task.path() / "comm"}, name);
    double running_ns = 0;
    double ready_ns = 0;
    double switches = 0;
    if (std::ifstream{task.path() / "schedstat"} >> running_ns >> ready_ns >> switches)
      all.by_name[name] += {running_ns * 1e-9, ready_ns * 1e-9, switches};
  }
  return all;
}

thread_times operator-(const thread_times& later, const thread_times& sooner) {
  auto between = later;
  between.kernel_s -= sooner.kernel_s;
  between.user_s -= sooner.user_s;
  for (const auto& [name, x] : sooner.by_name)
    between.by_name[name] += {-x.running_s, -x.ready_s, -x.switches};
  return between;
}

nlohmann::json to_json(const thread_times& x) {
  nlohmann::json json{{"kernel_s", x.kernel_s}, {"user_s", x.user_s}};
  for (const auto& [name, t] : x.by_name)
    json["by_name"][name] = {{"running_s", t.running_s}, {"ready_s", t.ready_s}, {"switches", t.switches}};
  return json;
}

void name_this_thread(const char* name) {
  prctl(PR_SET_NAME, name, 0, 0, 0);
}

} // namespace dybw::bench
