#include "learning/simulation/virtual_run.hpp"

#include "learning/consensus/event_text.hpp"

#include <utility>

namespace dybw {

namespace {

/// How many events are handled between two looks at anything else.
constexpr std::uint64_t events_at_once = 10'000;

} // namespace

virtual_run::virtual_run(virtual_run_options options, work_crew& crew,
                         std::function<void(const round_report&)> told)
    : options_(std::move(options)), told_(std::move(told)),
      network_(options_.times, options_.machine.graph, options_.seed),
      statistics_(options_.machine.graph->workers()), audit_(options_.machine.graph) {
  if (options_.machine.policy.averages_in_pairs())
    exchanges_.emplace(options_.machine.graph);
  if (options_.training)
    training_.emplace(options_.training, options_.rows, options_.seed, std::move(options_.initial), crew);
  simulation_options simulated;
  simulated.machine = options_.machine;
  network_.connect(simulated);
  simulation_.emplace(std::move(simulated), training_ ? &*training_ : nullptr,
                      static_cast<simulation_observer*>(this));
  for (std::size_t i = 0; options_.time_limit && i < simulation_->workers(); ++i)
    simulation_->schedule(*options_.time_limit, stop_fault{worker_at(i)});
}

virtual_run::~virtual_run() = default;

bool virtual_run::run_until(nanoseconds moment, const std::function<bool()>& pause) {
  auto all_done = false;
  while (!all_done && simulation_->has_event_until(moment)) {
    all_done = simulation_->run(moment, events_at_once);
    if (!training_ || training_->pending() > pending_max)
      catch_up();
    if (pause && pause())
      break;
  }
  catch_up();
  return done_ == simulation_->workers();
}

void virtual_run::stop() {
  for (std::size_t i = 0; i < simulation_->workers(); ++i)
    simulation_->schedule(now(), stop_fault{worker_at(i)});
}

void virtual_run::round_done(nanoseconds, const round_record& r, const mix_report& mixed) {
  notes_.emplace_back(
      round_note{make_report(r, mixed), training_ ? training_->latest(mixed.worker) : nullptr});
}

void virtual_run::exchanged(nanoseconds, const exchange_half& half) {
  notes_.emplace_back(exchange_note{half, training_ ? training_->latest_share(half.worker) : nullptr});
}

void virtual_run::finished(nanoseconds now, worker_id id, const dybw::finished&) {
  notes_.emplace_back(last_note{totals_of(id)});
  ended_ = now;
}

void virtual_run::stepped(nanoseconds now, worker_id id, const event& e, const std::vector<effect>& effects) {
  if (!options_.recorded)
    return;
  line_.clear();
  if (std::holds_alternative<start>(e)) {
    auto machine = options_.machine;
    machine.self = id;
    append_new_worker(line_, now, machine);
  }
  append_event(line_, now, id, e, effects);
  options_.recorded(line_);
}

/// Computes what is due and passes the notes on, complete, in their order.
void virtual_run::catch_up() {
  if (training_)
    training_->compute();
  for (; !notes_.empty(); notes_.pop_front())
    std::visit([this](auto& n) { pass_on(n); }, notes_.front());
}

void virtual_run::pass_on(round_note& n) {
  auto& report = n.report;
  if (n.outcome) {
    report.loss = n.outcome->loss;
    report.samples = n.outcome->samples;
    report.mixed.projection_before = n.outcome->before.projection;
    report.mixed.projection_after = n.outcome->after.projection;
    report.mixed.norm_before = n.outcome->before.norm;
  }
  statistics_.add(report);
  if (told_)
    told_(report);
  if (!exchanges_)
    audit_.add(std::move(report.mixed));
}

void virtual_run::pass_on(exchange_note& n) {
  if (n.share) {
    n.half.projection = n.share->projection;
    n.half.size = n.share->size;
  }
  exchanges_->add(n.half);
}

void virtual_run::pass_on(const last_note& n) {
  statistics_.add(n.totals);
  ++done_;
  if (exchanges_)
    exchanges_->left(n.totals.worker);
  else
    audit_.left(n.totals.worker);
}

void virtual_run::fill_audit(run_result& result) const {
  result.mixing = exchanges_ ? exchanges_->summary() : audit_.summary();
  result.per_edge = exchanges_ ? exchanges_->activity() : audit_.activity();
  result.mean_active_share = exchanges_ ? exchanges_->mean_active_share() : audit_.mean_active_share();
}

const std::vector<std::string>& virtual_run::violations() const {
  return exchanges_ ? exchanges_->violations() : audit_.violations();
}

worker_totals virtual_run::totals_of(worker_id id) const {
  const auto& machine = simulation_->machine(id);
  const auto& counters = machine.counters();
  const auto& shell = simulation_->counters(id);
  worker_totals t;
  t.worker = id;
  t.completed = machine.completed();
  t.estimates_sent = shell.estimates_sent;
  t.estimates_late = counters.estimates_late;
  t.timeouts = counters.timeouts;
  t.steps_used = counters.steps_used;
  t.steps_discarded = counters.steps_discarded;
  t.discarded = shell.dropped;
  t.sweeps_completed = counters.sweeps_completed;
  t.bytes_sent = shell.blocks_sent * options_.times.block_bytes;
  return t;
}

std::vector<parameter_block> virtual_run::estimates() const {
  std::vector<parameter_block> all;
  for (std::size_t i = 0; training_ && i < simulation_->workers(); ++i)
    all.push_back(deferred_training::value(simulation_->estimate_of(worker_at(i))));
  return all;
}

std::uint64_t virtual_run::local_steps() const {
  std::uint64_t steps = 0;
  for (std::size_t i = 0; i < simulation_->workers(); ++i)
    steps += simulation_->machine(worker_at(i)).counters().steps_used;
  return steps;
}

} // namespace dybw
