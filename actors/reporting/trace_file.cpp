#include "actors/reporting/trace_file.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

namespace {

double micros(nanoseconds t) {
  return std::chrono::duration<double, std::micro>(t).count();
}

/// A worker's own lane, and below it that of its estimates.
std::size_t lane_of(worker_id id) {
  return 2 * index_of(id);
}

} // namespace

trace_file::trace_file(const std::filesystem::path& file, const std::string& run, std::size_t number,
                       std::size_t workers)
    : out_(file, std::ios::binary | (number == 0 ? std::ios::trunc : std::ios::app)), number_(number) {
  if (number == 0)
    out_ << "[\n";
  out_ << fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"args":{{"name":"{}"}}}},)", number, run)
       << '\n';
  for (std::size_t w = 0; w < workers; ++w)
    for (std::size_t lane = 0; lane < 2; ++lane)
      out_ << fmt::format(
                  R"({{"name":"thread_name","ph":"M","pid":{},"tid":{},"args":{{"name":"worker {}{}"}}}},)",
                  number, 2 * w + lane, w, lane == 0 ? "" : " sends")
           << '\n';
}

void trace_file::interval(const char* name, std::size_t thread, nanoseconds begin, nanoseconds end,
                          round_number round) {
  if (end <= begin)
    return;
  fmt::format_to(
      std::back_inserter(line_),
      R"({{"name":"{}","ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{"round":{}}}}},)"
      "\n",
      name, number_, thread, micros(begin), micros(end - begin), round);
}

void trace_file::add(const round_report& r) {
  const auto lane = lane_of(r.mixed.worker);
  const auto round = r.mixed.round;
  const auto computing = r.joined - r.compute;
  line_.clear();
  interval("queue", lane, r.started, computing, round);
  interval("compute", lane, computing, r.joined, round);
  interval(r.timed_out ? "gather (timed out)" : "gather", lane, r.joined, r.closed, round);
  interval("settle", lane, r.closed, r.done, round);
  interval("mix", lane, r.mix_began, r.mix_ended, round);
  interval("send", lane + 1, r.joined, r.acknowledged, round);
  out_ << line_;
}

bool trace_file::flush() {
  return static_cast<bool>(out_.flush());
}

} // namespace dybw
