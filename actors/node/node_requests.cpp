#include "actors/client/node_request.hpp"
#include "actors/node/learner_states.hpp"
#include "actors/node/node_state.hpp"
#include "actors/node/run_loader.hpp"
#include "actors/reporting/longest_wait.hpp"
#include "actors/system/process_usage.hpp"
#include "actors/transport/address.hpp"
#include "learning/consensus/membership.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <ctime>

namespace dybw {

namespace {

/// How long a node is called that has lost its place, and how often it is asked whether that still holds.
constexpr nanoseconds tell_loser_for{std::chrono::minutes{2}};
constexpr nanoseconds call_loser_again_for{std::chrono::milliseconds{1500}};
/// For questions to workers of this process.
constexpr auto worker_patience = std::chrono::seconds{1};
/// Nobody else gets a place for so long after it was given to a joiner.
constexpr nanoseconds place_reserved{std::chrono::seconds{30}};
constexpr nanoseconds probe_patience{std::chrono::seconds{1}};

/// How long a process that is said to have our place may take to answer.
constexpr nanoseconds ask_heir_for{std::chrono::seconds{10}};

std::string taken_text(const endpoint& heir) {
  return "its place has a new process, at " + to_string(heir);
}

std::string time_of_day() {
  const auto now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

} // namespace

void node_state::receive(const control_received& x) {
  if (run_ && lifecycle_.owner() == x.connection)
    run_->owner_spoke(now());
  std::visit([&](const auto& m) { on(x.connection, m); }, *x.message);
}

void node_state::closed(const control_closed& x) {
  if (run_)
    run_->unsubscribe(x.connection);
  if (lifecycle_.closed(x.connection)) {
    spdlog::info("run {}: its launcher went away before it began ({})", lifecycle_.spec().name, x.reason);
    let_go();
  }
}

void node_state::reply(connection_id to, control_message message) {
  self_->send(gateway_, send_control{to, std::make_shared<const control_message>(std::move(message))});
}

// --- Starting a run ---

/// The run that was to begin here will not: whoever waits for an answer gets this one.
void node_state::turn_down(const std::string& why, int exit_code) {
  if (joining_) {
    refuse_join(why, exit_code);
  } else if (const auto asked_by = run_->asked_by()) {
    reply(*asked_by, connect_reply{why});
  } else if (const auto owner = lifecycle_.owner()) {
    reply(*owner, prepare_run_reply{why, exit_code});
  }
  let_go();
}

void node_state::on(connection_id from, const prepare_run_request& x) {
  auto refused = lifecycle_.prepare(x.spec, from, time_of_day());
  if (!refused && (leaving_ || joining_)) {
    lifecycle_.let_go();
    refused = refusal_text{leaving_ ? "it is about to end; start it again" : "it is joining another run",
                           exit_network};
  }
  if (refused)
    return reply(from, prepare_run_reply{refused->line, refused->exit_code});
  prepare(x.spec, x.spec.resume.empty() ? run_start::afresh : run_start::resumed, 0);
}

void node_state::prepare(const run_spec& spec, run_start how, std::uint64_t data_hash) {
  run_ = std::make_unique<active_run>(now());
  unwanted_ = std::make_shared<std::atomic<bool>>(false);
  auto next = std::make_shared<const preparation>(
      preparation{spec, how, options_.data, options_.threads, options_.trainers, data_hash, unwanted_});
  if (at_loader_)
    waiting_ = std::move(next); // launched again at once it may have the name, so the directory, of the first
  else
    load(std::move(next));
}

void node_state::load(std::shared_ptr<const preparation> x) {
  at_loader_ = std::move(x);
  self_->send(loader_, at_loader_);
}

void node_state::prepared(const run_prepared& x) {
  at_loader_ = nullptr;
  if (waiting_) {
    discard(x.place, x.inputs);
    return load(std::exchange(waiting_, nullptr));
  }
  if (!lifecycle_.prepared(x.run)) { // nobody wants it any more
    return discard(x.place, x.inputs);
  }
  const auto owner = lifecycle_.owner();
  if (owner)
    reply(*owner, x.reply);
  if (!x.reply.refusal.empty()) {
    if (!owner)
      refuse_join(x.reply.refusal, x.reply.exit_code);
    return let_go();
  }
  prepared_ = x;
  if (x.inputs->learners)
    states_ = self_->spawn<caf::detached>(learner_states, x.inputs->learners);
  if (!owner)
    seek_welcome();
}

void node_state::on(connection_id from, const connect_request& x) {
  if (const auto refused = lifecycle_.connect(x.run))
    return reply(from, connect_reply{refused->line});
  if (!prepared_.inputs->learners || lifecycle_.spec().placement.front() == lifecycle_.spec().self ||
      !prepared_.resumed.empty())
    return connect(from);
  run_->seek_values(from, now());
  seek_starting_values();
}

/// All begin where the learner of worker 0 does, which is elsewhere, and answers once its own node is asked
/// to connect.
void node_state::seek_starting_values() {
  if (!run_->asks_for_values())
    return;
  const auto& spec = lifecycle_.spec();
  node_request_options to_first;
  to_first.to = spec.nodes[index_of(spec.placement.front())];
  to_first.messages = {std::make_shared<const control_message>(snapshot_request{spec.run, worker_id{0}})};
  to_first.patience = time_for_values();
  send_request(std::move(to_first), [this, run = spec.run](const node_request_done& x) {
    if (!lifecycle_.serves(run) || lifecycle_.now() != run_lifecycle::phase::linking || host_)
      return;
    const auto asked_by = *run_->asked_by();
    const auto* start = x.answers.empty() ? nullptr : std::get_if<snapshot_reply>(x.answers.front().get());
    if (start != nullptr && start->parameters.values().size() == prepared_.reply.parameters) {
      auto inputs = std::make_shared<run_inputs>(*prepared_.inputs);
      inputs->initial.assign(inputs->config.workers, start->parameters);
      prepared_.inputs = std::move(inputs);
      run_->values_came();
      return connect(asked_by);
    }
    if (run_->may_ask_again(now(), time_for_values())) // with the next tick
      return;
    const auto& first = lifecycle_.spec().nodes[index_of(lifecycle_.spec().placement.front())];
    reply(asked_by, connect_reply{fmt::format("node {} gives it no starting values: {}", to_string(first),
                                              x.failure.empty() ? "it has none" : x.failure)});
    let_go();
  });
}

/// Of all other nodes, for those of the first worker; none where each has them.
nanoseconds node_state::time_for_values() const {
  return prepared_.inputs->learners ? values_time(prepared_.reply.parameters, lifecycle_.spec().nodes.size())
                                    : nanoseconds{0};
}

void node_state::connect(connection_id from) {
  try {
    spawn_host(starts_from(prepared_.resumed), from);
    keep_lead();
  } catch (const std::exception& e) { // of what the system does not give: a thread, memory
    reply(from, connect_reply{cannot_begin_text(e)});
    return let_go();
  }
  for (auto& [id, from_disk] : prepared_.resumed)
    from_disk.parameters = from_disk.velocity = from_disk.outer =
        from_disk.correction = {}; // the workers have them
  advance_linking();
}

void node_state::on(connection_id from, const begin_request& x) {
  if (const auto refused = lifecycle_.begin(x.run))
    return reply(from, begin_reply{refused->line});
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
    return reply(from, stop_reply{lifecycle_.no_run_text(x.run)});
  case run_lifecycle::stop_verdict::let_go:
    spdlog::info("run {} is to stop before it has begun", lifecycle_.spec().name);
    turn_down("the run was stopped", exit_network);
    break;
  case run_lifecycle::stop_verdict::stop:
    spdlog::info("run {} is to stop", lifecycle_.spec().name);
    run_->interrupt();
    stop_run(true);
    break;
  case run_lifecycle::stop_verdict::nothing: // it may have stopped for itself alone
    pass_stop_on();
    break;
  }
  reply(from, stop_reply{});
}

void node_state::on(connection_id from, const node_status_request&) {
  if (lifecycle_.now() != run_lifecycle::phase::running)
    return send_status(from, {});
  const auto longest = std::make_shared<longest_wait>();
  const auto answered = [=, this, missing = std::make_shared<std::size_t>(host_->here().size())] {
    if (--*missing == 0)
      send_status(from, longest->text());
  };
  for (auto id : host_->here())
    self_->request(host_->workers()[index_of(id)], worker_patience, status_wanted{})
        .then(
            [=](const worker_status& s) {
              longest->add(s);
              answered();
            },
            [answered](const caf::error&) { answered(); }); // the others tell
}

void node_state::send_status(connection_id to, const std::string& waiting) {
  node_status s;
  s.version = options_.version;
  s.advertised = advertised_;
  s.state = joining_ && !run_ ? "joining" : lifecycle_.state_text();
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
    s.waiting = waiting;
    run_->complete(s, spent(), now());
  }
  reply(to, std::move(s));
}

void node_state::on(connection_id from, const subscribe_request& x) {
  if (lifecycle_.serves(x.run))
    run_->subscribe(from, now());
}

void node_state::on(connection_id from, const snapshot_request& x) {
  const snapshot_reply nothing{x.worker, false, 0, {}};
  const auto i = index_of(x.worker);
  if (!lifecycle_.serves(x.run) || !host_ || i >= host_->workers().size() || !host_->workers()[i])
    return reply(from, nothing);
  run_->asked(now());
  self_->request(host_->workers()[i], 5 * worker_patience, snapshot_wanted{})
      .then(
          [this, from](const snapshot& s) {
            reply(from, snapshot_reply{s.worker, bool{s.parameters}, s.local_steps, s.parameters});
          },
          [this, from, nothing](const caf::error&) { reply(from, nothing); });
}

void node_state::on(connection_id from, const result_request& x) {
  const auto serves = lifecycle_.serves(x.run);
  if (serves)
    run_->asked(now());
  if (last_result_ && x.run == last_run_) {
    reply(from, *last_result_);
    return;
  }
  result_reply not_yet;
  not_yet.leads = serves && lead_;
  reply(from, std::move(not_yet));
}

/// Only noted: the next tick lets go, unless something would be lost with the run.
void node_state::on(connection_id, const run_over& x) {
  if (lifecycle_.serves(x.run))
    run_->over_elsewhere();
}

// --- Monitors ---

void node_state::on(connection_id from, const describe_request&) {
  if (lifecycle_.has_begun())
    reply(from, describe_reply{true, lifecycle_.spec(), prepared_.reply.parameters});
  else
    reply(from, describe_reply{});
}

void node_state::on(connection_id from, const metrics_request& x) {
  if (!lifecycle_.has_begun())
    return reply(from, metrics_reply{});
  self_->request(host_->reports(), worker_patience, metrics_wanted{x.sketch})
      .then(
          [this, from, run = lifecycle_.spec().run](const process_metrics_ptr& m) {
            metrics_reply answer;
            if (lifecycle_.serves(run)) {
              answer = {run, *m};
              run_->complete(answer.metrics, spent());
            }
            reply(from, std::move(answer));
          },
          [this, from](const caf::error&) { reply(from, metrics_reply{}); });
}

void node_state::on(connection_id from, const saved_options_request& x) {
  saved_options_reply answer;
  try {
    if (options_.files.saved_options)
      answer.options = options_.files.saved_options(x.run);
    else
      answer.refusal = "it keeps no runs";
  } catch (const std::exception& e) {
    answer.refusal = e.what();
  }
  reply(from, std::move(answer));
}

// --- Joining ---

/// A restarted node wants a place: that of its own address, or one whose node does not answer.
void node_state::on(connection_id from, const join_request& x) {
  const auto& spec = lifecycle_.spec();
  if (lifecycle_.now() == run_lifecycle::phase::finishing)
    return refuse_place(from, fmt::format("run {} is ending; start the node without --join", spec.name));
  if (lifecycle_.now() != run_lifecycle::phase::running)
    return refuse_place(from, "no run is going on there; start the node without --join");
  const auto joiner = x.advertised;
  std::erase_if(places_given_,
                [&](const auto& place) { return now() - place.second.since > place_reserved; });
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    const auto* given = given_to(node_at(i));
    if (node_at(i) != spec.self && (given != nullptr ? *given : spec.nodes[i]) == joiner)
      return send_place(from, node_at(i), joiner);
  }
  struct search {
    std::size_t missing = 0;
    std::optional<node_index> free;
  };
  const auto all = std::make_shared<search>();
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (node_at(i) == spec.self || places_given_.contains(node_at(i)) || !may_have(node_at(i), joiner))
      continue;
    ++all->missing;
    node_request_options probe;
    probe.to = spec.nodes[i];
    probe.messages = {std::make_shared<const control_message>(node_status_request{})};
    probe.patience = probe_patience;
    send_request(std::move(probe), [=, this, run = spec.run](const node_request_done& probed) {
      const auto* status =
          probed.answers.empty() ? nullptr : std::get_if<node_status>(probed.answers.front().get());
      const auto* given = given_to(node_at(i));
      const auto free = (status == nullptr || status->run != run) && (given == nullptr || *given == joiner);
      if (free && (!all->free || i < index_of(*all->free)))
        all->free = node_at(i);
      if (--all->missing > 0 || !lifecycle_.serves(run))
        return;
      if (all->free)
        return send_place(from, *all->free, joiner);
      refuse_place(from, fmt::format("no place is free in run {}: all its {} nodes are there; start the node "
                                     "without --join",
                                     lifecycle_.spec().name, lifecycle_.spec().nodes.size()));
    });
  }
  if (all->missing == 0)
    refuse_place(from, fmt::format("no place is free in run {}{}; try again later", spec.name,
                                   options_.gateway.tls
                                       ? " for " + joiner.host + " (with TLS a place belongs to its host)"
                                       : ""));
}

/// With TLS a place belongs to its host: the gateway has seen that the joiner's certificate is for its own.
bool node_state::may_have(node_index place, const endpoint& joiner) const {
  return !options_.gateway.tls || same_host(lifecycle_.spec().nodes[index_of(place)].host, joiner.host);
}

void node_state::refuse_place(connection_id to, const std::string& why) {
  reply(to, join_reply{why, {}, 0, 0});
}

/// Lately: its new process may not have told everybody yet where it is.
const endpoint* node_state::given_to(node_index place) const {
  const auto given = places_given_.find(place);
  return given == places_given_.end() ? nullptr : &given->second.joiner;
}

void node_state::send_place(connection_id to, node_index place, const endpoint& joiner) {
  places_given_[place] = {joiner, now()};
  join_reply given{{}, lifecycle_.spec(), to_seconds(run_->elapsed(now())), prepared_.reply.data_hash};
  given.spec.self = place;
  given.spec.nodes[index_of(place)] = joiner;
  spdlog::info("run {}: node {} takes place {}", given.spec.name, to_string(joiner), index_of(place));
  reply(to, std::move(given));
}

void node_state::on(connection_id, const node_moved& x) {
  if (!lifecycle_.serves(x.run) || index_of(x.node) >= lifecycle_.spec().nodes.size())
    return;
  if (x.node == lifecycle_.spec().self && x.advertised != advertised_)
    return options_.gateway.tls ? ask_who_has_our_place(x) : dismiss(taken_text(x.advertised));
  if (!lifecycle_.has_begun() || x.node == lifecycle_.spec().self)
    return;
  auto& where = lifecycle_.spec().nodes[index_of(x.node)];
  if (const auto* given = given_to(x.node);
      given != nullptr && *given == x.advertised && where != x.advertised)
    tell_loser(where, x, now());
  where = x.advertised;
  self_->send(gateway_, x);
  if (lead_)
    self_->send(lead_->client(), x);
}

/// Who had the place may be alive, only hung or cut off. As long as the place is still that joiner's, it is
/// called again and again.
void node_state::tell_loser(const endpoint& loser, const node_moved& news, nanoseconds since) {
  node_request_options to_loser;
  to_loser.to = loser;
  to_loser.messages = {std::make_shared<const control_message>(news)};
  to_loser.answers = 0;
  to_loser.keep_trying = call_loser_again_for;
  send_request(std::move(to_loser), [=, this](const node_request_done& x) {
    const auto told = x.failure.empty();
    if (told || !lifecycle_.serves(news.run) || now() - since > tell_loser_for)
      return;
    const auto* given = given_to(news.node);
    if (lifecycle_.spec().nodes[index_of(news.node)] == news.advertised &&
        (given == nullptr || *given == news.advertised))
      tell_loser(loser, news, since);
  });
}

/// Whoever says that our place is another's need not have it. With TLS the gateway has seen to it that the
/// new address is of our own host, and reaches nobody there without a certificate for it.
void node_state::ask_who_has_our_place(const node_moved& news) {
  node_request_options to_heir;
  to_heir.to = news.advertised;
  to_heir.messages = {std::make_shared<const control_message>(node_status_request{})};
  to_heir.keep_trying = ask_heir_for;
  send_request(std::move(to_heir), [this, news](const node_request_done& x) {
    const auto* status = x.answers.empty() ? nullptr : std::get_if<node_status>(x.answers.front().get());
    if (!lifecycle_.serves(news.run))
      return;
    if (status != nullptr && status->run == news.run)
      return dismiss(taken_text(news.advertised));
    spdlog::warn(
        "run {}: somebody says that {} has this node's place, but it serves no such run: passed over",
        lifecycle_.spec().name, to_string(news.advertised));
  });
}

/// Another process has taken this node's place in the run: its workers end here, and nothing more is written.
void node_state::dismiss(const std::string& why) {
  spdlog::warn("run {}: this node is not part of it any more: {}", lifecycle_.spec().name, why);
  if (!lifecycle_.has_begun())
    return turn_down(why, exit_network);
  let_go();
}

} // namespace dybw
