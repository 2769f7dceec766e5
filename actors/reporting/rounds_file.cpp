#include "actors/reporting/rounds_file.hpp"

#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace dybw {

void rounds_file::add(const round_report& r) {
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
  file_.add(line_);
}

} // namespace dybw
