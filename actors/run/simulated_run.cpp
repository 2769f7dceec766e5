#include "actors/run/simulated_run.hpp"

#include "actors/reporting/evals_file.hpp"
#include "actors/reporting/reporter.hpp"
#include "actors/reporting/rounds_file.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/run_end.hpp"
#include "actors/system/durable_file.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/system/thread_crew.hpp"
#include "learning/base/error.hpp"
#include "learning/model/evaluation_budget.hpp"
#include "learning/model/evaluation_history.hpp"
#include "learning/model/test_bench.hpp"

#include <spdlog/spdlog.h>

#include <cmath>
#include <system_error>

namespace dybw {

namespace {

constexpr auto look_every = std::chrono::milliseconds{100};
/// As many test samples a trainer is taken to have, when it is reckoned how often to ask it.
constexpr std::size_t asked_samples = 10'000;

/// The moments at which something is due: the multiples of an interval, those left out between which nothing
/// happens.
class due_moments {
public:
  explicit due_moments(std::optional<double> every_s)
      : every_(std::max(from_seconds(every_s.value_or(0)), nanoseconds{1})),
        next_(every_s ? every_ : nanoseconds::max()) {}

  nanoseconds next() const noexcept { return next_; }
  /// What was due is done; nothing happens before `from`, if there is such a moment.
  void pass(std::optional<nanoseconds> from) {
    if (next_ == nanoseconds::max())
      return;
    next_ = saturated_sum(next_, every_);
    if (from)
      next_ = std::max(next_, (*from + every_ - nanoseconds{1}) / every_ * every_);
  }

private:
  nanoseconds every_;
  nanoseconds next_;
};

/// One run from its beginning to its end.
class simulated_run {
public:
  simulated_run(const run_inputs& inputs, std::size_t policy, const run_controls& controls)
      : inputs_(inputs), controls_(controls), crew_(inputs.config.threads), budget_(inputs.config.workers),
        hash_(inputs.config.checkpoint_every_s ? run_hash(inputs, policy) : 0),
        run_(options_of(inputs, policy), crew_, [this](const round_report& r) { add(r); }) {
    if (!controls.rounds_file.empty())
      file_.emplace(controls.rounds_file, false, inputs.config.log_bytes_max);
    if (!controls.events_file.empty())
      events_.emplace(controls.events_file, false, inputs.config.log_bytes_max);
    if (!controls.evals_file.empty() && has_model(inputs))
      evals_.emplace(controls.evals_file, false);
    check_files();
    if (has_model(inputs))
      bench_.emplace(make_bench(inputs, &crew_));
  }

  /// Returns whether somebody asked to stop it.
  bool go() {
    auto evaluations = due_moments{bench_ ? std::optional{inputs_.config.eval_every_s} : std::nullopt};
    auto saves_due = due_moments{saves() ? inputs_.config.checkpoint_every_s : std::nullopt};
    while (run_.next_at() && !failure_of_time()) {
      const auto until = std::min(evaluations.next(), saves_due.next());
      const auto done = run_.run_until(until, [this] { return pause(); });
      if (done)
        break;
      if (until == evaluations.next()) {
        if (!interrupted_)
          evaluate();
        evaluations.pass(run_.next_at());
      }
      if (until == saves_due.next()) {
        save();
        saves_due.pass(run_.next_at());
      }
    }
    failure_of_time();
    return interrupted_;
  }

  run_outcome outcome() {
    auto x = outcome_of(run_.statistics(), run_.ended(), &run_.audit(), shown_.kept());
    x.result.eval_cpu_s = shown_.cpu_s();
    x.finals = run_.estimates();
    x.result.no_wait_rate = run_.no_wait_rate().value_or(x.result.no_wait_rate);
    check_files();
    if (controls_.trace && !controls_.trace->flush())
      not_written_.emplace_back("cannot write the trace to its end");
    x.failure = failure_;
    x.result.not_written = not_written_;
    return x;
  }

  run_progress progress() const {
    auto p = progress_of(run_.statistics(), evaluations_);
    p.elapsed = run_.now();
    p.workers_done = run_.workers_done();
    if (!not_written_.empty())
      p.not_written = not_written_.front();
    return p;
  }

private:
  /// The run goes on without a file that cannot be written, and its result says so.
  template <class File>
  void check(std::optional<File>& file) {
    if (!file || file->flush())
      return;
    not_written_.push_back(file->failure());
    spdlog::error("{}; the run goes on without that file", not_written_.back());
    file.reset();
  }

  void check_files() {
    check(file_);
    check(events_);
    check(evals_);
  }

  /// Asked now and then. Never ends the simulation at once: rounds in progress end first.
  bool pause() {
    if (wants_stop())
      interrupt();
    if (failure_ && !std::exchange(failure_told_, true))
      stop();
    return false;
  }

  void interrupt() {
    if (std::exchange(interrupted_, true))
      return;
    save();
    stop();
  }

  /// Whether nothing more can happen, which fails the run.
  bool failure_of_time() {
    const auto why = run_.failure();
    if (why && !failure_)
      failure_ = *why;
    return why.has_value();
  }

  virtual_run_options options_of(const run_inputs& inputs, std::size_t policy) {
    auto x = virtual_options_for(inputs, policy);
    if (!controls_.events_file.empty())
      x.recorded = [this](std::string_view line) {
        if (events_)
          events_->add(line);
      };
    x.remembers = saves();
    x.resumed = controls_.resumed_virtually;
    if (x.resumed) {
      x.figures = std::make_shared<figure_reader>(figure_file(controls_.checkpoints), x.resumed->figures,
                                                  x.resumed->figures_sum);
      figures_sum_ = checksum{x.resumed->figures_sum};
      figures_bytes_ = x.resumed->figures * sizeof(double);
    }
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
    auto x = run_.remember(figures_);
    x.run_hash = hash_;
    x.evaluations = evaluations_;
    try {
      create_directories_durably(controls_.checkpoints);
      x.figures_sum = append_figures();
      write_durably(virtual_checkpoint_file(controls_.checkpoints),
                    [&](const byte_sink& write) { encode(x, inputs_.model->parameter_count(), write); });
    } catch (const std::system_error& error) {
      if (!std::exchange(save_failed_, true))
        spdlog::error("no checkpoint: {}; the last one stays", error.what());
    }
  }

  /// Adds those that are not in their file yet; what fails is tried again the next time. Returns the sum of
  /// all.
  std::uint32_t append_figures() {
    const auto bytes = std::as_bytes(std::span{figures_});
    append_durably(figure_file(controls_.checkpoints), figures_bytes_, bytes);
    figures_sum_.add(bytes);
    figures_bytes_ += bytes.size();
    figures_.clear();
    return figures_sum_.value();
  }

  /// If anything has changed since the last time, and it does not cost too much.
  void evaluate() {
    const evaluation_budget::state at{run_.changed_at(), run_.local_steps(), run_.samples()};
    if (run_.changes() == changes_seen_ || !budget_.allows(at))
      return;
    const auto workers = inputs_.config.workers;
    const auto scores =
        controls_.scores_workers && budget_.allows_scores(at, workers <= test_bench::scored_workers_max);
    const auto e = run_.recalls() ? recalled_evaluation(at) : fresh_evaluation(at, scores);
    if (!e)
      return interrupt();
    changes_seen_ = run_.changes();
    const auto scored = scores ? std::min(workers, test_bench::scored_workers_max) : 0;
    budget_.spend(at, bench_->asks() ? asked_samples : bench_->samples(),
                  bench_->asks() ? 0 : scored * bench_->interim_samples(workers));
    evaluations_.push_back(*e);
    shown_.add(*e);
    if (evals_) {
      evals_->add(evaluation_line(*e) + '\n');
      check(evals_);
    }
    const auto is_enough = controls_.on_evaluation && controls_.on_evaluation(*e);
    if (is_enough || reaches(*e, inputs_.config.target_accuracy, inputs_.config.target))
      stop();
  }

  /// None if somebody asks to stop meanwhile.
  std::optional<evaluation> fresh_evaluation(const evaluation_budget::state& at, bool scores) {
    const auto cpu_before = process_cpu_s();
    auto e = bench_->evaluate(run_.estimates(), scores, [this](double) { return wants_stop(); });
    if (!e)
      return std::nullopt;
    e->time_s = to_seconds(at.now);
    e->local_steps = at.steps;
    e->cpu_s = process_cpu_s() - cpu_before;
    return e;
  }

  std::optional<evaluation> recalled_evaluation(const evaluation_budget::state& at) const {
    const auto& known = controls_.resumed_virtually->evaluations;
    const auto i = evaluations_.size();
    if (i >= known.size() || known[i].time_s != to_seconds(at.now))
      throw input_error{input_fault::data,
                        "the checkpoint has no evaluation of " + std::to_string(to_seconds(at.now)) + " s",
                        "", "give the --eval-every that the run had"};
    return known[i];
  }

  const run_inputs& inputs_;
  const run_controls& controls_;
  thread_crew crew_;
  std::optional<rounds_file> file_;
  std::optional<line_file> events_;
  std::optional<line_file> evals_;
  std::vector<std::string> not_written_;
  std::optional<test_bench> bench_;
  evaluation_budget budget_;
  std::uint64_t changes_seen_ = 0;      ///< by the newest evaluation
  std::vector<evaluation> evaluations_; ///< all: who goes on from a checkpoint plays them again
  evaluation_history shown_;            ///< in the result
  std::uint64_t hash_;
  bool interrupted_ = false;
  std::vector<double> figures_; ///< not in their file yet
  checksum figures_sum_;        ///< of those that are
  std::uint64_t figures_bytes_ = 0;
  bool save_failed_ = false;
  bool stopping_ = false;
  std::optional<std::string> failure_;
  bool failure_told_ = false;
  std::chrono::steady_clock::time_point next_look_{};
  virtual_run run_;
};

/// At the beginning or where a checkpoint is. Whether it can, see `learner_group::begin_run`.
bool begin(learner_group& learners, const virtual_checkpoint* resumed) {
  for (std::size_t i = 0; resumed != nullptr && i < resumed->training.learners.size(); ++i)
    learners.load(worker_at(i), resumed->training.learners[i].state.learner);
  return learners.begin_run();
}

} // namespace

virtual_run_options virtual_options_for(const run_inputs& inputs, std::size_t policy) {
  const auto& config = inputs.config;
  const auto bytes = [&](bool is_change) {
    return coded_words(config.send, inputs.model->parameter_count(), is_change) * sizeof(float);
  };
  virtual_run_options x;
  x.machine = machine_options_for(inputs, policy);
  x.times = {config.step_time,      config.straggler,   config.link_latency,
             config.link_bandwidth, bytes(false),       bytes(true),
             config.mix_time_s,     strides_of(config), config.send};
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
  try {
    if (inputs.learners && !begin(*inputs.learners, controls.resumed_virtually.get())) {
      describe(run.result, inputs, inputs.policies[policy]);
      run.result.interrupted = true;
      return run;
    }
    simulated_run s{inputs, policy, controls};
    run.result.interrupted = s.go();
    conclude(run, inputs, inputs.policies[policy], s.outcome(),
             measuring_watch{controls.watch, s.progress()});
  } catch (const learner_failed& failed) { // what follows from its steps is not known
    describe(run.result, inputs, inputs.policies[policy]);
    fail(run.result, "a " + inputs.model->name() + " failed: " + failed.what());
  }
  if (inputs.learners)
    inputs.learners->end();
  run.result.host_cpu_s = process_cpu_s() - cpu_before;
  run.result.peak_rss_bytes = peak_rss_bytes();
  return run;
}

} // namespace dybw
