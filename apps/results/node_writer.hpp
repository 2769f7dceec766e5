#pragma once

#include "actors/node/node_options.hpp"

#include <filesystem>
#include <optional>

namespace dybw {

/// What a node does to files below its `--out` (none: it keeps nothing): DIR/NAME/ holds one run, as a run on
/// one host writes it: run.json, report.html and the policy's directory with rounds.jsonl of the workers
/// here, evals.jsonl and model.npy; and checkpoints/. A run never overwrites another. When one begins, the
/// files of the oldest go, so that `keep` are left with it; 0: all stay. DIR/last-run.json says where the
/// nodes of the newest are.
node_writer make_node_writer(const std::optional<std::filesystem::path>& out, std::size_t keep = 0);

/// The run that was opened last below `out` (DIR/last-run.json), for `dybw node --rejoin`; none if there was
/// none, or the file cannot be read, which is logged.
std::optional<earlier_run> read_last_run(const std::filesystem::path& out);

} // namespace dybw
