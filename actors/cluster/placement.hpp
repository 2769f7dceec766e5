#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dybw {

/// Which node each worker lives on: [workers], positions in `slots`, which says for each node how many
/// workers it takes at most (0: no limit). Dealt round robin, as a card game is: a node that is full is
/// passed over. Throws `input_error` (configuration fault) if there is no node, or there are fewer slots than
/// workers, naming the numbers.
std::vector<std::uint32_t> place_workers(std::size_t workers, std::span<const std::uint32_t> slots);

} // namespace dybw
