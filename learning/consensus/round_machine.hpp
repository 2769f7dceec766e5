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
  void finish_round();

  // round_thresholds.cpp
  void fire();
  void fire_when_all_are_in();
  void announce(const threshold& t, const neighbour* except);
  void rounds_over(round_number up_to);
  void catch_up(const neighbour& n);
  void reset_coverage();

  void take_over();
  void meet(neighbour& n, round_number its_round);
  void learn(const std::vector<fact>& told, const neighbour* from);
  std::optional<fact> answer_to(const fact& f) const;
  void update_usable();
  void lost(neighbour& n);
  void returned(neighbour& n);
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
  std::vector<neighbour> neighbours_; ///< ascending
  gather_timeout timeout_;

  round_number over_ = 0;            ///< in_round(): rounds up to this one are over for everybody
  round_number threshold_round_ = 0; ///< the newest round a threshold was seen for
  std::size_t accepted_ = 0;
  bool close_requested_ = false;
  std::optional<worker_id> told_; ///< for_everybody_: the tree neighbour that heard that all others are in
  /// A joiner that no neighbour has told where it is does not go on alone: it would run ahead, and all would
  /// skip the rounds in between to catch up with it.
  bool seeks_company_ = false;
};

} // namespace dybw
