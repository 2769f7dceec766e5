#pragma once

#include "learning/base/random.hpp"
#include "learning/base/types.hpp"

#include <vector>

namespace dybw {

/// The edges of a random connected graph in which every worker has `degree` neighbours, except that one has
/// one more if workers * degree is odd. Not in order. REQUIRES: 2 <= degree < workers.
///
/// A cycle through all workers in random order is never taken apart, so the graph stays connected. The other
/// edges start as a regular pattern and are then mixed by degree-preserving swaps (a-b, c-d becomes a-d, c-b;
/// the switch chain of Rao, Jana and Bandyopadhyay, Sankhya A 58, 1996): ten tries per edge, at most two
/// million in all. Time: tries * degree; memory: linear in the edges.
std::vector<edge> random_regular_edges(std::size_t workers, std::size_t degree, random_generator& generator);

} // namespace dybw
