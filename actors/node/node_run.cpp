#include "actors/client/node_request.hpp"
#include "actors/node/node_state.hpp"
#include "actors/node/run_measurer.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/system/process_usage.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace dybw {

namespace {

constexpr auto gateway_patience = std::chrono::seconds{2};
/// How often the standing of a run is written.
constexpr nanoseconds renew_every{std::chrono::seconds{10}};
/// How long a stop is told to nodes that do not answer.
constexpr nanoseconds pass_stop_on_for{std::chrono::seconds{30}};

} // namespace

// --- Connecting and beginning ---

std::string node_state::cannot_begin_text(const std::exception& e) {
  return fmt::format(
      "it cannot begin the run: {}; raise its limits (threads, memory) or give it fewer workers", e.what());
}

/// Everybody is there, nobody begins; the gateway connects to the nodes of the neighbours.
void node_state::spawn_host(std::map<worker_id, worker_start> starts, std::optional<connection_id> asked_by) {
  const auto& spec = lifecycle_.spec();
  const auto& inputs = *prepared_.inputs;
  run_host_options options;
  options.here = lifecycle_.workers_here();
  options.reports.rounds_file = prepared_.place->rounds_file;
  options.reports.append = !asked_by; // it joins
  options.reports.expected = options.here;
  options.reports.audit = false;
  options.reports.sink = node_actor{self_};
  options.starts = std::move(starts);
  options.checkpoints = prepared_.place->checkpoints;
  if (inputs.config.time_limit_s)
    options.time_limit = from_seconds(*inputs.config.time_limit_s);
  host_ = std::make_unique<run_host>(self_->home_system(), inputs, std::move(options));
  reporter_failed_ = false;
  self_->monitor(host_->reports());
  if (host_->trainers())
    self_->monitor(host_->trainers());
  run_->link(spec, *host_->graph(), asked_by, now(), time_for_values());
  hear_traffic([this, run = spec.run] {
    if (lifecycle_.serves(run))
      run_->count_from(traffic_);
  });
  self_->send(gateway_,
              join_run{spec.run, spec.self, spec.nodes, spec.placement, host_->graph(),
                       inputs.model->parameter_count(), host_->workers(),
                       from_seconds(inputs.config.suspect_after_s), node_actor{self_}, inputs.config.send});
  host_->meet(gateway_);
}

void node_state::link_changed(const dybw::link_changed& x) {
  if (!lifecycle_.serves(x.run) || index_of(x.node) >= lifecycle_.spec().nodes.size())
    return;
  if (!x.up && x.reason.find(place_taken_reason) != std::string::npos)
    return dismiss(x.reason);
  if (!lifecycle_.has_begun()) {
    run_->note(x);
    return advance_linking();
  }
  if (lifecycle_.now() != run_lifecycle::phase::running)
    return;
  const auto node = to_string(lifecycle_.spec().nodes[index_of(x.node)]);
  if (x.up) // the workers hear of it
    spdlog::info("linked with {}", node);
  else
    spdlog::warn("the link with {} is down: {}", node, x.reason);
}

void node_state::advance_linking() {
  if (lifecycle_.now() != run_lifecycle::phase::linking || !host_)
    return;
  const auto answer = run_->linked(lifecycle_.spec(), now());
  if (!answer)
    return;
  reply(*run_->asked_by(), *answer);
  if (answer->refusal.empty())
    lifecycle_.linked();
  else
    let_go();
}

void node_state::begin_run(run_origin origin) {
  const auto& spec = lifecycle_.spec();
  spdlog::info("run {}: {} of {} workers are here", spec.name, host_->here().size(), spec.placement.size());
  run_->begin(origin - epoch_, process_cpu_s());
  host_->begin(origin);
  try {
    if (lead_)
      begin_lead(origin);
  } catch (const std::exception& e) {
    cannot_lead(lead_refused_text(e));
  }
}

std::string node_state::lead_refused_text(const std::exception& e) {
  return fmt::format("{}; raise its limits (threads, memory)", e.what());
}

/// The others go on, and one of them leads.
void node_state::cannot_lead(const std::string& why) {
  lead_.reset();
  withdraw("it cannot lead the run: " + why);
}

// --- Reports ---

void node_state::take(const local_reports_ptr& x) {
  if (!host_ || self_->current_sender() != host_->reports())
    return; // of the run before
  run_->note(*x, now());
  if (lead_)
    lead_->take(*x);
  if (x->progress.failure)
    fail_run(*x->progress.failure);
  else if (!x->progress.not_written.empty())
    withdraw(x->progress.not_written);
  if (run_) // it had begun
    pass_reports_on(x);
}

void node_state::pass_reports_on(const local_reports_ptr& x) {
  // Each batch says what has been sent up to now; the gateway's answers keep them in order.
  hear_traffic([this, x, run = lifecycle_.spec().run] {
    if (lifecycle_.serves(run))
      send_reports(*x);
  });
  if (lifecycle_.now() == run_lifecycle::phase::running && x->progress.workers_done == host_->here().size())
    finish();
}

/// Where the workers are done nothing is lost with it.
void node_state::reporter_down(const std::string& why) {
  reporter_failed_ = true;
  if (lifecycle_.now() < run_lifecycle::phase::finishing)
    withdraw("the reporter failed: " + why);
  if (run_) // it had begun
    stand_in_for_reporter();
}

/// As often as it would report: whoever listens hears that this node is there, and why it leaves.
void node_state::stand_in_for_reporter() {
  const auto x = std::make_shared<local_reports>(run_->without_reporter(host_->here()));
  run_->note(*x, now());
  if (lead_)
    lead_->take(*x);
  pass_reports_on(x);
}

void node_state::take(const part_changed& x) {
  if (host_ && self_->current_sender() == host_->reports())
    run_->note(x, now());
}

void node_state::take(const evaluation& x) {
  if (lead_ && lead_->is_evaluator(self_->current_sender()))
    run_->note(x);
}

void node_state::target_is_reached() {
  if (lead_ && lead_->is_evaluator(self_->current_sender()) &&
      lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
    stop_run(true);
}

void node_state::send_reports(const local_reports& x) {
  for (auto& [to, batch] : run_->batches(lifecycle_.spec().run, x, spent(), now())) {
    if (batch)
      reply(to, std::move(*batch));
    self_->request(gateway_, gateway_patience, backlog_wanted{to})
        .then(
            [this, to = to](const backlog& waiting) {
              if (run_)
                run_->note(to, waiting);
            },
            [](const caf::error&) {});
  }
}

/// What has been spent comes to be known, unless the gateway does not answer; then whatever follows.
void node_state::hear_traffic(std::function<void()> then) {
  self_->request(gateway_, gateway_patience, traffic_wanted{})
      .then(
          [this, then](const traffic& x) {
            traffic_ = x;
            then();
          },
          [then](const caf::error&) { then(); });
}

expenses node_state::spent() const {
  return run_->in_this_run({traffic_, process_cpu_s()});
}

// --- Leading ---

void node_state::start_lead() {
  const auto late = lifecycle_.has_begun();
  run_lead_options options{gateway_,
                           prepared_.inputs,
                           lifecycle_.spec(),
                           host_->workers(),
                           host_->graph(),
                           late,
                           prepared_.place->evals_file,
                           node_actor{self_},
                           node_actor{self_}};
  lead_ = std::make_unique<run_lead>(self_->home_system(), std::move(options));
  self_->monitor(lead_->reports());
  self_->monitor(lead_->client());
  if (!late)
    return;
  renewed_at_.reset();
  spdlog::info("run {}: this node leads now", lifecycle_.spec().name);
  begin_lead(host_->origin());
  lead_->take(run_->ends());
  if (lifecycle_.stopping() && !leaves())
    self_->send(lead_->client(), stop_work{});
}

void node_state::begin_lead(run_origin origin) {
  lead_->begin(origin);
  if (lead_->evaluator())
    self_->monitor(lead_->evaluator());
}

/// Begins to lead, or stops, as the network falls apart and comes together.
void node_state::keep_lead() {
  const auto leads = run_->keep_lead(now());
  if (leads && !lead_) {
    try {
      start_lead();
    } catch (const std::exception& e) {
      cannot_lead(lead_refused_text(e));
    }
  } else if (!leads && lead_) {
    spdlog::info("run {}: this node does not lead any more", lifecycle_.spec().name);
    lead_.reset();
  }
}

/// Of a run that this node leads there is something on the disk from its first second on; and it sees whether
/// the last ones hang.
void node_state::renew_standing() {
  if (!lead_ || !lifecycle_.has_begun() || (renewed_at_ && now() - *renewed_at_ < renew_every))
    return;
  renewed_at_ = now();
  self_->request(lead_->reports(), gateway_patience, progress_wanted{})
      .then(
          [this, spec = std::make_shared<const run_spec>(lifecycle_.spec())](const run_progress& x) {
            if (!lead_ || !lifecycle_.serves(spec->run))
              return;
            if (lifecycle_.now() == run_lifecycle::phase::running)
              self_->send(measurer_, run_standing{spec->run, spec, x});
            if (!host_->waits_for_processes() ||
                !run_->hangs(x, prepared_.inputs->learners->is_occupied(), now()))
              return;
            spdlog::warn("run {}: {}", spec->name, hang_text);
            if (lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
              stop_run(true);
            else
              pass_stop_on();
          },
          [](const caf::error&) {}); // it was taken down
}

void node_state::measure(const cluster_status& x) {
  lead_->stop_evaluating();
  auto known = run_->known_result(lifecycle_.spec(), x, spent());
  known.resumed = earlier_part(prepared_.resumed);
  known.peak_rss_bytes = peak_rss_bytes();
  measurement what{lifecycle_.spec(), prepared_.inputs, host_->workers(), lead_->client(),
                   lead_->reports(),  std::move(known), leaving_};
  self_->send(measurer_, std::make_shared<const measurement>(std::move(what)));
}

void node_state::measured(const run_measured& x) {
  const auto serves = lifecycle_.serves(x.run);
  if (x.result && (serves || !lifecycle_.serves(last_run_))) { // that of the present run is kept
    last_run_ = x.run;
    last_result_ = x.result;
  }
  if (!serves)
    return;
  run_->measured(now());
  if (!x.failure.empty()) {
    run_->fail(x.failure);
    send_reports({}); // at once: who listens asks for the result next
  }
  if (lead_ && !leaving_)
    self_->send(lead_->client(), release_run{});
}

// --- The end ---

void node_state::stop_run(bool pass_on) {
  run_->stop(now());
  host_->stop();
  if (pass_on)
    pass_stop_on();
}

/// Once: everybody who hears of a stop does.
void node_state::pass_stop_on() {
  if (!run_->passes_stop_on())
    return;
  if (lead_)
    self_->send(lead_->client(), stop_work{});
  const auto& spec = lifecycle_.spec();
  for (const auto node : neighbour_nodes()) {
    node_request_options to_stop;
    to_stop.to = spec.nodes[index_of(node)];
    to_stop.messages = {std::make_shared<const control_message>(stop_request{spec.run})};
    to_stop.keep_trying = pass_stop_on_for;
    send_request(std::move(to_stop), [](const node_request_done&) {});
  }
}

/// A stop goes on along the edges of the graph, as everybody who hears of it tells his own neighbours; where
/// nodes are gone the leads, who know them all, bridge the gap.
std::set<node_index> node_state::neighbour_nodes() const {
  const auto& spec = lifecycle_.spec();
  std::set<node_index> nodes;
  for (const auto id : host_->here())
    for (const auto neighbour : prepared_.inputs->graph->neighbours(id)) // also where nothing is exchanged
      nodes.insert(spec.placement[index_of(neighbour)]);
  nodes.erase(spec.self);
  return nodes;
}

void node_state::fail_run(const std::string& why) {
  if (!run_->fail(why))
    return;
  spdlog::error("run {}: {}", lifecycle_.spec().name, why);
  if (!lifecycle_.has_begun())
    return turn_down(why, exit_failed);
  if (lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
    stop_run(true);
}

void node_state::withdraw(const std::string& why) {
  if (!run_->withdraw(why))
    return;
  spdlog::error("run {}: {}; this node leaves it, the others go on", lifecycle_.spec().name, why);
  if (!lifecycle_.has_begun())
    return turn_down(why, exit_failed);
  if (lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
    stop_run(false);
}

void node_state::finish() {
  spdlog::info("run {}: the workers here are done", lifecycle_.spec().name);
  lifecycle_.finishing();
  run_->finish(now());
}

void node_state::let_go() {
  spdlog::info("run {}: done with it", lifecycle_.spec().name);
  if (unwanted_)
    *unwanted_ = true;
  waiting_ = nullptr;
  discard(lifecycle_.has_begun() ? nullptr : prepared_.place, prepared_.inputs);
  self_->send(gateway_, leave_run{lifecycle_.spec().run});
  if (states_)
    self_->send_exit(states_, caf::exit_reason::user_shutdown);
  states_ = nullptr;
  lead_.reset();
  host_.reset();
  run_.reset();
  prepared_ = {};
  joining_.reset();
  lifecycle_.let_go();
}

void node_state::discard(std::shared_ptr<const run_place> place,
                         const std::shared_ptr<const run_inputs>& inputs) {
  auto learners = inputs ? inputs->learners : nullptr;
  if (!place && !learners)
    return;
  ++discards_;
  self_->request(loader_, caf::infinite, run_discarded{std::move(place), std::move(learners)})
      .then([this](const run_is_gone&) { --discards_; }, [this](const caf::error&) { --discards_; });
}

void node_state::leave() {
  leaving_ = true;
  if (!run_)
    return;
  if (!lifecycle_.has_begun()) {
    joining_.reset(); // it ends as it was told to, not because it was refused
    return turn_down("it is about to end; start it again", exit_network);
  }
  run_->interrupt();
  lifecycle_.stop(0);
  stop_run(false);
}

// --- Time ---

void node_state::tick() {
  self_->delayed_send(self_, std::chrono::milliseconds{100}, node_tick{});
  if (gateway_)
    hear_traffic([] {});
  if (options_.rejoin)
    seek_earlier_run();
  if (!run_)
    return;
  if (lifecycle_.owner() && run_->is_deserted(now(), options_.owner_patience)) {
    spdlog::warn("run {}: nothing from its launcher for {:.0f} s", lifecycle_.spec().name,
                 to_seconds(options_.owner_patience));
    return turn_down("its launcher said nothing for too long; launch the run again", exit_network);
  }
  if (lifecycle_.now() == run_lifecycle::phase::linking && !host_)
    seek_starting_values();
  advance_linking();
  if (!run_)
    return;
  if (reporter_failed_ && host_)
    stand_in_for_reporter();
  if (lead_ || !leaves())
    keep_lead();
  renew_standing();
  const auto& spec = lifecycle_.spec();
  const auto all = spec.placement.size();
  if (const auto size = run_->news_of_part(); size && *size < all)
    spdlog::warn("run {}: {} of {} workers are in touch", spec.name, *size, all);
  else if (size)
    spdlog::info("run {}: all {} workers are in touch again", spec.name, all);
  if (lead_)
    self_->request(lead_->client(), gateway_patience, cluster_status_wanted{})
        .then(
            [this, run = spec.run](const cluster_status& x) {
              if (!lifecycle_.serves(run) || !lead_)
                return;
              if (run_->note(x, leaving_))
                measure(x);
              advance_linking();
            },
            [](const caf::error&) {}); // it was taken down
  if (run_->is_overdue(now(), leaving_)) {
    spdlog::warn("run {}: not all workers ended in time", spec.name);
    finish();
  }
  if (lifecycle_.now() == run_lifecycle::phase::finishing && run_->may_let_go(now(), leaving_))
    let_go();
}

} // namespace dybw
