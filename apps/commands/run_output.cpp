#include "apps/commands/run_output.hpp"

#include "apps/program/interrupts.hpp"
#include "apps/results/run_json.hpp"
#include "apps/text/json_text.hpp"
#include "apps/text/results_table.hpp"
#include "apps/text/score_text.hpp"
#include "learning/base/error.hpp"
#include "learning/base/option_text.hpp"
#include "learning/monitoring/run_watch.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <system_error>

#include <unistd.h>

namespace dybw {

namespace {

constexpr auto renew_every = std::chrono::seconds{10};

/// How far the run is towards the limit that will end it first.
progress to_progress(const run_config& config, const std::string& policy, const run_progress& now) {
  progress p;
  p.policy = policy;
  p.begun = now.begun;
  p.elapsed_s = to_seconds(now.elapsed);
  p.measured = now.measured;
  p.round = now.newest_round;
  if (now.local_steps > 0 && config.model != "none")
    p.loss = now.loss;
  p.accuracy = now.accuracy;
  p.scores = score_text(now.scores);
  if (now.local_steps > 0)
    p.backup_workers = now.backup_workers;
  p.gradients_per_s = p.elapsed_s > 0 ? static_cast<double>(now.local_steps) / p.elapsed_s : 0;
  p.fraction = done_share(config.rounds, config.time_limit_s, now.newest_round, p.elapsed_s);
  if (p.fraction)
    p.fraction = std::min(1.0, *p.fraction);
  if (p.fraction && *p.fraction > 0)
    p.remaining_s = p.elapsed_s * (1 / *p.fraction - 1);
  p.waiting = now.waiting;
  return p;
}

} // namespace

run_output::run_output(const run_options& options)
    : options_(options), display_(std::cerr, terminal_columns(STDERR_FILENO)) {
  const auto& directory = options.output.directory;
  if (directory && goes_on()) {
    directory_ = run_directory::resume(*directory, options.config.policies);
    return;
  }
  if (directory && options.output.directory_is_ours)
    directory_ = run_directory::create_new(*directory, options.config.policies);
  else if (directory)
    directory_.emplace(*directory, options.config.policies, options.output.force);
  if (!options.saved.empty())
    directory_->write_options(options.saved);
}

void run_output::go_on(const std::string& policy, const std::map<worker_id, checkpoint>& from) {
  std::map<worker_id, round_number> last;
  nanoseconds done{0};
  for (const auto& [id, x] : from) {
    last[id] = x.round;
    done = std::max(done, x.elapsed);
  }
  directory_->trim_rounds(policy, last);
  drop_torn_line(directory_->events_file(policy));
  directory_->trim_evals(policy, to_seconds(done));
  directory_->write_options(options_.saved);
}

std::filesystem::path run_output::checkpoints(const std::string& policy) const {
  return directory_ ? directory_->checkpoints(policy) : std::filesystem::path{};
}

std::filesystem::path run_output::trainer_logs() const {
  return directory_ ? directory_->trainers() : std::filesystem::path{};
}

std::filesystem::path run_output::rounds_file(const std::string& policy) const {
  return directory_ ? directory_->rounds_file(policy) : std::filesystem::path{};
}

std::filesystem::path run_output::evals_file(const std::string& policy) const {
  return directory_ ? directory_->evals_file(policy) : std::filesystem::path{};
}

std::filesystem::path run_output::events_file(const std::string& policy) const {
  return options_.output.record ? directory_->events_file(policy) : std::filesystem::path{};
}

std::shared_ptr<trace_file> run_output::trace(const std::string& policy) {
  const auto& file = options_.output.trace;
  if (!file)
    return nullptr;
  if (!trace_claim_)
    claim_trace(*file);
  auto trace = std::make_shared<trace_file>(*file, policy, traces_++, options_.config.workers,
                                            options_.config.log_bytes_max);
  if (!trace->flush())
    throw input_error{input_fault::configuration, "--trace=" + file->string() + " cannot be written", "",
                      "give a file in a directory that is there"};
  return trace;
}

/// Before anything is written. What cannot be made or opened is told by whoever writes it.
void run_output::claim_trace(const std::filesystem::path& file) {
  std::ofstream{file, std::ios::binary | std::ios::app}.flush();
  if (!std::filesystem::is_regular_file(file))
    return;
  try {
    trace_claim_ = path_claim{file};
  } catch (const std::system_error&) {
    return;
  }
  if (!trace_claim_)
    throw input_error{input_fault::configuration,
                      "--trace=" + file.string() + " is written by another run that goes on", "",
                      "wait for its end, or give another file"};
}

std::function<bool(const run_progress&)> run_output::watch(const std::string& policy) {
  renewed_at_.reset();
  if (!goes_on()) { // else run.json holds the results of the first part, and the run may yet be refused
    run_progress beginning;
    beginning.begun = false;
    renew(policy, beginning);
  }
  hint_ = target_hint{options_.config};
  return [this, policy](const run_progress& now) {
    if (renewed_at_ ? std::chrono::steady_clock::now() - *renewed_at_ > renew_every : now.begun)
      renew(policy, now);
    const auto hint = now.begun ? hint_.note(now.elapsed, now.accuracy, now.scores) : std::string{};
    if (!hint.empty() && !options_.output.quiet) {
      display_.clear();
      std::cerr << hint << std::endl;
    }
    if (!options_.output.quiet)
      display_.show(to_progress(options_.config, policy, now));
    return interrupt_guard::interrupted();
  };
}

/// Whatever ends the program, there is a run.json that says how far the run was. The end will tell if nothing
/// can be written.
void run_output::renew(const std::string& policy, const run_progress& now) {
  renewed_at_ = std::chrono::steady_clock::now();
  if (!directory_)
    return;
  try {
    directory_->write_run(running_to_json(options_.config, results_, policy, now));
  } catch (const std::system_error&) {
    return;
  }
}

void run_output::discard() {
  display_.clear();
  const auto has_begun = [&](const std::string& policy) {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(directory_->rounds_file(policy), none);
    return !none && bytes > 0;
  };
  const auto& policies = options_.config.policies;
  const auto done = static_cast<std::ptrdiff_t>(std::min(results_.size(), policies.size()));
  if (!directory_ || goes_on() || std::any_of(policies.begin() + done, policies.end(), has_begun))
    return;
  try {
    if (results_.empty())
      directory_->discard(policies);
    else
      directory_->write_run(results_to_json(options_.config, results_)); // no "running" is left
  } catch (const std::system_error& error) {
    failure_ = error.what();
  }
}

void run_output::abandon() {
  discard();
  if (!empty())
    print();
}

void run_output::add(const finished_run& run) {
  display_.clear();
  results_.push_back(run.result);
  series_.push_back(series_to_json(run));
  if (!run.result.not_written.empty() && failure_.empty())
    failure_ = run.result.not_written.front();
  if (!directory_)
    return;
  try {
    write_files(*directory_, options_.config, results_, series_, run);
  } catch (const std::system_error& error) {
    failure_ = error.what();
  }
}

void run_output::tell_page(const std::string& url) const {
  if (!options_.output.quiet)
    std::cerr << "watch it at " << url << std::endl;
}

void run_output::tell_waiting() const {
  const auto& socket = options_.config.attach;
  if (!socket.empty() && !options_.output.quiet)
    std::cerr << "waiting for " << options_.config.workers
              << " trainers; start each with DYBW_TRAINER=" << shell_word(socket) << " in its environment"
              << std::endl;
}

void run_output::print() const {
  if (options_.output.is_part)
    return;
  if (options_.output.format == output_format::json)
    std::cout << json_text(results_to_json(options_.config, results_), 2) << '\n';
  else
    std::cout << results_table(results_);
  if (directory_ && failure_.empty() && options_.output.format == output_format::text)
    std::cout << "\nReport: " << shell_word(directory_->report_file().string()) << '\n';
  std::cout.flush();
}

} // namespace dybw
