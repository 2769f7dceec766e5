#include "actors/transport/address.hpp"
#include "tests/actors/support/gateways.hpp"
#include "tests/messages/wire_bytes.hpp"
#include "tests/support/fewer_descriptors.hpp"
#include "tests/support/relay.hpp"

#include "learning/base/error.hpp"

#include <ctime>
#include <optional>
#include <thread>

namespace dybw::test {

namespace {

bytes text_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

} // namespace

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

TEST_CASE("gateway: without descriptors a connection is closed, nothing turns in circles, and later ones are "
          "taken") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("skipped: without descriptors UBSan's check of types, which opens pipes, sees wrong ones");
  return;
#endif
  const process node{on_loopback()};
  CHECK(answer_of(node, framed(link_hello(9, 0, 1))).closed); // it accepts, so it has put its spare aside
  const auto socket = owned_socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<owned_socket> all; // that this process may have
  std::optional<fewer_descriptors> scarce{200};
  for (int more = 0; (more = ::dup(socket.get())) >= 0;)
    all.emplace_back(more);
  const auto address = loopback_address(node.where().port);
  CHECK(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const auto cpu_before = std::clock();
  CHECK(listen_to(socket, std::chrono::seconds{2}).closed);
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
  CHECK(std::clock() - cpu_before < CLOCKS_PER_SEC / 4);
  all.clear();
  scarce.reset();
  CHECK(
      contains(refusal_in(answer_of(node, framed(link_hello(9, 0, 1))).bytes), "takes no part in that run"));
}

TEST_CASE(
    "gateway: while not even its spare descriptor is to be had nothing turns in circles, and who waited "
    "is taken then") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("skipped: without descriptors UBSan's check of types, which opens pipes, sees wrong ones");
  return;
#endif
  const process node{on_loopback()};
  CHECK(answer_of(node, framed(link_hello(9, 0, 1))).closed); // it accepts, so it has put its spare aside
  const auto socket = owned_socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::optional<fewer_descriptors> scarce{
      3}; // whatever is closed has a higher number, and cannot be opened again
  const auto address = loopback_address(node.where().port);
  CHECK(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
  const auto cpu_before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds{500});
  CHECK(std::clock() - cpu_before < CLOCKS_PER_SEC / 10);
  scarce.reset();
  send_all(socket, framed(link_hello(9, 0, 1)));
  CHECK(contains(refusal_in(listen_to(socket, long_enough).bytes), "takes no part in that run"));
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

TEST_CASE("is_loopback: tells addresses of this machine only from others") {
  for (const auto* host : {"localhost", "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"})
    CHECK(is_loopback(host));
  for (const auto* host :
       {"0.0.0.0", "::", "10.0.0.1", "example.org", "128.0.0.1", "::2", "127.0.0.1.example.org"})
    CHECK_FALSE(is_loopback(host));
}

} // namespace dybw::test
