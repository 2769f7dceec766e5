#pragma once

#include "learning/consensus/audit/mixing_audit.hpp"
#include "learning/consensus/estimate_slots.hpp"
#include "learning/consensus/flow_window.hpp"
#include "learning/consensus/silence_detector.hpp"
#include "learning/consensus/worker_machine.hpp"
#include "learning/simulation/event_queue.hpp"
#include "learning/simulation/faults.hpp"
#include "learning/simulation/simulated_model.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace dybw {

/// A message about to be sent over a link, for drawing how long it takes.
struct link_use {
  worker_id from{};
  worker_id to{};
  bool parameters = false; ///< carries a parameter block
};

/// A network of workers in virtual time. `machine` is what all workers share; `self` is filled in.
struct simulation_options {
  machine_options machine;
  /// Watch for silence and send signs of life. Unset: nobody is lost but by a `suspicion_fault`.
  std::optional<nanoseconds> suspect_after;
  /// How long a gradient step takes that the worker starts now.
  std::function<nanoseconds(worker_id, nanoseconds now)> step_time;
  /// How long a message takes. Messages of one ordered pair of workers arrive in the order sent, so a quick
  /// one waits for a slow one before it.
  std::function<nanoseconds(const link_use&, nanoseconds now)> latency;
};

/// Who wants to know what happens. References are valid during the call only.
class simulation_observer {
public:
  virtual ~simulation_observer() = default;
  /// A worker completed a round that it joined. `report` is what the audit takes.
  virtual void round_done(nanoseconds, const round_record&, const mix_report&) {}
  /// Pairwise averaging: a worker carried out its half of an exchange, or gave one up.
  virtual void exchanged(nanoseconds, const exchange_half&) {}
  virtual void edge_lost(nanoseconds, worker_id, worker_id /*neighbour*/) {}
  virtual void membership_changed(nanoseconds, worker_id, const dybw::membership_changed&) {}
  virtual void finished(nanoseconds, worker_id, const dybw::finished&) {}
  virtual void crashed(nanoseconds, worker_id) {}
  /// A crashed worker begins again, after this round.
  virtual void restarted(nanoseconds, worker_id, round_number) {}
  /// Every event that a machine took, with what it did: for transcripts.
  virtual void stepped(nanoseconds, worker_id, const event&, const std::vector<effect>&) {}
};

/// The largest sizes that were reached, over all workers and links.
struct simulation_peaks {
  std::size_t messages_under_way = 0; ///< of the protocol, on one link in one direction
  std::size_t blocks_under_way = 0;   ///< .. that carry parameters
  std::size_t facts = 0;              ///< known to one worker
};

/// What a worker's shell did since it began.
struct shell_counters {
  std::uint64_t estimates_sent = 0;
  std::uint64_t blocks_sent = 0; ///< of them with parameters
  nanoseconds dropped{0};        ///< time that went into steps that were dropped
};

/// Drives one machine per worker over simulated shells and links: the same flow control, estimate slots
/// and failure detection that real shells use, virtual time instead of a clock. Deterministic: same options
/// (with deterministic functions), same faults, same run. Not thread-safe.
class network_simulation {
public:
  /// `model` and `observer` may be null; both outlive the simulation.
  network_simulation(simulation_options options, simulated_model* model, simulation_observer* observer);
  ~network_simulation();
  network_simulation(const network_simulation&) = delete;
  network_simulation& operator=(const network_simulation&) = delete;

  /// REQUIRES: at >= now(); the fault names workers and links of the graph.
  void schedule(nanoseconds at, const fault& f);

  /// Runs until every worker that has not crashed has finished, nothing is left to happen or `limit` is
  /// reached; returns whether all have finished. Handles at most `events_max` events, so that the caller can
  /// look after other things: it goes on while there `has_event_until(limit)`.
  bool run(nanoseconds limit, std::uint64_t events_max = ~std::uint64_t{0});
  bool has_event_until(nanoseconds limit) const;

  /// Goes on until `limit` although all have finished, so that what is under way arrives.
  void run_on(nanoseconds limit);

  nanoseconds now() const noexcept { return queue_.now(); }
  std::size_t workers() const noexcept;
  const worker_machine& machine(worker_id id) const;
  const shell_counters& counters(worker_id id) const;
  bool crashed(worker_id id) const;
  /// w_j of a worker now; null without a model.
  const estimate_handle& estimate_of(worker_id id) const;
  const simulation_peaks& peaks() const noexcept { return peaks_; }
  std::uint64_t events_handled() const noexcept { return events_handled_; }

private:
  struct received { ///< flow control, from shell to shell
    round_number round = 0;
  };
  struct sign_of_life {};
  struct connection_broken {}; ///< from the receiver's own side, ahead of a new connection's messages
  struct envelope {
    std::variant<sign_of_life, connection_broken, received, protocol_message> content;
    estimate_handle block;
    bool carries_parameters() const;
  };
  struct link;
  struct shell;
  struct occurrence;
  struct rebirth;

  void handle(const occurrence& o);
  void happen(shell& s, const occurrence& o);
  void push(nanoseconds at, const shell& s, occurrence o);
  void begin(shell& s);
  void be_born(shell& s);
  nanoseconds suspect_after() const;
  void deliver(shell& s, std::size_t link_index);
  void pulse(shell& s);
  void wake(shell& s);
  void give_up(shell& s, std::size_t slot, neighbour_lost::cause why);
  void apply(shell& s, const event& e);

  estimate_handle load(shell& s, std::size_t link_index, protocol_message& message);
  void perform(shell& s, const send& e);
  void perform(shell& s, const use_estimate& e);
  void perform(shell& s, const compute& e);
  void perform(shell& s, const drop_step& e);
  void perform(shell& s, const mix& e);
  void perform(shell& s, const take_step& e);
  void perform(shell& s, const absorb& e);
  void perform(shell& s, const dybw::edge_lost& e);
  void perform(shell& s, const arm_timer& e);
  void perform(shell& s, const round_done& e);
  void perform(shell& s, const dybw::membership_changed& e);
  void perform(shell& s, const dybw::finished& e);

  void strike(const crash_fault& f);
  void strike(const hang_fault& f);
  void strike(const suspicion_fault& f);
  void strike(const cut_fault& f);
  void strike(const mend_fault& f);
  void strike(const restart_fault& f);
  void strike(const stop_fault& f);

  void post(std::size_t link_index, envelope e);
  void schedule_delivery(std::size_t link_index);
  envelope take(link& l);
  void lose_under_way(link& l);
  void cut_off(link& l, cut_fault::kind how);
  void note_gone(shell& s);
  shell& at(worker_id id);
  /// REQUIRES: an edge of the graph.
  std::size_t link_between(worker_id from, worker_id to) const;

  simulation_options options_;
  simulated_model* model_;
  bool in_pairs_ = false; ///< the policy averages so
  simulation_observer* observer_;
  std::vector<shell> shells_;
  std::vector<link> links_; ///< [2*edges], by sender and ascending receiver
  std::vector<fault> faults_;
  event_queue<occurrence> queue_;
  std::vector<weighted_estimate> mix_inputs_;
  std::size_t unfinished_ = 0;
  std::uint64_t events_handled_ = 0;
  simulation_peaks peaks_;
};

} // namespace dybw
