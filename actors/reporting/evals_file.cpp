#include "actors/reporting/evals_file.hpp"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <iterator>

namespace dybw {

namespace {

/// As it may stand between quotes; names are clean otherwise (messages/peer_text.hpp).
std::string quotable(const std::string& name) {
  std::string text;
  for (const auto c : name) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text;
}

} // namespace

std::string evaluation_line(const evaluation& e) {
  std::string line;
  const auto number = [&](const char* name, std::optional<double> x) {
    if (x && std::isfinite(*x))
      fmt::format_to(std::back_inserter(line), R"("{}":{},)", name, *x);
    else
      fmt::format_to(std::back_inserter(line), R"("{}":null,)", name);
  };
  line += '{';
  number("time_s", e.time_s);
  fmt::format_to(std::back_inserter(line), R"("local_steps":{},)", e.local_steps);
  number("test_accuracy", e.test_accuracy);
  number("test_loss", e.test_loss);
  number("worst_worker_accuracy", e.worst_worker_accuracy);
  number("consensus_distance", e.consensus_distance);
  fmt::format_to(std::back_inserter(line), R"("scored_workers":{},"scored_samples":{},"at_end":{})",
                 e.scored_workers, e.scored_samples, e.at_end);
  if (!e.scores.empty()) {
    line += R"(,"scores":{)";
    for (const auto& s : e.scores)
      number(quotable(s.name).c_str(), s.value);
    line.back() = '}'; // in place of the last comma
  }
  line += '}';
  return line;
}

} // namespace dybw
