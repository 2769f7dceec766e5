#pragma once

#include "learning/consensus/coverage_sweep.hpp"
#include "learning/consensus/membership.hpp"
#include "learning/consensus/messages.hpp"
#include "learning/consensus/network_parts.hpp"
#include "learning/consensus/policies/make_policy.hpp"
#include "learning/graph/connecting_edges.hpp"
#include "learning/run/run_config.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

/// One worker's side of a protocol: what happens to it, what it is to do, and the machine in between.
namespace dybw {

// --- What happens to a worker: events ---

/// Begin: the first step starts.
struct start {};

/// The step asked for with this ticket is done: a gradient step, or several in a row.
struct step_done {
  std::uint64_t ticket = 0;
  /// Pairwise policies: what averaging with one neighbour costs the processor, as a share of what a step
  /// costs it. 0: nothing, or not known.
  double mixing_price = 0;
  /// Likewise: how far apart the worker and its neighbours lately were when they averaged, in steps of the
  /// worker. 0: not known.
  double strides_apart = 0;
  std::uint32_t gradients = 1; ///< gradient steps that it was made of
};

struct message_received {
  worker_id from{};
  protocol_message message;
};

/// The moment of the last `arm_timer` may have come. Early or stale ones are ignored.
struct timer_expired {};

/// The failure detector's word that a neighbour is gone.
struct neighbour_lost {
  enum class cause {
    crashed, ///< certain: the worker is gone, all its links with it
    silent,  ///< no sign of life: only this link is given up; its other end may be alive
  };
  worker_id id{};
  cause why = cause::silent;
};

/// A neighbour that was lost gives signs of life again.
struct neighbour_heard {
  worker_id id{};
};

/// The shell found that this whole process was stopped for longer than others wait for a sign of life.
struct paused {};

struct stop_requested {};

/// The step under way takes so much longer than usual that whoever makes it may hang or be gone. Until it is
/// done, or `step_resumed`, the worker rests: nobody waits for it.
struct step_stalled {};

/// A sign of life from whoever makes this worker's steps.
struct step_resumed {};

using event = std::variant<start, step_done, message_received, timer_expired, neighbour_lost, neighbour_heard,
                           paused, stop_requested, step_stalled, step_resumed>;

// --- What a worker is to do: effects, to be carried out in order ---

struct send {
  worker_id to{};
  protocol_message message;
};

/// The newest estimate from this neighbour now counts for the round: keep its parameters until `mix`.
struct use_estimate {
  worker_id from{};
  round_number round = 0;
};

/// Start a step from the current estimate; answer with `step_done{ticket}`.
struct compute {
  std::uint64_t ticket = 0;
  /// Pairwise averaging: what neighbours will take over of the newest step once they answer, in [0,1). The
  /// gradient is computed without it (`estimate_mover::without_step`).
  double unanswered = 0;
};

/// The unfinished step with this ticket is not wanted any more; it must leave no trace.
struct drop_step {
  std::uint64_t ticket = 0;
};

struct mix_term {
  worker_id neighbour{};
  double weight = 0; ///< P_ij
  /// With a correction: what averaging over this edge moves counts into it, at both ends or at one that will
  /// begin it anew.
  bool corrects = false;
};

/// w_j(k) = P_jj w~_j + sum of weight * w~_i over the terms; P_jj is one minus the weights. Without terms the
/// worker's own w~_j becomes its estimate. `terms` stays valid until the next `step`.
struct mix {
  round_number round = 0;
  std::span<const mix_term> terms;
  std::uint64_t generation = 0; ///< of the membership; the correction begins anew in each
};

/// Pairwise averaging: the finished gradient step becomes part of the estimate, which may have moved since it
/// began: w_j = w_j + scale * step. `scale` is what the gradient may count for (`estimate_mover::add_step`).
struct take_step {
  round_number round = 0;
  double scale = 1;
  std::uint64_t generation = 0; ///< as in `mix`
};

/// One end's half of an average of two workers: w_j = w_j + weight * (theirs - mine), of the two estimates
/// that the ends told each other, so that both add opposite amounts and the mean stays.
struct exchange_half {
  worker_id worker{};
  worker_id neighbour{};
  worker_id first{};        ///< of the offer that names the exchange: its sender ..
  std::uint64_t number = 0; ///< .. and its number
  round_number round = 0;   ///< that `worker` was in
  double weight = 0;
  double projection = 0;        ///< the witness: of what was added; filled in by the shell
  double size = 0;              ///< .. and the norm of the estimate that it was added to
  std::uint64_t generation = 0; ///< as in `mix`
  bool corrects = false;        ///< as in `mix_term`
  /// The witness of the correction, with this half; filled in by the shell.
  double correction = 0;
  double correction_size = 0;
};

/// Carry out this half. `theirs` is the newest estimate that came from the neighbour; `mine` what was sent
/// with our own offer to it, or with our answer to its offer.
struct absorb {
  exchange_half half;
  bool own_offer = false;
};

/// An exchange with this neighbour may stay one-sided, as an end or the link between them was lost.
struct edge_lost {
  worker_id neighbour{};
};

/// Send `timer_expired` at this moment (since the run's start), unless a later `arm_timer` replaces it.
struct arm_timer {
  nanoseconds at{0};
};

/// What a worker did in one round that it joined; what the audit, the files and the monitors live on.
struct round_record {
  round_number round = 0;
  nanoseconds started{0}; ///< when the step began
  nanoseconds joined{0};  ///< when the step was done and gathering began
  nanoseconds closed{0};  ///< when settling began
  nanoseconds mixed{0};
  std::uint32_t gradients = 1; ///< of the step, see `step_done`
  std::size_t degree = 0;      ///< planned
  std::size_t accepted = 0;
  std::vector<mix_term> committed;
  std::uint64_t generation = 0;   ///< as in `mix`
  double own_weight = 1;          ///< P_jj
  std::size_t backup_workers = 0; ///< degree - committed
  bool timed_out = false;
  std::vector<worker_id>
      departed; ///< neighbours lost while the round was open: edges to them may be one-sided
  std::vector<worker_id>
      returned; ///< neighbours there again since the round before, perhaps as new processes
};

/// A round is done. `record` stays valid until the next `step`.
struct round_done {
  const round_record* record = nullptr;
};

/// The facts about who is up changed, to this many workers in this worker's own component of the graph.
struct membership_changed {
  std::uint64_t generation = 0;
  std::size_t component = 0;
  worker_id lowest{}; ///< the lowest-numbered of them
};

/// The worker has done its last round and sent `leaving`. It still passes floods on.
struct finished {
  round_number completed = 0;
};

using effect = std::variant<send, use_estimate, compute, drop_step, mix, take_step, absorb, edge_lost,
                            arm_timer, round_done, membership_changed, finished>;

// --- The machine ---

struct machine_options {
  worker_id self{};
  std::shared_ptr<const topology> graph;
  std::shared_ptr<const connect_spec> connect; ///< null: the tree
  /// The connecting edges while everybody is up; computed once per run and shared. Null: computed by the
  /// machine.
  coverage_sweep::edge_set planned_connecting;
  /// What the machines of a process share for the time when somebody is down (`parts_for`). Null: the machine
  /// has its own.
  std::shared_ptr<network_parts> parts;
  policy_spec policy;
  std::optional<weight_rule> weights; ///< unset: the policy's default
  miss_rule on_miss = miss_rule::carry;
  round_number last_round = ~round_number{0}; ///< K: no worker joins a round after it
  std::optional<nanoseconds> round_timeout;   ///< unset: learned
  round_number completed = 0;                 ///< go on after this round; 0: from the beginning
  std::uint64_t seed = 0;                     ///< the run's, for policies that choose at random
  bool corrects = false;                      ///< the shell keeps a `correction`
  /// What is known of the network at the start. Not empty for a joiner, whose process was started again while
  /// the run goes on: it begins with all its links down and raises each when it hears the neighbour.
  std::vector<fact> facts;
  /// Where effects go. Machines that take turns may share it, which keeps it in the processor's cache: then
  /// those of one stay valid until any of them takes its next event. Null: the machine has its own.
  std::shared_ptr<std::vector<effect>> effects;
};

/// The set of edges that the policy needs to join all workers: under one that waits for everybody always the
/// tree, as any other may have circles.
std::shared_ptr<const connect_spec> connecting_rule(const machine_options& options);
/// When its sweeps over that set are over.
sweep_end sweeps_end(const machine_options& options);

/// What machines with these options may share: not thread-safe.
std::unique_ptr<known_parts> parts_for(const machine_options& options);

enum class phase { idle, computing, gathering, settling, left };
std::string_view to_string(phase p);

/// Whom a worker waits for: one entry per neighbour.
struct wait_cause {
  enum class kind { estimate, answer, closing, threshold, step };
  worker_id neighbour{}; ///< == self for `threshold`, which may come from anybody, and for `step`
  kind what = kind::estimate;
  nanoseconds since{0};
};
std::string_view to_string(wait_cause::kind k);

struct machine_status {
  enum phase phase = phase::idle;
  round_number round = 0; ///< the round in progress, or the last completed while computing
  round_number completed = 0;
  nanoseconds since{0};               ///< when the phase began
  std::optional<nanoseconds> timeout; ///< gathering: when it gives up
  std::size_t quorum_missing = 0;     ///< gathering: neighbours that may still be accepted
  std::size_t component = 0;          ///< workers in this part of the network, as far as known
  worker_id lowest{};                 ///< the lowest-numbered of them
  std::vector<wait_cause> waiting_for;
};

/// Totals since the start.
struct machine_counters {
  std::uint64_t estimates_late = 0; ///< arrived for a round that was over; counted, never mixed
  std::uint64_t timeouts = 0;
  std::uint64_t steps_used = 0;      ///< gradient steps
  std::uint64_t steps_discarded = 0; ///< .. and those of the protocol that were dropped
  std::uint64_t sweeps_completed = 0;
  std::uint64_t rounds_refused = 0; ///< messages that named a round in which nobody can be; not taken in
};

/// One worker's side of a protocol as a pure state machine: events in, effects out. Not thread-safe;
/// deterministic.
class worker_machine {
public:
  virtual ~worker_machine() = default;

  /// Takes one event that happens at `now` (never earlier than the one before). The effects stay valid until
  /// the next call (see `machine_options::effects`).
  virtual const std::vector<effect>& step(nanoseconds now, const event& e) = 0;

  virtual machine_status status() const = 0;

  /// What this neighbour needs to join. Nothing from who has not begun or has left. REQUIRES: the link to it
  /// was given up (`neighbour_lost`), so that nothing of its predecessor's counts here any more.
  virtual std::optional<welcome> welcome_for(worker_id joiner) const = 0;

  /// Whether a neighbour may be in this round: it is not after the last, and not absurdly far ahead. What a
  /// message says of another the machine does not take in; shells keep nothing of it.
  virtual bool may_be_in(round_number round) const = 0;

  virtual const machine_counters& counters() const = 0;
  virtual const membership& facts() const = 0;
  virtual round_number completed() const = 0;
  virtual phase current_phase() const = 0;
  bool has_left() const { return current_phase() == phase::left; }
};

} // namespace dybw
