#include "actors/client/node_request.hpp"
#include "actors/node/node_state.hpp"
#include "actors/reporting/longest_wait.hpp"
#include "actors/system/process_usage.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>

namespace dybw {

namespace {

constexpr auto exit_network = 4;
/// How long a node is called that has lost its place, and how often it is asked whether that still holds.
constexpr nanoseconds tell_loser_for{std::chrono::minutes{2}};
constexpr nanoseconds call_loser_again_for{std::chrono::milliseconds{1500}};
/// For questions to workers of this process.
constexpr auto worker_patience = std::chrono::seconds{1};
/// Nobody else gets a place for so long after it was given to a joiner.
constexpr nanoseconds place_reserved{std::chrono::seconds{30}};
constexpr nanoseconds probe_patience{std::chrono::seconds{1}};

std::string time_of_day() {
  const auto now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

} // namespace

void node_state::receive(const control_received& x) {
  if (run_ && lifecycle_.owner() == x.connection)
    run_->owner_heard = std::chrono::steady_clock::now();
  std::visit([&](const auto& m) { on(x.connection, m); }, *x.message);
}

void node_state::closed(const control_closed& x) {
  if (run_)
    run_->subscribers.erase(x.connection);
  if (lifecycle_.closed(x.connection)) {
    spdlog::info("run {}: its launcher went away before it began ({})", lifecycle_.spec().name, x.reason);
    let_go();
  }
}

void node_state::reply(connection_id to, control_message message) {
  send(to, std::make_shared<const control_message>(std::move(message)));
}

void node_state::send(connection_id to, std::shared_ptr<const control_message> message) {
  self_->send(gateway_, send_control{to, std::move(message)});
}

// --- Starting a run ---

/// The run that was to begin here will not: whoever waits for an answer gets this one.
void node_state::turn_down(const std::string& why, int exit_code) {
  if (joining_) {
    refuse_join(why, exit_code);
  } else if (run_->asked_to_connect) {
    reply(*run_->asked_to_connect, connect_reply{why});
  } else if (const auto owner = lifecycle_.owner()) {
    prepare_run_reply refusal;
    refusal.refusal = why;
    refusal.exit_code = exit_code;
    reply(*owner, std::move(refusal));
  }
  let_go();
}

/// A machine that vanishes does not close its connections.
void node_state::watch_owner() {
  if (!lifecycle_.owner() || time_since(run_->owner_heard) <= options_.owner_patience)
    return;
  spdlog::warn("run {}: nothing from its launcher for {:.0f} s", lifecycle_.spec().name,
               to_seconds(options_.owner_patience));
  turn_down("its launcher said nothing for too long; launch the run again", exit_network);
}

void node_state::on(connection_id from, const prepare_run_request& x) {
  auto refused = lifecycle_.prepare(x.spec, from, time_of_day());
  if (!refused && (leaving_ || joining_)) {
    lifecycle_.let_go();
    refused = refusal_text{leaving_ ? "it is about to end; start it again" : "it is joining another run",
                           exit_network};
  }
  if (refused) {
    prepare_run_reply refusal;
    refusal.refusal = refused->line;
    refusal.exit_code = refused->exit_code;
    reply(from, std::move(refusal));
    return;
  }
  prepare(x.spec, x.spec.resume.empty() ? run_start::afresh : run_start::resumed, 0);
}

void node_state::prepare(const run_spec& spec, run_start how, std::uint64_t data_hash) {
  run_ = std::make_unique<active_run>();
  run_->how = how;
  run_->origin = run_->owner_heard = std::chrono::steady_clock::now();
  preparation what{spec, how, options_.data, options_.threads, data_hash};
  self_->send(loader_, std::make_shared<const preparation>(std::move(what)));
}

void node_state::prepared(const run_prepared& x) {
  if (!lifecycle_.serves(x.run) || lifecycle_.now() != run_lifecycle::phase::preparing)
    return; // nobody wants it any more
  const auto owner = lifecycle_.owner();
  if (!x.reply.refusal.empty()) {
    if (owner)
      reply(*owner, x.reply);
    else
      refuse_join(x.reply.refusal, x.reply.exit_code);
    let_go();
    return;
  }
  lifecycle_.prepared(x.run);
  run_->inputs = x.inputs;
  run_->place = x.place;
  run_->resumed = x.resumed;
  run_->ready = x.reply;
  if (owner)
    reply(*owner, x.reply);
  else
    seek_welcome();
}

void node_state::on(connection_id from, const connect_request& x) {
  if (const auto refused = lifecycle_.connect(x.run)) {
    reply(from, connect_reply{refused->line});
    return;
  }
  run_->asked_to_connect = from;
  run_->linking_since = std::chrono::steady_clock::now();
  spawn_host(starts_from(run_->resumed));
  for (auto& [id, from_disk] : run_->resumed)
    from_disk.parameters = from_disk.velocity = {}; // the workers have them
  if (run_->part->leads(now()))
    start_lead(false);
  advance_linking();
}

void node_state::on(connection_id from, const begin_request& x) {
  if (const auto refused = lifecycle_.begin(x.run)) {
    reply(from, begin_reply{refused->line});
    return;
  }
  reply(from, begin_reply{});
  begin_run(std::chrono::steady_clock::now());
}

void node_state::on(connection_id, const abandon_request& x) {
  if (lifecycle_.abandon(x.run))
    let_go();
}

// --- During a run ---

void node_state::on(connection_id from, const stop_request& x) {
  switch (lifecycle_.stop(x.run)) {
  case run_lifecycle::stop_verdict::no_run:
    reply(from, stop_reply{lifecycle_.no_run_text(x.run)});
    return;
  case run_lifecycle::stop_verdict::let_go:
    spdlog::info("run {} is to stop before it has begun", lifecycle_.spec().name);
    turn_down("the run was stopped", exit_network);
    break;
  case run_lifecycle::stop_verdict::stop:
    spdlog::info("run {} is to stop", lifecycle_.spec().name);
    run_->interrupted = true;
    stop_run(true);
    break;
  case run_lifecycle::stop_verdict::nothing:
    break;
  }
  reply(from, stop_reply{});
}

void node_state::on(connection_id from, const node_status_request&) {
  struct inquiry {
    std::size_t missing = 0;
    longest_wait longest;
  };
  const auto begun = run_ && run_->host && lifecycle_.now() == run_lifecycle::phase::running;
  if (!begun) {
    send_status(from, {});
    return;
  }
  auto all = std::make_shared<inquiry>();
  all->missing = run_->host->here().size();
  const auto answered = [this, all, from] {
    if (--all->missing == 0)
      send_status(from, all->longest.text());
  };
  for (auto id : run_->host->here())
    self_->request(run_->host->workers()[index_of(id)], worker_patience, status_wanted{})
        .then(
            [all, answered](const worker_status& s) {
              all->longest.add(s);
              answered();
            },
            [answered](const caf::error&) { answered(); }); // the others tell
}

void node_state::send_status(connection_id to, const std::string& waiting) {
  node_status s;
  s.version = options_.version;
  s.advertised = advertised_;
  s.state = lifecycle_.state_text();
  s.slots = options_.slots;
  s.connections_refused = traffic_.connections_refused;
  s.peak_rss_bytes = peak_rss_bytes();
  if (run_) {
    const auto& spec = lifecycle_.spec();
    s.run = spec.run;
    s.run_name = spec.name;
    s.policy = spec.config.policies.front();
    s.nodes = spec.nodes;
    for (auto id : lifecycle_.workers_here())
      s.workers.push_back(static_cast<std::uint32_t>(id));
    if (lifecycle_.has_begun()) {
      s.elapsed_s = to_seconds(elapsed());
      s.newest_round = run_->progress.newest_round;
      s.local_steps = run_->progress.local_steps;
      s.loss = run_->progress.loss;
    }
    if (run_->part) {
      s.component = static_cast<std::uint32_t>(run_->part->component());
      s.lead = static_cast<std::uint32_t>(run_->part->lead());
    }
    s.waiting = waiting;
    const auto sent = traffic_in_run();
    s.link_bytes_sent = sent.link_bytes_sent;
    s.eval_bytes_sent = sent.eval_bytes_sent;
  }
  reply(to, std::move(s));
}

void node_state::on(connection_id from, const subscribe_request& x) {
  if (!lifecycle_.serves(x.run))
    return;
  subscriber s;
  s.dropped_before = run_->rounds_dropped;
  if (lifecycle_.has_begun() && elapsed() < first_rounds_time) {
    s.gets_first_rounds = run_->first_rounds.size() == run_->rounds_passed;
    s.dropped = s.gets_first_rounds ? 0 : run_->rounds_passed;
  }
  run_->subscribers[from] = s;
  run_->asked_at = std::chrono::steady_clock::now();
}

void node_state::on(connection_id from, const snapshot_request& x) {
  snapshot_reply nothing;
  nothing.worker = x.worker;
  const auto i = index_of(x.worker);
  const auto known = lifecycle_.serves(x.run) && run_->host && i < run_->host->workers().size();
  if (!known || !run_->host->workers()[i]) {
    reply(from, std::move(nothing));
    return;
  }
  run_->asked_at = std::chrono::steady_clock::now();
  self_->request(run_->host->workers()[i], 5 * worker_patience, snapshot_wanted{})
      .then(
          [this, from](const snapshot& s) {
            reply(from, snapshot_reply{s.worker, true, s.local_steps, s.parameters});
          },
          [this, from, nothing](const caf::error&) { reply(from, nothing); });
}

void node_state::on(connection_id from, const result_request& x) {
  std::shared_ptr<const result_reply> result;
  if (lifecycle_.serves(x.run)) {
    run_->asked_at = std::chrono::steady_clock::now();
    result = run_->result;
  } else if (x.run == last_run_) {
    result = last_result_;
  }
  if (result) {
    reply(from, *result);
    return;
  }
  result_reply not_yet;
  not_yet.leads = lifecycle_.serves(x.run) && run_->lead;
  reply(from, std::move(not_yet));
}

/// Only noted: the next tick lets go, unless something would be lost with the run.
void node_state::on(connection_id, const run_over& x) {
  if (lifecycle_.serves(x.run))
    run_->over_elsewhere = true;
}

// --- Monitors ---

void node_state::on(connection_id from, const describe_request&) {
  describe_reply x;
  x.found = lifecycle_.has_begun();
  if (x.found) {
    x.spec = lifecycle_.spec();
    x.parameters = run_->ready.parameters;
  }
  reply(from, std::move(x));
}

void node_state::on(connection_id from, const metrics_request& x) {
  if (!lifecycle_.has_begun()) {
    reply(from, metrics_reply{});
    return;
  }
  self_->request(run_->host->reports(), worker_patience, metrics_wanted{x.sketch})
      .then(
          [this, from, run = lifecycle_.spec().run](const process_metrics_ptr& m) {
            reply(from, lifecycle_.serves(run) ? complete(*m) : metrics_reply{});
          },
          [this, from](const caf::error&) { reply(from, metrics_reply{}); });
}

/// With what the reporter does not know.
metrics_reply node_state::complete(const process_metrics& x) const {
  metrics_reply full{lifecycle_.spec().run, x};
  auto& m = full.metrics;
  if (!run_->evaluations.empty())
    m.newest_evaluation = run_->evaluations.back();
  if (m.failure.empty())
    m.failure = run_->failure;
  const auto sent = traffic_in_run();
  m.link_bytes_sent = sent.link_bytes_sent;
  m.eval_bytes_sent = sent.eval_bytes_sent;
  m.connections_refused = traffic_.connections_refused;
  m.leads = run_->lead != nullptr;
  return full;
}

// --- Joining ---

/// A restarted node wants a place: that of its own address, or one whose node does not answer.
void node_state::on(connection_id from, const join_request& x) {
  const auto refuse = [&](const std::string& why) {
    join_reply refusal;
    refusal.refusal = why;
    reply(from, std::move(refusal));
  };
  if (lifecycle_.now() == run_lifecycle::phase::finishing)
    return refuse(fmt::format("run {} is ending; start the node without --join", lifecycle_.spec().name));
  if (lifecycle_.now() != run_lifecycle::phase::running)
    return refuse("no run is going on there; start the node without --join");
  offer_place(from, x.advertised);
}

void node_state::offer_place(connection_id to, const endpoint& joiner) {
  const auto& spec = lifecycle_.spec();
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(places_given_, [&](const auto& x) { return now - x.second.since > place_reserved; });
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    const auto given = places_given_.find(node_at(i));
    const auto again = given != places_given_.end() && given->second.joiner == joiner;
    const auto its_own = spec.nodes[i] == joiner && !is_given_to_another(node_at(i), joiner);
    if ((again || its_own) && node_at(i) != spec.self)
      return send_place(to, node_at(i), joiner);
  }
  struct search {
    std::size_t missing = 0;
    std::optional<node_index> free;
  };
  auto all = std::make_shared<search>();
  const auto run = spec.run;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (node_at(i) == spec.self || places_given_.contains(node_at(i)))
      continue;
    ++all->missing;
    node_request_options probe;
    probe.to = spec.nodes[i];
    probe.messages = {std::make_shared<const control_message>(node_status_request{})};
    probe.patience = probe_patience;
    send_request(std::move(probe), [this, all, run, i, to, joiner](const node_request_done& x) {
      const auto* status = x.answers.empty() ? nullptr : std::get_if<node_status>(x.answers.front().get());
      const auto free = (status == nullptr || status->run != run) && !is_given_to_another(node_at(i), joiner);
      if (free && (!all->free || i < index_of(*all->free)))
        all->free = node_at(i);
      if (--all->missing > 0 || !lifecycle_.serves(run))
        return;
      if (all->free)
        return send_place(to, *all->free, joiner);
      join_reply refusal;
      refusal.refusal = fmt::format("no place is free in run {}: all its {} nodes are there; start the node "
                                    "without --join",
                                    lifecycle_.spec().name, lifecycle_.spec().nodes.size());
      reply(to, std::move(refusal));
    });
  }
  if (all->missing == 0) {
    join_reply refusal;
    refusal.refusal = fmt::format("no place is free in run {}; try again later", spec.name);
    reply(to, std::move(refusal));
  }
}

/// Lately: its new process may not have told everybody yet where it is.
bool node_state::is_given_to_another(node_index place, const endpoint& joiner) const {
  const auto given = places_given_.find(place);
  return given != places_given_.end() && given->second.joiner != joiner;
}

void node_state::send_place(connection_id to, node_index place, const endpoint& joiner) {
  places_given_[place] = {joiner, std::chrono::steady_clock::now()};
  join_reply given;
  given.spec = lifecycle_.spec();
  given.spec.self = place;
  given.spec.nodes[index_of(place)] = joiner;
  given.elapsed_s = to_seconds(elapsed());
  given.data_hash = run_->ready.data_hash;
  spdlog::info("run {}: node {} takes place {}", given.spec.name, to_string(joiner), index_of(place));
  reply(to, std::move(given));
}

void node_state::on(connection_id, const node_moved& x) {
  if (!lifecycle_.serves(x.run) || index_of(x.node) >= lifecycle_.spec().nodes.size())
    return;
  if (x.node == lifecycle_.spec().self && x.advertised != advertised_)
    return dismiss("its place has a new process, at " + to_string(x.advertised));
  if (!lifecycle_.has_begun() || x.node == lifecycle_.spec().self)
    return;
  auto& where = lifecycle_.spec().nodes[index_of(x.node)];
  if (const auto given = places_given_.find(x.node);
      given != places_given_.end() && given->second.joiner == x.advertised && where != x.advertised)
    tell_loser(where, x, std::chrono::steady_clock::now());
  where = x.advertised;
  self_->send(gateway_, x);
  if (run_->lead)
    self_->send(run_->lead->client(), x);
}

/// Who had the place may be alive, only hung or cut off. As long as the place is still that joiner's, it is
/// called again and again.
void node_state::tell_loser(const endpoint& loser, const node_moved& news, moment since) {
  node_request_options to_loser;
  to_loser.to = loser;
  to_loser.messages = {std::make_shared<const control_message>(news)};
  to_loser.answers = 0;
  to_loser.keep_trying = call_loser_again_for;
  send_request(std::move(to_loser), [=, this](const node_request_done& x) {
    const auto told = x.failure.empty();
    if (told || !lifecycle_.serves(news.run) || time_since(since) > tell_loser_for ||
        lifecycle_.spec().nodes[index_of(news.node)] != news.advertised ||
        is_given_to_another(news.node, news.advertised))
      return;
    tell_loser(loser, news, since);
  });
}

/// Another process has taken this node's place in the run: its workers end here, and nothing more is written.
void node_state::dismiss(const std::string& why) {
  spdlog::warn("run {}: this node is not part of it any more: {}", lifecycle_.spec().name, why);
  if (!lifecycle_.has_begun())
    return turn_down(why, exit_network);
  let_go();
}

void node_state::on(connection_id from, const welcome_request& x) {
  if (lifecycle_.serves(x.run) && lifecycle_.now() == run_lifecycle::phase::running && run_->host &&
      index_of(x.joiner) < run_->host->workers().size()) {
    welcome(from, x.joiner);
    return;
  }
  welcome_reply nothing;
  nothing.joiner = x.joiner;
  reply(from, std::move(nothing));
}

/// From all neighbours of the joiner here: each gives up its link, the facts add up, the latest round counts.
void node_state::welcome(connection_id to, worker_id joiner) {
  struct gathering {
    std::size_t missing = 0;
    std::vector<fact> facts;
    welcome_reply sum;
  };
  auto all = std::make_shared<gathering>();
  all->sum.joiner = joiner;
  const auto answered = [this, all, to] {
    if (--all->missing > 0)
      return;
    all->sum.facts.facts = std::make_shared<const std::vector<fact>>(std::move(all->facts));
    reply(to, std::move(all->sum));
  };
  all->missing = 1; // this loop
  for (auto id : run_->host->graph()->neighbours(joiner)) {
    const auto& worker = run_->host->workers()[index_of(id)];
    if (!worker)
      continue;
    ++all->missing;
    self_->request(worker, worker_patience, welcome_wanted{joiner})
        .then(
            [all, answered](const welcome_reply& x) {
              if (x.found) {
                all->facts.insert(all->facts.end(), x.facts.facts->begin(), x.facts.facts->end());
                if (!all->sum.found || x.round > all->sum.round) {
                  all->sum.round = x.round;
                  all->sum.parameters = x.parameters;
                }
                all->sum.found = true;
              }
              answered();
            },
            [answered](const caf::error&) { answered(); });
  }
  answered();
}

} // namespace dybw
