#pragma once

#include "actors/run/finished_run.hpp"
#include "actors/run/run_inputs.hpp"

#include <functional>
#include <span>

namespace dybw {

/// The figures at the end of a run with a model, from each worker's last estimate (`finals`, [workers], none
/// for lost ones): accuracy and loss of the average model and of each worker, the consensus distance, the
/// mean's drift. Fills `run.average` and the fields of `run.result`, and adds the last evaluation.
///
/// On the whole test set, unless the user waits for an interrupted run to end: then on what half a second
/// allows. `stop` is asked every few milliseconds; true interrupts the run and leaves the rest unmeasured.
void measure_final(finished_run& run, const run_inputs& inputs, std::span<const parameter_block> finals,
                   const std::function<bool()>& stop);

} // namespace dybw
