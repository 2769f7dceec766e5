#include "actors/client/node_connections.hpp"

namespace dybw {

void node_connections::perform(const call_node& x, control_client_actor client) {
  entries_.push_back({x.node, ++newest_key_, std::nullopt});
  caf::anon_send(gateway_, open_control{newest_key_, x.to, std::move(client), x.patience});
}

void node_connections::perform(const tell_node& x) {
  const auto found = std::ranges::find(entries_, x.node, &entry::node);
  if (found != entries_.end() && found->connection)
    caf::anon_send(gateway_, send_control{*found->connection, x.message});
}

void node_connections::perform(const hang_up& x) {
  const auto found = std::ranges::find(entries_, x.node, &entry::node);
  if (found == entries_.end())
    return;
  close(*found);
  entries_.erase(found);
}

void node_connections::close_all() {
  for (const auto& each : entries_)
    close(each);
  entries_.clear();
}

void node_connections::close(const entry& x) {
  if (x.connection)
    caf::anon_send(gateway_, close_control{*x.connection});
}

bool node_connections::has(node_index node) const {
  return std::ranges::find(entries_, node, &entry::node) != entries_.end();
}

std::optional<node_event> node_connections::take(const control_opened& x) {
  const auto found = std::ranges::find(entries_, x.key, &entry::key);
  if (found == entries_.end()) { // not wanted any more
    caf::anon_send(gateway_, close_control{x.connection});
    return std::nullopt;
  }
  found->connection = x.connection;
  return node_reached{found->node};
}

std::optional<node_event> node_connections::take(const control_failed& x) {
  const auto found = std::ranges::find(entries_, x.key, &entry::key);
  if (found == entries_.end())
    return std::nullopt;
  const auto node = found->node;
  entries_.erase(found);
  return node_not_reached{node, x.reason};
}

std::optional<node_event> node_connections::take(const control_received& x) const {
  const auto found = std::ranges::find(entries_, x.connection, &entry::connection);
  return found == entries_.end() ? std::nullopt
                                 : std::optional<node_event>{node_said{found->node, x.message}};
}

std::optional<node_event> node_connections::take(const control_closed& x) {
  const auto found = std::ranges::find(entries_, x.connection, &entry::connection);
  if (found == entries_.end())
    return std::nullopt;
  const auto node = found->node;
  entries_.erase(found);
  return node_hung_up{node, x.reason};
}

} // namespace dybw
