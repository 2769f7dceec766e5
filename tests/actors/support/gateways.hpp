#pragma once

#include "tests/actors/support/network.hpp"
#include "tests/support/loopback.hpp"

#include "messages/frame.hpp"

/// What tests of gateways share: nodes that are linked, and strangers that say any bytes.
namespace dybw::test {

constexpr run_id this_run = 7;

inline std::vector<node_index> placed(std::initializer_list<std::uint32_t> nodes) {
  std::vector<node_index> placement;
  for (auto n : nodes)
    placement.push_back(node_index{n});
  return placement;
}

inline std::shared_ptr<const topology> graph_of(const std::string& text, std::size_t workers) {
  return std::make_shared<const topology>(make_topology(text, workers, 1));
}

/// Two nodes with two workers each, linked.
struct two_nodes {
  process a{on_loopback()};
  process b{on_loopback()};

  explicit two_nodes(const std::string& graph = "ring", std::uint64_t parameters = 3) {
    const std::vector<endpoint> nodes{a.where(), b.where()};
    a.join(this_run, 0, nodes, placed({0, 0, 1, 1}), graph_of(graph, 4), parameters);
    b.join(this_run, 1, nodes, placed({0, 0, 1, 1}), graph_of(graph, 4), parameters);
    REQUIRE(a.links().wait_for("up 1"));
    REQUIRE(b.links().wait_for("up 0"));
  }
};

inline parameter_block block_with(std::size_t count, float value) {
  auto buffer = std::make_shared<float_buffer>(count);
  std::fill(buffer->values().begin(), buffer->values().end(), value);
  return parameter_block{std::move(buffer)};
}

template <class Frame>
std::vector<char> framed(const Frame& x) {
  std::vector<char> out;
  append_frame(out, x);
  return out;
}

/// The reason in the refusal that came; empty if none did.
inline std::string refusal_in(const std::vector<char>& heard) {
  frame_parser parser;
  std::span<const char> rest{heard};
  std::optional<frame> f;
  while (!rest.empty() && parser.parse(rest, f) == ec::none)
    if (f && std::holds_alternative<refusal>(*f))
      return std::get<refusal>(*f).reason;
  return {};
}

/// Says this to the node; what it answers until it closes.
inline heard answer_of(const process& node, const std::vector<char>& said,
                       std::chrono::milliseconds within = std::chrono::seconds{10}) {
  const auto socket = connect_to_loopback(node.where().port);
  REQUIRE(socket.get() >= 0);
  send_all(socket, said);
  return listen_to(socket, within);
}

inline hello link_hello(run_id run, std::uint32_t from, std::uint32_t to) {
  hello x;
  x.version = "test";
  x.role = connection_role::link;
  x.run = run;
  x.from = node_index{from};
  x.to = node_index{to};
  x.incarnation = 1;
  return x;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace dybw::test
