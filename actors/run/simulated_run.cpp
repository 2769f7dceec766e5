#include "actors/run/simulated_run.hpp"

#include "actors/reporting/reporter.hpp"
#include "actors/reporting/rounds_file.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/run_end.hpp"
#include "actors/system/durable_file.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/system/thread_crew.hpp"
#include "learning/base/error.hpp"
#include "learning/model/test_bench.hpp"

#include <spdlog/spdlog.h>

#include <cmath>
#include <system_error>

namespace dybw {

namespace {

constexpr auto look_every = std::chrono::milliseconds{100};
constexpr double never_s = 1e9; ///< longer than any run

/// One run from its beginning to its end.
class simulated_run {
public:
  simulated_run(const run_inputs& inputs, std::size_t policy, const run_controls& controls)
      : inputs_(inputs), controls_(controls), crew_(inputs.config.threads),
        hash_(inputs.config.checkpoint_every_s ? run_hash(inputs, policy) : 0),
        run_(options_of(inputs, policy), crew_, [this](const round_report& r) { add(r); }) {
    if (!controls.rounds_file.empty())
      file_.emplace(controls.rounds_file, false);
    if (!controls.events_file.empty())
      events_.emplace(controls.events_file, false);
    if (has_model(inputs))
      bench_.emplace(inputs.learner, inputs.data.test);
  }

  /// Returns whether somebody asked to stop it.
  bool go() {
    auto interrupted = false;
    const auto pause = [&] {
      if (!interrupted && wants_stop()) {
        interrupted = true;
        save();
        stop();
      }
      if (failure_ && !std::exchange(failure_told_, true))
        stop();
      return false;
    };
    const auto evaluate_every = from_seconds(inputs_.config.eval_every_s);
    const auto save_every = from_seconds(inputs_.config.checkpoint_every_s.value_or(never_s));
    auto next_evaluation = evaluate_every;
    auto next_save = save_every;
    for (;;) {
      const auto until = std::min(next_evaluation, next_save);
      if (run_.run_until(until, pause))
        return interrupted;
      if (until == next_evaluation) {
        if (bench_ && !interrupted)
          evaluate(until);
        next_evaluation += evaluate_every;
      }
      if (until == next_save) {
        save();
        next_save += save_every;
      }
    }
  }

  run_outcome outcome() {
    auto x = outcome_of(run_.statistics(), run_.ended(), &run_.audit(), evaluations_);
    x.finals = run_.estimates();
    if (file_ && !file_->flush() && !failure_)
      failure_ = "cannot write " + file_->name();
    if (events_ && !events_->flush() && !failure_)
      failure_ = "cannot write " + events_->name();
    if (controls_.trace)
      controls_.trace->flush();
    x.failure = failure_;
    return x;
  }

  run_progress progress() const {
    auto p = progress_of(run_.statistics(), evaluations_);
    p.elapsed = run_.now();
    p.workers_done = run_.workers_done();
    return p;
  }

private:
  virtual_run_options options_of(const run_inputs& inputs, std::size_t policy) {
    auto x = virtual_options_for(inputs, policy);
    if (!controls_.events_file.empty())
      x.recorded = [this](std::string_view line) { events_->add(line); };
    x.remembers = saves();
    x.resumed = controls_.resumed_virtually;
    return x;
  }

  void add(const round_report& r) {
    if (!std::isfinite(r.loss) && !failure_)
      failure_ = not_a_number(r);
    if (file_)
      file_->add(r);
    if (controls_.trace)
      controls_.trace->add(r);
  }

  bool wants_stop() {
    const auto now = std::chrono::steady_clock::now();
    if (!controls_.watch || now < next_look_)
      return false;
    next_look_ = now + look_every;
    return controls_.watch(progress());
  }

  bool saves() const { return inputs_.config.checkpoint_every_s && !controls_.checkpoints.empty(); }

  void stop() {
    stopping_ = true;
    run_.stop();
  }

  /// Writes a checkpoint; if that fails the last one stays, and the run goes on. None once the run comes to
  /// its end: it may go on with other limits.
  void save() {
    const auto& limit = inputs_.config.time_limit_s;
    const auto ends = stopping_ || run_.workers_done() > 0 || (limit && run_.now() >= from_seconds(*limit));
    if (!saves() || run_.recalls() || ends)
      return;
    auto x = run_.remember();
    x.run_hash = hash_;
    x.evaluations = evaluations_;
    try {
      create_directories_durably(controls_.checkpoints);
      write_durably(virtual_checkpoint_file(controls_.checkpoints),
                    [&](const byte_sink& write) { encode(x, inputs_.learner->parameter_count(), write); });
    } catch (const std::system_error& error) {
      if (!std::exchange(save_failed_, true))
        spdlog::error("no checkpoint: {}; the last one stays", error.what());
    }
  }

  void evaluate(nanoseconds at) {
    evaluations_.push_back(run_.recalls() ? recalled_evaluation(at) : fresh_evaluation(at));
    const auto target = inputs_.config.target_accuracy;
    if (target && evaluations_.back().test_accuracy >= *target)
      stop();
  }

  evaluation fresh_evaluation(nanoseconds at) {
    const auto cpu_before = thread_cpu_s();
    auto e = bench_->evaluate(run_.estimates());
    e.time_s = to_seconds(at);
    e.local_steps = run_.local_steps();
    e.cpu_s = thread_cpu_s() - cpu_before;
    return e;
  }

  evaluation recalled_evaluation(nanoseconds at) const {
    const auto& known = controls_.resumed_virtually->evaluations;
    const auto i = evaluations_.size();
    if (i >= known.size() || known[i].time_s != to_seconds(at))
      throw input_error{input_fault::data,
                        "the checkpoint has no evaluation of " + std::to_string(to_seconds(at)) + " s", "",
                        "give the --eval-every that the run had"};
    return known[i];
  }

  const run_inputs& inputs_;
  const run_controls& controls_;
  thread_crew crew_;
  std::optional<rounds_file> file_;
  std::optional<line_file> events_;
  std::optional<test_bench> bench_;
  std::vector<evaluation> evaluations_;
  std::uint64_t hash_;
  bool save_failed_ = false;
  bool stopping_ = false;
  std::optional<std::string> failure_;
  bool failure_told_ = false;
  std::chrono::steady_clock::time_point next_look_{};
  virtual_run run_;
};

} // namespace

virtual_run_options virtual_options_for(const run_inputs& inputs, std::size_t policy) {
  const auto& config = inputs.config;
  virtual_run_options x;
  x.machine = machine_options_for(inputs, policy);
  x.times = {config.step_time, config.straggler, config.link_latency, config.link_bandwidth,
             inputs.learner->parameter_count() * sizeof(float)};
  x.seed = config.seed;
  if (config.time_limit_s)
    x.time_limit = from_seconds(*config.time_limit_s);
  if (!has_model(inputs))
    return x;
  x.training = training_setup_for(inputs, all_workers(config));
  x.rows = inputs.rows;
  x.initial = inputs.initial;
  return x;
}

finished_run run_policy_virtually(const run_inputs& inputs, std::size_t policy,
                                  const run_controls& controls) {
  const auto cpu_before = process_cpu_s();
  finished_run run;
  simulated_run s{inputs, policy, controls};
  run.result.interrupted = s.go();
  conclude(run, inputs, inputs.policies[policy], s.outcome(),
           [&] { return controls.watch && controls.watch(s.progress()); });
  run.result.host_cpu_s = process_cpu_s() - cpu_before;
  run.result.peak_rss_bytes = peak_rss_bytes();
  return run;
}

} // namespace dybw
