#include "actors/gateway/control_access.hpp"

#include "actors/local_messages.hpp"
#include "actors/transport/address.hpp"

#include <algorithm>

namespace dybw {

namespace {

constexpr auto* needs_role = "; make one with that role (scripts/make-certs --role)";

template <class T>
concept reply_message = one_of<T, prepare_run_reply, connect_reply, begin_reply, stop_reply, node_status,
                               report_batch, snapshot_reply, result_reply, join_reply, welcome_reply,
                               learner_state_reply, describe_reply, metrics_reply, saved_options_reply>;

/// Judges one request after the other; each `check` gives the reason against it, or nothing.
struct judge {
  const peer_identity& who;
  const run_places* here;
  const past_run* before;

  bool is_here(run_id run) const { return here != nullptr && here->run == run; }
  std::string needs(peer_role role, const char* name) const {
    if (who.is(role))
      return {};
    return "the certificate of " + who.name + " names " + roles_text(who) + ", this is for a " + name +
           needs_role;
  }
  std::string needs_host(const std::string& host) const {
    return who.is_for(host) ? std::string{} : "the certificate of " + who.name + " is not for " + host;
  }
  bool is_one_of(const std::vector<endpoint>& nodes) const {
    return who.is(peer_role::node) &&
           std::ranges::any_of(nodes, [&](const endpoint& x) { return who.is_for(x.host); });
  }
  bool is_node_of_run() const { return here != nullptr && is_one_of(here->nodes); }
  /// Null if its nodes are not known. 0: of the one that goes on.
  const std::vector<endpoint>* nodes_of(run_id run) const {
    if (here != nullptr && (run == 0 || here->run == run))
      return &here->nodes;
    return before != nullptr && run != 0 && before->run == run ? &before->nodes : nullptr;
  }
  std::string no_part_in(const char* what) const {
    return "the certificate of " + who.name + " is for no node of " + what + needs_role;
  }

  /// Reads only.
  std::string watching() const {
    return who.roles != 0 ? std::string{} : "the certificate of " + who.name + " names no role" + needs_role;
  }
  /// Of the run that is going on, or the one before it: launchers, and the nodes that are part of it. Of a
  /// run of which nothing is known, such as one that is being prepared, `if_unknown` is the answer to nodes.
  std::string taking_part(run_id run, const std::string& if_unknown = {}) const {
    if (who.is(peer_role::launcher))
      return {};
    if (!who.is(peer_role::node))
      return needs(peer_role::launcher, "launcher");
    const auto* nodes = nodes_of(run);
    if (nodes == nullptr)
      return if_unknown;
    return is_one_of(*nodes) ? std::string{} : no_part_in("the run");
  }
  std::string known_to_take_part(run_id run) const {
    return taking_part(run, no_part_in("a run that is known here"));
  }

  std::string check(const prepare_run_request&) const { return needs(peer_role::launcher, "launcher"); }
  std::string check(const connect_request&) const { return needs(peer_role::launcher, "launcher"); }
  std::string check(const begin_request&) const { return needs(peer_role::launcher, "launcher"); }
  std::string check(const abandon_request&) const { return needs(peer_role::launcher, "launcher"); }
  std::string check(const stop_request& x) const { return known_to_take_part(x.run); }
  std::string check(const subscribe_request& x) const { return taking_part(x.run); }
  std::string check(const snapshot_request& x) const { return known_to_take_part(x.run); }
  std::string check(const result_request& x) const { return known_to_take_part(x.run); }
  std::string check(const run_over& x) const { return taking_part(x.run); }
  std::string check(const saved_options_request&) const { return needs(peer_role::launcher, "launcher"); }
  std::string check(const node_status_request&) const { return watching(); }
  std::string check(const describe_request&) const { return watching(); }
  std::string check(const metrics_request&) const { return watching(); }

  std::string check(const join_request& x) const {
    const auto no_node = needs(peer_role::node, "node");
    return no_node.empty() ? needs_host(x.advertised.host) : no_node;
  }
  std::string check(const node_moved& x) const {
    if (auto no_node = needs(peer_role::node, "node"); !no_node.empty())
      return no_node;
    if (!is_here(x.run) || index_of(x.node) >= here->nodes.size())
      return "this node takes no part in that run";
    const auto& host = here->nodes[index_of(x.node)].host;
    if (!same_host(host, x.advertised.host))
      return "place " + std::to_string(index_of(x.node)) + " of the run belongs to " + host;
    // Our own may have been given away while we were hung: a node of the run says so, and we look ourselves.
    return x.node == here->self && is_node_of_run() ? std::string{} : needs_host(host);
  }
  std::string check(const welcome_request& x) const { return joining(x.run, x.joiner, {}); }
  std::string check(const learner_state_request& x) const {
    return joining(x.run, x.joiner, "this node takes no part in that run, or it has no such worker");
  }
  std::string joining(run_id run, worker_id joiner, const std::string& if_unknown) const {
    if (auto no_node = needs(peer_role::node, "node"); !no_node.empty())
      return no_node;
    if (!is_here(run) || index_of(joiner) >= here->placement.size())
      return if_unknown; // gets nothing
    return needs_host(here->nodes[index_of(here->placement[index_of(joiner)])].host);
  }
  /// Nobody asked for it: it is not looked at. A request that is judged nowhere does not compile.
  template <reply_message Answer>
  std::string check(const Answer&) const {
    return {};
  }
};

} // namespace

std::string refusal_of(const control_message& request, const peer_identity& who, const run_places* here,
                       const past_run* before) {
  return std::visit([&](const auto& x) { return judge{who, here, before}.check(x); }, request);
}

std::string refusal_as_node(const peer_identity& who, const std::string& host) {
  const judge x{who, nullptr, nullptr};
  auto no_node = x.needs(peer_role::node, "node");
  if (!no_node.empty())
    return no_node;
  auto other = x.needs_host(host);
  return other.empty()
             ? other
             : other +
                   "; make one for that host (scripts/make-certs), or dial it by a name in its certificate";
}

} // namespace dybw
