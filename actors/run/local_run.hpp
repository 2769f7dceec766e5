#pragma once

#include "actors/run/finished_run.hpp"
#include "actors/run/run_controls.hpp"
#include "actors/run/run_inputs.hpp"

#include <caf/actor_system.hpp>

namespace dybw {

/// Runs one policy with actors of `system` in real time and returns when it is over. Never throws for what
/// happens in the run: see `run_result::failed`.
finished_run run_policy(caf::actor_system& system, const run_inputs& inputs, std::size_t policy,
                        const run_controls& controls);

} // namespace dybw
