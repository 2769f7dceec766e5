#pragma once

#include "learning/consensus/coverage_sweep.hpp"
#include "learning/consensus/membership.hpp"
#include "learning/graph/connecting_edges.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace dybw {

/// The workers that can be reached from one of them over links and workers that are up.
struct network_part {
  std::size_t workers = 0;
  worker_id lowest{}; ///< the lowest-numbered
};

/// What the facts about who is up make of the network. It depends on nothing else, and all workers come to
/// know the same facts: so the machines of a process share one of these (`machine_options::parts`), and what
/// a fact changes is worked out once, not once per worker.
class network_parts {
public:
  virtual ~network_parts() = default;

  /// The part that the worker is in. A worker that is down is alone.
  virtual network_part part_of(worker_id id, const membership& facts) = 0;

  /// The connecting edges (`connecting_edges`) of that part of the network which is left to the worker when
  /// those that rest are taken out: the same object for all workers of it. Who rests is alone.
  virtual coverage_sweep::edge_set connecting(worker_id id, const membership& facts) = 0;
};

/// Works out what it is asked for and keeps it for the next who asks, by the generation of the facts: the
/// newest few, as floods bring several facts in different orders. Linear in workers and edges for each
/// generation, apart from the connecting edges, which are worked out for the parts that are asked for.
/// Deterministic. Not thread-safe: who shares one between threads guards it.
class known_parts final : public network_parts {
public:
  known_parts(std::shared_ptr<const topology> graph, std::shared_ptr<const connect_spec> connect);

  network_part part_of(worker_id id, const membership& facts) override;
  coverage_sweep::edge_set connecting(worker_id id, const membership& facts) override;

  // How often something was worked out:
  std::uint64_t generations_seen() const noexcept { return generations_seen_; }
  std::uint64_t edge_sets_made() const noexcept { return edge_sets_made_; }

private:
  struct part {
    network_part what;
    coverage_sweep::edge_set connecting; ///< null until it is asked for
  };
  struct partition {
    std::vector<std::uint32_t> part_of; ///< [workers], index into parts
    std::vector<part> parts;
    part& of(worker_id id) { return parts[part_of[index_of(id)]]; }
  };
  struct generation {
    partition up;
    std::optional<partition> working; ///< without those that rest, if anybody does
  };

  generation& look_at(const membership& facts);
  partition find_parts(const std::vector<fact>& facts, bool with_resting) const;

  std::shared_ptr<const topology> graph_;
  std::shared_ptr<const connect_spec> connect_;
  std::unordered_map<std::uint64_t, generation> known_;
  std::deque<std::uint64_t> order_; ///< of the generations known, oldest first
  std::size_t generations_max_;
  std::uint64_t generations_seen_ = 0;
  std::uint64_t edge_sets_made_ = 0;
};

} // namespace dybw
