#include "actors/reporting/reporter.hpp"

#include "actors/reporting/evals_file.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/thrown.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

constexpr auto pass_on_every = std::chrono::milliseconds{100};

} // namespace

worker_end to_end(const worker_finished& x) {
  return {x.totals, x.threshold_delays->quantile(0.99), x.threshold_delays->max(), x.exchanges};
}

worker_finished to_last_word(const worker_end& x) {
  auto delays = std::make_shared<duration_histogram>();
  if (x.threshold_delay_max > nanoseconds{0}) {
    for (auto i = 0; i < 100; ++i)
      delays->add(x.threshold_delay_p99);
    delays->add(x.threshold_delay_max);
  }
  return {x.totals, {}, std::move(delays), x.exchanges};
}

std::string not_a_number(const round_report& report) {
  return "the loss is no longer a number, worker " + to_string(report.mixed.worker) + " in round " +
         std::to_string(report.mixed.round) + "; choose a smaller --step-size";
}

run_progress progress_of(const run_statistics& statistics, const std::vector<evaluation>& evaluations) {
  run_progress p;
  p.newest_round = statistics.newest_round();
  p.local_steps = statistics.local_steps();
  p.loss = statistics.recent_loss();
  p.backup_workers = statistics.recent_backup_workers();
  if (!evaluations.empty()) {
    p.accuracy = evaluations.back().test_accuracy;
    p.scores = evaluations.back().scores;
  }
  p.timeouts = statistics.timeouts();
  return p;
}

run_outcome outcome_of(const run_statistics& statistics, nanoseconds duration, const run_audit* audit,
                       const std::vector<evaluation>& evaluations) {
  run_outcome x;
  statistics.fill(x.result, duration);
  if (audit != nullptr) {
    audit->fill(x.result);
    x.violations = audit->violations();
  }
  x.result.evaluations = evaluations;
  for (const auto& e : evaluations)
    x.result.eval_cpu_s += e.cpu_s;
  x.series = statistics.series();
  x.bin_width_s = statistics.bin_width_s();
  return x;
}

void reporter_state::start(const reporter_options& options) {
  const auto workers = options.graph->workers();
  if (options.audit)
    audit_.emplace(options.graph, options.in_pairs);
  for (std::size_t i = 0; options.late && audit_ && i < workers; ++i) {
    audit_->lost(worker_at(i));
    audit_->back(worker_at(i));
  }
  statistics_.emplace(workers);
  commits_.emplace(options.graph);
  seed_ = options.seed;
  trace_ = options.trace;
  done_flags_.resize(workers);
  expected_ = options.expected.empty() ? workers : options.expected.size();
  finals_.resize(workers);
  sink_ = options.sink;
  if (sink_) {
    to_pass_on_ = std::make_shared<local_reports>();
    self_->delayed_send(self_, pass_on_every, pass_on_due{});
  }
  if (!options.rounds_file.empty())
    rounds_.emplace(options.rounds_file, options.append, options.log_bytes_max);
  if (!options.events_file.empty())
    events_.emplace(options.events_file, options.append, options.log_bytes_max);
  if (!options.evals_file.empty())
    evals_.emplace(options.evals_file, options.append);
  flush_files();
}

void reporter_state::watch(const watch_workers& x) {
  origin_ = x.origin;
  workers_ = x.workers;
  cpu_before_s_ = process_cpu_s();
  for (const auto& w : x.workers) {
    addresses_.push_back(w ? w.address() : caf::actor_addr{});
    if (w)
      self_->monitor(w);
  }
  if (rounds_ || events_ || trace_)
    self_->delayed_send(self_, std::chrono::seconds{1}, flush_due{});
}

void reporter_state::add(const round_report& report) {
  statistics_->add(report);
  commits_->add(report.mixed);
  if (!std::isfinite(report.loss) && !failure_)
    failure_ = not_a_number(report);
  if (rounds_)
    rounds_->add(report);
  if (trace_)
    trace_->add(report);
  if (sink_ && to_pass_on_->rounds.size() < passed_on_max)
    to_pass_on_->rounds.push_back(report);
  else if (sink_)
    ++rounds_dropped_;
  if (audit_)
    audit_->add(report.mixed);
  has_diverged_ = has_diverged_ || !std::isfinite(report.mixed.projection_after);
  add(report.mixed.worker, report.exchanges, report.mixed.round);
}

void reporter_state::add(worker_id id, const exchange_news& x, round_number round) {
  if (!audit_)
    return;
  for (auto neighbour : x.given_up)
    audit_->edge_lost(id, neighbour, round);
  for (const auto& half : x.halves) {
    audit_->add(half);
    has_diverged_ = has_diverged_ || !std::isfinite(half.projection);
  }
  log_violations();
}

void reporter_state::add(const recorded_events& x) {
  if (events_)
    events_->add(x.lines);
}

void reporter_state::add(const worker_failed& x) {
  spdlog::error("worker {} ends: {}", to_string(x.worker), x.why);
  failed_[x.worker] = x.why;
  if (failed_.size() == expected_)
    failure_ =
        "every worker failed; worker " + to_string(failed_.begin()->first) + ": " + failed_.begin()->second;
}

void reporter_state::add(const worker_finished& last_word) {
  const auto i = index_of(last_word.totals.worker);
  statistics_->add(last_word.totals);
  finals_[i] = last_word.parameters;
  threshold_delays_.merge(*last_word.threshold_delays);
  if (sink_)
    to_pass_on_->finished.push_back(to_end(last_word));
  add(last_word.totals.worker, last_word.exchanges, last_word.totals.completed);
  if (audit_) {
    audit_->left(last_word.totals.worker);
    log_violations();
  }
  mark_done(i);
}

void reporter_state::add(const evaluation& e) {
  evaluations_.add(e);
  if (!evals_)
    return;
  evals_->add(evaluation_line(e) + '\n');
  flush(evals_); // as rare as dear
}

void reporter_state::add(const part_changed& x) {
  if (sink_)
    self_->send(sink_, x);
}

void reporter_state::pass_on() {
  to_pass_on_->rounds_dropped = rounds_dropped_;
  for (auto i : lost_)
    to_pass_on_->lost.push_back(worker_at(i));
  to_pass_on_->progress = progress();
  self_->send(sink_, std::exchange(to_pass_on_, std::make_shared<local_reports>()));
  self_->delayed_send(self_, pass_on_every, pass_on_due{});
}

void reporter_state::worker_down(const caf::down_msg& down) {
  const auto found = std::find(addresses_.begin(), addresses_.end(), down.source);
  if (found == addresses_.end())
    return;
  const auto i = static_cast<std::size_t>(found - addresses_.begin());
  if (done_flags_[i])
    return; // its end after its last word
  spdlog::error("worker {} is gone ({}); the others go on", i, caf::to_string(down.reason));
  mark_lost(i);
}

/// Their node cannot be reached; it may come back. Who has said its last word is not lost, but may be started
/// again before we hear of it.
void reporter_state::gone(const workers_gone& x) {
  for (auto id : x.workers) {
    const auto i = index_of(id);
    if (done_flags_[i] && audit_)
      audit_->lost(id);
    if (done_flags_[i])
      continue;
    spdlog::warn("worker {} is gone ({}); the others go on", i, x.reason);
    mark_lost(i);
  }
}

void reporter_state::back(const workers_back& x) {
  for (auto id : x.workers) {
    if (!done_flags_[index_of(id)])
      continue;
    std::erase(lost_, static_cast<std::uint32_t>(id)); // or it had left in good order
    if (audit_)
      audit_->back(id);
    done_flags_[index_of(id)] = false;
    --done_;
  }
}

void reporter_state::mark_lost(std::size_t index) {
  lost_.push_back(static_cast<std::uint32_t>(index));
  if (audit_)
    audit_->lost(worker_at(index));
  mark_done(index);
}

void reporter_state::mark_done(std::size_t index) {
  if (done_flags_[index])
    return;
  done_flags_[index] = true;
  ++done_;
  end_ = time_since(origin_);
}

void reporter_state::flush() {
  flush_files();
  flush_trace();
  self_->delayed_send(self_, std::chrono::seconds{1}, flush_due{});
}

run_progress reporter_state::progress() const {
  auto p = progress_of(*statistics_, evaluations_.kept());
  p.elapsed = time_since(origin_);
  p.workers_done = done_;
  p.workers_lost = lost_.size();
  p.failure = failure_;
  if (!not_written_.empty())
    p.not_written = not_written_.front();
  return p;
}

run_outcome_ptr reporter_state::outcome() {
  flush_files();
  flush_trace();
  auto x =
      std::make_shared<run_outcome>(outcome_of(*statistics_, done_ == expected_ ? end_ : time_since(origin_),
                                               audit_ ? &*audit_ : nullptr, evaluations_.kept()));
  x->result.eval_cpu_s = evaluations_.cpu_s();
  x->result.not_written = not_written_;
  x->result.threshold_delay_p99_s = to_seconds(threshold_delays_.quantile(0.99));
  x->result.threshold_delay_max_s = to_seconds(threshold_delays_.max());
  x->result.workers_lost = lost_;
  x->finals = finals_;
  x->failed = failed_;
  x->failure = failure_;
  return x;
}

/// Writes out what is buffered. The run goes on without a file that cannot be written, and its result says
/// so.
void reporter_state::flush_files() {
  flush(rounds_);
  flush(events_);
  flush(evals_);
}

template <class File>
void reporter_state::flush(std::optional<File>& file) {
  if (!file || file->flush())
    return;
  not_written_.push_back(file->failure());
  spdlog::error("{}; the run goes on without that file", not_written_.back());
  file.reset();
}

/// A trace is a help to understand a run, no part of its results.
void reporter_state::flush_trace() {
  if (!trace_ || trace_->flush())
    return;
  not_written_.emplace_back("cannot write the trace to its end");
  spdlog::error("the trace cannot be written any more; it ends here");
  trace_.reset();
}

void reporter_state::log_violations() {
  // Where parameters are no numbers, the audit finds as much in every round; the loss fails the run by that.
  if (has_diverged_ || violations_logged_ == audit_->certain_violations())
    return;
  const auto all = audit_->violations();
  for (; violations_logged_ < audit_->certain_violations(); ++violations_logged_)
    spdlog::error("audit: {}", all[violations_logged_]);
}

reporter_actor::behavior_type reporter(reporter_actor::stateful_pointer<reporter_state> self,
                                       const reporter_options& options) {
  self->set_exception_handler([](std::exception_ptr& thrown) { return thrown_error(thrown); });
  self->state.start(options);
  self->set_down_handler([self](const caf::down_msg& down) { self->state.worker_down(down); });
  return {
      [self](const watch_workers& x) { self->state.watch(x); },
      [self](const round_report& x) { self->state.add(x); },
      [self](const recorded_events& x) { self->state.add(x); },
      [self](const worker_failed& x) { self->state.add(x); },
      [self](const worker_finished& x) { self->state.add(x); },
      [self](const evaluation& x) { self->state.add(x); },
      [self](const workers_gone& x) { self->state.gone(x); },
      [self](const workers_back& x) { self->state.back(x); },
      [self](const part_changed& x) { self->state.add(x); },
      [self](const flush_due&) { self->state.flush(); },
      [self](const pass_on_due&) { self->state.pass_on(); },
      [self](const progress_wanted&) { return self->state.progress(); },
      [self](const outcome_wanted&) { return self->state.outcome(); },
      [self](const metrics_wanted& x) { return self->state.metrics(x); },
  };
}

} // namespace dybw
