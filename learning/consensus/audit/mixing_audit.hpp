#pragma once

#include "learning/consensus/audit/correction_track.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/graph/edge_numbers.hpp"
#include "learning/graph/worker_sets.hpp"
#include "learning/run/run_result.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dybw {

/// What one worker says it mixed in one round.
struct mix_report {
  worker_id worker{};
  round_number round = 0;
  double own_weight = 1;
  std::vector<mix_term> committed;
  std::vector<worker_id> departed;
  /// The witness (docs/protocol.md, "The audit"): a random projection of w~_j and of w_j, and |w~_j|. The
  /// machines' own numbers cannot convict them; these come from the vectors. All 0 without a model.
  double projection_before = 0;
  double projection_after = 0;
  double norm_before = 0;
  std::vector<worker_id> returned; ///< neighbours there again since its report before
  std::uint64_t generation = 0;    ///< see `mix`
  double correction = 0;           ///< likewise of c, after it
  double correction_size = 0;      ///< |c|
};

/// Checks every completed round's mixing matrix P(k) from the workers' reports: rows and columns sum to one,
/// no edge is one-sided unless an end departed, the sum of the projections is kept, that of the corrections,
/// too, and the committed edges join everybody again and again. Takes each worker's reports in ascending
/// order of rounds, the workers in any order; a round is checked when every worker has reported a later one,
/// has left or is lost. Reports of a round that is checked already, or that the worker has reported already,
/// come too late and are not used.
///
/// Time per report: a few steps per neighbour, whatever the number of workers. Memory: the reports of rounds
/// that not everybody has completed, at most `reports_pending_max(workers)`; beyond that the oldest rounds go
/// unaudited. Not thread-safe.
class mixing_audit {
public:
  /// A million, or 64 rounds of everybody if that is more.
  static constexpr std::size_t reports_pending_max(std::size_t workers) {
    return std::max<std::size_t>(1'000'000, 64 * workers);
  }

  /// Reports of rounds up to `after` are not to be added. Without it the audit begins with the first round
  /// that is reported.
  explicit mixing_audit(std::shared_ptr<const topology> graph, round_number after = 0);

  void add(mix_report report);
  /// The worker has done its last round.
  void left(worker_id worker);
  /// The worker is out of sight, without a word or after it has left: what it did after its last report is
  /// not known, nor whether a new process took its place for a while. A neighbour that reports it as returned
  /// may have met such a process: until both ends have mixed over the edge, one that is one-sided is lost,
  /// not a violation.
  void lost(worker_id worker);
  /// A worker that was lost, or had left, is there again, perhaps as a new process: it is waited for again.
  /// Edges to it that are one-sided are lost, not violations: in rounds between its reports before and after;
  /// in those that it reports twice, or may have, as they are not checked yet; and, towards each neighbour
  /// that its reports list as departed from the beginning on, in rounds that it does not report (its
  /// predecessor may have, and told nobody).
  void back(worker_id worker);

  /// The state now; rounds still pending count as unaudited.
  mixing_summary summary() const;
  std::vector<edge_activity> activity() const;
  double mean_active_share() const;

  /// One sentence for each of the first violations; at least one unless `summary()` is clean. The first
  /// `certain_violations()` are for ever; the others are edges to workers that have left or are lost, or were
  /// reported as returned, which may yet prove to have been started again.
  std::vector<std::string> violations() const;
  std::size_t certain_violations() const noexcept { return violations_.size(); }

private:
  /// Edges that may yet prove to be lost.
  struct doubt {
    std::uint64_t count = 0;
    std::string first; ///< in words
  };
  struct worker_state {
    round_number reported = 0;
    bool left = false;
    bool lost = false;
    bool returning = false;       ///< is back and has not reported since
    round_number back_after = 0;  ///< what it had reported before it was lost
    std::vector<worker_id> apart; ///< neighbours that every report since lists as departed
    std::vector<std::pair<round_number, round_number>>
        unknown; ///< rounds first .. second in which it was away
    /// One-sided edges to it since it has left or is lost: perhaps with a new process of which we do not know
    /// yet.
    doubt as_gone;
    /// .. and since a neighbour reported it as returned: perhaps we shall hear yet that it was gone.
    doubt as_returned;
    correction_track correction;
    bool missed_a_report = false; ///< .. since the last one that counts
    /// Rounds of reports not looked at yet, each of which comes after one that was missed.
    std::vector<round_number> behind_a_gap;
  };

  template <class Change>
  void change(worker_state& w, Change what);
  void advance();
  void note_return(worker_id id, round_number first);
  void note_unknown(worker_id id, round_number first, round_number last);
  bool is_unknown(worker_id worker, round_number round) const;
  bool is_excused(const mix_report& report, worker_id neighbour, const mix_report* other) const;
  bool is_of_two_lives(const mix_report& report, worker_id neighbour) const;
  bool has_returned(const mix_report& report, worker_id neighbour) const;
  bool is_of_a_new_process(const mix_report& report, worker_id neighbour) const;
  void note_doubt(doubt& of, std::string text);
  void settle(doubt& of);
  void note_rejoined(worker_id worker, worker_id neighbour);
  void note_departed(const mix_report& report);
  void check(round_number round, const std::vector<mix_report>& reports);
  void lay_out(const std::vector<mix_report>& reports);
  void check_edges(const std::vector<mix_report>& reports);
  void check_half(const mix_report& report, worker_id neighbour, bool is_edge);
  void check_sums(const std::vector<mix_report>& reports);
  void check_witness(round_number round, const std::vector<mix_report>& reports);
  void check_kept(round_number round, double moved, double squares, const char* violation);
  void check_one_sided_correction(const mix_report& a, const mix_report& b);
  void note_gap(const mix_report& report);
  void check_corrections(round_number round, const std::vector<mix_report>& reports);
  void clear(const std::vector<mix_report>& reports);
  void excuse(worker_id id);
  void drop_oldest();
  void note_violation(std::string text);
  void join_components(round_number round);

  std::shared_ptr<const topology> graph_;
  edge_numbers edges_;
  std::vector<worker_state> workers_;
  std::map<round_number, std::size_t> awaited_; ///< workers that are there, by the newest round they reported
  std::size_t away_ = 0;                        ///< workers lost, or back without a report since
  std::vector<worker_id> returned_;             ///< those with unknown rounds
  std::map<round_number, std::vector<mix_report>> pending_;
  std::size_t reports_pending_ = 0;
  std::vector<mix_report> spare_; ///< memory of a round that is checked
  mixing_summary summary_;
  std::uint64_t doubts_ = 0;           ///< of all workers
  std::vector<std::uint64_t> active_;  ///< [edges], rounds in which the edge was committed
  std::vector<std::uint8_t> rejoined_; ///< [edges], as `ends_`: this end has reported the other as returned,
                                       ///< or is back, and they have not both mixed over the edge since
  std::vector<std::string> violations_;
  worker_sets joined_; ///< over the rounds since everybody was
  std::size_t parts_;  ///< so many sets
  bool stretch_is_known_;
  round_number stretch_begin_ = 0;
  round_number last_checked_ = 0;

  // About the round that is being checked; empty in between.
  std::vector<const mix_report*> report_of_; ///< [workers]
  std::vector<double> column_;               ///< [workers]
  std::vector<std::uint8_t> ends_;           ///< [edges], 1: the lower end reports it, 2: the upper
  std::vector<double> differing_;            ///< [edges], the ends' weights, one less the other
  std::vector<std::size_t> term_edges_;      ///< of all terms, in the order of the reports
  std::vector<bool> is_excused_;             ///< [workers], an end of a lost edge: its sums cannot be right
  std::vector<worker_id> excused_;           ///< those
  std::vector<std::uint8_t> correcting_;     ///< [edges], as `ends_`: counts into this end's correction
  bool corrections_differ_ = false; ///< some edge does at one end, the other being in a new generation
};

} // namespace dybw
