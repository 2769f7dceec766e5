#pragma once

#include "learning/consensus/audit/correction_track.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/graph/edge_numbers.hpp"
#include "learning/graph/worker_sets.hpp"
#include "learning/run/run_result.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace dybw {

/// Checks the exchanges of pairwise policies, as `mixing_audit` does the rounds of the others: an exchange is
/// the matrix that averages its two ends and leaves all others alone, doubly stochastic if both add opposite
/// amounts. So the halves that the ends report must come in pairs, of the same weight, with witnesses that
/// cancel. A half whose other has not come is mass in flight. It stays alone if both ends have gone on
/// without the other, or are done: a violation, unless the end that lacks it
///
/// - gave its neighbour up: each time it forgets one offer, so one half may stay alone in the offers of each
///   end, among those before the next pair; or
/// - was lost: what it did is not known up to the first pair after it is back.
///
/// Each end's halves come in the order in which it added them. Memory: the halves whose other end is still to
/// report, at most `pending_max` per edge; beyond that the oldest go unaudited. Not thread-safe.
class exchange_audit {
public:
  static constexpr std::uint64_t pending_max = 65'536;

  explicit exchange_audit(std::shared_ptr<const topology> graph);

  void add(const exchange_half& half);
  /// `worker` gave its neighbour up, in this round of its own or before, after its report of the round
  /// before: its halves of later rounds are of a later session. Of what it tells at once this comes first.
  void edge_lost(worker_id worker, worker_id neighbour, round_number round);
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

  /// One sentence for each of the first violations; at least one unless `summary()` is clean. The first
  /// `certain_violations()` are for ever; the others are halves in flight to workers that have left.
  std::vector<std::string> violations() const;
  std::size_t certain_violations() const noexcept { return violations_.size(); }

private:
  using name = std::tuple<std::size_t /*edge*/, worker_id /*first*/, std::uint64_t /*number*/>;

  struct worker_state {
    round_number newest = 0;
    bool left = false;
    bool lost = false;
    std::uint64_t back_at = 0; ///< when it was back last, in halves added
    correction_track correction;
  };
  struct pending_half {
    exchange_half half;
    std::optional<correction_track::growth> grown; ///< its worker's correction, with it
    std::uint64_t at = 0;                          ///< when it was added, in halves added
  };
  /// Why an end may lack halves that the other has, among the offers of one end.
  struct excuse {
    bool unknown = false;       ///< it was lost, and there was no pair since
    std::uint64_t give_ups = 0; ///< by it, without a pair since
    round_number given_up_in = 0;
  };
  /// The offers of one end of an edge.
  struct stream {
    std::array<excuse, 2> lacking; ///< [lower end, upper end]
    std::uint64_t dropped = 0;     ///< offers up to this number are not looked at any more
  };
  struct edge_state {
    std::uint64_t exchanges = 0;
    std::uint64_t pending = 0;     ///< halves in flight
    std::array<stream, 2> streams; ///< [offers of the lower end, of the upper]
    round_number seen_a = 0;       ///< round of the lower end in which it was exchanged last
    round_number seen_b = 0;
  };
  enum class alone { in_flight, lost, one_sided };

  std::size_t end_of(std::size_t edge_index, worker_id worker) const {
    return graph_->edges()[edge_index].a == worker ? 0 : 1;
  }
  stream& stream_of(std::size_t edge_index, worker_id first) {
    return edges_[edge_index].streams[end_of(edge_index, first)];
  }
  void match(const pending_half& first, const pending_half& second, std::size_t edge_index);
  void match_corrections(const pending_half& first, const pending_half& second);
  void join(std::size_t edge_index);
  void settle_before(const name& matched);
  void leave_alone(const exchange_half& half, std::size_t edge_index);
  void end_excuse(const pending_half& half, std::size_t edge_index);
  void bound_pending(std::size_t edge_index);
  template <class Tell>
  void judge_in_flight(Tell tell) const;
  void note_one_sided(const exchange_half& half, const std::string& what);
  std::string sentence(const exchange_half& half, const std::string& what) const;

  std::shared_ptr<const topology> graph_;
  edge_numbers numbers_;
  std::vector<worker_state> workers_;
  std::vector<edge_state> edges_;
  std::map<name, pending_half> in_flight_;
  std::uint64_t added_ = 0; ///< halves
  mixing_summary summary_;
  std::vector<std::string> violations_;
  worker_sets joined_; ///< since everybody was
  std::size_t components_ = 0;
  round_number newest_round_ = 0;
  round_number stretch_begin_ = 0;
  round_number longest_gap_ = 0;
};

} // namespace dybw
