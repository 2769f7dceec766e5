#include "actors/reporting/reporter.hpp"
#include "actors/system/process_usage.hpp"

#include <algorithm>

// What monitors are told. Nothing of it happens while nobody asks.

namespace dybw {

namespace {

/// Workers answer at once; who does not is told as it was.
constexpr auto worker_patience = std::chrono::milliseconds{500};

} // namespace

reporter_state::metrics_promise reporter_state::metrics(const metrics_wanted& x) {
  auto promise = self_->make_response_promise<process_metrics_ptr>();
  if (inquiry_) {
    inquiry_->asked_by.push_back(promise);
    return promise;
  }
  const auto now = self_->home_system().clock().now();
  const auto sketch = x.sketch && now >= next_sketch_;
  if (metrics_ && !sketch && now - metrics_at_ < metrics_age_max) {
    promise.deliver(metrics_);
    return promise;
  }
  inquiry_ = std::make_shared<inquiry>();
  inquiry_->asked_by.push_back(promise);
  if (sketch)
    inquiry_->sketch.emplace();
  inquiry_->missing = 1; // this loop
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (workers_[i]) {
      inquiry_->workers.push_back(counters_of(*statistics_, worker_at(i)));
      ask_worker(inquiry_, inquiry_->workers.size() - 1);
    }
  answered(*inquiry_);
  return promise;
}

void reporter_state::ask_worker(const std::shared_ptr<inquiry>& all, std::size_t which) {
  auto& x = all->workers[which];
  const auto i = index_of(x.worker);
  x.lost = std::find(lost_.begin(), lost_.end(), static_cast<std::uint32_t>(i)) != lost_.end();
  x.done = done_flags_[i] && !x.lost;
  if (x.lost)
    return;
  ++all->missing;
  self_->request(workers_[i], worker_patience, status_wanted{})
      .then(
          [this, all, which](const worker_status& s) {
            note_status(all->workers[which], s.machine, s.counters, s.now);
            all->workers[which].maker = s.maker;
            answered(*all);
          },
          [this, all](const caf::error&) { answered(*all); });
  if (!all->sketch)
    return;
  ++all->missing;
  self_->request(workers_[i], worker_patience, snapshot_wanted{})
      .then(
          [this, all](const snapshot& s) {
            add_sketch(*all, s);
            answered(*all);
          },
          [this, all](const caf::error&) { answered(*all); });
}

void reporter_state::add_sketch(inquiry& all, const snapshot& x) {
  const auto values = x.parameters.values();
  if (values.empty())
    return;
  const auto cpu_before_s = thread_cpu_s();
  if (!project_) {
    project_.emplace(seed_, values.size());
    sketch_.resize(sketch_projection::buckets);
  }
  (*project_)(values, sketch_);
  all.sketch->add(sketch_);
  all.sketch_cpu_s += thread_cpu_s() - cpu_before_s;
}

void reporter_state::answered(inquiry& all) {
  if (--all.missing > 0)
    return;
  const auto now = self_->home_system().clock().now();
  auto x = std::make_shared<process_metrics>();
  x->elapsed = workers_.empty() ? nanoseconds{0} : time_since(origin_);
  x->workers = std::move(all.workers);
  x->edges = commits_->where_lower(
      [this](worker_id id) { return index_of(id) < workers_.size() && workers_[index_of(id)]; });
  if (all.sketch && all.sketch->estimates > 0)
    x->sketch = std::move(all.sketch);
  if (all.sketch_cpu_s > 0)
    next_sketch_ = now + std::max(sketch_every_min, from_seconds(all.sketch_cpu_s / sketch_share_max));
  if (!evaluations_.kept().empty())
    x->newest_evaluation = evaluations_.kept().back();
  x->failure = failure_.value_or("");
  x->cpu_s = process_cpu_s() - cpu_before_s_;
  x->peak_rss_bytes = peak_rss_bytes();
  metrics_ = x;
  metrics_at_ = now;
  auto asked_by = std::move(all.asked_by);
  inquiry_.reset();
  for (auto& promise : asked_by)
    promise.deliver(metrics_);
}

} // namespace dybw
