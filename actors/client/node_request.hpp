#pragma once

#include "actors/client/node_connections.hpp"

namespace dybw {

struct node_request_options {
  gateway_actor gateway;
  endpoint to;
  std::vector<std::shared_ptr<const control_message>> messages; ///< sent in this order
  std::size_t answers = 1;                                      ///< so many are waited for
  nanoseconds patience{std::chrono::seconds{5}};                ///< for connection and answers, each
  nanoseconds keep_trying{0};       ///< connects again, once a second, until so long after the start
  node_request_client_actor client; ///< may be null
  std::uint64_t key = 0;            ///< of the answer to the client
};

/// Goes to a node, says something, waits for the answers and ends. The client gets one `node_request_done`.
class node_request_state {
public:
  static inline const char* name = "node_request";

  explicit node_request_state(node_request_actor::stateful_pointer<node_request_state> self) : self_(self) {}

  void start(node_request_options options);
  /// What the gateway says.
  template <class Message>
  void take(const Message& x) {
    if (const auto what = connections_.take(x))
      std::visit([this](const auto& e) { on(e); }, *what);
  }
  void timer(const node_request_timer& x);

private:
  void on(const node_reached& e);
  void on(const node_not_reached& e) { try_again(e.reason); }
  void on(const node_said& e);
  void on(const node_hung_up& e);
  void connect();
  void try_again(const std::string& reason);
  void end(std::string failure);

  node_request_actor::stateful_pointer<node_request_state> self_;
  node_request_options options_;
  node_connections connections_; ///< to the node, number 0
  std::chrono::steady_clock::time_point begin_;
  std::uint64_t attempt_ = 0;
  std::vector<std::shared_ptr<const control_message>> answers_;
};

node_request_actor::behavior_type node_request(node_request_actor::stateful_pointer<node_request_state> self,
                                               node_request_options options);

} // namespace dybw
