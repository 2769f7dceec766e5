#pragma once

#include "learning/consensus/disagreement.hpp"
#include "learning/consensus/reports/round_report.hpp"
#include "learning/model/estimate_mover.hpp"
#include "learning/model/local_training.hpp"

#include <map>
#include <optional>

namespace dybw {

/// Under pairwise policies: the parameter blocks that a worker holds for its exchanges, and what these do to
/// its estimate. Without a model blocks are none and nothing moves.
class pairwise_blocks {
public:
  /// `setup` is null without a model; outlives this.
  explicit pairwise_blocks(const training_setup* setup);

  /// A neighbour's estimate from another process, ahead of the offer or answer that it belongs to.
  void hold(worker_id from, const parameter_block& block) { held_[from].came = block; }
  /// The estimate of an offer or answer is that of the message, or came before it. Whether there is one of
  /// our size, if one is needed: a message without can mean nothing to us.
  bool take(worker_id from, const parameter_block& block, bool needed);
  /// What our newest offer to this neighbour, or our newest answer, tells it.
  void tell(worker_id to, const parameter_block& own, bool own_offer) {
    (own_offer ? held_[to].offered : held_[to].answered) = own;
  }

  /// Where a step from `own` is to be computed (`compute::unanswered`).
  parameter_block begin_step(const parameter_block& own, double unanswered);
  /// `own` with the step added that led from there, `at`, to `stepped` (`estimate_mover::add_step`).
  parameter_block add_step(const parameter_block& own, const parameter_block& at,
                           const parameter_block& stepped, const take_step& x);
  /// `own` after our half of the exchange, which becomes news; its blocks are let go of.
  parameter_block absorb(const parameter_block& own, const dybw::absorb& x);
  /// See `step_done::strides_apart`.
  double strides_apart() const noexcept { return disagreement_.value(); }
  void give_up(const edge_lost& x) { news_.given_up.push_back(x.neighbour); }
  /// What was not reported yet.
  exchange_news take_news() { return std::exchange(news_, {}); }

private:
  struct blocks {
    parameter_block offered;
    parameter_block answered;
    parameter_block came; ///< the newest
  };

  const training_setup* setup_;
  std::map<worker_id, blocks> held_;
  parameter_block began_;       ///< our estimate when the step under way began
  parameter_block before_step_; ///< .. before and ..
  parameter_block after_step_;  ///< .. after the newest was added, until the next begins
  std::size_t parameter_count_ = 0;
  std::optional<estimate_mover> mover_;
  disagreement disagreement_;
  exchange_news news_;
};

} // namespace dybw
