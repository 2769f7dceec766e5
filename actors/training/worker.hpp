#pragma once

#include "actors/actors.hpp"
#include "learning/consensus/estimate_slots.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/silence_detector.hpp"
#include "learning/model/estimate_mover.hpp"
#include "learning/straggler/step_time.hpp"

#include <map>

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
  std::uint64_t run_hash = 0;  ///< for checkpoints
  bool records = false;        ///< tells the reporter every event
  trainer_pool_actor trainers; ///< may be null with `--model none`
  shard_actor shard;           ///< likewise
  reporter_actor reporter;
};

/// The shell of a round machine: turns messages into events and carries out effects. What decides anything is
/// in learning/; what takes long runs in a trainer.
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
  void receive(worker_id from, const heartbeat& m);
  void receive(worker_id from, const offer_message& m);
  void receive(worker_id from, const answer_message& m);
  template <class Message>
  void receive(worker_id from, const Message& m) {
    if (alive(from))
      apply(message_received{from, m});
  }
  void neighbour_down(const caf::down_msg& down);
  void link_is_broken(worker_id neighbour);

  // helpers and timers
  void receive(const mini_batch& batch);
  void receive(const training_done& done);
  void delay_is_over(std::uint64_t ticket) { apply(step_done{ticket}); }
  void gather_timeout_is_due(nanoseconds at);
  void heartbeat_is_due();
  void checkpoint_is_due();
  void checkpoint_is_handled() { checkpoint_under_way_ = false; }
  void stop() { apply(stop_requested{}); }

  snapshot take_snapshot() const;
  worker_status status() const;
  welcome_reply welcome_for(worker_id joiner);

private:
  struct neighbour {
    worker_id id{};
    worker_actor handle; ///< null if it lives in another process; `links_` reaches it
    flow_window window;
    estimate_slots<parameter_block> estimates;
    // pairwise averaging:
    parameter_block offered;  ///< what our newest offer told
    parameter_block answered; ///< .. and our newest answer
    parameter_block came;     ///< the newest that came in an offer or answer
  };

  /// Since the run's start, by the clock that delays messages; 0 before this worker has heard when that was
  /// (a stop may overtake the meeting).
  nanoseconds now() const {
    return origin_ ? std::chrono::duration_cast<nanoseconds>(self_->clock().now() - *origin_)
                   : nanoseconds{0};
  }
  neighbour* find(worker_id id);
  bool alive(worker_id from);
  template <class Body>
  void tell(const neighbour& to, Body body);
  void apply(const event& e);

  void perform(const send& x);
  void perform(const use_estimate& x);
  void perform(const compute& x);
  void perform(const drop_step& x);
  void perform(const mix& x);
  void perform(const take_step& x);
  void perform(const absorb& x);
  void perform(const edge_lost& x);
  template <class Message, class Body>
  void tell_estimate(neighbour& to, const Body& body, parameter_block& told, bool tells);
  bool take_block(worker_id from, const parameter_block& block, bool needed);
  void report_events();
  void perform(const arm_timer& x);
  void perform(const round_done& x);
  void perform(const membership_changed& x);
  void perform(const finished& x);

  void submit_job();
  void send_report();
  void save(const parameter_block& velocity);
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

  training_job_ptr job_; ///< one per worker, used again
  bool job_under_way_ = false;
  bool mix_pending_ = false;
  bool step_pending_ = false;
  std::vector<weighted_block> mix_with_;
  std::optional<mini_batch> batch_; ///< the next one, fetched ahead
  bool batch_unused_ = false;       ///< the job's own batch is that of a dropped step
  std::uint64_t ticket_ = 0;        ///< the step that counts; 0: none
  nanoseconds step_started_{0};
  round_number sent_round_ = 0; ///< the newest whose block went to anybody
  nanoseconds acknowledged_{0}; ///< when the last acknowledgement of it came
  nanoseconds compute_time_{0}; ///< of the newest step: gradient and injected delay
  nanoseconds dropped_{0};      ///< how long the step lasted that was dropped last

  parameter_block estimate_;      ///< w~_j of the newest step
  parameter_block current_;       ///< w_j
  round_number mixed_round_ = 0;  ///< of the newest mix that the machine asked for
  std::uint64_t mixed_epoch_ = 0; ///< .. and of its step's mini-batch
  round_number saved_round_ = 0;  ///< of the newest checkpoint sent to be written
  bool checkpoint_wanted_ = false;
  bool checkpoint_under_way_ = false;
  bool in_pairs_ = false;
  std::optional<estimate_mover> mover_; ///< pairwise averaging with a model
  parameter_block step_from_;           ///< .. where the step under way began
  exchange_news exchanges_;             ///< .. not reported yet
  double loss_ = 0;
  std::uint32_t samples_ = 0;
  std::optional<round_report> report_; ///< of the round whose mix is under way
  std::optional<finished> finished_;
  std::string recorded_; ///< lines of the event log, not reported yet
  worker_totals totals_;
  duration_histogram threshold_delays_;
  nanoseconds armed_{0};               ///< when the machine wants to be woken
  std::optional<nanoseconds> wake_up_; ///< of the timer message that counts, at the latest `armed_`
};

worker_actor::behavior_type worker(worker_actor::stateful_pointer<worker_state> self, worker_options options);

} // namespace dybw
