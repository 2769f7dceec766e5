#pragma once

#include "learning/consensus/audit/run_audit.hpp"
#include "learning/consensus/reports/run_statistics.hpp"
#include "learning/simulation/deferred_training.hpp"
#include "learning/simulation/virtual_network.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dybw {

struct virtual_run_options {
  machine_options machine; ///< what all workers share
  virtual_times times;
  std::uint64_t seed = 1;
  std::optional<nanoseconds> time_limit; ///< when the workers are asked to stop
  // With a model; `training` is null for none:
  std::shared_ptr<const training_setup> training;
  std::vector<std::vector<std::uint32_t>> rows;        ///< [workers], training samples of each shard
  std::vector<parameter_block> initial;                ///< [workers], w_j(0)
  bool remembers = false;                              ///< `remember` will be called; with a model only
  std::shared_ptr<const virtual_checkpoint> resumed{}; ///< where to go on; null: at the beginning
  /// Called with all lines of the event log, in the order of virtual time; null for no log.
  std::function<void(std::string_view)> recorded{};
};

/// A run in virtual time: the round machines that real workers run, driven by a simulated network, with real
/// gradients or without a model. Adds up and audits what the workers report, as a run in real time does. The
/// same options give the same reports, bit for bit, whatever the crew. Not thread-safe.
class virtual_run final : simulation_observer {
public:
  /// How many steps and mixes may wait to be computed: enough to keep a crew busy, little enough memory.
  static constexpr std::size_t pending_max = 4096;

  /// `told` gets every round report, complete, in the order of virtual time. `crew` outlives this. Throws
  /// `input_error` for times that cannot be read.
  virtual_run(virtual_run_options options, work_crew& crew, std::function<void(const round_report&)> told);
  ~virtual_run() override;

  /// Goes on to this moment, at the latest until all workers are done. `pause` is asked now and then; true
  /// returns at once. Returns whether all workers are done.
  bool run_until(nanoseconds moment, const std::function<bool()>& pause);
  /// Asks all workers to stop now.
  void stop();

  /// Whether what happens has not come to where the run goes on: nothing is computed, and `estimates` are not
  /// to be had. `run_until` throws `input_error` (data fault) if it does not get there.
  bool recalls() const noexcept { return recalls_; }
  /// Where this run can go on from; all but its hash and evaluations. REQUIRES: `remembers`; not recalls().
  virtual_checkpoint remember();

  nanoseconds now() const noexcept { return simulation_->now(); }
  /// When the last worker was done.
  nanoseconds ended() const noexcept { return ended_; }
  std::size_t workers_done() const noexcept { return done_; }
  std::uint64_t events_handled() const noexcept { return simulation_->events_handled(); }
  /// w_j of all workers; [workers].
  std::vector<parameter_block> estimates() const;
  std::uint64_t local_steps() const; ///< that led to these
  const run_statistics& statistics() const noexcept { return statistics_; }
  const run_audit& audit() const noexcept { return audit_; }

private:
  /// A report whose figures are not computed yet.
  struct round_note {
    round_report report;
    std::shared_ptr<const deferred_training::outcome> outcome;
  };
  struct exchange_note {
    exchange_half half;
    std::shared_ptr<const deferred_training::share> share;
  };
  /// A worker's last word.
  struct last_note {
    worker_totals totals;
  };
  using note = std::variant<round_note, exchange_note, last_note>;

  void round_done(nanoseconds now, const round_record& r, const mix_report& mixed) override;
  void exchanged(nanoseconds now, const exchange_half& half) override;
  void finished(nanoseconds now, worker_id id, const dybw::finished& e) override;
  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override;
  void pass_on(round_note& n);
  void pass_on(exchange_note& n);
  void pass_on(const last_note& n);
  void catch_up();
  void go_on_if_due();
  template <std::size_t Count>
  void exchange_figures(const std::array<double*, Count>& figures);
  worker_totals totals_of(worker_id id) const;

  virtual_run_options options_;
  std::function<void(const round_report&)> told_;
  virtual_network network_;
  std::optional<deferred_training> training_;
  std::optional<network_simulation> simulation_;
  std::deque<note> notes_;
  std::string line_; ///< memory that is kept
  run_statistics statistics_;
  run_audit audit_;
  std::vector<double> figures_; ///< if it remembers: of all notes passed on
  std::size_t recalled_ = 0;    ///< of the resumed figures
  bool recalls_ = false;
  std::size_t done_ = 0;
  nanoseconds ended_{0};
};

} // namespace dybw
