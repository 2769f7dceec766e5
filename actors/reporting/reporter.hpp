#pragma once

#include "actors/actors.hpp"
#include "actors/reporting/rounds_file.hpp"
#include "actors/reporting/trace_file.hpp"
#include "learning/consensus/audit/run_audit.hpp"
#include "learning/model/evaluation_history.hpp"
#include "learning/monitoring/edge_commits.hpp"

#include <filesystem>
#include <map>
#include <optional>

namespace dybw {

/// A last word as it travels between nodes, without parameters.
worker_end to_end(const worker_finished& x);
/// Back. The delays themselves stay on the node: standing in for them, a hundred at the 99th percentile and
/// one at the maximum keep both for a worker, and give the largest percentile of many.
worker_finished to_last_word(const worker_end& x);

/// What to say of a report whose loss has overflowed.
std::string not_a_number(const round_report& report);

/// The part of a run's progress that statistics and evaluations tell.
run_progress progress_of(const run_statistics& statistics, const std::vector<evaluation>& evaluations);
/// .. and of its outcome; `audit` may be null.
run_outcome outcome_of(const run_statistics& statistics, nanoseconds duration, const run_audit* audit,
                       const std::vector<evaluation>& evaluations);

struct reporter_options {
  std::shared_ptr<const topology> graph; ///< the planned one
  std::filesystem::path rounds_file;     ///< rounds.jsonl; empty for none
  std::filesystem::path events_file{};   ///< event log of a recorded run; empty for none
  std::filesystem::path evals_file{};    ///< evals.jsonl; empty for none
  std::uint64_t log_bytes_max = 0;       ///< see `run_config`
  bool append = false;                   ///< to what the files hold already
  std::vector<worker_id> expected{};     ///< those that will report; empty: all
  bool audit = true;                     ///< needs the reports of all workers
  bool in_pairs = false;                 ///< the policy averages in pairs: what the audit checks
  /// From the middle of a run: nothing is known of what a worker did before its first report.
  bool late = false;
  report_sink_actor sink{};            ///< gets it all as well; null for none
  std::uint64_t seed = 0;              ///< the run's, for the sketches that monitors get
  std::shared_ptr<trace_file> trace{}; ///< where each worker's intervals go; null for nowhere
};

/// Adds up, audits, writes and passes on what workers report: those of this process, or of all nodes. It
/// gets one report per worker and round and takes a few microseconds for each; nobody waits for it, so its
/// mailbox grows while workers do rounds faster than that.
class reporter_state {
public:
  /// Most that is passed on at once; what is more is dropped there and counted.
  static constexpr std::size_t passed_on_max = 20'000;
  /// Monitors that ask within this time of each other get the same answer.
  static constexpr nanoseconds metrics_age_max{std::chrono::milliseconds{100}};
  /// Sketches come at most so often, and take at most this share of a processor.
  static constexpr nanoseconds sketch_every_min{std::chrono::milliseconds{500}};
  static constexpr double sketch_share_max = 0.005;

  static inline const char* name = "reporter";

  using metrics_promise = caf::typed_response_promise<process_metrics_ptr>;

  explicit reporter_state(reporter_actor::stateful_pointer<reporter_state> self) : self_(self) {}

  void start(const reporter_options& options);
  void watch(const watch_workers& x);
  void add(const round_report& report);
  void add(const recorded_events& x);
  void add(const worker_failed& x);
  void add(const worker_finished& last_word);
  void add(const evaluation& e);
  void add(const part_changed& x);
  void pass_on();
  void worker_down(const caf::down_msg& down);
  void gone(const workers_gone& x);
  void back(const workers_back& x);
  void flush();
  run_progress progress() const;
  run_outcome_ptr outcome();
  metrics_promise metrics(const metrics_wanted& x);

private:
  using moment = std::chrono::steady_clock::time_point;

  /// How the workers stand, while not all have answered.
  struct inquiry {
    std::vector<metrics_promise> asked_by;
    std::size_t missing = 0;
    std::vector<worker_metrics> workers;
    std::optional<sketch_sums> sketch;
    double sketch_cpu_s = 0;
  };
  void ask_worker(const std::shared_ptr<inquiry>& all, std::size_t which);
  void add_sketch(inquiry& all, const snapshot& x);
  void answered(inquiry& all);

  void add(worker_id id, const exchange_news& x, round_number round);
  void flush_files();
  template <class File>
  void flush(std::optional<File>& file);
  void flush_trace();
  void log_violations();
  void mark_lost(std::size_t index);
  void mark_done(std::size_t index);

  reporter_actor::stateful_pointer<reporter_state> self_;
  run_origin origin_;
  std::optional<run_audit> audit_;
  std::optional<run_statistics> statistics_;
  std::vector<worker_actor> workers_; ///< [workers], null for those of other processes
  std::vector<caf::actor_addr> addresses_;
  std::vector<bool> done_flags_;
  std::size_t done_ = 0;
  std::size_t expected_ = 0;
  std::vector<parameter_block> finals_;
  bool has_diverged_ = false; ///< parameters somewhere are no numbers
  evaluation_history evaluations_;
  std::vector<std::uint32_t> lost_;
  std::map<worker_id, std::string> failed_; ///< ended early, in good order
  duration_histogram threshold_delays_;
  nanoseconds end_{0}; ///< when the last worker was done
  std::optional<std::string> failure_;
  std::vector<std::string> not_written_;
  std::size_t violations_logged_ = 0;
  std::optional<rounds_file> rounds_;
  std::optional<line_file> events_;
  std::optional<line_file> evals_;
  std::shared_ptr<trace_file> trace_;
  report_sink_actor sink_;
  local_reports_ptr to_pass_on_;
  std::uint64_t rounds_dropped_ = 0;
  // for monitors:
  std::optional<edge_commits> commits_;
  double cpu_before_s_ = 0;
  std::shared_ptr<inquiry> inquiry_; ///< under way
  process_metrics_ptr metrics_;      ///< newest answer
  moment metrics_at_;
  std::uint64_t seed_ = 0;
  std::optional<sketch_projection> project_; ///< once the size of estimates is known
  std::vector<double> sketch_;
  moment next_sketch_;
};

/// Spawn with `caf::detached`: it writes files.
reporter_actor::behavior_type reporter(reporter_actor::stateful_pointer<reporter_state> self,
                                       const reporter_options& options);

} // namespace dybw
