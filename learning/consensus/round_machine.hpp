#pragma once

#include "learning/consensus/gather_timeout.hpp"
#include "learning/consensus/worker_machine.hpp"

namespace dybw {

/// One worker's side of the round protocol (docs/protocol.md) as a pure state machine: events in, effects
/// out. It knows ids, rounds and moments, no vectors; the shell holds the parameters. Phases:
///
///     computing -> gathering -> settling -> (mix) -> computing .. -> left
///
/// Invariants: an edge is mixed over only if both ends accepted each other's estimate for the round, with
/// weights that both ends compute from the same two numbers, and P_jj >= 1/(1+degree); completed rounds only
/// grow; at most one estimate per neighbour counts in a round. Not thread-safe; deterministic.
class round_machine final : public worker_machine {
public:
  explicit round_machine(machine_options options);

  const std::vector<effect>& step(nanoseconds now, const event& e) override;
  machine_status status() const override;
  std::optional<welcome> welcome_for(worker_id joiner) const override;
  const machine_counters& counters() const override { return counters_; }
  const membership& facts() const override { return facts_; }
  round_number completed() const override { return completed_; }
  phase current_phase() const override { return phase_; }

private:
  struct neighbour {
    worker_id id{};
    std::size_t planned_degree = 0;
    bool usable = true;       ///< the link and both ends are up, as far as known
    bool silent = false;      ///< our own failure detector gave it up
    bool leaving = false;     ///< past every round
    round_number offered = 0; ///< round of its newest estimate
    bool offered_parameters = false;
    round_number in = 0;     ///< the newest round it is known to be in
    round_number closed = 0; ///< the newest round it closed
    pace_estimator pace;
    nanoseconds last_estimate{0};
    // of a joiner's neighbours:
    bool met = true;              ///< has said where it is
    round_number apart_until = 0; ///< rounds up to this one may have been shared with our predecessor
    // about the round in progress:
    bool barred = false;   ///< was lost while the round was open: takes no part any more
    bool accepted = false; ///< by us
    bool accepts_us = false;
    bool fired = false; ///< its edge has fired a threshold in this round and generation
    std::optional<std::size_t> closed_degree;

    bool apart_in(round_number round) const { return !met || round <= apart_until; }
    bool committed() const { return accepted && accepts_us; }
  };

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
  void begin_step();
  void restart_step();
  void join(round_number round);
  void accept_estimate(neighbour& n);
  bool acceptable(const neighbour& n) const;
  bool may_still_come(const neighbour& n) const;
  bool should_close() const;
  void close();
  bool settled() const;
  bool awaits_answer(const neighbour& n) const;
  bool awaits_closing(const neighbour& n) const;
  void finish_round();
  void leave();

  void fire();
  void fire_when_all_are_in();
  void announce(const threshold& t, const neighbour* except);
  void rounds_over(round_number up_to);
  void catch_up(const neighbour& n);
  round_number round_to_join() const;

  void take_over(const std::vector<fact>& facts);
  void meet(neighbour& n, round_number its_round);
  void learn(const std::vector<fact>& facts, const neighbour* from);
  void update_usable();
  void lost(neighbour& n);
  void returned(neighbour& n);
  void send_facts(const neighbour& n);
  void new_generation();

  bool in_round() const { return phase_ == phase::gathering || phase_ == phase::settling; }
  double weight_of(const neighbour& n) const;
  void note_wait(nanoseconds t);
  nanoseconds gather_limit() const;
  void set_phase(phase p);
  neighbour* find(worker_id id);
  template <class Message>
  void tell_usable(const Message& m);
  void check_invariants() const;

  machine_options options_;
  std::unique_ptr<policy> policy_;
  weight_rule weights_;
  bool by_threshold_;
  bool for_everybody_; ///< .. which comes when everybody is in
  membership facts_;
  coverage_sweep coverage_;
  std::vector<neighbour> neighbours_; ///< ascending

  phase phase_ = phase::idle;
  nanoseconds now_{0};
  nanoseconds phase_since_{0};
  nanoseconds started_{0};
  round_number completed_ = 0;       ///< joined and mixed, or sat out
  round_number current_ = 0;         ///< in_round(): the round in progress
  round_number over_ = 0;            ///< in_round(): rounds up to this one are over for everybody
  round_number threshold_round_ = 0; ///< the newest round a threshold was seen for
  std::size_t accepted_ = 0;
  bool close_requested_ = false;
  std::optional<worker_id> told_; ///< for_everybody_: the tree neighbour that heard that all others are in
  bool stopping_ = false;
  std::uint64_t ticket_ = 0;
  nanoseconds step_started_{0};
  std::optional<nanoseconds> first_step_;
  pace_estimator sweep_wait_; ///< DTUR: the longest wait of each coverage sweep
  nanoseconds longest_wait_{0};
  std::uint64_t sweeps_timed_ = 0;
  nanoseconds deadline_{0};
  std::size_t component_ = 0;
  worker_id lowest_{};
  /// A joiner that no neighbour has told where it is does not go on alone: it would run ahead, and all would
  /// skip the rounds in between to catch up with it.
  bool seeks_company_ = false;

  round_record record_;
  machine_counters counters_;
  std::vector<effect> effects_;
};

} // namespace dybw
