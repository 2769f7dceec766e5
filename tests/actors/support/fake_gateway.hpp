#pragma once

#include "actors/actors.hpp"

#include <memory>
#include <vector>

namespace dybw::test {

/// What a gateway was asked to do; it does nothing by itself.
struct gateway_log {
  std::vector<open_control> calls;
  std::vector<send_control> sent;
  std::vector<connection_id> closings;

  /// The messages of this kind that were sent on a connection.
  template <class Message>
  std::vector<Message> sent_on(connection_id connection) const {
    std::vector<Message> found;
    for (const auto& x : sent)
      if (x.connection == connection)
        if (const auto* y = std::get_if<Message>(x.message.get()))
          found.push_back(*y);
    return found;
  }
};
using gateway_log_ptr = std::shared_ptr<gateway_log>;

inline gateway_actor::behavior_type fake_gateway(gateway_actor::pointer, gateway_log_ptr log) {
  return {
      [](const peer_mail&) {},
      [log](const open_control& x) { log->calls.push_back(x); },
      [log](const send_control& x) { log->sent.push_back(x); },
      [log](const close_control& x) { log->closings.push_back(x.connection); },
      [](const join_run&) {},
      [](const leave_run&) {},
      [](const node_moved&) {},
      [](const traffic_wanted&) { return traffic{}; },
      [](const backlog_wanted&) { return backlog{}; },
  };
}

} // namespace dybw::test
