#include "actors/reporting/trace_file.hpp"

#include <spdlog/spdlog.h>

#include <string_view>

namespace dybw {

namespace {

constexpr std::string_view end_of_array = "\n]\n";

double micros(nanoseconds t) {
  return std::chrono::duration<double, std::micro>(t).count();
}

/// A worker's own lane, and below it that of its estimates.
std::size_t lane_of(worker_id id) {
  return 2 * index_of(id);
}

} // namespace

trace_file::trace_file(const std::filesystem::path& file, const std::string& run, std::size_t number,
                       std::size_t workers, std::uint64_t bytes_max)
    : out_(file, std::ios::binary | (number == 0 ? std::ios::trunc : std::ios::in)),
      is_file_(std::filesystem::is_regular_file(file)), number_(number), bytes_max_(bytes_max) {
  if (number > 0)
    out_.seekp(-static_cast<std::streamoff>(end_of_array.size()), std::ios::end);
  line_ = number == 0 ? "[\n" : ",\n";
  fmt::format_to(std::back_inserter(line_),
                 R"({{"name":"process_name","ph":"M","pid":{},"args":{{"name":"{}"}}}})", number, run);
  for (std::size_t w = 0; w < workers; ++w)
    for (std::size_t lane = 0; lane < 2; ++lane) {
      line_ += ",\n";
      fmt::format_to(std::back_inserter(line_),
                     R"({{"name":"thread_name","ph":"M","pid":{},"tid":{},"args":{{"name":"worker {}{}"}}}})",
                     number, 2 * w + lane, w, lane == 0 ? "" : " sends");
    }
  out_ << line_;
}

void trace_file::interval(const char* name, std::size_t thread, nanoseconds begin, nanoseconds end,
                          round_number round) {
  if (end <= begin)
    return;
  line_ += ",\n";
  fmt::format_to(
      std::back_inserter(line_),
      R"({{"name":"{}","ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{"round":{}}}}})", name,
      number_, thread, micros(begin), micros(end - begin), round);
}

void trace_file::add(const round_report& r) {
  if (is_full_)
    return;
  if (bytes_max_ > 0 && bytes_ > bytes_max_) {
    is_full_ = true;
    spdlog::warn("the trace ends here: it has reached the size of --log-max");
    return;
  }
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
  bytes_ += line_.size();
  out_ << line_;
}

bool trace_file::flush() {
  if (is_file_)
    out_ << end_of_array;
  const auto written = static_cast<bool>(out_.flush());
  if (is_file_) // the next object is written over it
    out_.seekp(-static_cast<std::streamoff>(end_of_array.size()), std::ios::cur);
  return written;
}

} // namespace dybw
