#pragma once

#include "learning/coding/block_coder.hpp"
#include "learning/graph/topology.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

/// What the two sides of bench_exchange agree on: the parent, which starts processes and adds up, and
/// the children with the workers.
namespace dybw::bench {

/// One case of the measurement, without the transport.
struct exchange_case {
  std::string topology;
  std::size_t workers = 0;
  std::size_t processes = 0; ///< worker i is in process i % processes
  std::size_t parameters = 0;
  std::uint64_t rounds = 0;     ///< measured
  std::uint64_t warm_up = 0;    ///< rounds before them
  std::string send = "float32"; ///< see `block_format`
};

/// Element `index` of w(0) of a worker: in [0.5, 1.5), different everywhere, the same in all processes.
float starting_value(std::size_t worker, std::size_t index);

/// [workers]: how much of each worker's w(0) is in this worker's estimate after so many rounds of averaging
/// over all edges, with the weights 1/(1+max degree).
std::vector<double> shares_after(const topology& graph, std::size_t worker, std::uint64_t rounds);

std::size_t process_of(std::size_t worker, std::size_t processes);
/// The processes with neighbours of the workers of this one.
std::set<std::size_t> processes_next_to(const topology& graph, std::size_t processes, std::size_t process);

/// What one worker has written to links per round of `full`: the formula of docs/architecture.md, "What a
/// round costs".
double bytes_per_round(const topology& graph, std::size_t processes, std::size_t worker,
                       std::size_t parameters, block_format send);
block_format format_of(const exchange_case& what);

/// The child: takes its task from its parent. Throws what went wrong, having told the parent.
void work_in_exchange();

} // namespace dybw::bench
