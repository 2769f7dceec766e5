#pragma once

#include "learning/consensus/machine_frame.hpp"
#include "learning/consensus/round_neighbour.hpp"

namespace dybw {

/// One worker's side of the round protocol (docs/protocol.md) as a pure state machine: events in, effects
/// out. It knows ids, rounds and moments, no vectors; the shell holds the parameters. Phases:
///
///     computing -> gathering -> settling -> (mix) -> computing .. -> left
///
/// Invariants: an edge is mixed over only if both ends accepted each other's estimate for the round, with
/// weights that both ends compute from the same two numbers, and P_jj >= 1/(1+degree); completed rounds only
/// grow; at most one estimate per neighbour counts in a round. Not thread-safe; deterministic.
class round_machine final : public machine_frame {
public:
  explicit round_machine(machine_options options);

  const std::vector<effect>& step(nanoseconds now, const event& e) override;
  machine_status status() const override;

private:
  using neighbour = round_neighbour;

  void on(const start&);
  void on(const step_done& e);
  void on(const message_received& e);
  void on(const timer_expired&);
  void on(const neighbour_lost& e);
  void on(const neighbour_heard& e);
  void on(const paused&);
  void on(const stop_requested&);
  void on(const step_stalled&);
  void on(const step_resumed&);

  void on(neighbour& from, const estimate& m);
  void on(neighbour& from, const accept& m);
  void on(neighbour& from, const closed& m);
  void on(neighbour& from, const threshold& m);
  void on(neighbour& from, const leaving&);
  void on(neighbour& from, const membership_news& m);
  void on(neighbour&, const offer&) {} // of another protocol
  void on(neighbour&, const answer&) {}

  void evaluate();
  void begin_step() { is_through() ? leave() : start_step(); }
  void restart_step();
  round_number round_to_join() const;
  void join(round_number round);
  void accept_estimate(neighbour& n);
  bool should_close() const;
  void close();
  bool settled() const;
  bool awaits_closing(const neighbour& n) const;
  bool needs_degrees() const { return weights_ == weight_rule::active; }
  round_number slowest_in() const;
  void finish_round();
  void recount(neighbour& n);
  void recount_all();
  bool is_believable(const protocol_message& m) const;

  // round_thresholds.cpp
  void fire();
  void fire_for(neighbour& n);
  void fire_when_all_are_in();
  void spread(const threshold& t, const neighbour* except);
  void tell_untold();
  void announce(const threshold& t, const neighbour* except);
  void rounds_over(round_number up_to);
  void catch_up(const neighbour& n);
  void reset_coverage();
  coverage_sweep& coverage();

  void take_over();
  void meet(neighbour& n, round_number its_round);
  void learn(const std::vector<fact>& told, const neighbour* from);
  std::optional<fact> answer_to(const fact& f) const;
  void update_usable();
  void lost(neighbour& n);
  void returned(neighbour& n);
  std::optional<fact> raise_forgotten(const fact& f, const neighbour* from);
  void note_back(worker_id id);
  void say_where_we_are(const neighbour& n);
  round_number round_for(worker_id joiner) const override;

  double weight_of(const neighbour& n) const;
  nanoseconds gather_limit() const;
  void tell_usable(const protocol_message& m);
  void check_invariants() const;

  std::unique_ptr<policy> policy_;
  weight_rule weights_;
  bool by_threshold_;
  bool for_everybody_; ///< .. which comes when everybody is in
  coverage_sweep coverage_;
  bool coverage_is_old_ = true;       ///< the facts have changed since: `coverage()` looks
  std::vector<neighbour> neighbours_; ///< ascending
  mutable round_tally tally_;         ///< of the round in progress
  gather_timeout timeout_;

  /// Connecting edges that may have to fire: those committed since `fire` looked last, by the neighbours'
  /// places, or all after a new sweep or generation.
  std::vector<std::size_t> committed_lately_;
  bool fire_looks_at_all_ = true;
  /// Covered edges to be passed on together at the end of this moment: where many commit at once, as many
  /// messages for each would be as many as there are edges.
  struct untold {
    std::uint64_t sweep = 0;
    round_number round = 0;
    std::vector<std::uint64_t> edges; ///< places in the connecting edges
  };
  std::vector<untold> untold_;
  bool untold_wakes_ = false;                ///< the timer is set for it
  std::optional<nanoseconds> told_coverage_; ///< when covered edges alone were last passed on at once

  round_number over_ = 0;            ///< in_round(): rounds up to this one are over for everybody
  round_number threshold_round_ = 0; ///< the newest round a threshold was seen for
  std::size_t accepted_ = 0;
  std::uint64_t told_generation_ = 0; ///< in_round(): that our estimate named
  bool close_requested_ = false;
  std::optional<worker_id> told_; ///< for_everybody_: the tree neighbour that heard that all others are in
  /// A joiner that no neighbour has told where it is does not go on alone: it would run ahead, and all would
  /// skip the rounds in between to catch up with it.
  bool seeks_company_ = false;
  std::vector<worker_id> back_; ///< for the next record
};

} // namespace dybw
