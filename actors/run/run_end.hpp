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

/// Why a run has failed that every node has left by itself; empty: not every one has.
std::string all_left_text(const std::vector<run_node>& nodes);

/// Notes when the target was reached (no later than the run ended), and fails the run for what the reporter
/// found wrong. `result` has its evaluations, mixing and lost workers.
void judge(run_result& result, const run_config& config, const run_outcome& outcome);

/// Tells `watch`, if there is one, how much of the end is measured, once that takes longer than a second;
/// returns whether it said to stop.
class measuring_watch {
public:
  measuring_watch(const std::function<bool(const run_progress&)>& watch, run_progress last)
      : watch_(watch), last_(std::move(last)) {}
  bool operator()(double done);

private:
  const std::function<bool(const run_progress&)>& watch_;
  run_progress last_; ///< how the run stood
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// Joins what the reporter collected with what `run.result` knows already (description, interrupted, failed),
/// measures the final estimates and judges the run. `pause`: see `measure_final`.
void conclude(finished_run& run, const run_inputs& inputs, const policy_spec& policy,
              const run_outcome& outcome, const std::function<bool(double done)>& pause);

} // namespace dybw
