#pragma once

#include "learning/consensus/worker_machine.hpp"

namespace dybw {

/// The machine that the policy needs.
std::unique_ptr<worker_machine> make_machine(machine_options options);

} // namespace dybw
