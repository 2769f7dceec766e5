#include "actors/client/node_request.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

void node_request_state::start(node_request_options options) {
  options_ = std::move(options);
  connections_ = node_connections{options_.gateway};
  begin_ = self_->home_system().clock().now();
  connect();
}

void node_request_state::connect() {
  ++attempt_;
  connections_.perform(call_node{{}, options_.to, options_.patience}, control_client_actor{self_});
}

void node_request_state::on(const node_reached& e) {
  answers_.clear();
  for (const auto& m : options_.messages)
    connections_.perform(tell_node{e.node, m});
  if (options_.answers == 0)
    end({});
  else
    self_->delayed_send(self_, options_.patience, node_request_timer{attempt_, false});
}

void node_request_state::on(const node_said& e) {
  answers_.push_back(e.message);
  if (answers_.size() == options_.answers)
    end({});
}

void node_request_state::on(const node_hung_up& e) {
  try_again(fmt::format("node {} hung up without an answer ({})", to_string(options_.to), e.reason));
}

void node_request_state::timer(const node_request_timer& x) {
  if (x.attempt != attempt_)
    return;
  if (x.call_again)
    connect();
  else
    try_again(fmt::format("node {} did not answer within {:.0f} s; see its log", to_string(options_.to),
                          to_seconds(options_.patience)));
}

void node_request_state::try_again(const std::string& reason) {
  connections_.close_all();
  if (self_->home_system().clock().now() - begin_ + node_line::call_again_after > options_.keep_trying)
    end(reason);
  else
    self_->delayed_send(self_, node_line::call_again_after, node_request_timer{attempt_, true});
}

void node_request_state::end(std::string failure) {
  connections_.close_all();
  if (options_.client)
    self_->send(options_.client, node_request_done{options_.key, std::move(answers_), std::move(failure)});
  self_->quit();
}

node_request_actor::behavior_type node_request(node_request_actor::stateful_pointer<node_request_state> self,
                                               node_request_options options) {
  self->state.start(std::move(options));
  return {
      [self](const control_opened& x) { self->state.take(x); },
      [self](const control_failed& x) { self->state.take(x); },
      [self](const control_received& x) { self->state.take(x); },
      [self](const control_closed& x) { self->state.take(x); },
      [self](const node_request_timer& x) { self->state.timer(x); },
  };
}

} // namespace dybw
