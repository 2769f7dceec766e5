#pragma once

#include "learning/simulation/simulated_network.hpp"

namespace dybw {

/// What a shell does whose blocks travel coded (learning/coding/known_blocks.hpp), as a real one does.

/// The estimate of the step that begins now will be coded from what the neighbours have by now.
void choose_bases(simulated_network& network, const simulated_shell& s);

/// What goes out on this link in place of `estimate`, and what `told` is to remember of it. `number`: of
/// the block; `base` is chosen. `model` may be null.
estimate_handle code(simulated_network& network, simulated_shell& s, std::size_t link_index,
                     round_number number, const estimate_handle& estimate, simulated_model* model);
/// In pairs, where the estimate moves with every exchange, the base is chosen now.
estimate_handle code_current(simulated_network& network, simulated_shell& s, std::size_t link_index,
                             simulated_model* model);

/// A block came on this link: what it stands for, of which the sender hears if that matters to it. Null, too,
/// if its base is not here (`simulation_peaks::bases_missing`).
estimate_handle arrive(simulated_network& network, std::size_t link_index, const estimate_handle& block,
                       bool& kept);

} // namespace dybw
