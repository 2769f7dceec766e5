#include "actors/reporting/rounds_file.hpp"

#include "actors/system/durable_file.hpp"

#include <spdlog/spdlog.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <system_error>

namespace dybw {

namespace {

/// Of a line; 0 if it has none.
round_number round_of(const std::string& line) {
  std::uint64_t round = 0;
  return std::sscanf(line.c_str(), R"({"worker":%*u,"round":%)" SCNu64, &round) == 1 ? round : 0;
}

} // namespace

rounds_file::rounds_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max)
    : place_(file), bytes_max_(bytes_max) {
  file_.emplace(file, append);
}

/// To at most half of the size, so that it is long until the next time.
void rounds_file::thin() {
  if (!flush())
    return;
  try {
    while (file_->bytes() > bytes_max_ / 2) {
      every_ *= 2;
      std::ifstream in(place_, std::ios::binary);
      write_durably(place_, [&](const byte_sink& write) {
        for (std::string line; std::getline(in, line);)
          if (const auto round = round_of(line); round > 0 && round % every_ == 0)
            write(std::as_bytes(std::span{line += '\n'}));
      });
      const auto before = file_->bytes();
      file_.emplace(place_, true);
      if (file_->bytes() == before)
        break; // a line alone is longer
    }
    spdlog::info("{} keeps one round in {} from now on", place_.string(), every_);
  } catch (const std::system_error& error) {
    failure_ = error.what();
  }
}

void rounds_file::add(const round_report& r) {
  if (r.mixed.round % every_ != 0)
    return;
  line_.clear();
  auto out = std::back_inserter(line_);
  fmt::format_to(
      out, R"({{"worker":{},"round":{},"start_s":{:.6f},"compute_s":{:.6f},"wait_s":{:.6f},"accepted":{},)",
      to_string(r.mixed.worker), r.mixed.round, to_seconds(r.started), to_seconds(r.compute),
      to_seconds(r.done - r.joined), r.accepted);
  line_ += R"("committed":[)";
  for (const auto& t : r.mixed.committed)
    fmt::format_to(out, "{}[{},{}]", &t == r.mixed.committed.data() ? "" : ",", to_string(t.neighbour),
                   t.weight);
  fmt::format_to(out, R"(],"backup_workers":{},"loss":)", r.backup_workers());
  if (std::isfinite(r.loss))
    fmt::format_to(out, "{:.6g}", r.loss);
  else
    line_ += "null";
  line_ += r.timed_out ? R"(,"timeout":true})"
                         "\n"
                       : R"(,"timeout":false})"
                         "\n";
  file_->add(line_);
  if (bytes_max_ > 0 && file_->bytes() > bytes_max_ && failure_.empty())
    thin();
}

} // namespace dybw
