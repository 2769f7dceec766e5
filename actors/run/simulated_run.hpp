#pragma once

#include "actors/run/finished_run.hpp"
#include "actors/run/run_controls.hpp"
#include "actors/run/run_inputs.hpp"
#include "learning/simulation/virtual_run.hpp"

namespace dybw {

/// What the simulation of one of the policies takes. REQUIRES: a loaded run.
virtual_run_options virtual_options_for(const run_inputs& inputs, std::size_t policy);

/// Runs one policy in virtual time (`--clock virtual`), with `config.threads` threads, and returns when it is
/// over; `run_policy` in real time. Of the controls `monitor` and `resumed` are not used. All but the host's
/// own figures (processor time, memory) depends on the inputs only. Throws `input_error` for times that
/// cannot be read.
finished_run run_policy_virtually(const run_inputs& inputs, std::size_t policy, const run_controls& controls);

} // namespace dybw
