#pragma once

#include "learning/checkpoint/figure_file.hpp"
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
  std::shared_ptr<figure_reader> figures{};            ///< those that belong to it
  std::vector<std::pair<nanoseconds, fault>> faults{}; ///< and when they strike
  /// Called with all lines of the event log, in the order of virtual time; null for no log.
  std::function<void(std::string_view)> recorded{};
};

/// A run in virtual time: the round machines that real workers run, driven by a simulated network, with real
/// gradients or without a model. Adds up and audits what the workers report, as a run in real time does. The
/// same options give the same reports, bit for bit, whatever the crew. Not thread-safe.
class virtual_run final : simulation_observer {
public:
  /// How many steps and mixes may wait to be computed, at most: enough to keep a crew busy, little enough
  /// memory. Fewer of a large model, so that `pause` is asked in time.
  static constexpr std::size_t pending_max = 4096;

  /// `told` gets every round report, complete, in the order of virtual time. `crew` outlives this. Throws
  /// `input_error` for times that cannot be read.
  virtual_run(virtual_run_options options, work_crew& crew, std::function<void(const round_report&)> told);
  ~virtual_run() override;

  /// Goes on to this moment, at the latest until all workers are done. `pause` is asked some ten times a
  /// second; true returns at once. Returns whether all workers are done.
  bool run_until(nanoseconds moment, const std::function<bool()>& pause);
  /// Why nothing more will happen although workers are not done: all wait for each other, or virtual time
  /// stands still or has come to its end. REQUIRES: `run_until` has returned.
  std::optional<std::string> failure() const;
  /// When something happens next; none: nothing will.
  std::optional<nanoseconds> next_at() const { return failed_ ? std::nullopt : simulation_->next_at(); }
  /// Asks all workers to stop now.
  void stop();

  /// Whether what happens has not come to where the run goes on: nothing is computed, and `estimates` are not
  /// to be had. `run_until` throws `input_error` (data fault) if it does not get there.
  bool recalls() const noexcept { return recalls_; }
  /// Where this run can go on from; all but its hash and evaluations. The figures that were not there the
  /// last time are added to `figures`. REQUIRES: `remembers`; not recalls(). Throws `learner_failed`.
  virtual_checkpoint remember(std::vector<double>& figures);

  nanoseconds now() const noexcept { return simulation_->now(); }
  /// When the last worker was done; now, as long as some are not.
  nanoseconds ended() const noexcept { return done_ == simulation_->workers() ? ended_ : now(); }
  std::size_t workers_done() const noexcept { return done_; }
  std::uint64_t events_handled() const noexcept { return simulation_->events_handled(); }
  /// w_j of all workers; [workers].
  std::vector<parameter_block> estimates() const;
  std::uint64_t local_steps() const; ///< that led to these
  /// How often one of these became another, and when that last was.
  std::uint64_t changes() const noexcept { return simulation_->changes(); }
  nanoseconds changed_at() const noexcept { return simulation_->changed_at(); }
  /// Training samples whose gradients were asked for; of learners with their own data about so many.
  std::uint64_t samples() const noexcept { return training_ ? training_->samples() : 0; }
  /// See `virtual_network`.
  std::optional<double> no_wait_rate() const { return network_.no_wait_rate(); }
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
  /// A figure that a machine was told.
  struct strides_note {
    double apart = 0;
  };
  /// A worker's last word.
  struct last_note {
    worker_totals totals;
  };
  using note = std::variant<round_note, exchange_note, strides_note, last_note>;

  void round_done(nanoseconds now, const round_record& r, const mix_report& mixed) override;
  void exchanged(nanoseconds now, const exchange_half& half) override;
  void finished(nanoseconds now, worker_id id, const dybw::finished& e) override;
  void stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) override;
  void pass_on(round_note& n);
  void pass_on(exchange_note& n);
  void pass_on(strides_note& n);
  void pass_on(const last_note& n);
  double strides_apart(worker_id id);
  void catch_up();
  void pass_notes_on();
  void watch_the_time(std::uint64_t events);
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
  std::vector<double> figures_;    ///< if it remembers: of the notes passed on since the last time
  std::uint64_t figures_made_ = 0; ///< of all, the resumed ones included
  bool recalls_ = false;
  std::size_t pending_max_ = pending_max;
  std::uint64_t events_at_once_ = 0; ///< between two looks at anything else
  nanoseconds stands_at_{0};         ///< for so many events already:
  std::uint64_t standing_ = 0;
  std::optional<std::string> failed_; ///< nothing more can be simulated
  std::size_t done_ = 0;
  nanoseconds ended_{0};
};

} // namespace dybw
