#pragma once

#include "actors/run/finished_run.hpp"
#include "actors/run/run_inputs.hpp"

#include <functional>
#include <span>

namespace dybw {

/// The figures at the end of a run with a model, from each worker's last estimate (`finals`, [workers], none
/// for lost ones): accuracy and loss of the average model and of the workers that are scored (at most
/// `test_bench::scored_workers_max`), the consensus distance, the mean's drift. Fills `run.average` and the
/// fields of `run.result`, and adds the last evaluation, which compares the workers as those before it did.
///
/// On the whole test set, with as many threads as the run has, unless the user waits for an interrupted run
/// to end: then on what half a second allows. `pause` is asked many times a second, with the share that is
/// done, 0 to 1; true interrupts the run and leaves the rest unmeasured. Trainers are asked on another thread
/// meanwhile; what they are at is waited for.
void measure_final(finished_run& run, const run_inputs& inputs, std::span<const parameter_block> finals,
                   const std::function<bool(double done)>& pause);

} // namespace dybw
