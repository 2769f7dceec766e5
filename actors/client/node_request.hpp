#pragma once

#include "actors/actors.hpp"

#include <memory>
#include <vector>

namespace dybw {

struct node_request_options {
  gateway_actor gateway;
  endpoint to;
  std::vector<std::shared_ptr<const control_message>> messages; ///< sent in this order
  std::size_t answers = 1;                                      ///< so many are waited for
  nanoseconds patience{std::chrono::seconds{5}};                ///< for connection and answers, each
  nanoseconds keep_trying{0};       ///< calls again, once a second, until so long after the start
  node_request_client_actor client; ///< may be null
  std::uint64_t key = 0;            ///< of the answer to the client
};

/// Goes to a node, says something, waits for the answers and ends. The client gets one `node_request_done`.
class node_request_state {
public:
  static inline const char* name = "node_request";

  explicit node_request_state(node_request_actor::stateful_pointer<node_request_state> self) : self_(self) {}

  void start(node_request_options options);
  void opened(const control_opened& x);
  void failed(const control_failed& x) { try_again(x.reason); }
  void receive(const control_received& x);
  void closed(const control_closed& x);
  void timer(const node_request_timer& x);

private:
  void call();
  void try_again(const std::string& reason);
  void end(std::string failure);
  void hang_up();

  node_request_actor::stateful_pointer<node_request_state> self_;
  node_request_options options_;
  std::chrono::steady_clock::time_point begin_;
  std::uint64_t attempt_ = 0;
  std::optional<connection_id> connection_;
  std::vector<std::shared_ptr<const control_message>> answers_;
};

node_request_actor::behavior_type node_request(node_request_actor::stateful_pointer<node_request_state> self,
                                               node_request_options options);

} // namespace dybw
