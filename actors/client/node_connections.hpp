#pragma once

#include "actors/client/node_lines.hpp"

#include <optional>

namespace dybw {

/// The control connections of one actor to nodes, at most one to each number: carries out the effects of its
/// machine, and turns what the gateway says into the machine's events. What concerns a connection that is not
/// wanted any more is no event. Not thread-safe.
class node_connections {
public:
  node_connections() = default;
  explicit node_connections(gateway_actor gateway) : gateway_(std::move(gateway)) {}

  /// `client` gets what the gateway says. There is no connection to this number, and none being opened.
  void perform(const call_node& x, control_client_actor client);
  /// Nothing if it is not open.
  void perform(const tell_node& x);
  /// Also if it is not open yet, or not any more.
  void perform(const hang_up& x);
  void close_all();

  /// Open, or being opened.
  bool has(node_index node) const;

  std::optional<node_event> take(const control_opened& x);
  std::optional<node_event> take(const control_failed& x);
  std::optional<node_event> take(const control_received& x) const;
  std::optional<node_event> take(const control_closed& x);

private:
  struct entry {
    node_index node{};
    std::uint64_t key = 0;
    std::optional<connection_id> connection; ///< none: being opened
  };

  void close(const entry& x);

  gateway_actor gateway_;
  std::uint64_t newest_key_ = 0;
  std::vector<entry> entries_;
};

} // namespace dybw
