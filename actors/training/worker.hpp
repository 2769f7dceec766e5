#pragma once

#include "actors/system/process_usage.hpp"
#include "actors/training/pairwise_blocks.hpp"
#include "actors/training/spare_workspaces.hpp"
#include "actors/training/training_slot.hpp"
#include "learning/coding/known_blocks.hpp"
#include "learning/consensus/estimate_slots.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/mixing_price.hpp"
#include "learning/consensus/silence_detector.hpp"

namespace dybw {

/// What a worker is spawned with. One that joins a live run has facts and a round in `machine`, and a
/// neighbour's estimate as its `initial`; its momentum begins at zero.
struct worker_options {
  machine_options machine;
  std::shared_ptr<const training_setup>
      training;                      ///< null with `--model none`: steps take no time of their own
  parameter_block initial;           ///< w(0)
  std::shared_ptr<step_clock> clock; ///< this worker's; injected delays
  nanoseconds suspect_after{std::chrono::seconds{3}};
  std::optional<nanoseconds> time_limit; ///< this long after the run's start the worker stops by itself
  std::optional<checkpoint> resumed;     ///< of the round that `machine` goes on after
  checkpointer_actor checkpointer;       ///< null: no checkpoints; with a model only
  nanoseconds checkpoint_every{0};
  std::uint64_t run_hash = 0;                   ///< for checkpoints
  bool records = false;                         ///< tells the reporter every event
  block_format send = block_format::float32;    ///< how estimates go to other processes ..
  bool codes_all = false;                       ///< .. and to all neighbours: to see what comes of it
  trainer_pool_actor trainers;                  ///< may be null with `--model none`
  std::shared_ptr<spare_workspaces> workspaces; ///< for small jobs; null: trainers do them all
  shard_actor shard;                            ///< null where steps need no mini-batches
  reporter_actor reporter;
};

/// The shell of a round machine: turns messages into events and carries out effects. What decides anything is
/// in learning/; what takes long runs in a trainer, what takes less than the trip to one here.
class worker_state {
public:
  static inline const char* name = "worker";

  explicit worker_state(worker_actor::stateful_pointer<worker_state> self) : self_(self) {}

  void start(worker_options options);
  void meet(const meet_neighbours& x);
  void begin_rounds(const begin_work& x);

  // messages from neighbours
  void receive(worker_id from, const estimate_message& m);
  void receive(worker_id from, const threshold_message& m);
  void receive(worker_id from, const received& m);
  void receive(worker_id from, const heartbeat&) { alive(from); }
  void receive(worker_id from, const offer_message& m) { receive_block(from, m, true); }
  void receive(worker_id from, const answer_message& m) { receive_block(from, m, m.body.taken); }
  template <class Message>
  void receive(worker_id from, const Message& m) {
    if (alive(from))
      apply(message_received{from, m});
  }
  void receive(const peer_mail& mail);
  void neighbour_down(const caf::down_msg& down);
  void link_is_broken(worker_id neighbour);

  // helpers and timers
  void receive(const mini_batch& batch);
  void receive(const training_done& done);
  void step_is_done(std::uint64_t ticket) {
    apply(weighs_mixing_ ? step_done{ticket, mixing_price_.value(), pairs_->strides_apart(), slot_->steps()}
                         : step_done{.ticket = ticket, .gradients = slot_->steps()});
  }
  void gather_timeout_is_due(nanoseconds at);
  void heartbeat_is_due();
  void checkpoint_is_due();
  void checkpoint_is_handled() { checkpoint_under_way_ = false; }
  void stop() { apply(stop_requested{}); }

  snapshot take_snapshot() const { return {id_, lasting(), machine_->counters().steps_used}; }
  worker_status status() const {
    return {id_, machine_->status(), machine_->counters(), slot_->maker(), now()};
  }
  welcome_reply welcome_for(worker_id joiner);

private:
  /// For results: without a learner an estimate stands still while the others go on.
  parameter_block lasting() const { return gave_up_ ? parameter_block{} : current_; }

  struct neighbour {
    worker_id id{};
    worker_actor handle; ///< null if it lives in another process; `links_` reaches it
    flow_window window;
    estimate_slots<parameter_block> estimates;
    std::optional<coded_link<parameter_block>> coded; ///< if blocks travel there coded
  };

  /// Since the run's start, by the clock that delays messages; 0 before this worker has heard when that was
  /// (a stop may overtake the meeting).
  nanoseconds now() const {
    return origin_ ? std::chrono::duration_cast<nanoseconds>(self_->clock().now() - *origin_)
                   : nanoseconds{0};
  }
  neighbour* find(worker_id id);
  bool alive(worker_id from);
  void give_up(const std::string& why);
  void lose(neighbour& n, neighbour_lost::cause why);
  template <class Message>
  void receive_block(worker_id from, const Message& m, bool needed) {
    if (!alive(from))
      return;
    const auto cpu_before = thread_cpu_s();
    const auto block = arrived(*find(from), m.label, m.parameters);
    if (!block || (pairs_ && !pairs_->take(from, *block, needed)))
      return;
    take(message_received{from, m.body});
    mixing_price_.spent(from_seconds(thread_cpu_s() - cpu_before));
    coding_took_ = nanoseconds{0};
    follow_up();
  }
  template <class Body>
  void tell(const neighbour& to, Body body) {
    if (to.handle)
      self_->send(to.handle, id_, std::move(body));
    else
      mail_.messages.push_back({id_, to.id, std::move(body)});
  }
  void send_mail();
  void follow_up();
  void apply(const event& e);
  void take(const event& e);
  void set_timers();

  void perform(const send& x);
  void perform(const use_estimate& x) { find(x.from)->estimates.use(x.round); }
  void perform(const compute& x);
  void perform(const drop_step&) { slot_->drop_step(now()); }
  void perform(const mix& x);
  parameter_block where_from(double unanswered);
  void perform(const take_step& x);
  /// One pass over the parameters, here and now: a trainer may be deep in our own gradient, and the neighbour
  /// goes on with what we told it.
  void perform(const absorb& x) {
    current_ = pairs_->absorb(current_, x);
    mixing_price_.averaged();
  }
  void perform(const edge_lost& x) { pairs_->give_up(x); }
  void perform(const arm_timer& x);
  void perform(const round_done& x);
  void perform(const membership_changed& x);
  void perform(const finished& x) { finished_ = x; }

  void say(neighbour& to, const estimate& body);
  void say(neighbour& to, const offer& body);
  void say(neighbour& to, const answer& body);
  void say(neighbour& to, const threshold& body);
  template <class Body>
  void say(neighbour& to, const Body& body) {
    tell(to, body);
  }
  void count_sent(const parameter_block& block);

  // blocks that travel coded: worker_coding.cpp
  void begin_coding(neighbour& n);
  void code_from_what_is_known();
  std::optional<parameter_block> arrived(neighbour& n, const block_label& label,
                                         const parameter_block& words);
  void attach_estimate(neighbour& to, estimate_message& m);
  struct told_block {
    parameter_block words;
    parameter_block values;
    block_label label{};
  };
  told_block code_current(neighbour& to);

  void look_for_stall();
  void submit_job();
  void fetch_batches();
  bool do_here(const training_job_ptr& job);
  void send_report();
  void report_events();
  void save(training_slot::learner_state state);
  void send_last_word();
  void wake_at(nanoseconds at);

  worker_actor::stateful_pointer<worker_state> self_;
  worker_options options_;
  worker_id id_{};
  std::uint32_t workers_ = 0;
  std::optional<run_origin> origin_;
  std::unique_ptr<worker_machine> machine_;
  std::optional<silence_detector> detector_;
  std::vector<neighbour> neighbours_; ///< in the order of the graph
  link_actor links_;                  ///< to neighbours in other processes
  peer_mail mail_;                    ///< for them, not sent yet
  bool reads_mail_ = false;           ///< of theirs, more than one event at once

  std::optional<training_slot> slot_;
  std::optional<pairwise_blocks> pairs_; ///< under pairwise policies
  mixing_price mixing_price_;            ///< likewise
  bool weighs_mixing_ = false;           ///< .. if there is a model and the policy asks
  round_number sent_round_ = 0;          ///< the newest whose block went to anybody
  nanoseconds acknowledged_{0};          ///< when the last acknowledgement of it came

  parameter_block current_;          ///< w_j
  std::optional<block_coder> coder_; ///< of what comes and, in pairs, of what goes; none: nothing is coded
  parameter_block coded_of_;         ///< in pairs: the estimate that was coded last ..
  round_number coded_number_ = 0;    ///< .. of the newest block
  struct coded_block {
    parameter_block base;
    block_coder::coded to;
    round_number number = 0;
  };
  nanoseconds coding_took_{0}; ///< .. of the processor, and is not in the price of mixing yet
  std::vector<coded_link<parameter_block>*> coded_links_; ///< all there are
  std::vector<coded_block> coded_;                        ///< .. and what to, by bases
  round_number mixed_round_ = 0;                          ///< of the newest mix that the machine asked for
  std::uint64_t mixed_epoch_ = 0;                         ///< .. and of its step's mini-batch
  round_number saved_round_ = 0;                          ///< of the newest checkpoint sent to be written
  bool checkpoint_wanted_ = false;
  bool checkpoint_under_way_ = false;
  round_report report_; ///< of the newest round, until its mix is done
  std::optional<finished> finished_;
  bool stalled_ = false; ///< the machine was told that the step under way is
  bool gave_up_ = false;
  std::string recorded_; ///< lines of the event log, not reported yet
  worker_totals totals_;
  duration_histogram threshold_delays_;
  std::optional<nanoseconds> stop_at_;       ///< the time limit, until it is near
  std::optional<nanoseconds> checkpoint_at_; ///< the next checkpoint, likewise
  nanoseconds armed_{0};                     ///< when the machine wants to be woken
  std::optional<nanoseconds> wake_up_;       ///< of the timer message that counts, at the latest `armed_`
};

worker_actor::behavior_type worker(worker_actor::stateful_pointer<worker_state> self, worker_options options);

} // namespace dybw
