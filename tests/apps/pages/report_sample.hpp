#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace dybw::testing {

/// What a made-up report is about.
struct report_sample {
  std::string topology = "ring"; ///< `ring`, `path`, `star`, `complete` or `torus:RxC`
  std::size_t workers = 8;
  std::string model = "mlp:256,256"; ///< `none`: nothing was evaluated
  std::vector<std::string> policies = {"full", "static:1", "dtur"};
  std::vector<std::size_t> stragglers = {5};
  std::optional<double> target = 0.9;
  double time_limit_s = 90;
};

/// Data for `render_report` with the shapes of a real comparison: `full` is held up by the stragglers,
/// `static` by fewer neighbours and `dtur` by hardly any. The same sample gives the same data.
nlohmann::json make_report_data(const report_sample& sample);

} // namespace dybw::testing
