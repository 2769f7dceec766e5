#pragma once

#include "learning/consensus/gather_timeout.hpp"
#include "learning/consensus/machine_frame.hpp"
#include "learning/consensus/policies/pairwise_policy.hpp"

namespace dybw {

/// A mean of step rates that all workers share, found without anybody asking: each keeps a guess, moves it
/// with its own rate, and averages it with a neighbour's whenever estimates are averaged. The mean of all
/// guesses is the mean of all rates (dynamic average consensus: Zhu, Martinez, Automatica 2010).
class rate_consensus {
public:
  /// A step of one's own took so long.
  void observe(nanoseconds step);
  /// Averages as an exchange does: the guesses that the ends told each other, 0 for none.
  void average(double theirs, double mine, double weight);

  double own() const noexcept { return own_; } ///< 1/s; 0 in the first steps
  /// The guess; 0 in the first steps. May be negative for a while: were it kept from that, the mean of all
  /// guesses would not be the mean of the rates.
  double mean() const noexcept { return mean_; }
  nanoseconds step() const noexcept { return from_seconds(step_s_); }

private:
  double step_s_ = 0; ///< smoothed
  std::uint64_t steps_ = 0;
  double own_ = 0;
  double mean_ = 0;
};

/// One worker's side of pairwise averaging (docs/protocol.md, "Pairwise policies"): after each step it offers
/// its estimate to neighbours, each answers with its own as soon as the offer comes, and both ends add
/// opposite shares of the difference of these two. Two offers that cross are each other's answer. A round is
/// a step of one's own. Phases as of `round_machine`: gathering is the wait for answers after a step,
/// settling that before leaving: until all neighbours have done their last step too (after a stop, not for
/// long), and then while all average a few times more.
///
/// Invariants: at most one offer unanswered per neighbour; a half is absorbed at most once, and at both ends
/// with the same weight unless one end gave the other up in between (then the edge is `departed`). Who is up
/// is flooded for whoever must know its part of the network; it moves nothing here, where a lost neighbour is
/// nobody else's business. What belongs together is told apart by sessions: the
/// other end's messages count only if they were sent after it knew of our last giving up. Not thread-safe;
/// deterministic.
class pairwise_machine final : public machine_frame {
public:
  /// REQUIRES: a `pairwise_policy`.
  explicit pairwise_machine(machine_options options);

  const std::vector<effect>& step(nanoseconds now, const event& e) override;
  machine_status status() const override;

private:
  /// What an end of an exchange told the other.
  struct exchange_word {
    double rate = 0;
    std::uint64_t generation = 0;
  };
  struct alignas(64) neighbour {
    worker_id id{};
    double weight = 0; ///< a_ij
    bool usable = true;
    bool crashed = false; ///< said to be: a message that was under way does not prove the contrary
    bool leaving = false;
    bool closing = false;      ///< has done its last step
    round_number in = 0;       ///< the newest round it is known to be in
    std::uint64_t offered = 0; ///< our offer that it owes an answer to; 0: none
    exchange_word told;        ///< .. and what we said in it
    link_sessions sessions;    ///< ours and theirs
    nanoseconds offered_at{0};
    std::size_t overdue = 0; ///< own rounds since then
    pace_estimator pace;     ///< of its answers
    // since the last record:
    std::size_t averaged = 0; ///< its place among those averaged with, from 1; 0: it is none
    bool departed = false;
    // what it is counted as (`recount`):
    bool counts_as_free = false;
    bool counts_as_working = false;
    std::optional<std::size_t> owing_place; ///< among those that owe an answer
  };

  void on(const start&);
  void on(const step_done& e);
  void on(const message_received& e);
  void on(const timer_expired&);
  void on(const neighbour_lost& e);
  void on(const neighbour_heard& e);
  void on(const paused&) {} // what was owed to us meanwhile comes, or was given up by the other end
  void on(const stop_requested&);
  void on(const step_stalled&);
  void on(const step_resumed&);

  void on(neighbour& from, const offer& m);
  void on(neighbour& from, const answer& m);
  void on(neighbour& from, const closed&);
  void on(neighbour& from, const leaving&);
  void on(neighbour& from, const membership_news& m);
  template <class Other>
  void on(neighbour&, const Other&) {} // of another protocol

  void evaluate();
  void go_on() { is_through() ? close_down() : start_step(unanswered()); }
  double unanswered() const;
  bool may_answer_within(nanoseconds patience) const;
  void offer_to_some(const step_done& e);
  void offer_to(neighbour& n);
  void lose(neighbour& n, neighbour_lost::cause why);
  void give_up(neighbour& n);
  void revive(neighbour& n);
  void learn(const std::vector<fact>& told, const neighbour* from);
  bool is_void(neighbour& from, const link_sessions& sessions);
  exchange_word our_word() const;
  void take(neighbour& n, worker_id first, std::uint64_t number, bool own_offer, exchange_word theirs,
            exchange_word ours);
  bool may_go_on() const;
  void finish_round();
  void close_down();
  static bool is_there(const neighbour& n) { return n.usable && !n.leaving; }
  static bool is_working(const neighbour& n) { return is_there(n) && !n.closing; }
  void recount(neighbour& n);
  void set_overdue(neighbour& n, std::size_t rounds);
  nanoseconds answer_limit() const;
  nanoseconds closing_limit() const;
  void bound_closing();
  round_number round_for(worker_id joiner) const override;

  std::unique_ptr<pairwise_policy> policy_;
  random_generator generator_;
  rate_consensus rates_;
  std::vector<neighbour> neighbours_;
  double evenness_ = 1; ///< see `pairwise_policy::prospect`
  // Kept as they change, so that no message costs a look at all neighbours:
  std::vector<worker_id> free_;     ///< whom an offer may go to, ascending
  std::vector<neighbour*> owing_;   ///< who owes an answer, in no order
  std::size_t working_ = 0;         ///< who is there and makes steps
  std::size_t longest_overdue_ = 0; ///< who owes it for as long as the policy lets them

  std::optional<nanoseconds> patience_ends_; ///< gathering
  std::uint64_t number_ = 0;                 ///< of the newest offer
  bool timed_out_ = false;
  std::size_t sweeps_left_ = 0;
  std::optional<nanoseconds> closing_ends_; ///< settling, after a stop: the waiting for others' steps
  std::vector<worker_id> chosen_;

  std::vector<mix_term> averaged_;  ///< since the last record
  std::vector<worker_id> departed_; ///< likewise
};

} // namespace dybw
