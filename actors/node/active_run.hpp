#pragma once

#include "actors/local_messages.hpp"
#include "actors/node/leadership.hpp"
#include "learning/model/evaluation_history.hpp"
#include "learning/model/hang_watch.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace dybw {

/// What a node has spent: on links and for evaluation, of its processor.
struct expenses {
  traffic sent;
  double cpu_s = 0;
};

/// What a node knows of the run that it serves, and what follows from that: when its links are up or have
/// failed, what every subscriber is owed, whether this node leads, when the run may be let go. Goes with the
/// run. Pure: what happened goes in with its moment (`now`, since some fixed one), verdicts and answers come
/// out; `spent` is in this run. Not thread-safe.
class active_run {
public:
  /// How long the links to other nodes may take, before the launcher loses its patience.
  static constexpr nanoseconds link_patience{std::chrono::seconds{7}};
  /// For the leading node to reach the others before the run begins.
  static constexpr nanoseconds follow_patience{std::chrono::seconds{2}};
  /// Who subscribes so soon after the beginning gets what was reported until then.
  static constexpr nanoseconds first_rounds_time{std::chrono::seconds{2}};
  static constexpr std::size_t first_rounds_max = 20'000;
  /// A subscriber with more than this still to be sent to gets no more reports for now.
  static constexpr std::uint64_t subscriber_backlog_max = 8 * 1024 * 1024;
  /// How long the workers may take to end when they, or the node, are told to: a gradient step, the last
  /// messages.
  static constexpr nanoseconds stop_patience{std::chrono::seconds{10}};
  static constexpr nanoseconds leave_patience{std::chrono::milliseconds{1500}};
  /// How long a node that left the run stays, should it be over for everybody: for its estimates, or to
  /// measure.
  static constexpr nanoseconds withdrawn_time{std::chrono::seconds{3}};
  /// How long a node whose workers are done waits to be asked for something; at most, while somebody listens.
  static constexpr nanoseconds linger_time{std::chrono::seconds{15}};
  static constexpr nanoseconds linger_time_max{std::chrono::minutes{10}};

  explicit active_run(nanoseconds now) : owner_heard_(now), origin_(now), asked_at_(now) {}

  // --- Until it begins ---

  void owner_spoke(nanoseconds now) { owner_heard_ = now; }
  /// A machine that vanishes does not close its connections.
  bool is_deserted(nanoseconds now, nanoseconds patience) const { return now - owner_heard_ > patience; }

  /// Before that: another node has the starting values, which are asked for until they come.
  void seek_values(connection_id asked_by, nanoseconds now) {
    asked_by_ = asked_by;
    values_wanted_since_ = now;
  }
  /// Whether to ask for them now: not twice at a time.
  bool asks_for_values() { return values_wanted_since_ && !std::exchange(values_asked_, true); }
  /// They did not come. Whether they may still.
  bool may_ask_again(nanoseconds now, nanoseconds patience) {
    values_asked_ = false;
    return now - *values_wanted_since_ < patience;
  }
  void values_came() { values_wanted_since_.reset(); }

  /// From now on links are waited for, to all nodes with neighbours of the workers here. `asked_by`: who
  /// waits with us; nobody if this node joins. Others may first wait `for_values` for their starting values.
  void link(const run_spec& spec, const topology& graph, std::optional<connection_id> asked_by,
            nanoseconds now, nanoseconds for_values = nanoseconds{0});
  void note(const link_changed& x);
  /// The answer for who waits, once there is one. The lead waits a little for the other nodes, too.
  std::optional<connect_reply> linked(const run_spec& spec, nanoseconds now) const;
  std::optional<connection_id> asked_by() const noexcept { return asked_by_; }

  // --- While it lasts ---

  /// `origin`: of its times; before `now` if this node joins. `before`: what was spent until then.
  void begin(nanoseconds origin, double cpu_s_before);
  void count_from(const traffic& before) { before_.sent = before; }
  nanoseconds elapsed(nanoseconds now) const { return now - origin_; }
  /// Of all that the node has spent.
  expenses in_this_run(expenses all) const;

  void note(const local_reports& x, nanoseconds now);
  void note(const evaluation& x) { evaluations_.add(x); }
  /// Whether it had not failed before: the first reason is the one to tell.
  bool fail(const std::string& why);
  /// The node leaves the run, on which the others go on. Whether it had not left before.
  bool withdraw(const std::string& why);
  bool has_withdrawn() const noexcept { return !withdrawn_.empty(); }
  /// Somebody wants its end, not the run itself.
  void interrupt() { interrupted_ = true; }
  void stop(nanoseconds now) { stopping_since_ = stopping_since_.value_or(now); }
  /// Whether a stop that was heard of is to be told to others: the first one.
  bool passes_stop_on() { return !std::exchange(stop_passed_on_, true); }
  /// The workers do not come to the end that they were told to come to.
  bool is_overdue(nanoseconds now, bool leaving) const;

  void subscribe(connection_id from, nanoseconds now);
  void unsubscribe(connection_id from) { subscribers_.erase(from); }
  void note(connection_id to, const backlog& x);
  /// What every subscriber gets of these reports, which are noted already; none: it is too slow, and misses
  /// nothing that it must not.
  std::map<connection_id, std::optional<report_batch>> batches(run_id run, const local_reports& x,
                                                               const expenses& spent, nanoseconds now);
  /// For a lead that takes over: what has been told of ends until now.
  local_reports ends() const;
  /// In place of the reporter, which has failed: of the workers `here`, whom nobody hears any more, those
  /// that have not said their last word are lost.
  local_reports without_reporter(std::span<const worker_id> here) const;
  void complete(node_status& x, const expenses& spent, nanoseconds now) const;
  void complete(process_metrics& x, const expenses& spent) const;

  // --- Leading ---

  void note(const part_changed& x, nanoseconds now) { part_->changed(x.worker, x.component, x.lowest, now); }
  /// Decides whether this node leads from now on; not before the links are waited for.
  bool keep_lead(nanoseconds now);
  /// How many workers are in touch, if that has changed since it was asked for, from the beginning to the end
  /// of the work.
  std::optional<std::size_t> news_of_part();

  // --- The end ---

  /// The workers here are done, or are not waited for any more.
  void finish(nanoseconds now) { finishing_since_ = now; }
  /// From the client of the lead, also before the run begins. Whether the end is to be measured now: true
  /// once.
  bool note(const cluster_status& x, bool leaving);
  run_result known_result(const run_spec& spec, const cluster_status& x, const expenses& spent) const;
  void measured(nanoseconds now) { measured_at_ = now; }
  /// Somebody wants something of the run.
  void asked(nanoseconds now) { asked_at_ = now; }
  /// Only noted: something might be lost with the run.
  void over_elsewhere() { over_elsewhere_ = true; }
  /// As its lead sees all of it.
  bool hangs(const run_progress& all, bool occupied, nanoseconds now) {
    return hang_.hangs(all.workers_done - all.workers_lost, all.local_steps, occupied, now);
  }
  /// REQUIRES: it is finishing.
  bool may_let_go(nanoseconds now, bool leaving) const;

private:
  struct subscriber {
    std::size_t ends_sent = 0; ///< of the run's
    std::size_t lost_sent = 0;
    bool failure_sent = false;
    bool withdrawal_sent = false;
    std::size_t evaluations_sent = 0;
    std::uint64_t dropped_before = 0; ///< by the reporter, when the subscription began
    std::uint64_t dropped = 0;
    std::uint64_t backlog = 0;
    bool gets_first_rounds = false;
  };
  bool is_owed(const subscriber& s) const;

  nanoseconds owner_heard_;
  // linking
  std::optional<connection_id> asked_by_;
  std::optional<nanoseconds> values_wanted_since_;
  bool values_asked_ = false;
  nanoseconds for_values_{0};
  nanoseconds linking_since_{0};
  std::map<node_index, std::string> links_missing_; ///< and why
  bool others_reached_ = false;                     ///< by the lead
  // leading
  std::optional<leadership> part_;
  std::size_t part_told_ = 0; ///< its size when that was last asked for
  bool leads_ = false;
  // running
  bool begun_ = false;
  nanoseconds origin_;
  expenses before_;
  run_progress progress_;
  std::vector<worker_end> ends_;
  std::vector<worker_id> lost_;
  evaluation_history evaluations_;
  std::uint64_t rounds_dropped_ = 0;
  std::vector<round_report> first_rounds_; ///< for subscribers that come just after the beginning
  std::uint64_t rounds_passed_ = 0;
  std::map<connection_id, subscriber> subscribers_;
  std::string failure_;
  std::string withdrawn_; ///< why
  bool interrupted_ = false;
  std::optional<nanoseconds> stopping_since_;
  bool stop_passed_on_ = false;
  hang_watch hang_;
  // finishing
  std::optional<nanoseconds> finishing_since_;
  bool measuring_ = false; ///< or measured
  std::optional<nanoseconds> measured_at_;
  nanoseconds asked_at_; ///< when somebody last asked for something of the run
  bool over_elsewhere_ = false;
};

} // namespace dybw
