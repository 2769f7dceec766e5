#pragma once

#include "actors/node/node_options.hpp"

#include <filesystem>
#include <optional>

namespace dybw {

/// What a node does to files below its `--out` (none: it keeps nothing): DIR/NAME/ holds one run, as a run on
/// one host writes it: run.json, report.html and the policy's directory with rounds.jsonl of the workers
/// here, evals.jsonl and model.npy; and checkpoints/. A run never overwrites another.
node_writer make_node_writer(const std::optional<std::filesystem::path>& out);

} // namespace dybw
