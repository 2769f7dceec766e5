#include "actors/client/node_request.hpp"
#include "actors/node/node_state.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/system/process_usage.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace dybw {

namespace {

constexpr auto gateway_patience = std::chrono::seconds{2};
/// How long a stop is told to nodes that do not answer.
constexpr nanoseconds pass_stop_on_for{std::chrono::seconds{30}};
constexpr auto exit_failed = 1;
constexpr auto exit_network = 4;

/// The other end keeps this place for another process.
bool says_that_place_is_taken(const link_changed& x) {
  return !x.up && x.reason.find(place_taken_reason) != std::string::npos;
}

} // namespace

// --- Connecting and beginning ---

/// Everybody is there, nobody begins; the gateway connects to the nodes of the neighbours.
void node_state::spawn_host(std::map<worker_id, worker_start> starts) {
  const auto& spec = lifecycle_.spec();
  const auto& config = run_->inputs->config;
  const auto joins = run_->how == run_start::joined;
  run_host_options options;
  options.here = lifecycle_.workers_here();
  options.reports.rounds_file = run_->place->rounds_file;
  options.reports.append = joins;
  options.reports.expected = options.here;
  options.reports.audit = false;
  options.reports.sink = node_actor{self_};
  options.starts = std::move(starts);
  options.checkpoints = run_->place->checkpoints;
  if (config.time_limit_s)
    options.time_limit = from_seconds(*config.time_limit_s);
  run_->host = std::make_unique<run_host>(self_->home_system(), *run_->inputs, std::move(options));
  auto& host = *run_->host;
  if (host.trainers())
    self_->monitor(host.trainers());
  run_->part.emplace(spec.placement, spec.self, joins, now());
  for (auto id : host.here())
    for (auto neighbour : host.graph()->neighbours(id))
      if (const auto node = spec.placement[index_of(neighbour)]; node != spec.self)
        run_->links_missing.emplace(node, "no answer yet");
  self_->request(gateway_, gateway_patience, traffic_wanted{})
      .then(
          [this, run = spec.run](const traffic& x) {
            if (lifecycle_.serves(run))
              run_->traffic_before = traffic_ = x;
          },
          [](const caf::error&) {});
  join_run links;
  links.run = spec.run;
  links.self = spec.self;
  links.nodes = spec.nodes;
  links.placement = spec.placement;
  links.graph = host.graph();
  links.parameters = run_->inputs->learner->parameter_count();
  links.workers = host.workers();
  links.suspect_after = from_seconds(config.suspect_after_s);
  links.listener = node_actor{self_};
  self_->send(gateway_, std::move(links));
  host.meet(gateway_);
}

void node_state::link_changed(const dybw::link_changed& x) {
  if (!lifecycle_.serves(x.run) || index_of(x.node) >= lifecycle_.spec().nodes.size())
    return;
  if (says_that_place_is_taken(x))
    return dismiss(x.reason);
  if (lifecycle_.has_begun()) { // the workers hear of it
    const auto node = to_string(lifecycle_.spec().nodes[index_of(x.node)]);
    if (lifecycle_.now() == run_lifecycle::phase::running && x.up)
      spdlog::info("linked with {}", node);
    else if (lifecycle_.now() == run_lifecycle::phase::running)
      spdlog::warn("the link with {} is down: {}", node, x.reason);
    return;
  }
  if (x.up)
    run_->links_missing.erase(x.node);
  else
    run_->links_missing[x.node] = x.reason;
  advance_linking();
}

void node_state::advance_linking() {
  if (lifecycle_.now() != run_lifecycle::phase::linking)
    return;
  const auto since = time_since(run_->linking_since);
  if (!run_->links_missing.empty()) {
    if (since > link_patience) {
      const auto& [node, why] = *run_->links_missing.begin();
      refuse_links(fmt::format("it cannot connect to node {}: {}",
                               to_string(lifecycle_.spec().nodes[index_of(node)]), why));
    }
    return;
  }
  if (run_->lead && !run_->others_reached && since < follow_patience)
    return;
  lifecycle_.linked();
  reply(*run_->asked_to_connect, connect_reply{});
}

void node_state::refuse_links(const std::string& why) {
  reply(*run_->asked_to_connect, connect_reply{why});
  let_go();
}

void node_state::begin_run(run_origin origin) {
  const auto& spec = lifecycle_.spec();
  spdlog::info("run {}: {} of {} workers are here", spec.name, run_->host->here().size(),
               spec.placement.size());
  run_->origin = origin;
  run_->cpu_before_s = process_cpu_s();
  run_->host->begin(origin);
  if (run_->lead)
    run_->lead->begin(origin);
}

// --- Reports ---

void node_state::take(const local_reports_ptr& x) {
  if (!run_ || !run_->host || self_->current_sender() != run_->host->reports())
    return; // of the run before
  run_->progress = x->progress;
  run_->ends.insert(run_->ends.end(), x->finished.begin(), x->finished.end());
  run_->lost = x->lost;
  run_->rounds_dropped = x->rounds_dropped;
  run_->rounds_passed += x->rounds.size();
  if (elapsed() < first_rounds_time && run_->first_rounds.size() + x->rounds.size() <= first_rounds_max)
    run_->first_rounds.insert(run_->first_rounds.end(), x->rounds.begin(), x->rounds.end());
  else if (elapsed() >= first_rounds_time)
    std::vector<round_report>{}.swap(run_->first_rounds);
  if (run_->lead)
    run_->lead->take(*x);
  if (x->progress.failure)
    fail_run(*x->progress.failure);
  if (!run_)
    return; // it had not begun
  // Each batch says what has been sent up to now; the gateway's answers keep them in order.
  const auto pass_on = [this, x, run = lifecycle_.spec().run] {
    if (lifecycle_.serves(run))
      send_reports(*x);
  };
  self_->request(gateway_, gateway_patience, traffic_wanted{})
      .then(
          [this, pass_on](const traffic& sent) {
            traffic_ = sent;
            pass_on();
          },
          [pass_on](const caf::error&) { pass_on(); });
  if (lifecycle_.now() == run_lifecycle::phase::running &&
      x->progress.workers_done == run_->host->here().size())
    finish();
}

void node_state::take(const part_changed& x) {
  if (run_ && run_->part && self_->current_sender() == run_->host->reports())
    run_->part->changed(x.worker, x.component, x.lowest, now());
}

void node_state::take(const evaluation& x) {
  if (run_ && run_->lead && run_->lead->is_evaluator(self_->current_sender()))
    run_->evaluations.push_back(x);
}

void node_state::target_is_reached() {
  if (run_ && run_->lead && run_->lead->is_evaluator(self_->current_sender()) &&
      lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
    stop_run(true);
}

void node_state::send_reports(const local_reports& x) {
  report_batch common;
  common.run = lifecycle_.spec().run;
  common.elapsed_s = to_seconds(elapsed());
  common.lost = run_->lost;
  common.component = static_cast<std::uint32_t>(run_->part->component());
  common.lead = static_cast<std::uint32_t>(run_->part->lead());
  common.failure = run_->failure;
  const auto sent = traffic_in_run();
  common.link_bytes_sent = sent.link_bytes_sent;
  common.eval_bytes_sent = sent.eval_bytes_sent;
  common.cpu_s = lifecycle_.has_begun() ? process_cpu_s() - run_->cpu_before_s : 0;
  for (auto& [connection, s] : run_->subscribers) {
    const auto full = s.backlog > subscriber_backlog_max;
    if (full)
      s.dropped += x.rounds.size();
    if (!full || is_owed(s))
      reply(connection, batch_for(s, common, x, full));
    watch_backlog(connection);
  }
}

/// `full`: without what may be dropped.
report_batch node_state::batch_for(subscriber& s, const report_batch& common, const local_reports& x,
                                   bool full) const {
  const auto from = [](const auto& all, std::size_t first) {
    return std::pair{all.begin() + static_cast<std::ptrdiff_t>(first), all.end()};
  };
  auto batch = common;
  if (!full) {
    batch.rounds = std::exchange(s.gets_first_rounds, false) ? run_->first_rounds : x.rounds; // both with `x`
    const auto [newest, last] = from(run_->evaluations, s.evaluations_sent);
    batch.evaluations.assign(newest, last);
    s.evaluations_sent = run_->evaluations.size();
  }
  const auto [end, last_end] = from(run_->ends, s.ends_sent);
  batch.finished.assign(end, last_end);
  s.ends_sent = run_->ends.size();
  s.lost_sent = run_->lost.size();
  s.failure_sent = !run_->failure.empty();
  batch.rounds_dropped = run_->rounds_dropped - s.dropped_before + s.dropped;
  return batch;
}

/// There is something that no subscriber may miss, however slow it is.
bool node_state::is_owed(const subscriber& s) const {
  return s.ends_sent < run_->ends.size() || s.lost_sent < run_->lost.size() ||
         (!s.failure_sent && !run_->failure.empty());
}

bool node_state::owes_ends() const {
  return std::any_of(run_->subscribers.begin(), run_->subscribers.end(),
                     [this](const auto& x) { return is_owed(x.second); });
}

void node_state::watch_backlog(connection_id to) {
  self_->request(gateway_, gateway_patience, backlog_wanted{to})
      .then(
          [this, to](const backlog& x) {
            if (!run_)
              return;
            if (const auto s = run_->subscribers.find(to); s != run_->subscribers.end())
              s->second.backlog = x.bytes;
          },
          [](const caf::error&) {});
}

// --- Leading ---

void node_state::start_lead(bool late) {
  if (late)
    spdlog::info("run {}: this node leads now", lifecycle_.spec().name);
  run_lead_options options;
  options.gateway = gateway_;
  options.inputs = run_->inputs;
  options.spec = lifecycle_.spec();
  options.here = run_->host->workers();
  options.graph = run_->host->graph();
  options.late = late;
  options.on_evaluation = node_actor{self_};
  options.on_target = node_actor{self_};
  run_->lead = std::make_unique<run_lead>(self_->home_system(), std::move(options));
  if (!lifecycle_.has_begun())
    return;
  run_->lead->begin(run_->origin);
  local_reports so_far;
  so_far.finished = run_->ends;
  so_far.lost = run_->lost;
  run_->lead->take(so_far);
  if (lifecycle_.stopping())
    self_->send(run_->lead->client(), stop_work{});
}

/// Begins to lead, or stops, as the network falls apart and comes together.
void node_state::keep_lead() {
  if (!lifecycle_.has_begun() || run_->measuring || run_->is_measured || !run_->part)
    return;
  const auto leads = run_->part->leads(now());
  if (leads && !run_->lead && !run_->over_elsewhere) {
    start_lead(true);
  } else if (!leads && run_->lead) {
    spdlog::info("run {}: this node does not lead any more", lifecycle_.spec().name);
    run_->lead.reset();
    run_->evaluations.clear();
    for (auto& [connection, s] : run_->subscribers)
      s.evaluations_sent = 0;
  }
}

/// The log says how many workers are in touch when that has changed, from here to the end of the work.
void node_state::tell_part() {
  if (lifecycle_.now() != run_lifecycle::phase::running || !run_->part)
    return;
  const auto all = lifecycle_.spec().placement.size();
  const auto size = run_->part->component();
  const auto told = std::exchange(run_->part_told, size);
  if (size == told || (told == 0 && size == all))
    return;
  if (size < all)
    spdlog::warn("run {}: {} of {} workers are in touch", lifecycle_.spec().name, size, all);
  else
    spdlog::info("run {}: all {} workers are in touch again", lifecycle_.spec().name, all);
}

void node_state::note_cluster(const cluster_status& x) {
  if (!run_->others_reached) {
    run_->others_reached =
        std::all_of(x.reachable.begin(), x.reachable.end(), [](bool reached) { return reached; });
    advance_linking();
  }
  if (lifecycle_.now() != run_lifecycle::phase::finishing || run_->measuring || run_->is_measured)
    return;
  if (x.phase == cluster_phase::over || leaving_)
    measure(x);
}

run_result node_state::known_result(const cluster_status& x) const {
  run_result known;
  known.interrupted = run_->interrupted || leaving_;
  known.failure = run_->failure.empty() ? x.failure : run_->failure;
  known.failed = !known.failure.empty();
  known.resumed = earlier_part(run_->resumed);
  const auto& spec = lifecycle_.spec();
  for (std::size_t i = 0; i < spec.nodes.size(); ++i)
    known.nodes.push_back({to_string(spec.nodes[i]), {}, !x.reachable[i]});
  for (std::size_t w = 0; w < spec.placement.size(); ++w)
    known.nodes[index_of(spec.placement[w])].workers.push_back(static_cast<std::uint32_t>(w));
  const auto sent = traffic_in_run();
  known.link_bytes_sent = x.link_bytes_sent + sent.link_bytes_sent;
  known.eval_bytes_sent = x.eval_bytes_sent + sent.eval_bytes_sent;
  known.host_cpu_s = x.cpu_s + process_cpu_s() - run_->cpu_before_s;
  known.peak_rss_bytes = peak_rss_bytes();
  return known;
}

void node_state::measure(const cluster_status& x) {
  run_->measuring = true;
  run_->lead->stop_evaluating();
  measurement what;
  what.spec = lifecycle_.spec();
  what.inputs = run_->inputs;
  what.here = run_->host->workers();
  what.client = run_->lead->client();
  what.reports = run_->lead->reports();
  what.known = known_result(x);
  what.hurry = leaving_;
  self_->send(measurer_, std::make_shared<const measurement>(std::move(what)));
}

void node_state::measured(const run_measured& x) {
  if (x.result) {
    last_run_ = x.run;
    last_result_ = x.result;
  }
  if (!lifecycle_.serves(x.run))
    return;
  run_->measuring = false;
  run_->is_measured = true;
  run_->measured_at = std::chrono::steady_clock::now();
  run_->result = x.result;
  if (run_->lead && !leaving_)
    self_->send(run_->lead->client(), release_run{});
}

// --- The end ---

void node_state::stop_run(bool pass_on) {
  if (!run_->stopping_since)
    run_->stopping_since = std::chrono::steady_clock::now();
  run_->host->stop();
  if (pass_on && run_->lead)
    self_->send(run_->lead->client(), stop_work{});
  if (pass_on)
    pass_stop_on();
}

void node_state::pass_stop_on() {
  const auto& spec = lifecycle_.spec();
  const auto message = std::make_shared<const control_message>(stop_request{spec.run});
  for (std::size_t i = 0; i < spec.nodes.size(); ++i)
    if (node_at(i) != spec.self) {
      node_request_options to_stop;
      to_stop.to = spec.nodes[i];
      to_stop.messages = {message};
      to_stop.keep_trying = pass_stop_on_for;
      send_request(std::move(to_stop), [](const node_request_done&) {});
    }
}

void node_state::fail_run(const std::string& why) {
  if (!run_->failure.empty())
    return; // the first reason is the one to tell
  run_->failure = why;
  spdlog::error("run {}: {}", lifecycle_.spec().name, why);
  if (!lifecycle_.has_begun())
    return turn_down(why, exit_failed);
  if (lifecycle_.stop(0) == run_lifecycle::stop_verdict::stop)
    stop_run(true);
}

void node_state::finish() {
  spdlog::info("run {}: the workers here are done", lifecycle_.spec().name);
  lifecycle_.finishing();
  run_->finishing_since = std::chrono::steady_clock::now();
}

bool node_state::may_let_go() const {
  const auto finished_for = time_since(run_->finishing_since);
  if (run_->lead && !run_->is_measured) // whoever says that it is over: this part's result would be lost
    return leaving_ && finished_for > stop_patience;
  if (owes_ends() && finished_for < (leaving_ ? leave_patience : linger_time))
    return false;
  if (leaving_ || run_->over_elsewhere)
    return true;
  const auto listened_to = !run_->subscribers.empty();
  if (run_->is_measured)
    return !listened_to || std::min(time_since(run_->measured_at), time_since(run_->asked_at)) > linger_time;
  const auto quiet = std::min(finished_for, time_since(run_->asked_at));
  return quiet > (listened_to ? linger_time_max : linger_time);
}

void node_state::let_go() {
  spdlog::info("run {}: done with it", lifecycle_.spec().name);
  self_->send(gateway_, leave_run{lifecycle_.spec().run});
  run_.reset();
  joining_.reset();
  lifecycle_.let_go();
}

void node_state::leave() {
  leaving_ = true;
  if (!run_)
    return;
  if (!lifecycle_.has_begun()) {
    joining_.reset(); // it ends as it was told to, not because it was refused
    turn_down("it is about to end; start it again", exit_network);
    return;
  }
  lifecycle_.stop(0);
  stop_run(false);
}

traffic node_state::traffic_in_run() const {
  auto x = traffic_;
  x.link_bytes_sent -= std::min(x.link_bytes_sent, run_->traffic_before.link_bytes_sent);
  x.eval_bytes_sent -= std::min(x.eval_bytes_sent, run_->traffic_before.eval_bytes_sent);
  return x;
}

// --- Time ---

void node_state::tick() {
  self_->delayed_send(self_, std::chrono::milliseconds{100}, node_tick{});
  if (gateway_)
    self_->request(gateway_, gateway_patience, traffic_wanted{})
        .then([this](const traffic& x) { traffic_ = x; }, [](const caf::error&) {});
  if (!run_)
    return;
  watch_owner();
  if (run_)
    advance_linking();
  if (!run_)
    return;
  keep_lead();
  tell_part();
  if (run_->lead)
    self_->request(run_->lead->client(), gateway_patience, cluster_status_wanted{})
        .then(
            [this, run = lifecycle_.spec().run](const cluster_status& x) {
              if (lifecycle_.serves(run) && run_->lead)
                note_cluster(x);
            },
            [](const caf::error&) {}); // it was taken down
  if (lifecycle_.now() == run_lifecycle::phase::running && run_->stopping_since) {
    const auto patience = leaving_ ? leave_patience : stop_patience;
    if (time_since(*run_->stopping_since) > patience) {
      spdlog::warn("run {}: not all workers ended in time", lifecycle_.spec().name);
      finish();
    }
  }
  if (lifecycle_.now() == run_lifecycle::phase::finishing && may_let_go())
    let_go();
}

} // namespace dybw
