#pragma once

#include "actors/actors.hpp"
#include "actors/run/finished_run.hpp"
#include "actors/run/run_inputs.hpp"

#include <functional>
#include <string>

namespace dybw {

/// The fields of a result that are known before the run.
void describe(run_result& result, const run_inputs& inputs, const policy_spec& policy);

/// For a run that went on from checkpoints. REQUIRES: rounds and duration are known.
void note_earlier(run_result& result, const std::optional<resumed_part>& before);

/// Fails the run; the first reason is the one that is told.
void fail(run_result& result, const std::string& why);

/// Notes when the target was reached, and fails the run for what the reporter found wrong. `result` has its
/// evaluations, mixing and lost workers.
void judge(run_result& result, const run_config& config, const run_outcome& outcome);

/// Joins what the reporter collected with what `run.result` knows already (description, interrupted, failed),
/// measures the final estimates and judges the run. `stop`: see `measure_final`.
void conclude(finished_run& run, const run_inputs& inputs, const policy_spec& policy,
              const run_outcome& outcome, const std::function<bool()>& stop);

} // namespace dybw
