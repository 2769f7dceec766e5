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
  machine_.emplace(follow_machine_options{options_.spec, options_.launches, options_.here});
  lines_.resize(options_.spec.nodes.size());
  question_lines_.resize(options_.spec.nodes.size());
  self_->monitor(options_.gateway);
  for (auto& x : machine_->open(now()))
    std::visit([this](const auto& todo) { perform(todo); }, x);
  self_->delayed_send(self_, tick_every, run_client_tick{});
}

nanoseconds run_client_state::now() const {
  return std::chrono::duration_cast<nanoseconds>(self_->home_system().clock().now() - origin_);
}

void run_client_state::apply(const follow_event& what) {
  for (auto& x : machine_->step(now(), what))
    std::visit([this](const auto& todo) { perform(todo); }, x);
}

void run_client_state::tick() {
  apply(time_passed{});
  for (std::size_t i = 0; i < question_lines_.size(); ++i) {
    auto& pending = question_lines_[i].pending;
    if (!pending.empty() && now() - pending.front().asked > question_patience)
      drop_question_line(node_at(i), "it did not answer in time");
  }
  self_->delayed_send(self_, tick_every, run_client_tick{});
}

// --- What the machine wants ---

void run_client_state::perform(const call_node& x) {
  call({x.node, false}, x.to, x.patience);
}

void run_client_state::perform(const tell_node& x) {
  if (const auto& to = lines_[index_of(x.node)])
    self_->send(options_.gateway, send_control{*to, x.message});
}

void run_client_state::perform(const hang_up& x) {
  std::erase_if(calls_, [&](const auto& c) { return c.second.node == x.node && !c.second.questions; });
  auto& line = lines_[index_of(x.node)];
  if (line) {
    purposes_.erase(*line);
    self_->send(options_.gateway, close_control{*line});
    line.reset();
  }
  drop_question_line(x.node, "it cannot be reached");
}

void run_client_state::perform(const run_begins&) {
  self_->send(options_.reporter, watch_workers{{}, std::chrono::steady_clock::now()});
}

void run_client_state::perform(const run_news& x) {
  std::visit([this](const auto& news) { report(news); }, x);
}

void run_client_state::report(const worker_end& x) {
  self_->send(options_.reporter, to_last_word(x));
}

// --- Connections ---

void run_client_state::call(purpose why, const endpoint& to, nanoseconds patience) {
  calls_.emplace(++newest_key_, why);
  self_->send(options_.gateway, open_control{newest_key_, to, control_client_actor{self_}, patience});
}

void run_client_state::opened(const control_opened& x) {
  const auto found = calls_.find(x.key);
  if (found == calls_.end()) { // not wanted any more
    self_->send(options_.gateway, close_control{x.connection});
    return;
  }
  const auto why = found->second;
  calls_.erase(found);
  purposes_.emplace(x.connection, why);
  if (!why.questions) {
    lines_[index_of(why.node)] = x.connection;
    apply(node_reached{why.node});
    return;
  }
  auto& line = question_lines_[index_of(why.node)];
  line.calling = false;
  line.connection = x.connection;
  for (const auto& each : line.pending)
    send_question(why.node, each);
}

void run_client_state::failed(const control_failed& x) {
  const auto found = calls_.find(x.key);
  if (found == calls_.end())
    return;
  const auto why = found->second;
  calls_.erase(found);
  if (!why.questions) {
    apply(node_not_reached{why.node, x.reason});
    return;
  }
  question_lines_[index_of(why.node)].calling = false;
  fail_questions(why.node, x.reason);
}

void run_client_state::receive(const control_received& x) {
  const auto found = purposes_.find(x.connection);
  if (found == purposes_.end())
    return;
  const auto why = found->second;
  if (why.questions)
    answer(why.node, x.message);
  else
    apply(node_said{why.node, x.message});
}

void run_client_state::closed(const control_closed& x) {
  const auto found = purposes_.find(x.connection);
  if (found == purposes_.end())
    return;
  const auto why = found->second;
  purposes_.erase(found);
  if (why.questions) {
    question_lines_[index_of(why.node)].connection.reset();
    fail_questions(why.node, x.reason);
    return;
  }
  lines_[index_of(why.node)].reset();
  apply(node_hung_up{why.node, x.reason});
}

void run_client_state::close_all() {
  for (const auto& [connection, why] : purposes_)
    self_->send(options_.gateway, close_control{connection});
  purposes_.clear();
  calls_.clear();
}

void run_client_state::send(connection_id to, control_message message) {
  self_->send(options_.gateway,
              send_control{to, std::make_shared<const control_message>(std::move(message))});
}

// --- Questions ---

run_client_state::snapshot_promise run_client_state::take_snapshot(worker_id worker) {
  auto promise = self_->make_response_promise<snapshot>();
  if (index_of(worker) >= options_.spec.placement.size()) {
    promise.deliver(caf::make_error(caf::sec::invalid_argument, "there is no such worker"));
    return promise;
  }
  const auto node = options_.spec.placement[index_of(worker)];
  for (auto& each : question_lines_[index_of(node)].pending)
    if (each.worker == worker) {
      each.snapshots.push_back(promise);
      return promise;
    }
  ask(node, question{worker, {promise}, nullptr, now()});
  return promise;
}

run_client_state::result_promise run_client_state::find_result() {
  auto search = std::make_shared<result_search>();
  search->promise = self_->make_response_promise<std::shared_ptr<const result_reply>>();
  search->left = machine_->result_candidates();
  std::reverse(search->left.begin(), search->left.end());
  auto promise = search->promise;
  search_on(search);
  return promise;
}

void run_client_state::search_on(const std::shared_ptr<result_search>& search) {
  if (!search->left.empty()) {
    const auto next = search->left.back();
    search->left.pop_back();
    ask(next, question{std::nullopt, {}, search, now()});
  } else if (search->best) {
    search->promise.deliver(search->best);
  } else {
    search->promise.deliver(unanswered("no node of the run answers"));
  }
}

void run_client_state::ask(node_index node, question x) {
  auto& line = question_lines_[index_of(node)];
  if (!machine_->is_reachable(node)) {
    fail(x, "it cannot be reached");
    return;
  }
  line.pending.push_back(std::move(x));
  if (line.connection) {
    send_question(node, line.pending.back());
  } else if (!line.calling) {
    line.calling = true;
    call({node, true}, machine_->address_of(node), follow_machine::call_patience);
  }
}

void run_client_state::send_question(node_index node, const question& x) {
  const auto to = *question_lines_[index_of(node)].connection;
  if (x.worker)
    send(to, snapshot_request{options_.spec.run, *x.worker});
  else
    send(to, result_request{options_.spec.run});
}

void run_client_state::answer(node_index node, const std::shared_ptr<const control_message>& message) {
  if (const auto* estimate = std::get_if<snapshot_reply>(message.get())) {
    answer(node, *estimate);
    return;
  }
  const auto* result = std::get_if<result_reply>(message.get());
  if (result == nullptr)
    return;
  auto& pending = question_lines_[index_of(node)].pending;
  const auto found =
      std::find_if(pending.begin(), pending.end(), [](const question& x) { return x.search != nullptr; });
  if (found == pending.end())
    return;
  const auto search = found->search;
  pending.erase(found);
  const auto better = !search->best || (result->leads && !search->best->leads);
  if (result->ready || better)
    search->best = std::shared_ptr<const result_reply>{message, result};
  if (result->ready)
    search->left.clear();
  search_on(search);
}

void run_client_state::answer(node_index node, const snapshot_reply& x) {
  auto& pending = question_lines_[index_of(node)].pending;
  const auto found = std::find_if(pending.begin(), pending.end(),
                                  [&](const question& each) { return each.worker == x.worker; });
  if (found == pending.end())
    return;
  auto promises = std::move(found->snapshots);
  pending.erase(found);
  const auto fits = !x.found || !options_.parameters || x.parameters.values().size() == *options_.parameters;
  if (!fits)
    spdlog::warn("node {} sends an estimate of worker {} with {} parameters instead of {}",
                 to_string(machine_->address_of(node)), to_string(x.worker), x.parameters.values().size(),
                 *options_.parameters);
  for (auto& promise : promises) {
    if (x.found && fits)
      promise.deliver(snapshot{x.worker, x.parameters, x.local_steps});
    else
      promise.deliver(unanswered(fits ? "its node has no such worker" : "it does not fit the model"));
  }
}

void run_client_state::fail_questions(node_index node, const std::string& reason) {
  auto pending = std::exchange(question_lines_[index_of(node)].pending, {});
  for (auto& each : pending)
    fail(each, reason);
}

void run_client_state::fail(question& x, const std::string& reason) {
  for (auto& promise : x.snapshots)
    promise.deliver(unanswered(reason));
  if (x.search)
    search_on(x.search);
}

void run_client_state::drop_question_line(node_index node, const std::string& reason) {
  std::erase_if(calls_, [&](const auto& c) { return c.second.node == node && c.second.questions; });
  auto& line = question_lines_[index_of(node)];
  line.calling = false;
  if (line.connection) {
    purposes_.erase(*line.connection);
    self_->send(options_.gateway, close_control{*line.connection});
    line.connection.reset();
  }
  fail_questions(node, reason);
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
      [self](const control_opened& x) { self->state.opened(x); },
      [self](const control_failed& x) { self->state.failed(x); },
      [self](const control_received& x) { self->state.receive(x); },
      [self](const control_closed& x) { self->state.closed(x); },
      [self](const run_client_tick&) { self->state.tick(); },
      [self](const stop_work&) { self->state.apply(stop_asked_for{}); },
      [self](const release_run&) { self->state.apply(release_asked_for{}); },
      [self](const node_moved& x) { self->state.apply(x); },
      [self](const cluster_status_wanted&) { return self->state.status(); },
      [self](worker_id worker, const snapshot_wanted&) { return self->state.take_snapshot(worker); },
      [self](const result_wanted&) { return self->state.find_result(); },
  };
}

} // namespace dybw
