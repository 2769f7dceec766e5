#include "actors/cluster/run_client.hpp"

#include "actors/reporting/reporter.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace dybw {

namespace {

constexpr auto tick_every = std::chrono::milliseconds{100};

caf::error unanswered(const std::string& reason) {
  return caf::make_error(caf::sec::request_receiver_down, reason);
}

} // namespace

void run_client_state::start(run_client_options options) {
  options_ = std::move(options);
  origin_ = self_->home_system().clock().now();
  connections_ = node_connections{options_.gateway};
  pending_.resize(options_.spec.nodes.size());
  self_->monitor(options_.gateway);
  if (options_.launches)
    perform(launch_.emplace(options_.spec).open(now()));
  else
    begin_following();
  self_->delayed_send(self_, tick_every, run_client_tick{});
}

void run_client_state::begin_following() {
  follow_.emplace(follow_machine_options{options_.spec, options_.here, options_.launches},
                  launch_ ? launch_->lines() : lines_to(options_.spec.nodes));
  perform(follow_->open(now()));
}

nanoseconds run_client_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(self_->home_system().clock().now() - origin_);
}

void run_client_state::tick() {
  launching() ? launch(time_passed{}) : follow(time_passed{});
  for (std::size_t i = 0; i < pending_.size(); ++i)
    if (!pending_[i].empty() && now() - pending_[i].front().asked > question_patience)
      drop_questions(node_at(i), "it did not answer in time");
  self_->delayed_send(self_, tick_every, run_client_tick{});
}

cluster_status run_client_state::status() const {
  const auto known = launch_ ? launch_->status() : cluster_status{};
  return launching() ? known : follow_->status(known);
}

void run_client_state::perform(const hang_up& x) {
  connections_.perform(x);
  drop_questions(x.node, "it cannot be reached");
}

void run_client_state::perform(const run_begins&) {
  self_->send(options_.reporter, watch_workers{{}, std::chrono::steady_clock::now()});
  begin_following();
}

void run_client_state::perform(const run_news& x) {
  std::visit(
      [this]<class News>(const News& news) {
        if constexpr (std::is_same_v<News, worker_end>)
          self_->send(options_.reporter, to_last_word(news));
        else
          self_->send(options_.reporter, news);
      },
      x);
}

// --- Questions ---

run_client_state::snapshot_promise run_client_state::take_snapshot(worker_id worker) {
  auto promise = self_->make_response_promise<snapshot>();
  if (index_of(worker) >= options_.spec.placement.size()) {
    promise.deliver(caf::make_error(caf::sec::invalid_argument, "there is no such worker"));
    return promise;
  }
  const auto node = options_.spec.placement[index_of(worker)];
  for (auto& each : pending_[index_of(node)])
    if (each.worker == worker) {
      each.snapshots.push_back(promise);
      return promise;
    }
  ask(node, open_question{worker, {promise}, nullptr, now()});
  return promise;
}

run_client_state::result_promise run_client_state::find_result() {
  auto search = std::make_shared<result_search>();
  search->promise = self_->make_response_promise<std::shared_ptr<const result_reply>>();
  if (follow_)
    search->left = follow_->result_candidates();
  std::reverse(search->left.begin(), search->left.end());
  auto promise = search->promise;
  search_on(search);
  return promise;
}

void run_client_state::search_on(const std::shared_ptr<result_search>& search) {
  if (!search->left.empty()) {
    const auto next = search->left.back();
    search->left.pop_back();
    ask(next, open_question{std::nullopt, {}, search, now()});
  } else if (search->best) {
    search->promise.deliver(search->best);
  } else {
    search->promise.deliver(unanswered("no node of the run answers"));
  }
}

void run_client_state::ask(node_index node, open_question x) {
  if (!follow_ || !follow_->line_to(node).is_open()) {
    fail(x, "it cannot be reached");
    return;
  }
  if (connections_.has(questions_to(node)))
    send_question(node, x); // or once the connection is open
  else
    perform(call_node{questions_to(node), follow_->line_to(node).address, node_line::call_patience});
  pending_[index_of(node)].push_back(std::move(x));
}

void run_client_state::send_question(node_index node, const open_question& x) {
  const auto run = options_.spec.run;
  connections_.perform(tell_node{
      questions_to(node),
      std::make_shared<const control_message>(x.worker ? control_message{snapshot_request{run, *x.worker}}
                                                       : control_message{result_request{run}})});
}

void run_client_state::question(const node_reached& e) {
  for (const auto& each : pending_[index_of(e.node)])
    send_question(e.node, each);
}

void run_client_state::question(const node_said& e) {
  if (const auto* estimate = std::get_if<snapshot_reply>(e.message.get()))
    answer(e.node, *estimate);
  else if (const auto* result = std::get_if<result_reply>(e.message.get()))
    answer(e.node, std::shared_ptr<const result_reply>{e.message, result});
}

void run_client_state::answer(node_index node, const std::shared_ptr<const result_reply>& x) {
  auto& pending = pending_[index_of(node)];
  const auto found = std::ranges::find_if(pending, [](const auto& each) { return each.search != nullptr; });
  if (found == pending.end())
    return;
  const auto search = found->search;
  pending.erase(found);
  if (x->ready || !search->best || (x->leads && !search->best->leads))
    search->best = x;
  if (x->ready)
    search->left.clear();
  search_on(search);
}

void run_client_state::answer(node_index node, const snapshot_reply& x) {
  auto& pending = pending_[index_of(node)];
  const auto found = std::ranges::find(pending, std::optional{x.worker}, &open_question::worker);
  if (found == pending.end())
    return;
  auto promises = std::move(found->snapshots);
  pending.erase(found);
  const auto fits = !x.found || !options_.parameters || x.parameters.values().size() == *options_.parameters;
  if (!fits)
    spdlog::warn("node {} sends an estimate of worker {} with {} parameters instead of {}",
                 to_string(follow_->line_to(node).address), to_string(x.worker), x.parameters.values().size(),
                 *options_.parameters);
  for (auto& promise : promises) {
    if (x.found && fits)
      promise.deliver(snapshot{x.worker, x.parameters, x.local_steps});
    else
      promise.deliver(unanswered(fits ? "its node has no such worker" : "it does not fit the model"));
  }
}

void run_client_state::drop_questions(node_index node, const std::string& reason) {
  connections_.perform(hang_up{questions_to(node)});
  fail_questions(node, reason);
}

void run_client_state::fail_questions(node_index node, const std::string& reason) {
  for (auto& each : std::exchange(pending_[index_of(node)], {}))
    fail(each, reason);
}

void run_client_state::fail(open_question& x, const std::string& reason) {
  for (auto& promise : x.snapshots)
    promise.deliver(unanswered(reason));
  if (x.search)
    search_on(x.search);
}

run_client_actor::behavior_type run_client(run_client_actor::stateful_pointer<run_client_state> self,
                                           run_client_options options) {
  self->state.start(std::move(options));
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.close_all();
    self->quit(std::move(x.reason));
  });
  self->set_down_handler([](const caf::down_msg& down) {
    spdlog::error("the gateway failed: {}", caf::to_string(down.reason));
  });
  return {
      [self](const control_opened& x) { self->state.take(x); },
      [self](const control_failed& x) { self->state.take(x); },
      [self](const control_received& x) { self->state.take(x); },
      [self](const control_closed& x) { self->state.take(x); },
      [self](const run_client_tick&) { self->state.tick(); },
      [self](const stop_work& x) { self->state.apply(x); },
      [self](const release_run& x) { self->state.apply(x); },
      [self](const node_moved& x) { self->state.follow(x); },
      [self](const cluster_status_wanted&) { return self->state.status(); },
      [self](worker_id worker, const snapshot_wanted&) { return self->state.take_snapshot(worker); },
      [self](const result_wanted&) { return self->state.find_result(); },
  };
}

} // namespace dybw
