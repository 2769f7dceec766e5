#pragma once

#include "learning/consensus/worker_machine.hpp"
#include "learning/graph/worker_sets.hpp"
#include "learning/run/run_result.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace dybw {

/// Checks the exchanges of pairwise policies, as `mixing_audit` does the rounds of the others: an exchange is
/// the matrix that averages its two ends and leaves all others alone, doubly stochastic if both add opposite
/// amounts. So the halves that the ends report must come in pairs, of the same weight, with witnesses that
/// cancel. A half whose other has not come is mass in flight; when both ends are done, it is a violation,
/// unless the edge or an end was lost. Each end's halves come in the order in which it added them. Memory:
/// the halves whose other end is still to report, at most `pending_max` per edge; beyond that the edge counts
/// as lost. Not thread-safe.
class exchange_audit {
public:
  static constexpr std::uint64_t pending_max = 65'536;

  explicit exchange_audit(std::shared_ptr<const topology> graph);

  void add(const exchange_half& half);
  /// One end gave the other up.
  void edge_lost(worker_id worker, worker_id neighbour);
  /// The worker has done its last round.
  void left(worker_id worker);
  /// The worker is gone without a word.
  void lost(worker_id worker);
  /// A worker that was lost, or had left, is there again.
  void back(worker_id worker);

  /// The state now: `rounds_audited` are exchanges, `rounds_unaudited` those in flight.
  mixing_summary summary() const;
  /// Exchanges per round of the edge's busier end, at most 1.
  std::vector<edge_activity> activity() const;
  double mean_active_share() const;
  /// The longest that an edge went without an exchange, in rounds of one of its ends.
  round_number longest_gap() const noexcept { return longest_gap_; }

  const std::vector<std::string>& violations() const noexcept { return violations_; }

private:
  using name = std::tuple<std::size_t /*edge*/, worker_id /*first*/, std::uint64_t /*number*/>;

  struct worker_state {
    round_number newest = 0;
    bool left = false;
    bool ever_lost = false;
  };
  struct edge_state {
    std::uint64_t exchanges = 0;
    std::uint64_t pending = 0; ///< halves in flight
    std::uint64_t single = 0;  ///< halves whose other cannot come any more
    bool ever_lost = false;
    round_number seen_a = 0; ///< round of the lower end in which it was exchanged last
    round_number seen_b = 0;
  };

  void match(const exchange_half& a, const exchange_half& b, std::size_t edge_index);
  void join(std::size_t edge_index);
  void settle_before(const name& matched);
  void bound_pending(std::size_t edge_index);
  std::string sentence(const exchange_half& half, const std::string& what) const;
  bool is_excused(std::size_t edge_index) const;

  std::shared_ptr<const topology> graph_;
  std::vector<worker_state> workers_;
  std::vector<edge_state> edges_;
  std::map<name, exchange_half> in_flight_;
  mixing_summary summary_;
  std::vector<std::string> violations_;
  worker_sets joined_; ///< since everybody was
  std::size_t components_ = 0;
  round_number newest_round_ = 0;
  round_number stretch_begin_ = 0;
  round_number longest_gap_ = 0;
};

} // namespace dybw
