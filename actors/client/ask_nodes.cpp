#include "actors/client/ask_nodes.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace dybw {

namespace {

constexpr auto poll_every = std::chrono::milliseconds{20};

/// Whether all have answered; when true, the answers.
struct answers_wanted {};
struct answers_so_far {
  bool complete = false;
  std::vector<node_answer> answers;
};
struct patience_over {};

using asker_actor = control_client_actor::extend<caf::reacts_to<patience_over>,
                                                 caf::replies_to<answers_wanted>::with<answers_so_far>>;

} // namespace

} // namespace dybw

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::answers_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::answers_so_far)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(dybw::patience_over)

namespace dybw {

namespace {

/// Calls the nodes, asks, and writes down what comes of it. The key of a call is the node's place.
class asker_state {
public:
  static inline const char* name = "asker";

  explicit asker_state(asker_actor::stateful_pointer<asker_state> self) : self_(self) {}

  void start(const gateway_actor& gateway, std::vector<endpoint> nodes,
             std::shared_ptr<const control_message> question, nanoseconds patience) {
    gateway_ = gateway;
    nodes_ = std::move(nodes);
    question_ = std::move(question);
    patience_ = patience;
    answers_.resize(nodes_.size());
    connections_.resize(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      self_->send(gateway_, open_control{i, nodes_[i], control_client_actor{self_}, patience});
  }

  void opened(const control_opened& x) {
    connections_[x.key] = x.connection;
    self_->send(gateway_, send_control{x.connection, question_});
    asked_ = self_->home_system().clock().now(); // first, or the patience would not be over when it says so
    self_->delayed_send(self_, patience_, patience_over{}); // from the last one on
  }

  void failed(const control_failed& x) { answers_[x.key].failure = x.reason; }

  void receive(const control_received& x) {
    if (auto* answer = answer_of(x.connection)) {
      answer->message = x.message;
      hang_up(x.connection);
    }
  }

  void closed(const control_closed& x) {
    if (auto* answer = answer_of(x.connection))
      answer->failure =
          fmt::format("node {} hung up without an answer ({})",
                      to_string(nodes_[static_cast<std::size_t>(answer - answers_.data())]), x.reason);
  }

  void give_up() {
    if (self_->home_system().clock().now() - asked_ < patience_)
      return;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (connections_[i] && !is_answered(i)) {
        answers_[i].failure = fmt::format("node {} did not answer within {:.0f} s; see its log",
                                          to_string(nodes_[i]), to_seconds(patience_));
        hang_up(*connections_[i]);
      }
  }

  answers_so_far take() const {
    for (std::size_t i = 0; i < answers_.size(); ++i)
      if (!is_answered(i))
        return {};
    return {true, answers_};
  }

  void close_all() {
    for (const auto& each : connections_)
      if (each)
        hang_up(*each);
  }

private:
  bool is_answered(std::size_t i) const { return answers_[i].message || !answers_[i].failure.empty(); }

  /// Null if it is not one of ours, or has answered already.
  node_answer* answer_of(connection_id connection) {
    const auto found = std::find(connections_.begin(), connections_.end(), connection);
    const auto i = static_cast<std::size_t>(found - connections_.begin());
    return found == connections_.end() || is_answered(i) ? nullptr : &answers_[i];
  }

  void hang_up(connection_id connection) { self_->send(gateway_, close_control{connection}); }

  asker_actor::stateful_pointer<asker_state> self_;
  gateway_actor gateway_;
  std::vector<endpoint> nodes_;
  std::shared_ptr<const control_message> question_;
  nanoseconds patience_{0};
  std::chrono::steady_clock::time_point asked_;
  std::vector<node_answer> answers_;
  std::vector<std::optional<connection_id>> connections_;
};

asker_actor::behavior_type asker(asker_actor::stateful_pointer<asker_state> self,
                                 const gateway_actor& gateway, const std::vector<endpoint>& nodes,
                                 const std::shared_ptr<const control_message>& question,
                                 nanoseconds patience) {
  self->state.start(gateway, nodes, question, patience);
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->state.close_all();
    self->quit(std::move(x.reason));
  });
  return {
      [self](const control_opened& x) { self->state.opened(x); },
      [self](const control_failed& x) { self->state.failed(x); },
      [self](const control_received& x) { self->state.receive(x); },
      [self](const control_closed& x) { self->state.closed(x); },
      [self](const patience_over&) { self->state.give_up(); },
      [self](const answers_wanted&) { return self->state.take(); },
  };
}

} // namespace

std::vector<node_answer> ask_nodes(caf::actor_system& system, const gateway_actor& gateway,
                                   std::span<const endpoint> nodes, const control_message& question,
                                   nanoseconds patience, const std::function<bool()>& interrupted) {
  caf::scoped_actor self{system};
  const auto handle = system.spawn(asker, gateway, std::vector<endpoint>{nodes.begin(), nodes.end()},
                                   std::make_shared<const control_message>(question), patience);
  std::optional<std::vector<node_answer>> answers;
  std::string failure;
  const auto begin = std::chrono::steady_clock::now();
  while (!answers && failure.empty()) {
    if (time_since(begin) > 3 * patience)
      failure = "the nodes were not called in time"; // the gateway has failed
    if (interrupted && interrupted())
      failure = "interrupted";
    self->request(handle, std::chrono::seconds{5}, answers_wanted{})
        .receive(
            [&](answers_so_far& x) {
              if (x.complete)
                answers = std::move(x.answers);
            },
            [&](const caf::error& e) { failure = "the connections failed: " + caf::to_string(e); });
    if (!answers)
      self->receive(caf::after(poll_every) >> [] {});
  }
  self->send_exit(handle, caf::exit_reason::user_shutdown);
  return answers.value_or(std::vector<node_answer>(nodes.size(), node_answer{nullptr, failure}));
}

} // namespace dybw
