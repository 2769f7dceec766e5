#pragma once

#include "actors/actors.hpp"

#include <memory>
#include <vector>

namespace dybw {

struct errand_options {
  gateway_actor gateway;
  endpoint to;
  std::vector<std::shared_ptr<const control_message>> messages; ///< sent in this order
  std::size_t answers = 1;                                      ///< so many are waited for
  nanoseconds patience{std::chrono::seconds{5}};                ///< for connection and answers, each
  nanoseconds keep_trying{0}; ///< calls again, once a second, until so long after the start
  errand_client_actor client; ///< may be null
  std::uint64_t key = 0;      ///< of the answer to the client
};

/// Goes to a node, says something, waits for the answers and ends. The client gets one `errand_done`.
class errand_state {
public:
  static inline const char* name = "errand";

  explicit errand_state(errand_actor::stateful_pointer<errand_state> self) : self_(self) {}

  void start(errand_options options);
  void opened(const control_opened& x);
  void failed(const control_failed& x) { try_again(x.reason); }
  void receive(const control_received& x);
  void closed(const control_closed& x);
  void timer(const errand_timer& x);

private:
  void call();
  void try_again(const std::string& reason);
  void end(std::string failure);
  void hang_up();

  errand_actor::stateful_pointer<errand_state> self_;
  errand_options options_;
  std::chrono::steady_clock::time_point begin_;
  std::uint64_t attempt_ = 0;
  std::optional<connection_id> connection_;
  std::vector<std::shared_ptr<const control_message>> answers_;
};

errand_actor::behavior_type errand(errand_actor::stateful_pointer<errand_state> self, errand_options options);

} // namespace dybw
