#pragma once

#include "learning/consensus/audit/mixing_audit.hpp"
#include "learning/simulation/fault_injection.hpp"
#include "learning/simulation/simulated_network.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// Who wants to know what happens. References are valid during the call only.
class simulation_observer {
public:
  virtual ~simulation_observer() = default;
  /// A worker completed a round that it joined. `report` is what the audit takes.
  virtual void round_done(nanoseconds, const round_record&, const mix_report&) {}
  /// Pairwise averaging: a worker carried out its half of an exchange, or gave one up.
  virtual void exchanged(nanoseconds, const exchange_half&) {}
  virtual void edge_lost(nanoseconds, worker_id, worker_id /*neighbour*/, round_number /*its own*/) {}
  virtual void membership_changed(nanoseconds, worker_id, const dybw::membership_changed&) {}
  virtual void finished(nanoseconds, worker_id, const dybw::finished&) {}
  virtual void crashed(nanoseconds, worker_id) {}
  /// A crashed worker begins again, after this round.
  virtual void restarted(nanoseconds, worker_id, round_number) {}
  /// Every event that a machine took, with what it did: for transcripts.
  virtual void stepped(nanoseconds, worker_id, const event&, const std::vector<effect>&) {}
};

/// Drives one machine per worker over simulated shells and links: the same flow control, estimate slots
/// and failure detection that real shells use, virtual time instead of a clock. Deterministic: same options
/// (with deterministic functions), same faults, same run. Not thread-safe.
class network_simulation {
public:
  /// `model` and `observer` may be null; both outlive the simulation.
  network_simulation(simulation_options options, simulated_model* model, simulation_observer* observer);
  network_simulation(const network_simulation&) = delete;
  network_simulation& operator=(const network_simulation&) = delete;

  /// REQUIRES: at >= now(); the fault names workers and links of the graph.
  void schedule(nanoseconds at, const fault& f);

  /// Runs until every worker that has not crashed has finished, nothing is left to happen or `limit` is
  /// reached; returns whether all have finished. Throws `virtual_time_over`, after which nothing more can be
  /// run. Handles at most `events_max` events, so that the caller can
  /// look after other things: it goes on while there `has_event_until(limit)`.
  bool run(nanoseconds limit, std::uint64_t events_max = ~std::uint64_t{0});
  bool has_event_until(nanoseconds limit) const;
  /// When something happens next; none: nothing will.
  std::optional<nanoseconds> next_at() const;
  /// The live workers that have not finished, the first few by name, each with whom it waits for; empty if
  /// all have.
  std::string who_waits() const;

  /// Goes on until `limit` although all have finished, so that what is under way arrives.
  void run_on(nanoseconds limit);

  nanoseconds now() const noexcept { return network_.now(); }
  std::size_t workers() const noexcept { return network_.shells.size(); }
  const worker_machine& machine(worker_id id) const { return *network_.at(id).machine; }
  const shell_counters& counters(worker_id id) const { return network_.at(id).counters; }
  bool crashed(worker_id id) const { return !network_.at(id).alive; }
  /// w_j of a worker now; null without a model.
  const estimate_handle& estimate_of(worker_id id) const { return network_.at(id).current; }
  const simulation_peaks& peaks() const noexcept { return network_.peaks; }
  std::uint64_t events_handled() const noexcept { return events_handled_; }
  /// How often an estimate became another, and when that last was. 0 without a model.
  std::uint64_t changes() const noexcept { return changes_; }
  nanoseconds changed_at() const noexcept { return changed_at_; }

private:
  using shell = simulated_shell;
  static constexpr std::size_t waiting_named_max = 3;

  void handle(const occurrence& o);
  void happen(shell& s, const occurrence& o);
  void deliver(shell& s, std::size_t link_index);
  void pulse(shell& s);
  void give_up(shell& s, std::size_t slot, neighbour_lost::cause why);
  void apply(shell& s, const event& e);
  void owe_mixing(shell& s, std::size_t neighbours);
  step_done step_done_of(const shell& s, std::uint64_t ticket) const;

  estimate_handle load(shell& s, std::size_t link_index, protocol_message& message);
  bool take_block(shell& s, std::size_t link_index, const estimate_handle& block);
  estimate_handle forged_block(const shell& s) const;
  void perform(shell& s, const send& e);
  void perform(shell& s, const use_estimate& e);
  void perform(shell& s, const compute& e);
  void perform(shell& s, const drop_step& e);
  void perform(shell& s, const mix& e);
  step_start where_from(shell& s, double unanswered);
  void perform(shell& s, const take_step& e);
  void perform(shell& s, const absorb& e);
  void perform(shell& s, const dybw::edge_lost& e);
  void perform(shell& s, const arm_timer& e);
  void perform(shell& s, const round_done& e);
  void perform(shell& s, const dybw::membership_changed& e);
  void perform(shell& s, const dybw::finished& e);

  void strike(const crash_fault& f);
  void strike(const hang_fault& f) { hang(network_, f); }
  void strike(const suspicion_fault& f);
  void strike(const cut_fault& f) { cut(network_, f); }
  void strike(const mend_fault& f) { mend(network_, f); }
  void strike(const restart_fault& f);
  void strike(const forged_fault& f);
  void strike(const stop_fault& f);
  void strike(const stall_fault& f) { stall(network_, f); }
  void be_born(shell& s);
  void note_change() {
    ++changes_;
    changed_at_ = now();
  }

  simulated_network network_;
  simulated_model* model_;
  bool in_pairs_ = false;      ///< the policy averages so
  bool weighs_mixing_ = false; ///< .. and asks what that costs and brings
  simulation_observer nobody_;
  simulation_observer& observer_;
  std::vector<fault> faults_;
  std::vector<weighted_estimate> mix_inputs_;
  std::uint64_t events_handled_ = 0;
  std::uint64_t changes_ = 0;
  nanoseconds changed_at_{0};
};

} // namespace dybw
