#pragma once

#include "apps/options/run_options.hpp"

namespace dybw {

/// `dybw run --nodes`: plans the run, shows which workers live where, plays every policy on the nodes, prints
/// and writes the results. Returns the exit code. Throws `input_error` for what is wrong before anything
/// starts. REQUIRES: `options.nodes`, and a living `interrupt_guard`.
int run_on_nodes(const run_options& options);

/// For `read_run_options`: asks one node after another.
std::vector<std::string> options_on_nodes(const nodes_options& nodes, const std::string& run);

} // namespace dybw
