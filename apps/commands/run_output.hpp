#pragma once

#include "actors/local_messages.hpp"
#include "actors/reporting/trace_file.hpp"
#include "actors/system/durable_file.hpp"
#include "apps/options/run_options.hpp"
#include "apps/results/run_writer.hpp"
#include "apps/text/progress.hpp"
#include "learning/checkpoint/checkpoint.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// What `dybw run` shows and writes, wherever its workers live: progress on standard error, files after every
/// policy, the results on standard output.
class run_output {
public:
  /// Makes the directory of the results, if there is to be one. Throws `input_error`.
  explicit run_output(const run_options& options);

  /// Makes ready for a run that goes on from these checkpoints. REQUIRES: `options.resume`, on one host.
  void go_on(const std::string& policy, const std::map<worker_id, checkpoint>& from);
  /// .. for one in virtual time, which writes everything again.
  void go_on() { directory_->write_options(options_.saved); }
  /// Directory of a policy's checkpoints; empty for nowhere.
  std::filesystem::path checkpoints(const std::string& policy) const;
  /// Directory of what trainers print; empty for nowhere.
  std::filesystem::path trainer_logs() const;
  /// Where the rounds of a policy go; empty for nowhere.
  std::filesystem::path rounds_file(const std::string& policy) const;
  /// Where the evaluations of a policy go; empty for nowhere.
  std::filesystem::path evals_file(const std::string& policy) const;
  /// Where the events of a policy's workers go; empty for nowhere.
  std::filesystem::path events_file(const std::string& policy) const;
  /// Where the intervals of a policy's workers go; null for nowhere. Once for each policy, in order.
  std::shared_ptr<trace_file> trace(const std::string& policy);
  /// Shows how a run stands, keeps run.json at it, and says whether the user wants an end. For
  /// `run_controls`.
  std::function<bool(const run_progress&)> watch(const std::string& policy);
  /// Writes what is known now, so that an interrupt or a crash later loses nothing. What cannot be written is
  /// no reason to lose the rest: see `failure`.
  void add(const finished_run& run);
  /// Why results are missing from the files, if they are; else empty.
  const std::string& failure() const noexcept { return failure_; }
  bool empty() const noexcept { return results_.empty(); }
  /// Prints the results, if they are not to be shown with those of other runs. REQUIRES: at least one.
  void print() const;
  /// The policy that was to come did not begin: takes the files away that were made for it, which would be in
  /// the way of the next try, or leaves the results of those before it as finished.
  void discard();
  /// An exception ends all: `discard`, and prints the results of the policies before.
  void abandon();
  /// Says which socket trainers are awaited at, if the run starts none itself.
  void tell_waiting() const;
  /// Says where the web page is.
  void tell_page(const std::string& url) const;
  /// Wipes the progress line.
  void clear() { display_.clear(); }

private:
  const run_options& options_;
  std::optional<run_directory> directory_;
  progress_display display_;
  std::vector<run_result> results_;
  nlohmann::json series_ = nlohmann::json::array();
  void claim_trace(const std::filesystem::path& file);
  void renew(const std::string& policy, const run_progress& now);
  /// Whether it writes where the first part of the run has written.
  bool goes_on() const { return options_.resume && !options_.nodes; }

  std::string failure_;
  std::optional<std::chrono::steady_clock::time_point> renewed_at_; ///< run.json, while a run lasts
  target_hint hint_;
  std::size_t traces_ = 0;
  path_claim trace_claim_;
};

} // namespace dybw
