#include "learning/simulation/virtual_run.hpp"

#include "learning/base/error.hpp"
#include "learning/base/number_text.hpp"
#include "learning/consensus/record/event_text.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dybw {

namespace {

/// How many events are handled between two looks at anything else, at most: without a model, and with one,
/// whose steps take longer.
constexpr std::uint64_t events_at_once = 10'000;
constexpr std::uint64_t events_at_once_of_a_model = 500;

/// How many multiplications may wait to be done: some tenths of a second.
constexpr std::size_t work_pending_max = std::size_t{1} << 30U;

/// After so many events of one moment time will not move any more: even if each of all workers closes a round
/// of everybody, whose word goes once along every link, they are fewer.
std::uint64_t standing_max(const topology& graph) {
  const std::uint64_t workers = graph.workers();
  return 2'000'000 + 20 * workers * (workers + 2 * graph.edges().size());
}

[[noreturn]] void refuse_checkpoint() {
  throw input_error{input_fault::data, "the checkpoint does not fit the run, which went otherwise by then",
                    "", "give the limits and the --eval-every that it had"};
}

} // namespace

virtual_run::virtual_run(virtual_run_options options, work_crew& crew,
                         std::function<void(const round_report&)> told)
    : options_(std::move(options)), told_(std::move(told)),
      network_(options_.times, options_.machine.graph, options_.seed),
      statistics_(options_.machine.graph->workers()),
      audit_(options_.machine.graph, options_.machine.policy.averages_in_pairs()) {
  if (options_.training)
    training_.emplace(options_.training, options_.rows, options_.seed, std::move(options_.initial), crew,
                      options_.times.send);
  events_at_once_ = events_at_once;
  if (const auto& setup = options_.training) {
    const auto step = 3 * std::max<std::size_t>(setup->model->multiplications() * setup->batch, 1);
    pending_max_ = std::clamp(work_pending_max / step * crew.lanes(), 2 * crew.lanes(), pending_max);
    events_at_once_ = std::clamp<std::uint64_t>(pending_max_ / 8, 1, events_at_once_of_a_model);
  }
  recalls_ = options_.resumed != nullptr;
  assert(!recalls_ || options_.figures);
  if (recalls_)
    training_->recall();
  else if (options_.remembers)
    training_->keep_track();
  simulation_options simulated;
  simulated.machine = options_.machine;
  network_.connect(simulated);
  if (training_)
    simulated.strides_apart = [this](worker_id id) { return strides_apart(id); };
  simulation_.emplace(std::move(simulated), training_ ? &*training_ : nullptr,
                      static_cast<simulation_observer*>(this));
  for (const auto& [at, f] : options_.faults)
    simulation_->schedule(at, f);
  for (std::size_t i = 0; options_.time_limit && i < simulation_->workers(); ++i)
    simulation_->schedule(*options_.time_limit, stop_fault{worker_at(i)});
}

virtual_run::~virtual_run() = default;

bool virtual_run::run_until(nanoseconds moment, const std::function<bool()>& pause) {
  auto all_done = false;
  go_on_if_due();
  while (!all_done && !failed_ && simulation_->has_event_until(moment)) {
    const auto before = events_handled();
    const auto most =
        recalls_ ? std::min(events_at_once_, options_.resumed->events - before) : events_at_once_;
    try {
      all_done = simulation_->run(moment, most);
    } catch (const virtual_time_over& over) {
      failed_ = over.what();
    }
    watch_the_time(events_handled() - before);
    if (!training_ || training_->pending() > pending_max_)
      catch_up();
    go_on_if_due();
    if (pause && pause())
      break;
  }
  catch_up();
  if (all_done && recalls_)
    refuse_checkpoint();
  return done_ == simulation_->workers();
}

/// Steps that take no time let none pass: then a run would never end.
void virtual_run::watch_the_time(std::uint64_t events) {
  standing_ = now() == stands_at_ ? standing_ + events : 0;
  stands_at_ = now();
  if (standing_ > standing_max(*options_.machine.graph) && !failed_)
    failed_ = "virtual time stands still at " + number_text(to_seconds(now())) +
              " s; choose a --step-time that is not 0";
}

std::optional<std::string> virtual_run::failure() const {
  if (failed_)
    return failed_;
  if (done_ == simulation_->workers() || simulation_->next_at())
    return std::nullopt;
  return "nothing is left to happen, but the run is not done: " + simulation_->who_waits();
}

/// Ends the recalling where the run is to go on.
void virtual_run::go_on_if_due() {
  if (!recalls_ || events_handled() < options_.resumed->events)
    return;
  catch_up();
  recalls_ = false;
  if (options_.figures->left() > 0 || !training_->resume(options_.resumed->training))
    refuse_checkpoint();
  options_.resumed.reset(); // its blocks are others' now
  options_.figures.reset();
}

virtual_checkpoint virtual_run::remember(std::vector<double>& figures) {
  catch_up();
  virtual_checkpoint x;
  x.events = events_handled();
  x.training = training_->remember();
  x.figures = figures_made_;
  figures.insert(figures.end(), figures_.begin(), figures_.end());
  figures_.clear();
  return x;
}

/// Where figures come from that depend on the parameters, while recalling; where they go to be remembered.
template <std::size_t Count>
void virtual_run::exchange_figures(const std::array<double*, Count>& figures) {
  figures_made_ += Count;
  if (recalls_) {
    std::array<double, Count> known{};
    if (options_.figures->left() < Count)
      refuse_checkpoint();
    options_.figures->next(known);
    for (std::size_t i = 0; i < Count; ++i)
      *figures[i] = known[i];
  } else if (options_.remembers) {
    for (const auto* x : figures)
      figures_.push_back(*x);
  }
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
  pass_notes_on();
}

void virtual_run::pass_notes_on() {
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
    exchange_figures<4>({&report.loss, &report.mixed.projection_before, &report.mixed.projection_after,
                         &report.mixed.norm_before});
    if (options_.training->correction > 0) {
      report.mixed.correction = n.outcome->correction.projection;
      report.mixed.correction_size = n.outcome->correction.norm;
      exchange_figures<2>({&report.mixed.correction, &report.mixed.correction_size});
    }
    if (!options_.training->data) { // how many it took is a learner's own affair
      auto samples = static_cast<double>(report.samples);
      exchange_figures<1>({&samples});
      report.samples = static_cast<std::uint32_t>(samples);
    }
  }
  statistics_.add(report);
  if (told_)
    told_(report);
  audit_.add(std::move(report.mixed));
}

void virtual_run::pass_on(exchange_note& n) {
  if (n.share) {
    n.half.projection = n.share->projection;
    n.half.size = n.share->size;
    exchange_figures<2>({&n.half.projection, &n.half.size});
    if (options_.training->correction > 0) {
      n.half.correction = n.share->correction.projection;
      n.half.correction_size = n.share->correction.norm;
      exchange_figures<2>({&n.half.correction, &n.half.correction_size});
    }
  }
  audit_.add(n.half);
}

void virtual_run::pass_on(strides_note& n) {
  exchange_figures<1>({&n.apart});
}

/// What happens depends on this one figure, so it is wanted at once. Recalled, it comes after those of all
/// that happened before.
double virtual_run::strides_apart(worker_id id) {
  strides_note told;
  if (recalls_) {
    pass_notes_on();
    pass_on(told);
  } else {
    told.apart = training_->strides_apart(id);
    notes_.emplace_back(told);
  }
  return told.apart;
}

void virtual_run::pass_on(const last_note& n) {
  statistics_.add(n.totals);
  ++done_;
  audit_.left(n.totals.worker);
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
  t.bytes_sent = (shell.blocks_sent - shell.changes_sent) * options_.times.block_bytes +
                 shell.changes_sent * options_.times.change_bytes;
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
