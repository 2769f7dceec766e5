#include "actors/reporter.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

namespace dybw {

void reporter_state::start(const reporter_options& options) {
  const auto workers = options.graph->workers();
  audit_.emplace(options.graph);
  statistics_.emplace(workers);
  done_flags_.resize(workers);
  finals_.resize(workers);
  rounds_file_ = options.rounds_file;
  if (rounds_file_.empty())
    return;
  rounds_.open(rounds_file_, std::ios::binary | std::ios::trunc);
  flush_file();
}

void reporter_state::watch(const watch_workers& x) {
  origin_ = x.origin;
  for (const auto& w : x.workers) {
    addresses_.push_back(w.address());
    self_->monitor(w);
  }
  if (rounds_.is_open())
    self_->delayed_send(self_, std::chrono::seconds{1}, flush_due{});
}

void reporter_state::add(const round_report& report) {
  statistics_->add(report);
  if (!std::isfinite(report.loss) && !failure_)
    failure_ =
        fmt::format("the loss is no longer a number, worker {} in round {}; choose a smaller --step-size",
                    to_string(report.mixed.worker), report.mixed.round);
  if (rounds_.is_open())
    write(report);
  audit_->add(report.mixed);
  log_violations();
}

void reporter_state::add(const worker_finished& last_word) {
  const auto i = index_of(last_word.totals.worker);
  statistics_->add(last_word.totals);
  finals_[i] = last_word.parameters;
  threshold_delays_.merge(*last_word.threshold_delays);
  audit_->left(last_word.totals.worker);
  log_violations();
  mark_done(i);
}

void reporter_state::add(const evaluation& e) {
  evaluations_.push_back(e);
}

void reporter_state::worker_down(const caf::down_msg& down) {
  const auto found = std::find(addresses_.begin(), addresses_.end(), down.source);
  if (found == addresses_.end())
    return;
  const auto i = static_cast<std::size_t>(found - addresses_.begin());
  if (done_flags_[i])
    return; // its end after its last word
  spdlog::error("worker {} is gone ({}); the others go on", i, caf::to_string(down.reason));
  lost_.push_back(static_cast<std::uint32_t>(i));
  audit_->lost(worker_at(i));
  mark_done(i);
}

void reporter_state::mark_done(std::size_t index) {
  if (done_flags_[index])
    return;
  done_flags_[index] = true;
  ++done_;
  end_ = time_since(origin_);
}

void reporter_state::flush() {
  flush_file();
  self_->delayed_send(self_, std::chrono::seconds{1}, flush_due{});
}

run_progress reporter_state::progress() const {
  run_progress p;
  p.elapsed = time_since(origin_);
  p.newest_round = statistics_->newest_round();
  p.local_steps = statistics_->local_steps();
  p.loss = statistics_->recent_loss();
  p.backup_workers = statistics_->recent_backup_workers();
  if (!evaluations_.empty())
    p.accuracy = evaluations_.back().test_accuracy;
  p.timeouts = statistics_->timeouts();
  p.workers_done = done_;
  p.failure = failure_;
  return p;
}

run_outcome_ptr reporter_state::outcome() {
  flush_file();
  auto x = std::make_shared<run_outcome>();
  statistics_->fill(x->result, done_ == done_flags_.size() ? end_ : time_since(origin_));
  x->result.mixing = audit_->summary();
  x->result.per_edge = audit_->activity();
  x->result.mean_active_share = audit_->mean_active_share();
  x->result.threshold_delay_p99_s = to_seconds(threshold_delays_.quantile(0.99));
  x->result.threshold_delay_max_s = to_seconds(threshold_delays_.max());
  x->result.evaluations = evaluations_;
  for (const auto& e : evaluations_)
    x->result.eval_cpu_s += e.cpu_s;
  x->result.workers_lost = lost_;
  x->finals = finals_;
  x->series = statistics_->series();
  x->bin_width_s = statistics_->bin_width_s();
  x->violations = audit_->violations();
  x->failure = failure_;
  return x;
}

void reporter_state::write(const round_report& r) {
  line_.clear();
  auto out = std::back_inserter(line_);
  fmt::format_to(
      out, R"({{"worker":{},"round":{},"start_s":{:.6f},"compute_s":{:.6f},"wait_s":{:.6f},"accepted":{},)",
      to_string(r.mixed.worker), r.mixed.round, to_seconds(r.started), to_seconds(r.compute),
      to_seconds(r.done - r.joined), r.accepted);
  line_ += R"("committed":[)";
  for (const auto& t : r.mixed.committed)
    fmt::format_to(out, "{}[{},{}]", &t == r.mixed.committed.data() ? "" : ",", to_string(t.neighbour),
                   t.weight);
  fmt::format_to(out, R"(],"backup_workers":{},"loss":)", r.backup_workers());
  if (std::isfinite(r.loss))
    fmt::format_to(out, "{:.6g}", r.loss);
  else
    line_ += "null";
  line_ += r.timed_out ? R"(,"timeout":true})"
                         "\n"
                       : R"(,"timeout":false})"
                         "\n";
  rounds_ << line_;
}

/// Writes out what is buffered. A file that cannot be written fails the run: better early than with nothing
/// to show.
void reporter_state::flush_file() {
  if (rounds_file_.empty())
    return;
  rounds_.flush();
  if (!rounds_ && !failure_)
    failure_ = "cannot write " + rounds_file_.string();
}

void reporter_state::log_violations() {
  const auto& all = audit_->violations();
  for (; violations_logged_ < all.size(); ++violations_logged_)
    spdlog::error("audit: {}", all[violations_logged_]);
}

reporter_actor::behavior_type reporter(reporter_actor::stateful_pointer<reporter_state> self,
                                       const reporter_options& options) {
  self->state.start(options);
  self->set_down_handler([self](const caf::down_msg& down) { self->state.worker_down(down); });
  return {
      [self](const watch_workers& x) { self->state.watch(x); },
      [self](const round_report& x) { self->state.add(x); },
      [self](const worker_finished& x) { self->state.add(x); },
      [self](const evaluation& x) { self->state.add(x); },
      [self](const flush_due&) { self->state.flush(); },
      [self](const progress_wanted&) { return self->state.progress(); },
      [self](const outcome_wanted&) { return self->state.outcome(); },
  };
}

} // namespace dybw
