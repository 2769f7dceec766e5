#include "actors/transport/address.hpp"
#include "tests/actors/support/network.hpp"
#include "tests/messages/wire_bytes.hpp"
#include "tests/support/loopback.hpp"
#include "tests/support/relay.hpp"

#include "learning/base/error.hpp"
#include "messages/frame.hpp"

#include <map>

namespace dybw::test {

namespace {

constexpr run_id this_run = 7;

std::vector<node_index> placed(std::initializer_list<std::uint32_t> nodes) {
  std::vector<node_index> placement;
  for (auto n : nodes)
    placement.push_back(node_index{n});
  return placement;
}

std::shared_ptr<const topology> graph_of(const std::string& text, std::size_t workers) {
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

/// The same, but all that they say goes through a relay.
struct relayed_nodes {
  process a{on_loopback()};
  process b{on_loopback()};
  relay between{b.where()};

  explicit relayed_nodes(std::uint64_t parameters, nanoseconds suspect_after) {
    const std::vector<endpoint> nodes{a.where(), between.where()};
    a.join(this_run, 0, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), parameters, suspect_after);
    b.join(this_run, 1, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), parameters, suspect_after);
    REQUIRE(a.links().wait_for("up 1"));
    REQUIRE(b.links().wait_for("up 0"));
  }
};

parameter_block block_with(std::size_t count, float value) {
  auto buffer = std::make_shared<float_buffer>(count);
  std::fill(buffer->values().begin(), buffer->values().end(), value);
  return parameter_block{std::move(buffer)};
}

bytes text_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

template <class Frame>
bytes framed(const Frame& x) {
  bytes out;
  append_frame(out, x);
  return out;
}

/// The reason in the refusal that came; empty if none did.
std::string refusal_in(const std::vector<char>& heard) {
  frame_parser parser;
  std::span<const char> rest{heard};
  std::optional<frame> f;
  while (!rest.empty() && parser.parse(rest, f) == ec::none)
    if (f && std::holds_alternative<refusal>(*f))
      return std::get<refusal>(*f).reason;
  return {};
}

/// Says this to the node; what it answers until it closes.
heard answer_of(const process& node, const bytes& said,
                std::chrono::milliseconds within = std::chrono::seconds{10}) {
  const auto socket = connect_to_loopback(node.where().port);
  REQUIRE(socket.get() >= 0);
  send_all(socket, said);
  return listen_to(socket, within);
}

hello link_hello(run_id run, std::uint32_t from, std::uint32_t to) {
  hello x;
  x.version = "test";
  x.role = connection_role::link;
  x.run = run;
  x.from = node_index{from};
  x.to = node_index{to};
  x.incarnation = 1;
  return x;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("gateway: what the workers of two nodes say to each other arrives, in order") {
  two_nodes net;
  constexpr round_number rounds = 200;
  for (round_number k = 1; k <= rounds; ++k) {
    net.a.say(0, 3, estimate_message{{k, true}, block_of({1, 2, static_cast<float>(k)})});
    net.a.say(0, 3, accept{k});
    net.a.say(0, 3, closed{k, 2});
    net.a.say(1, 2, received{k});
    net.b.say(2, 1, threshold_message{{0, 0, k, {}}, nanoseconds{1}});
  }
  net.a.say(0, 3, estimate_message{{rounds + 1, false}, {}});
  net.a.say(0, 3, news_of({{worker_id{0}, worker_id{1}, 1, false}}));
  net.a.say(0, 3, heartbeat{});
  net.a.say(0, 3, leaving{});
  REQUIRE(net.b.notes().wait_for("0>3 leaving"));
  REQUIRE(net.b.notes().wait_for("1>2 received", rounds));
  REQUIRE(net.a.notes().wait_for("2>1 threshold", rounds));
  std::vector<std::string> of_0;
  for (const auto& line : net.b.notes().lines())
    if (line.starts_with("0>3"))
      of_0.push_back(line);
  REQUIRE(of_0.size() == 3 * rounds + 4);
  for (round_number k = 1; k <= rounds; ++k) {
    const auto text = std::to_string(k);
    CHECK(of_0[3 * k - 3].starts_with("0>3 estimate " + text + " at "));
    CHECK(of_0[3 * k - 3].ends_with(": 1 2 " + text));
    CHECK(of_0[3 * k - 2] == "0>3 accept " + text);
    CHECK(of_0[3 * k - 1] == "0>3 closed " + text + " 2");
  }
  CHECK(of_0[3 * rounds] == "0>3 estimate 201 alone");
  CHECK(of_0[3 * rounds + 1] == "0>3 news 1");
  CHECK(of_0[3 * rounds + 2] == "0>3 heartbeat");
}

TEST_CASE("gateway: a block crosses once for all its receivers on a node, who share it there") {
  two_nodes net{"complete", 100'000};
  auto buffer = std::make_shared<float_buffer>(100'000);
  std::fill(buffer->values().begin(), buffer->values().end(), 0.5F);
  const auto block = parameter_block{buffer};
  for (round_number k = 1; k <= 10; ++k) {
    net.a.say(0, 2, estimate_message{{k, true}, block});
    net.a.say(0, 3, estimate_message{{k, true}, block});
  }
  REQUIRE(net.b.notes().wait_for("0>2 estimate", 10));
  REQUIRE(net.b.notes().wait_for("0>3 estimate", 10));
  const auto first = net.b.notes().find("0>2 estimate 1 ");
  CHECK(first.substr(3) == net.b.notes().find("0>3 estimate 1 ").substr(3));
  CHECK(first.ends_with(": 0.5 0.5 0.5 0.5"));
  const auto sent = net.a.counted();
  CHECK(sent.blocks_sent == 10);
  CHECK(sent.link_bytes_sent >= 4'000'000);
  CHECK(sent.link_bytes_sent < 4'010'000);
  CHECK(eventually([&] { return net.b.counted().link_bytes_received == net.a.counted().link_bytes_sent; }));
}

TEST_CASE("gateway: offers and answers come behind their block, which crosses once for all receivers") {
  two_nodes net{"complete", 3};
  constexpr round_number rounds = 200;
  for (round_number k = 1; k <= rounds; ++k) {
    const auto offered = block_of({1, 2, static_cast<float>(k)}); // its memory is used again once it is gone
    net.a.say(0, 2, offer_message{{k, k, 0, {}}, offered});
    net.a.say(0, 3, offer_message{{k, k, 0, {}}, offered});
    net.a.say(0, 2, answer_message{{k, true, 0, {}}, block_of({3, 4, static_cast<float>(k)})});
    net.a.say(0, 3, answer_message{{k, false, 0, {}}, {}});
  }
  REQUIRE(net.b.notes().wait_for("0>2 answer", rounds));
  REQUIRE(net.b.notes().wait_for("0>3 answer", rounds));
  std::map<std::string, std::vector<std::string>> said;
  for (const auto& line : net.b.notes().lines())
    said[line.substr(0, 3)].push_back(line.substr(4));
  REQUIRE(said["0>2"].size() == 4 * rounds);
  REQUIRE(said["0>3"].size() == 3 * rounds);
  for (round_number k = 1; k <= rounds; ++k) {
    const auto number = " " + std::to_string(k);
    const auto* two = &said["0>2"][4 * (k - 1)];
    CHECK(two[0].ends_with(": 1 2" + number));
    CHECK(two[1] == "offer" + number);
    CHECK(two[2].ends_with(": 3 4" + number));
    CHECK(two[3] == "answer" + number);
    const auto* three = &said["0>3"][3 * (k - 1)];
    CHECK(three[0] == two[0]); // the same memory
    CHECK(three[1] == "offer" + number);
    CHECK(three[2] == "answer" + number);
  }
  CHECK(net.a.counted().blocks_sent == 2 * rounds);
}

TEST_CASE("gateway: requests and answers go over control connections, large ones too") {
  process node{on_loopback()};
  process client;
  client.open(5, node.where());
  REQUIRE(client.client_notes().wait_for("opened 5 1"));
  client.send(1, stop_request{});
  CHECK(client.client_notes().find("text") == "text stopped");
  auto buffer = std::make_shared<float_buffer>(1'000'000);
  std::fill(buffer->values().begin(), buffer->values().end(), 2.F);
  REQUIRE(node.acceptor_notes().wait_for("got 7 1"));
  node.send(1, snapshot_reply{worker_id{1}, true, 3, parameter_block{buffer}});
  CHECK(client.client_notes().find("snapshot") == "snapshot 1000000: 2 2 2 2");
  CHECK(node.counted().eval_bytes_sent > 4'000'000);
  CHECK(node.counted().control_bytes_sent > node.counted().eval_bytes_sent);
  client.tell(close_control{connection_id{1}});
  CHECK(node.acceptor_notes().find("closed") == "closed: the other side closed the connection");
  CHECK(node.counted().connections_refused == 0);
}

TEST_CASE("gateway: whoever cannot be reached is named with the reason, within the patience") {
  process client;
  process node{on_loopback()};
  const auto gone = node.where();
  node.stop();
  client.open(1, gone);
  CHECK(client.client_notes().find("failed 1").find("nothing listens") != std::string::npos);
  client.open(2, {"no-such-host.invalid", 7400});
  CHECK(client.client_notes().find("failed 2").find("no-such-host.invalid") != std::string::npos);
}

TEST_CASE("gateway: answers with parameters may wait in any number, as long as something goes") {
  process node{on_loopback()};
  process client;
  client.open(1, node.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  client.send(1, node_status_request{});
  REQUIRE(node.acceptor_notes().wait_for("got"));
  constexpr std::size_t parameters = 2'000'000;
  const auto block = block_with(parameters, 2);
  for (int i = 0; i < 20; ++i) // 160 MB
    node.send(1, snapshot_reply{worker_id{1}, true, 3, block});
  CHECK(client.client_notes().wait_for("snapshot 2000000: 2 2 2 2", 20));
  CHECK(client.client_notes().count("closed") == 0);
  CHECK(node.counted().eval_bytes_sent > 20 * parameters * sizeof(float));
}

TEST_CASE("gateway: who takes no parameters for ten seconds is hung up on") {
  process node{on_loopback()};
  relay between{node.where()};
  process client;
  client.open(1, between.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  client.send(1, node_status_request{});
  REQUIRE(node.acceptor_notes().wait_for("got"));
  between.hold(true);
  node.send(1, snapshot_reply{worker_id{1}, true, 3, block_with(10'000'000, 2)});
  CHECK(node.acceptor_notes().wait_for("closed: the other side does not take what is sent"));
}

TEST_CASE("gateway: a request is believed to be no longer than requests are") {
  process node{on_loopback()};
  auto said = framed(hello{});
  auto request = framed(control_message{node_status_request{}});
  request[3] = 1; // 16 MiB and one byte
  said.insert(said.end(), request.begin(), request.end());
  const auto answer = answer_of(node, said);
  CHECK(answer.closed);
  CHECK(contains(refusal_in(answer.bytes), to_string(ec::oversized)));
  CHECK(node.counted().connections_refused == 1);
}

TEST_CASE("gateway: who asks too fast is read more slowly, and nobody else is") {
  process node{on_loopback()};
  const auto socket = connect_to_loopback(node.where().port);
  auto said = framed(hello{});
  const auto request = framed(control_message{node_status_request{}});
  constexpr std::size_t requests = 60'000;
  for (std::size_t i = 0; i < requests; ++i)
    said.insert(said.end(), request.begin(), request.end());
  const auto begin = std::chrono::steady_clock::now();
  std::jthread talker{[&] { send_all(socket, said); }};
  REQUIRE(node.acceptor_notes().wait_for("got 9", 4096));
  process client;
  client.open(1, node.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  client.send(1, stop_request{});
  CHECK(client.client_notes().find("text") == "text stopped");
  const auto got = node.acceptor_notes().count("got 9");
  const auto passed = to_seconds(std::chrono::steady_clock::now() - begin);
  // the burst, a few readings of 64 KiB beyond it, and what was allowed since
  CHECK(static_cast<double>(got) <= 4096 + 3 * 64 * 1024 / 9 + 2000 * (passed + 0.5));
  CHECK(node.acceptor_notes().wait_for("got 9", got + 1)); // it goes on
  CHECK(node.counted().connections_refused == 0);
}

TEST_CASE("gateway: of very many control connections those beyond the limit are refused with the reason") {
  process node{on_loopback()};
  std::vector<owned_socket> clients;
  for (int i = 0; i < 256; ++i) {
    clients.push_back(connect_to_loopback(node.where().port));
    send_all(clients.back(), framed(hello{}));
    char first = 0;
    REQUIRE(::recv(clients.back().get(), &first, 1, MSG_WAITALL) == 1);
  }
  CHECK(contains(refusal_in(answer_of(node, framed(hello{})).bytes), "256 control connections already"));
  clients.pop_back();
  process client;
  CHECK(eventually([&] {
    client.open(1, node.where());
    return client.client_notes().wait_for("opened 1", 1, std::chrono::milliseconds{100});
  }));
}

TEST_CASE("gateway: a process whose place was given to another one does not get its link back") {
  process b{on_loopback()};
  b.join(this_run, 1, {{"127.0.0.1", 1}, b.where()}, placed({0, 1}), graph_of("path", 2), 3);
  const auto link_up = [&](std::uint64_t incarnation) {
    auto x = link_hello(this_run, 0, 1);
    x.incarnation = incarnation;
    auto socket = connect_to_loopback(b.where().port);
    send_all(socket, framed(x));
    return socket;
  };
  const auto first = link_up(1);
  REQUIRE(b.links().wait_for("up 0"));
  const auto second = link_up(2);
  REQUIRE(b.links().wait_for("up 0", 2));
  CHECK(refusal_in(listen_to(first, long_enough).bytes) == place_taken_reason);
  CHECK(refusal_in(listen_to(link_up(1), long_enough).bytes) == place_taken_reason);
  b.tell(node_moved{this_run, node_index{0}, {"127.0.0.1", 2}}); // the second one's: no news
  REQUIRE(b.links().wait_for("down 0", 2));
  const auto again = link_up(2);
  CHECK(b.links().wait_for("up 0", 3));
  CHECK(b.counted().connections_refused == 1);
}

TEST_CASE("gateway: a call that waits for its answer is forgotten when the node moves") {
  std::uint16_t port = 0;
  const auto listener = listen_on_loopback(port);
  process a{on_loopback()};
  a.join(this_run, 0, {a.where(), {"127.0.0.1", port}}, placed({0, 1}), graph_of("path", 2), 3);
  const owned_socket old{::accept(listener.get(), nullptr, nullptr)};
  char first = 0;
  REQUIRE(::recv(old.get(), &first, 1, MSG_WAITALL) == 1); // its hello
  process moved{on_loopback()};
  moved.join(this_run, 1, {a.where(), moved.where()}, placed({0, 1}), graph_of("path", 2), 3);
  a.tell(node_moved{this_run, node_index{1}, moved.where()});
  static_cast<void>(a.counted());
  send_all(old, framed(link_hello(this_run, 1, 0)));
  CHECK(listen_to(old, std::chrono::seconds{10}).closed);
  REQUIRE(a.links().wait_for("up 1"));
  a.say(0, 1, accept{5});
  CHECK(moved.notes().wait_for("0>1 accept 5"));
}

TEST_CASE("gateway: a link that was cut breaks for the workers at both ends, and heals") {
  relayed_nodes net{3, std::chrono::seconds{3}};
  for (int i = 1; i <= 3; ++i) {
    const auto n = static_cast<std::size_t>(i);
    net.between.cut();
    REQUIRE(net.a.notes().wait_for("3>0 broken", n));
    REQUIRE(net.a.notes().wait_for("2>1 broken", n));
    REQUIRE(net.b.notes().wait_for("0>3 broken", n));
    REQUIRE(net.b.notes().wait_for("1>2 broken", n));
    REQUIRE(net.a.links().wait_for("up 1", n + 1));
    REQUIRE(net.b.links().wait_for("up 0", n + 1));
    net.a.say(0, 3, estimate_message{{n, true}, block_of({1, 2, 3})});
    net.b.say(2, 1, accept{n});
    CHECK(net.b.notes().wait_for("0>3 estimate " + std::to_string(i) + " at"));
    CHECK(net.a.notes().wait_for("2>1 accept " + std::to_string(i)));
  }
  CHECK(net.a.links().count("down 1") == 3);
}

TEST_CASE("gateway: a node that was started anew is found again, at its old address or at a new one") {
  process a{on_loopback()};
  auto b = std::make_unique<process>(on_loopback());
  std::vector<endpoint> nodes{a.where(), b->where()};
  a.join(this_run, 0, nodes, placed({0, 1}), graph_of("path", 2), 3);
  b->join(this_run, 1, nodes, placed({0, 1}), graph_of("path", 2), 3);
  REQUIRE(a.links().wait_for("up 1"));
  b.reset();
  REQUIRE(a.notes().wait_for("1>0 broken"));
  auto again = on_loopback();
  again.listen = nodes[1];
  b = std::make_unique<process>(again);
  b->join(this_run, 1, nodes, placed({0, 1}), graph_of("path", 2), 3);
  REQUIRE(a.links().wait_for("up 1", 2));
  process moved{on_loopback()};
  moved.join(this_run, 1, {a.where(), moved.where()}, placed({0, 1}), graph_of("path", 2), 3);
  a.tell(node_moved{this_run, node_index{1}, moved.where()});
  REQUIRE(a.links().wait_for("up 1", 3));
  REQUIRE(a.notes().wait_for("1>0 broken", 2));
  CHECK(contains(b->links().find("down 0"), place_taken_reason)); // it is not dead, and gives its run up
  a.say(0, 1, accept{5});
  CHECK(moved.notes().wait_for("0>1 accept 5"));
}

TEST_CASE("gateway: a link on which nothing comes is closed and dialled anew") {
  relayed_nodes net{3, std::chrono::milliseconds{300}};
  net.between.hold(true);
  REQUIRE(net.a.links().wait_for("down 1: no sign of life"));
  REQUIRE(net.b.links().wait_for("down 0: no sign of life"));
  net.between.hold(false);
  net.between.cut();
  REQUIRE(net.a.links().wait_for("up 1", 2));
  net.a.say(0, 3, accept{5});
  CHECK(net.b.notes().wait_for("0>3 accept 5"));
}

TEST_CASE("gateway: an idle link stays up") {
  relayed_nodes net{3, std::chrono::seconds{1}};
  CHECK_FALSE(net.a.links().wait_for("down", 1, std::chrono::seconds{5}));
  CHECK(net.b.links().count("down") == 0);
}

TEST_CASE(
    "gateway: while a block comes over a slow link, the workers here hear from those at its other end") {
  constexpr std::size_t parameters = 6'000'000; // more than the kernel's buffers hold
  relayed_nodes net{parameters, std::chrono::seconds{2}};
  net.between.limit(parameters); // four seconds for the block
  net.a.say(0, 3, estimate_message{{1, true}, block_with(parameters, 1)});
  REQUIRE(net.b.notes().wait_for("0>3 heartbeat", 5));
  REQUIRE(net.b.notes().wait_for("1>2 heartbeat", 5));
  CHECK(net.b.notes().count("0>3 estimate") == 0);
  for (int i = 0; i < 100; ++i)
    net.a.say(1, 2, heartbeat{}); // waits for nothing: the link is full
  REQUIRE(net.b.notes().wait_for("0>3 estimate"));
  CHECK(net.b.notes().count("1>2 heartbeat") < 80);
  CHECK(net.a.links().count("down") == 0);
  CHECK(net.b.links().count("down") == 0);
}

TEST_CASE("gateway: a link that takes nothing is given up before it costs much memory") {
  constexpr std::size_t parameters = 1'000'000;
  relayed_nodes net{parameters, std::chrono::seconds{30}};
  net.between.hold(true);
  const auto block = block_with(parameters, 1);
  for (round_number k = 1; k <= 20 && net.a.links().count("down") == 0; ++k) {
    net.a.say(0, 3, estimate_message{{k, true}, block});
    net.a.say(1, 2, estimate_message{{k, true}, block});
    static_cast<void>(net.a.counted());
  }
  REQUIRE(net.a.links().wait_for("down 1: the other side does not take what is sent"));
  const auto most = net.a.counted().backlog_bytes_max;
  CHECK(most > 4 * parameters * sizeof(float));
  CHECK(most < 5 * parameters * sizeof(float) + 2 * 1024 * 1024);
}

TEST_CASE("gateway: a link of another run, or of other nodes than are listed, is refused with the reason") {
  two_nodes net;
  const auto answer_to = [&](const hello& x) { return refusal_in(answer_of(net.b, framed(x)).bytes); };
  CHECK(contains(answer_to(link_hello(this_run + 1, 0, 1)), "takes no part in that run"));
  CHECK(contains(answer_to(link_hello(this_run, 5, 1)), "listed differently"));
  CHECK(contains(answer_to(link_hello(this_run, 0, 2)), "listed differently"));
  CHECK(contains(answer_to(link_hello(this_run, 1, 1)), "listed differently"));
  CHECK(net.b.counted().connections_refused == 4);
  CHECK(net.b.links().lines().size() == 1);
}

TEST_CASE("gateway: a link that comes before its run waits for it") {
  process a{on_loopback()};
  process b{on_loopback()};
  const std::vector<endpoint> nodes{a.where(), b.where()};
  a.join(this_run, 0, nodes, placed({0, 1}), graph_of("path", 2), 3);
  REQUIRE(eventually([&] { return a.counted().link_bytes_sent > 0; }));
  b.join(this_run, 1, nodes, placed({0, 1}), graph_of("path", 2), 3);
  REQUIRE(a.links().wait_for("up 1"));
  REQUIRE(b.links().wait_for("up 0"));
  CHECK(b.counted().connections_refused == 0);
}

TEST_CASE("gateway: another protocol or byte order is refused, and whoever dialled is told") {
  process node{on_loopback()};
  auto x = hello{};
  x.version = "99.0";
  x.protocol = protocol_version + 1;
  const auto reason = refusal_in(answer_of(node, framed(x)).bytes);
  CHECK(contains(reason, "99.0"));
  CHECK(contains(reason, "install the same version"));
  x = hello{};
  x.byte_order = 0x04030201;
  CHECK(contains(refusal_in(answer_of(node, framed(x)).bytes), "another byte order"));
  CHECK(node.counted().connections_refused == 2);

  const auto serve = [](const bytes& answer) {
    std::uint16_t port = 0;
    auto listener = listen_on_loopback(port);
    process client;
    client.open(1, {"127.0.0.1", port});
    owned_socket accepted{::accept(listener.get(), nullptr, nullptr)};
    send_all(accepted, answer);
    if (answer.empty())
      accepted.reset();
    const auto line = client.client_notes().find("failed 1");
    CHECK(contains(line, "127.0.0.1:" + std::to_string(port)));
    return line;
  };
  CHECK(contains(serve(framed(refusal{"this side is too old; mend it"})),
                 "refuses the connection: this side is too old; mend it"));
  x = hello{};
  x.version = "99.0";
  x.protocol = protocol_version + 1;
  CHECK(contains(serve(framed(x)), "99.0"));
  CHECK(contains(serve(text_bytes("SSH-2.0-OpenSSH_9.2\r\n")), "does not speak dybw's protocol"));
  CHECK(contains(serve({0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46, 0x00}), "speaks TLS"));
  CHECK(contains(serve({}), "before it said hello"));
}

TEST_CASE("gateway: garbage, long messages and slow greetings are turned away, and the rest goes on") {
  auto options = on_loopback();
  options.hello_within = std::chrono::seconds{2};
  process node{options};
  process client;
  client.open(1, node.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  CHECK(answer_of(node, text_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n")).closed);
  CHECK(answer_of(node, bytes(100'000, 'x')).closed);
  CHECK(answer_of(node, {}).closed);                                  // says nothing
  CHECK(answer_of(node, text_bytes("dyb")).closed);                   // stops half-way
  CHECK(answer_of(node, framed(control_message{run_over{}})).closed); // does not say hello
  auto long_hello = framed(hello{});
  long_hello[2] = 1;
  CHECK(answer_of(node, long_hello).closed);
  CHECK(node.counted().connections_refused == 6);
  auto hostile = framed(hello{});
  const auto greeting = hostile.size();
  const auto request = framed(control_message{stop_request{1}});
  hostile.insert(hostile.end(), request.begin(), request.end());
  hostile[greeting + 8] = 99; // no such message
  const auto answer = answer_of(node, hostile);
  CHECK(answer.closed);
  CHECK(node.counted().connections_refused == 7);
  client.send(1, stop_request{});
  CHECK(client.client_notes().find("text") == "text stopped");
}

TEST_CASE("gateway: a thousand bad connections do not disturb those that are good") {
  two_nodes net;
  const std::vector<bytes> bad = {text_bytes("GET / HTTP/1.1\r\n\r\n"),
                                  bytes(3000, '\0'),
                                  {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01},
                                  text_bytes("dyb"),
                                  framed(control_message{run_over{}}),
                                  framed(link_hello(this_run, 5, 1)),
                                  bytes(100'000, 'x'),
                                  {}};
  constexpr round_number count = 1000;
  for (round_number k = 1; k <= count; ++k) {
    const auto socket = connect_to_loopback(net.b.where().port);
    REQUIRE(socket.get() >= 0);
    send_all(socket, bad[k % bad.size()]);
    net.a.say(0, 3, estimate_message{{k, true}, block_of({1, 2, 3})});
  }
  CHECK(net.b.notes().wait_for("0>3 estimate", count));
  CHECK(eventually([&] { return net.b.counted().connections_refused == count; }));
  CHECK(net.a.links().count("down") == 0);
  CHECK(net.b.links().count("down") == 0);
}

TEST_CASE("gateway: of very many connections that say nothing only some are kept") {
  auto options = on_loopback();
  options.hello_within = std::chrono::hours{1};
  process node{options};
  std::vector<owned_socket> idle;
  for (int i = 0; i < 400; ++i)
    idle.push_back(connect_to_loopback(node.where().port));
  CHECK(eventually([&] { return node.counted().connections_refused == 400 - 256; }));
  process client;
  client.open(1, node.where());
  CHECK(client.client_notes().wait_for("opened 1"));
}

TEST_CASE("gateway: a flood of silent connections does not displace a link that waits for its run") {
  auto options = on_loopback();
  options.hello_within = std::chrono::hours{1};
  process node{options};
  const auto parked = connect_to_loopback(node.where().port);
  send_all(parked, framed(link_hello(this_run, 0, 1)));
  std::vector<owned_socket> idle;
  for (int i = 0; i < 300; ++i)
    idle.push_back(connect_to_loopback(node.where().port));
  CHECK(contains(refusal_in(listen_to(parked, long_enough).bytes), "takes no part in that run"));
}

TEST_CASE("gateway: a patience that is over, and a port that is taken, are said") {
  std::uint16_t port = 0;
  const auto mute = listen_on_loopback(port); // accepts in the kernel, never answers
  process client;
  client.open(1, {"127.0.0.1", port}, std::chrono::seconds{2});
  CHECK(contains(client.client_notes().find("failed 1"), "no hello in time"));
  auto options = gateway_options{};
  options.listen = endpoint{"127.0.0.1", port};
  std::string said;
  try {
    open_gateway(client.system(), options);
  } catch (const input_error& e) {
    said = e.what();
    CHECK(e.exit_code() == 4);
  }
  CHECK(contains(said, "127.0.0.1:" + std::to_string(port)));
  CHECK(contains(said, "choose another port"));
}

TEST_CASE("gateway: once it has ended, questions to it fail at once") {
  process node{on_loopback()};
  const auto gateway = node.handle();
  node.stop();
  caf::scoped_actor self{node.system()};
  std::string said;
  self->request(gateway, long_enough, traffic_wanted{})
      .receive([&](const traffic&) { said = "an answer"; },
               [&](const caf::error& e) { said = caf::to_string(e); });
  CHECK(contains(said, "request_receiver_down"));
}

TEST_CASE("gateway: a client that is gone takes its connections along") {
  process node{on_loopback()};
  process client;
  client.open(1, node.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  caf::anon_send_exit(client.client(), caf::exit_reason::user_shutdown);
  CHECK(node.acceptor_notes().wait_for("closed"));
}

TEST_CASE("gateway: the end of a run lets go of its links, after what was said last") {
  two_nodes net;
  for (round_number k = 1; k <= 50; ++k)
    net.a.say(0, 3, accept{k});
  net.a.tell(leave_run{this_run});
  CHECK(net.b.notes().wait_for("0>3 accept 50"));
  CHECK(net.b.notes().wait_for("0>3 broken"));
  CHECK(net.a.notes().count("3>0 broken") == 0);
}

TEST_CASE("is_loopback: tells addresses of this machine only from others") {
  for (const auto* host : {"localhost", "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"})
    CHECK(is_loopback(host));
  for (const auto* host :
       {"0.0.0.0", "::", "10.0.0.1", "example.org", "128.0.0.1", "::2", "127.0.0.1.example.org"})
    CHECK_FALSE(is_loopback(host));
}

} // namespace dybw::test
