#include "actors/virtual_session.hpp"

#include "actors/process_usage.hpp"
#include "actors/rounds_file.hpp"
#include "actors/thread_crew.hpp"
#include "learning/model/test_bench.hpp"

#include <cmath>

namespace dybw {

namespace {

constexpr auto look_every = std::chrono::milliseconds{100};

/// One run from its beginning to its end.
class session {
public:
  session(const run_inputs& inputs, std::size_t policy, const run_controls& controls)
      : inputs_(inputs), controls_(controls), crew_(inputs.config.threads),
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
        run_.stop();
      }
      if (failure_ && !std::exchange(failure_told_, true))
        run_.stop();
      return false;
    };
    const auto every = from_seconds(inputs_.config.eval_every_s);
    for (auto next = every; !run_.run_until(next, pause); next += every)
      if (bench_ && !interrupted)
        evaluate(next);
    return interrupted;
  }

  run_outcome outcome() {
    run_outcome x;
    run_.statistics().fill(x.result, run_.ended());
    run_.fill_audit(x.result);
    x.violations = run_.violations();
    x.result.evaluations = evaluations_;
    for (const auto& e : evaluations_)
      x.result.eval_cpu_s += e.cpu_s;
    x.finals = run_.estimates();
    x.series = run_.statistics().series();
    x.bin_width_s = run_.statistics().bin_width_s();
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
    const auto& seen = run_.statistics();
    run_progress p;
    p.elapsed = run_.now();
    p.newest_round = seen.newest_round();
    p.local_steps = seen.local_steps();
    p.loss = seen.recent_loss();
    p.backup_workers = seen.recent_backup_workers();
    if (!evaluations_.empty())
      p.accuracy = evaluations_.back().test_accuracy;
    p.timeouts = seen.timeouts();
    p.workers_done = run_.workers_done();
    return p;
  }

private:
  virtual_run_options options_of(const run_inputs& inputs, std::size_t policy) {
    auto x = virtual_options_for(inputs, policy);
    if (!controls_.events_file.empty())
      x.recorded = [this](std::string_view line) { events_->add(line); };
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

  void evaluate(nanoseconds at) {
    const auto cpu_before = thread_cpu_s();
    auto e = bench_->evaluate(run_.estimates());
    e.time_s = to_seconds(at);
    e.local_steps = run_.local_steps();
    e.cpu_s = thread_cpu_s() - cpu_before;
    evaluations_.push_back(e);
    const auto target = inputs_.config.target_accuracy;
    if (target && e.test_accuracy >= *target)
      run_.stop();
  }

  const run_inputs& inputs_;
  const run_controls& controls_;
  thread_crew crew_;
  std::optional<rounds_file> file_;
  std::optional<line_file> events_;
  std::optional<test_bench> bench_;
  std::vector<evaluation> evaluations_;
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
  std::vector<worker_id> everybody;
  for (std::size_t i = 0; i < config.workers; ++i)
    everybody.push_back(worker_at(i));
  x.training = training_setup_for(inputs, everybody);
  x.rows = inputs.rows;
  x.initial = inputs.initial;
  return x;
}

finished_run run_policy_virtually(const run_inputs& inputs, std::size_t policy,
                                  const run_controls& controls) {
  const auto cpu_before = process_cpu_s();
  finished_run run;
  session s{inputs, policy, controls};
  run.result.interrupted = s.go();
  conclude(run, inputs, inputs.policies[policy], s.outcome(),
           [&] { return controls.watch && controls.watch(s.progress()); });
  run.result.host_cpu_s = process_cpu_s() - cpu_before;
  run.result.peak_rss_bytes = peak_rss_bytes();
  return run;
}

} // namespace dybw
