#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// The planned graph: connected, undirected, simple, at least one worker. Immutable after construction; safe
/// to share.
class topology {
public:
  /// REQUIRES: every end < workers, no loops; doubles are merged. Does not check connectivity.
  topology(std::size_t workers, std::vector<edge> edges, std::string name);

  const std::string& name() const noexcept { return name_; } ///< as on the command line
  std::size_t workers() const noexcept { return first_.size() - 1; }
  std::span<const edge> edges() const noexcept { return edges_; }     ///< ascending
  std::span<const worker_id> neighbours(worker_id id) const noexcept; ///< ascending
  std::size_t degree(worker_id id) const noexcept { return neighbours(id).size(); }
  std::size_t smallest_degree() const noexcept;
  bool has_edge(worker_id x, worker_id y) const noexcept;

private:
  std::string name_;
  std::vector<edge> edges_;
  std::vector<std::size_t> first_;  ///< [workers+1], offsets into adjacent_
  std::vector<worker_id> adjacent_; ///< [2*edges]
};

/// The worker of least number that no path joins with worker 0; nothing if the graph is connected.
std::optional<worker_id> first_unreachable(const topology& graph);

/// More edges than this are refused: they would not fit into an ordinary machine's memory.
constexpr std::size_t edges_max = 20'000'000;

/// Builds `ring|path|star|complete|torus:RxC|circulant:O1,O2,..|random:DEGREE|file:PATH` for N workers
/// (docs/topologies.md). Throws `input_error`: configuration fault for unknown names, parameters that do not
/// fit N (torus RxC != N, offsets out of 1..N/2 or given twice, degree < 2 or >= N), more than `edges_max`
/// edges, and graphs that are not connected, naming the first worker that cannot be reached; data fault for
/// an unreadable or malformed file. `random:DEGREE` is connected; every worker has DEGREE neighbours, except
/// that one has DEGREE+1 if N*DEGREE is odd. A file has one edge per line, two worker numbers from 0, apart
/// by blanks, a comma or a semicolon, and perhaps networkx's `{}`; `#` starts a comment, `%` and `;` do at a
/// line's start or behind a blank; an edge may be given twice.
topology make_topology(const std::string& text, std::size_t workers, std::uint64_t seed);

/// Reads an edge-list file for N workers. Throws `input_error` as above, naming file and line.
std::vector<edge> read_edge_file(const std::filesystem::path& path, std::size_t workers);

} // namespace dybw
