#pragma once

#include "learning/consensus/worker_machine.hpp"
#include "learning/graph/worker_sets.hpp"
#include "learning/run/run_result.hpp"

#include <map>
#include <string>
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
};

/// Checks every completed round's mixing matrix P(k) from the workers' reports: rows and columns sum to one,
/// no edge is one-sided unless an end departed, the sum of the projections is kept, and the committed edges
/// join everybody again and again. Takes each worker's reports in ascending order of rounds, the workers in
/// any order; a round is checked when every worker has reported a later one, has left or is lost. Reports of
/// a round that is checked already, or that the worker has reported already, come too late and are not used.
/// Memory is bounded by `rounds_pending_max`. Not thread-safe.
class mixing_audit {
public:
  static constexpr std::size_t rounds_pending_max = 100'000;

  /// Reports of rounds up to `after` are not to be added. Without it the audit begins with the first round
  /// that is reported.
  explicit mixing_audit(std::shared_ptr<const topology> graph, round_number after = 0);

  void add(mix_report report);
  /// The worker has done its last round.
  void left(worker_id worker);
  /// The worker is gone without a word: what it did after its last report is not known.
  void lost(worker_id worker);
  /// A worker that was lost, or had left, is there again, perhaps as a new process: it is waited for again.
  /// Edges to it that are one-sided are lost, not violations: in rounds between its reports before and after;
  /// in those that it reports twice; and, towards each neighbour that its reports list as departed from the
  /// beginning on, in rounds that it does not report (its predecessor may have, and told nobody).
  void back(worker_id worker);

  /// The state now; rounds still pending count as unaudited.
  mixing_summary summary() const;
  std::vector<edge_activity> activity() const;
  double mean_active_share() const;

  /// One sentence for each of the first violations, for the log.
  const std::vector<std::string>& violations() const noexcept { return violations_; }

private:
  struct worker_state {
    round_number reported = 0;
    bool left = false;
    bool lost = false;
    bool returning = false;       ///< is back and has not reported since
    round_number back_after = 0;  ///< what it had reported before it was lost
    std::vector<worker_id> apart; ///< neighbours that every report since lists as departed
    std::vector<std::pair<round_number, round_number>>
        unknown; ///< rounds first .. second in which it was away
  };

  void advance();
  void note_return(worker_state& w, round_number first);
  bool is_unknown(worker_id worker, round_number round) const;
  bool is_excused(const mix_report& report, worker_id neighbour, const mix_report* other) const;
  void note_departed(const mix_report& report);
  void check(round_number round, const std::vector<mix_report>& reports);
  void note_violation(std::string text);
  void join_components(round_number round, const std::vector<edge>& committed);

  std::shared_ptr<const topology> graph_;
  std::vector<worker_state> workers_;
  std::map<round_number, std::vector<mix_report>> pending_;
  mixing_summary summary_;
  std::vector<std::uint64_t> active_; ///< [edges], rounds in which the edge was committed
  std::vector<std::string> violations_;
  worker_sets joined_; ///< over the rounds since everybody was
  round_number stretch_begin_ = 0;
  round_number last_checked_ = 0;
};

} // namespace dybw
