#pragma once

#include "messages/control.hpp"

namespace dybw {

/// A hash of all that the nodes of a run must agree on: the spec without the place of this node in it, where
/// its data lies and how many threads it uses. Not for use against forgery.
std::uint64_t spec_hash(const run_spec& spec);

/// A hash of a model's arrays, never 0. Not for use against forgery.
std::uint64_t layout_hash(const std::vector<trainer_array>& arrays);

} // namespace dybw
