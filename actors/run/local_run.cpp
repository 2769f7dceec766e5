#include "actors/run/local_run.hpp"

#include "actors/ask.hpp"
#include "actors/reporting/longest_wait.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/run_end.hpp"
#include "actors/run/run_host.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/system/spare_threads.hpp"
#include "actors/training/evaluator.hpp"
#include "learning/model/hang_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{100};
/// After so long without a finished step the launcher asks the workers what they wait for.
constexpr auto stall_after = std::chrono::seconds{2};
/// How long a run may take to end once it was asked to: a gradient step, a settle, the last reports.
constexpr auto stop_patience = std::chrono::milliseconds{1000};
/// How long the disk may take for the last checkpoints.
constexpr auto checkpoint_patience = std::chrono::seconds{30};

/// Sends the actors of one run away at the end and waits for them.
class farewell {
public:
  farewell(caf::scoped_actor& self, run_host& host) : self_(self), host_(host) {}
  ~farewell() {
    const auto actors = host_.actors();
    host_.take_down();
    if (!in_a_hurry_)
      for (const auto& a : actors)
        self_->wait_for(a);
  }
  /// Lets them end by themselves: one may be deep in a gradient, and the user waits.
  void do_not_wait() noexcept { in_a_hurry_ = true; }

  farewell(const farewell&) = delete;
  farewell& operator=(const farewell&) = delete;

private:
  caf::scoped_actor& self_;
  run_host& host_;
  bool in_a_hurry_ = false;
};

/// Ends learners that are not built in, if there are any.
class learners_end {
public:
  explicit learners_end(learner_group* learners) : learners_(learners) {}
  ~learners_end() {
    if (learners_ != nullptr)
      learners_->end();
  }
  learners_end(const learners_end&) = delete;
  learners_end& operator=(const learners_end&) = delete;

private:
  learner_group* learners_;
};

/// Asks the reporter; nothing if it does not answer, which is said in `failure`.
template <class Answer, class Question>
std::optional<Answer> ask(caf::scoped_actor& self, const reporter_actor& reporter, std::string& failure) {
  return ask_and_wait<Answer>(
      self, reporter, std::chrono::seconds{30},
      [&](const caf::error& e) { failure = "the reporter failed: " + caf::to_string(e); }, Question{});
}

std::string ask_for_longest_wait(caf::scoped_actor& self, const std::vector<worker_actor>& workers) {
  longest_wait longest;
  for (const auto& w : workers)
    if (const auto s = ask_and_wait<worker_status>(
            self, w, std::chrono::milliseconds{100},
            [](const caf::error&) {}, // it is gone, or very busy: the others tell
            status_wanted{}))
      longest.add(*s);
  return longest.text();
}

run_host_options options_of(const run_inputs& inputs, std::size_t policy, const run_controls& controls) {
  run_host_options options;
  options.policy = policy;
  options.here = all_workers(inputs.config);
  options.reports.rounds_file = controls.rounds_file;
  options.reports.events_file = controls.events_file;
  options.reports.evals_file = controls.evals_file;
  options.reports.trace = controls.trace;
  options.reports.append = !controls.resumed.empty();
  options.checkpoints = controls.checkpoints;
  options.starts = starts_from(controls.resumed);
  if (inputs.config.time_limit_s)
    options.time_limit = from_seconds(*inputs.config.time_limit_s);
  return options;
}

/// Returns the evaluator; null without a model.
evaluator_actor begin(caf::actor_system& system, run_host& host, const run_inputs& inputs) {
  const auto origin = std::chrono::steady_clock::now();
  host.meet({});
  host.begin(origin);
  const auto& config = inputs.config;
  if (!has_model(inputs))
    return {};
  evaluator_options options;
  options.bench = std::make_shared<test_bench>(make_bench(inputs));
  options.workers.assign(host.workers().begin(), host.workers().end());
  options.initial = inputs.initial;
  options.sinks = {host.reports()};
  options.origin = origin;
  options.every = from_seconds(config.eval_every_s);
  options.target_accuracy = config.target_accuracy;
  options.target = config.target;
  require_threads(1);
  return host.adopt(system.spawn<caf::detached>(evaluator, std::move(options)));
}

watch_plan plan_of(const run_host& host, const run_inputs& inputs, const std::string& policy) {
  auto plan = plan_of(inputs.config, policy, host.graph()->edges(), inputs.model->parameter_count());
  plan.nodes = {"this host"};
  plan.placement.assign(inputs.config.workers, 0);
  return plan;
}

/// What a failed actor said, or the name of its error.
std::string reason_of(const caf::error& e) {
  return e.context().match_elements<std::string>() ? e.context().get_as<std::string>(0) : caf::to_string(e);
}

/// Shows the progress and passes stops on until all workers are done; sets what ended the run in `result`.
/// Returns how it stood at the end.
run_progress follow(caf::scoped_actor& self, run_host& host, const evaluator_actor& evaluates,
                    const learner_group* learners, const run_controls& controls, run_result& result) {
  std::optional<std::chrono::steady_clock::time_point> stopping_since;
  const auto stop = [&] {
    if (stopping_since)
      return;
    stopping_since = std::chrono::steady_clock::now();
    host.stop();
  };
  if (host.trainers())
    self->monitor(host.trainers());
  if (evaluates)
    self->monitor(evaluates);
  std::string no_answer;
  std::uint64_t steps_seen = 0;
  auto moved_at = host.origin();
  hang_watch hang;
  run_progress last;
  for (;;) {
    auto progress = ask<run_progress, progress_wanted>(self, host.reports(), no_answer);
    if (!progress) {
      fail(result, no_answer);
      return last;
    }
    last = *progress;
    if (progress->workers_done == host.workers().size())
      return last;
    if (std::exchange(steps_seen, progress->local_steps) != progress->local_steps)
      moved_at = std::chrono::steady_clock::now();
    else if (time_since(moved_at) > stall_after)
      progress->waiting = ask_for_longest_wait(self, host.workers());
    if (host.waits_for_processes() && !stopping_since &&
        hang.hangs(progress->workers_done - progress->workers_lost, progress->local_steps,
                   learners->is_occupied(), time_since(host.origin()))) {
      spdlog::warn("{}", hang_text);
      stop();
    }
    if (progress->failure) {
      fail(result, *progress->failure);
      stop();
    }
    if (controls.watch && controls.watch(*progress) && !stopping_since) {
      result.interrupted = true;
      stop();
    }
    if (stopping_since && std::chrono::steady_clock::now() - *stopping_since > stop_patience) {
      spdlog::warn("{} workers did not end in time", host.workers().size() - progress->workers_done);
      return last;
    }
    self->receive(
        [&](const caf::down_msg& down) {
          const auto* const what =
              evaluates && down.source == evaluates.address() ? "the evaluator" : "training";
          fail(result, what + (" failed: " + reason_of(down.reason)));
          stop();
        },
        caf::after(poll_every) >> [] {});
  }
}

/// The estimates of workers that had no time for a last word.
void ask_for_missing(caf::scoped_actor& self, run_host& host, run_outcome& outcome) {
  for (std::size_t i = 0; i < host.workers().size(); ++i)
    if (!outcome.finals[i] && host.trainers())
      if (const auto x = ask_and_wait<snapshot>(
              self, host.workers()[i], std::chrono::milliseconds{100}, [](const caf::error&) {}, // lost
              snapshot_wanted{}))
        outcome.finals[i] = x->parameters;
}

/// Until all checkpoints are on the disk that were sent to be written.
void wait_for_checkpoints(caf::scoped_actor& self, const run_host& host, run_result& result) {
  if (!host.checkpoints())
    return;
  std::string failure;
  const auto status = ask_and_wait<checkpoints_status>(
      self, host.checkpoints(), checkpoint_patience,
      [&](const caf::error& e) { failure = caf::to_string(e); }, checkpoints_wanted{});
  if (status)
    failure = status->failure;
  if (!failure.empty())
    result.not_written.push_back("the last checkpoints are missing: " + failure);
}

} // namespace

finished_run run_policy(caf::actor_system& system, const run_inputs& inputs, std::size_t policy,
                        const run_controls& controls) {
  const auto& spec = inputs.policies[policy];
  finished_run run;
  describe(run.result, inputs, spec);
  if (inputs.learners && !inputs.learners->begin_run()) {
    run.result.interrupted = true;
    return run;
  }
  caf::scoped_actor self{system};
  auto host = run_host{system, inputs, options_of(inputs, policy, controls)};
  auto end = farewell{self, host};
  const learners_end ends_before{inputs.learners.get()}; // whoever waits for one is waited for
  const auto cpu_before = process_cpu_s();
  const auto evaluates = begin(system, host, inputs);
  if (controls.monitor)
    caf::anon_send(controls.monitor, watch_run{plan_of(host, inputs, spec.text), host.reports()});
  const auto last = follow(self, host, evaluates, inputs.learners.get(), controls, run.result);
  wait_for_checkpoints(self, host, run.result);
  std::string no_answer;
  const auto outcome = ask<run_outcome_ptr, outcome_wanted>(self, host.reports(), no_answer);
  const auto cpu_s = process_cpu_s() - cpu_before;
  if (outcome) {
    ask_for_missing(self, host, **outcome);
    conclude(run, inputs, spec, **outcome, measuring_watch{controls.watch, last});
  } else {
    fail(run.result, no_answer);
  }
  note_earlier(run.result, earlier_part(controls.resumed));
  if (run.result.interrupted)
    end.do_not_wait();
  run.result.host_cpu_s = cpu_s;
  run.result.peak_rss_bytes = peak_rss_bytes();
  return run;
}

} // namespace dybw
