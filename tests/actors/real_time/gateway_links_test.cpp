#include "tests/actors/support/gateways.hpp"
#include "tests/messages/wire_bytes.hpp"
#include "tests/support/relay.hpp"

#include <map>

namespace dybw::test {

namespace {

/// Two nodes as in `two_nodes`, but all that they say goes through a relay.
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

TEST_CASE("gateway: what came before the end of a link is heard before it, also if it comes at once") {
  process b{on_loopback()};
  b.join(this_run, 1, {{"127.0.0.1", 1}, b.where()}, placed({0, 1}), graph_of("path", 2), 3);
  auto said = framed(link_hello(this_run, 0, 1));
  for (round_number k = 1; k <= 3; ++k)
    append_peer(said, worker_at(0), worker_at(1), accept{k});
  append_frame(said, refusal{"I leave"});
  const auto socket = connect_to_loopback(b.where().port);
  send_all(socket, said);
  REQUIRE(b.notes().wait_for("0>1 broken"));
  CHECK(b.notes().lines() ==
        std::vector<std::string>{"0>1 accept 1", "0>1 accept 2", "0>1 accept 3", "0>1 broken"});
}

TEST_CASE("gateway: a node that was dialled and has not answered is forgotten when it moves") {
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

TEST_CASE("gateway: the end of a run lets go of its links, after what was said last") {
  two_nodes net;
  for (round_number k = 1; k <= 50; ++k)
    net.a.say(0, 3, accept{k});
  net.a.tell(leave_run{this_run});
  CHECK(net.b.notes().wait_for("0>3 accept 50"));
  CHECK(net.b.notes().wait_for("0>3 broken"));
  CHECK(net.a.notes().count("3>0 broken") == 0);
}

} // namespace dybw::test
