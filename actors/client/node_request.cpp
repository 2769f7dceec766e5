#include "actors/client/node_request.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

namespace {

constexpr auto call_again_after = std::chrono::seconds{1};

} // namespace

void node_request_state::start(node_request_options options) {
  options_ = std::move(options);
  begin_ = std::chrono::steady_clock::now();
  call();
}

void node_request_state::call() {
  ++attempt_;
  self_->send(options_.gateway,
              open_control{attempt_, options_.to, control_client_actor{self_}, options_.patience});
}

void node_request_state::opened(const control_opened& x) {
  if (x.key != attempt_) {
    self_->send(options_.gateway, close_control{x.connection});
    return;
  }
  connection_ = x.connection;
  answers_.clear();
  for (const auto& m : options_.messages)
    self_->send(options_.gateway, send_control{x.connection, m});
  if (options_.answers == 0)
    end({});
  else
    self_->delayed_send(self_, options_.patience, node_request_timer{attempt_, false});
}

void node_request_state::receive(const control_received& x) {
  if (connection_ != x.connection)
    return;
  answers_.push_back(x.message);
  if (answers_.size() == options_.answers)
    end({});
}

void node_request_state::closed(const control_closed& x) {
  if (connection_ != x.connection)
    return;
  connection_.reset();
  try_again(fmt::format("node {} hung up ({})", to_string(options_.to), x.reason));
}

void node_request_state::timer(const node_request_timer& x) {
  if (x.attempt != attempt_)
    return;
  if (x.call_again)
    call();
  else
    try_again(fmt::format("node {} did not answer in time; see its log", to_string(options_.to)));
}

void node_request_state::try_again(const std::string& reason) {
  hang_up();
  if (time_since(begin_) + call_again_after > options_.keep_trying)
    end(reason);
  else
    self_->delayed_send(self_, call_again_after, node_request_timer{attempt_, true});
}

void node_request_state::hang_up() {
  if (connection_)
    self_->send(options_.gateway, close_control{*connection_});
  connection_.reset();
}

void node_request_state::end(std::string failure) {
  hang_up();
  if (options_.client)
    self_->send(options_.client, node_request_done{options_.key, std::move(answers_), std::move(failure)});
  self_->quit();
}

node_request_actor::behavior_type node_request(node_request_actor::stateful_pointer<node_request_state> self,
                                               node_request_options options) {
  self->state.start(std::move(options));
  return {
      [self](const control_opened& x) { self->state.opened(x); },
      [self](const control_failed& x) { self->state.failed(x); },
      [self](const control_received& x) { self->state.receive(x); },
      [self](const control_closed& x) { self->state.closed(x); },
      [self](const node_request_timer& x) { self->state.timer(x); },
  };
}

} // namespace dybw
