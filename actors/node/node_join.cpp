#include "actors/client/node_request.hpp"
#include "actors/node/node_state.hpp"
#include "learning/consensus/membership.hpp"
#include "messages/limits.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace dybw {

namespace {

constexpr nanoseconds place_patience{std::chrono::seconds{5}};
constexpr nanoseconds seek_patience{std::chrono::seconds{3}};
constexpr nanoseconds ask_earlier_every{std::chrono::seconds{1}};
constexpr nanoseconds welcome_patience{std::chrono::seconds{2}};
/// With a learner's state, which may have to end a step first and may be long.
constexpr nanoseconds state_patience{std::chrono::seconds{120}};
/// For what a neighbour's learner keeps: it may have to end a step first.
constexpr auto learner_patience = std::chrono::seconds{65};
/// For questions to workers of this process.
constexpr auto neighbour_patience = std::chrono::seconds{1};

} // namespace

void node_state::seek_place() {
  joining_.emplace();
  node_request_options to_join;
  to_join.to = *options_.join;
  to_join.messages = {std::make_shared<const control_message>(join_request{advertised_})};
  to_join.patience = place_patience;
  send_request(std::move(to_join), [this](const node_request_done& x) { take_place(x); });
}

/// Asks all other nodes of the run that an earlier process of this node left: one that still has it knows our
/// place. A run of a launcher that comes meanwhile is as good.
void node_state::seek_earlier_run() {
  if (asks_earlier_ || joining_ || now() < ask_earlier_at_)
    return;
  if (run_ || leaving_)
    return options_.rejoin.reset();
  struct search {
    std::size_t missing = 0;
    bool all_answered = true;
    std::optional<endpoint> found;
  };
  const auto all = std::make_shared<search>();
  for (const auto& node : options_.rejoin->nodes)
    if (node != advertised_)
      ++all->missing;
  if (all->missing == 0)
    return earlier_run_answered(std::nullopt, true);
  asks_earlier_ = true;
  for (const auto& node : options_.rejoin->nodes) {
    if (node == advertised_)
      continue;
    node_request_options probe;
    probe.to = node;
    probe.messages = {std::make_shared<const control_message>(node_status_request{})};
    probe.patience = seek_patience;
    send_request(std::move(probe), [this, all, node, run = options_.rejoin->run](const node_request_done& x) {
      const auto* status = x.answers.empty() ? nullptr : std::get_if<node_status>(x.answers.front().get());
      all->all_answered = all->all_answered && status != nullptr;
      if (status != nullptr && status->run == run && !all->found)
        all->found = node;
      if (--all->missing > 0)
        return;
      asks_earlier_ = false;
      earlier_run_answered(all->found, all->all_answered);
    });
  }
}

void node_state::earlier_run_answered(const std::optional<endpoint>& found, bool all_answered) {
  if (!options_.rejoin || run_ || joining_ || leaving_)
    return;
  ask_earlier_at_ = now() + ask_earlier_every;
  if (found) {
    options_.join = found;
    return seek_place();
  }
  if (!all_answered && now() < options_.rejoin_patience)
    return;
  spdlog::info("run {} goes on nowhere that answers; waits for another", options_.rejoin->name);
  options_.rejoin.reset();
}

void node_state::take_place(const node_request_done& x) {
  const auto refuse = [this](const std::string& why) {
    refuse_join(fmt::format("cannot join a run at {}: {}", to_string(*options_.join), why), exit_network);
  };
  if (leaving_ || !joining_)
    return;
  if (x.answers.empty())
    return refuse(x.failure);
  const auto* place = std::get_if<join_reply>(x.answers.front().get());
  if (place == nullptr)
    return refuse("it answers something else; run the same version of dybw everywhere");
  if (!place->refusal.empty())
    return refuse(place->refusal);
  if (const auto refused = lifecycle_.prepare(place->spec, std::nullopt, "now"))
    return refuse_join(refused->line, refused->exit_code);
  joining_->origin = std::chrono::steady_clock::now() - from_seconds(place->elapsed_s);
  spdlog::info("joins run {} in place {}", place->spec.name, index_of(place->spec.self));
  prepare(place->spec, run_start::joined, place->data_hash);
}

/// Tells everybody where this place is now, and asks the nodes of the neighbours for what our workers need.
void node_state::seek_welcome() {
  const auto& spec = lifecycle_.spec();
  const auto& graph = *prepared_.inputs->graph;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (node_at(i) == spec.self)
      continue;
    node_request_options to_node;
    to_node.to = spec.nodes[i];
    to_node.messages.push_back(
        std::make_shared<const control_message>(node_moved{spec.run, spec.self, advertised_}));
    for (auto id : lifecycle_.workers_here()) {
      const auto neighbours = graph.neighbours(id);
      if (std::any_of(neighbours.begin(), neighbours.end(),
                      [&](worker_id n) { return spec.placement[index_of(n)] == node_at(i); }))
        to_node.messages.push_back(std::make_shared<const control_message>(welcome_request{spec.run, id}));
    }
    to_node.answers = to_node.messages.size() - 1;
    to_node.patience = welcome_patience;
    if (to_node.answers > 0 && prepared_.inputs->learners)
      to_node.patience += values_time(prepared_.reply.parameters, to_node.answers);
    ++joining_->requests;
    send_request(std::move(to_node), [this, run = spec.run](const node_request_done& x) {
      if (!joining_ || !lifecycle_.serves(run))
        return;
      for (const auto& m : x.answers)
        if (const auto* welcome = std::get_if<welcome_reply>(m.get()); welcome != nullptr && welcome->found)
          joining_->welcomes.push_back(*welcome);
      if (--joining_->requests == 0)
        join_run_now();
    });
  }
  if (joining_->requests == 0)
    join_run_now();
}

/// From all neighbours of the joiner here: each gives up its link, the facts add up, the latest round counts.
void node_state::on(connection_id from, const welcome_request& x) {
  if (!lifecycle_.serves(x.run) || lifecycle_.now() != run_lifecycle::phase::running ||
      index_of(x.joiner) >= host_->workers().size())
    return reply(from, welcome_reply{x.joiner, false, {}, 0, {}});
  struct gathering {
    std::size_t missing = 1; // the loop below
    membership known;
    welcome_reply sum;
  };
  const auto all = std::make_shared<gathering>();
  all->sum.joiner = x.joiner;
  const auto answered = [this, all, from] {
    if (--all->missing > 0)
      return;
    all->sum.facts.facts = std::make_shared<const std::vector<fact>>(all->known.facts());
    reply(from, std::move(all->sum));
  };
  for (auto id : host_->graph()->neighbours(x.joiner)) {
    const auto& worker = host_->workers()[index_of(id)];
    if (!worker)
      continue;
    ++all->missing;
    self_->request(worker, neighbour_patience, welcome_wanted{x.joiner})
        .then(
            [all, answered, id](const welcome_reply& one) {
              if (one.found) {
                for (const auto& f : *one.facts.facts)
                  all->known.learn(f);
                if (!all->sum.found || one.round > all->sum.round) {
                  all->sum.neighbour = id;
                  all->sum.round = one.round;
                  all->sum.parameters = one.parameters;
                }
                all->sum.found = true;
              }
              answered();
            },
            [answered](const caf::error&) { answered(); });
  }
  answered();
}

void node_state::on(connection_id from, const learner_state_request& x) {
  const auto refuse = [this, from](const std::string& why) { reply(from, learner_state_reply{why, {}}); };
  const auto all = host_ ? host_->workers().size() : 0;
  if (!lifecycle_.serves(x.run) || lifecycle_.now() != run_lifecycle::phase::running || !states_ ||
      index_of(x.joiner) >= all || index_of(x.neighbour) >= all ||
      !host_->graph()->has_edge(x.joiner, x.neighbour) || !host_->workers()[index_of(x.neighbour)])
    return refuse("it has no such trainer");
  self_->request(states_, learner_patience, learner_state_wanted{x.neighbour})
      .then(
          [this, from, refuse](const learner_state& state) {
            if (!state.failure.empty())
              return refuse(state.failure);
            if (state.bytes.empty())
              return refuse("it keeps nothing, or has been busy for too long");
            if (state.bytes.size() > state_bytes_max)
              return refuse(fmt::format("it keeps {} MiB, more than can be sent", state.bytes.size() >> 20U));
            reply(from, learner_state_reply{{}, state.bytes});
          },
          [refuse](const caf::error&) { refuse("it is busy for too long"); });
}

/// The facts of all welcomes together are those of every worker here; each begins at the latest round and
/// with the estimate of its own neighbours, or, without one that lives elsewhere, of the others'.
void node_state::join_run_now() {
  const auto& welcomes = joining_->welcomes;
  const auto parameters = prepared_.reply.parameters; // 0 without a model
  std::map<worker_id, worker_start> starts;
  worker_start any;
  membership known;
  const auto here = lifecycle_.workers_here();
  const auto& graph = *prepared_.inputs->graph;
  for (const auto& w : welcomes) {
    if (!std::ranges::binary_search(here, w.joiner) || index_of(w.neighbour) >= graph.workers() ||
        !graph.has_edge(w.joiner, w.neighbour))
      continue; // nobody asked for it
    if (w.facts.facts)
      for (const auto& f : *w.facts.facts)
        known.learn(f);
    if (parameters > 0 && w.parameters.values().size() != parameters)
      continue;
    for (auto* start : {&any, &starts[w.joiner]})
      if (w.round >= start->completed) {
        start->completed = w.round;
        start->parameters = w.parameters;
        start->learner_of = w.neighbour;
      }
  }
  if (starts.empty() || known.empty()) {
    refuse_join(fmt::format("cannot join run {}: no neighbour of its workers answers; try again",
                            lifecycle_.spec().name),
                exit_network);
    return let_go();
  }
  const auto facts = known.facts();
  for (auto id : here)
    starts.try_emplace(id, any).first->second.facts = facts;
  if (wants_states())
    give_states(std::move(starts));
  else
    enter_run(std::move(starts));
}

/// The learners of the workers here begin where those of neighbours are, whose parameters they have. Where a
/// neighbour has nothing to give they begin afresh; where they cannot take it this node does not join.
void node_state::give_states(std::map<worker_id, worker_start> starts) {
  const auto all = std::make_shared<giving_states>();
  all->starts = std::move(starts);
  all->missing = all->starts.size();
  joining_->giving = all;
  const auto& spec = lifecycle_.spec();
  for (const auto& [id, start] : all->starts) {
    node_request_options wanted;
    wanted.to = spec.nodes[index_of(spec.placement[index_of(start.learner_of)])];
    wanted.messages = {
        std::make_shared<const control_message>(learner_state_request{spec.run, id, start.learner_of})};
    wanted.patience = state_patience + values_time(2 * prepared_.reply.parameters, 1); // of Adam
    send_request(std::move(wanted), [this, all, joiner = id](const node_request_done& x) {
      if (!joining_ || joining_->giving != all)
        return;
      const auto* state =
          x.answers.empty() ? nullptr : std::get_if<learner_state_reply>(x.answers.front().get());
      if (state == nullptr || !state->failure.empty()) {
        spdlog::warn("worker {}: its trainer begins afresh, as there is none to begin with: {}",
                     index_of(joiner), state == nullptr ? x.failure : state->failure);
        return state_is_given({});
      }
      self_->request(states_, caf::infinite, learner_state{joiner, state->bytes, {}})
          .then(
              [this, all](const learner_state_taken& taken) {
                if (joining_ && joining_->giving == all)
                  state_is_given(taken.failure);
              },
              [this, all](const caf::error& e) {
                if (joining_ && joining_->giving == all)
                  state_is_given(caf::to_string(e));
              });
    });
  }
}

void node_state::state_is_given(const std::string& failure) {
  if (!failure.empty()) {
    refuse_join("its trainers cannot begin where a neighbour's is: " + failure, exit_failed);
    return let_go();
  }
  if (const auto all = joining_->giving; --all->missing == 0)
    enter_run(std::move(all->starts));
}

void node_state::enter_run(std::map<worker_id, worker_start> starts) {
  try {
    spawn_host(std::move(starts), std::nullopt);
  } catch (const std::exception& e) {
    refuse_join(cannot_begin_text(e), exit_failed);
    return let_go();
  }
  lifecycle_.running();
  begin_run(std::exchange(joining_, std::nullopt)->origin);
}

/// Who was told to join has failed; who only tries to is idle, and may try again.
void node_state::refuse_join(const std::string& why, int exit_code) {
  joining_.reset();
  if (options_.rejoin) {
    const auto again = exit_code == exit_network && now() < options_.rejoin_patience;
    spdlog::warn("{}; {}", why, again ? "tries again" : "waits for another run");
    options_.join.reset();
    ask_earlier_at_ = now() + ask_earlier_every;
    if (!again)
      options_.rejoin.reset();
    return;
  }
  failure_ = why;
  exit_code_ = exit_code;
}

} // namespace dybw
