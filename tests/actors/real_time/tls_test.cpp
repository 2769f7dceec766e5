#include "actors/transport/tls_context.hpp"
#include "learning/base/error.hpp"
#include "tests/actors/support/network.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/loopback.hpp"

#include <spdlog/sinks/base_sink.h>

#include <filesystem>

namespace dybw::test {

namespace {

std::string refusal_of(const tls_files& files) {
  try {
    check_tls(files);
  } catch (const input_error& e) {
    CHECK(e.exit_code() == 2);
    return e.what();
  }
  return {};
}

bool mentions(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  const auto found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

gateway_options with_tls(const tls_files& files, gateway_options options = on_loopback()) {
  options.tls = std::make_shared<tls_context>(files);
  return options;
}
gateway_options tls_only_dialling(const tls_files& files) {
  return with_tls(files, {});
}

void overwrite(const std::filesystem::path& old, const std::filesystem::path& fresh) {
  std::filesystem::copy_file(fresh, old, std::filesystem::copy_options::overwrite_existing);
}

/// By a certificate of this authority.
void replace_certificate(const tls_files& files, const test_authority& authority) {
  const auto fresh = authority.issue("fresh");
  overwrite(files.certificate, fresh.certificate);
  overwrite(files.key, fresh.key);
}

/// What is logged goes here as long as it lives. To be made before any process, which turn the log off.
class captured_log {
public:
  captured_log() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("captured", std::make_shared<sink>(notes_)));
  }
  ~captured_log() { spdlog::set_default_logger(before_); }
  captured_log(const captured_log&) = delete;
  captured_log& operator=(const captured_log&) = delete;

  notebook& listen() {
    spdlog::set_level(spdlog::level::info);
    return notes_;
  }

private:
  class sink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    explicit sink(notebook& notes) : notes_(notes) {}

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      notes_.write({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}

    notebook& notes_;
  };

  notebook notes_;
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

/// Longer than a context relies on what it saw of the files.
void wait_for_next_look() {
  std::this_thread::sleep_for(std::chrono::milliseconds{1100});
}

/// What a client hears that tries to open a control connection.
std::string answer_to(process& client, const process& node) {
  client.open(1, node.where());
  REQUIRE(eventually([&] { return !client.client_notes().lines().empty(); }));
  return client.client_notes().lines()[0];
}

} // namespace

TEST_CASE("check_tls: a certificate with its key and its authority is fine") {
  const test_authority authority;
  CHECK(refusal_of(authority.issue("node")).empty());
  CHECK(refusal_of(authority.issue("plain", {std::chrono::hours{-1}, std::chrono::hours{1}, ""})).empty());
}

TEST_CASE("check_tls: what is wrong with the files is said in one line, with the option") {
  const test_authority authority;
  const test_authority other{"another"};
  const auto good = authority.issue("node");
  auto files = good;
  files.certificate = "/nowhere/node.pem";
  mentions(refusal_of(files), "--tls-cert=/nowhere/node.pem");
  files = good;
  files.certificate = good.key;
  mentions(refusal_of(files), "no certificate");
  files = good;
  files.key = good.certificate;
  mentions(refusal_of(files), "no private key");
  files = good;
  files.key = authority.issue("second").key;
  mentions(refusal_of(files), "does not belong to the certificate");
  files = good;
  files.authority = other.issue("x").authority;
  mentions(refusal_of(files), "not signed by the authority");
  files.authority = authority.directory();
  mentions(refusal_of(files), "cannot read the file");
  mentions(refusal_of(authority.issue_expired("old")), "has expired");
  mentions(refusal_of(authority.issue("new", {std::chrono::hours{1}, std::chrono::hours{2}, ""})),
           "not valid yet");
  mentions(refusal_of(authority.issue("half", {std::chrono::hours{-1}, std::chrono::hours{1}, "serverAuth"})),
           "both ends");
}

TEST_CASE("tls: two gateways with certificates of one authority talk, large messages too") {
  const test_authority authority;
  process node{with_tls(authority.issue("node"))};
  process client{tls_only_dialling(authority.issue("client"))};
  CHECK(answer_to(client, node) == "opened 1 1");
  client.send(1, stop_request{});
  CHECK(client.client_notes().find("text") == "text stopped");
  auto buffer = std::make_shared<float_buffer>(3'000'000);
  std::fill(buffer->values().begin(), buffer->values().end(), 2.F);
  node.send(1, snapshot_reply{worker_id{1}, true, 3, parameter_block{buffer}});
  CHECK(client.client_notes().find("snapshot") == "snapshot 3000000: 2 2 2 2");
  CHECK(node.counted().connections_refused == 0);
}

TEST_CASE("tls: certificates that expired or are of another authority are refused, and both sides know why") {
  const test_authority authority;
  const test_authority other{"another"};
  const auto good = authority.issue("node");
  const auto check_client = [&](const tls_files& files, const std::string& expected) {
    process node{with_tls(good)};
    process client{tls_only_dialling(files)};
    const auto line = answer_to(client, node);
    CHECK(line.starts_with("failed 1: "));
    mentions(line, expected);
    mentions(line, to_string(node.where()));
    CHECK(eventually([&] { return node.counted().connections_refused == 1; }));
    CHECK(node.acceptor_notes().lines().empty());
  };
  auto mixed = other.issue("client");
  mixed.authority = good.authority; // trusts the node, which does not trust it
  check_client(mixed, "our certificate is not signed by the other side's authority");
  check_client(other.issue("client"), "the other side's certificate is not signed by our authority");
  check_client(authority.issue_expired("client"), "our certificate has expired");
  process node{with_tls(authority.issue_expired("late"))};
  process client{tls_only_dialling(good)};
  mentions(answer_to(client, node), "the other side's certificate has expired");
}

TEST_CASE("tls: a plain connection to a TLS port and the other way round fail with a hint") {
  const test_authority authority;
  const auto files = authority.issue("node");
  process secure{with_tls(files)};
  process open{on_loopback()};
  process plain_client;
  process tls_client{tls_only_dialling(files)};
  mentions(answer_to(plain_client, secure), "--tls-cert");
  mentions(answer_to(tls_client, open), "does not speak TLS");
  CHECK(eventually([&] { return secure.counted().connections_refused == 1; }));
  CHECK(eventually([&] { return open.counted().connections_refused == 1; }));
  CHECK(open.counted().connections_refused == 1);
}

TEST_CASE("tls: files that vanish later are missed by nobody, and the log says so once") {
  captured_log log;
  const test_authority authority;
  const auto files = authority.issue("node");
  process node{with_tls(files)};
  process clients[]{process{tls_only_dialling(authority.issue("a"))},
                    process{tls_only_dialling(authority.issue("b"))}};
  auto& notes = log.listen();
  std::filesystem::remove(files.certificate);
  for (auto& client : clients) {
    CHECK(answer_to(client, node) == "opened 1 1");
    wait_for_next_look();
  }
  CHECK(notes.count("the TLS files") == 1);
  mentions(notes.find("the TLS files have changed, but"), "--tls-cert=" + files.certificate.string());
}

TEST_CASE("tls: a node uses files that were replaced for new connections, and keeps the old ones open") {
  const test_authority authority;
  const test_authority other{"another"};
  const auto files = authority.issue("node");
  process node{with_tls(files)};
  process before{tls_only_dialling(authority.issue("before"))};
  process late{tls_only_dialling(authority.issue("late"))};
  CHECK(answer_to(before, node) == "opened 1 1");
  replace_certificate(files, other);
  overwrite(files.authority, other.issue("x").authority);
  wait_for_next_look();
  process after{tls_only_dialling(other.issue("after"))};
  CHECK(answer_to(after, node) == "opened 1 1");
  mentions(answer_to(late, node), "is not signed by our authority");
  before.send(1, stop_request{});
  CHECK(before.client_notes().find("text") == "text stopped");
}

TEST_CASE("tls: files that do not fit are not used before the rest is there") {
  captured_log log;
  const test_authority authority;
  const test_authority other{"another"};
  const auto files = authority.issue("node");
  const auto old = authority.issue("old");
  process node{with_tls(files)};
  process clients[]{process{tls_only_dialling(old)}, process{tls_only_dialling(old)},
                    process{tls_only_dialling(other.issue("client"))}};
  auto& notes = log.listen();
  replace_certificate(files, other);
  CHECK(answer_to(clients[0], node) == "opened 1 1");
  mentions(notes.find("the TLS files have changed, but"), "is not signed by the authority of --tls-ca");
  wait_for_next_look();
  CHECK(answer_to(clients[1], node) == "opened 1 1");
  CHECK(notes.count("the TLS files") == 1);
  overwrite(files.authority, other.issue("x").authority);
  wait_for_next_look();
  CHECK(answer_to(clients[2], node) == "opened 1 1");
  CHECK(notes.wait_for("the TLS files have changed; new connections use them"));
}

TEST_CASE("tls: one context serves many connections at each end") {
  const test_authority authority;
  process node{with_tls(authority.issue("node"))};
  process client{tls_only_dialling(authority.issue("client"))};
  constexpr std::uint64_t many = 60;
  for (std::uint64_t key = 1; key <= many; ++key)
    client.open(key, node.where());
  REQUIRE(client.client_notes().wait_for("opened", many));
  for (std::uint64_t id = 1; id <= many; ++id)
    client.send(id, stop_request{});
  CHECK(client.client_notes().wait_for("text stopped", many));
  CHECK(node.counted().connections_refused == 0);
}

TEST_CASE("tls: who goes while much is written to him costs the connection, not the process") {
  const test_authority authority;
  process node{with_tls(authority.issue("node"))};
  process gone{tls_only_dialling(authority.issue("gone"))};
  CHECK(answer_to(gone, node) == "opened 1 1");
  gone.send(1, stop_request{});
  CHECK(gone.client_notes().find("text") == "text stopped");
  const parameter_block block{std::make_shared<float_buffer>(3'000'000)};
  for (int i = 0; i < 10; ++i)
    node.send(1, snapshot_reply{worker_id{1}, true, 3, block});
  gone.stop();
  CHECK(node.acceptor_notes().find("closed") == "closed: the other side closed the connection");
  process client{tls_only_dialling(authority.issue("client"))};
  CHECK(answer_to(client, node) == "opened 1 1");
}

TEST_CASE("tls: links carry blocks in order") {
  const test_authority authority;
  process a{with_tls(authority.issue("a"))};
  process b{with_tls(authority.issue("b"))};
  const auto graph = std::make_shared<const topology>(make_topology("complete", 3, 1));
  const std::vector<node_index> placement{node_index{0}, node_index{1}, node_index{1}};
  constexpr std::size_t parameters = 300'000;
  a.join(3, 0, {a.where(), b.where()}, placement, graph, parameters);
  b.join(3, 1, {a.where(), b.where()}, placement, graph, parameters);
  REQUIRE(a.links().wait_for("up 1"));
  for (round_number k = 1; k <= 20; ++k) {
    auto buffer = std::make_shared<float_buffer>(parameters);
    std::fill(buffer->values().begin(), buffer->values().end(), static_cast<float>(k));
    const parameter_block block{buffer};
    for (std::size_t to : {1, 2}) {
      a.say(0, to, estimate_message{{k, true}, block});
      a.say(0, to, accept{k});
      b.say(to, 0, estimate_message{{k, true}, block});
    }
    // no more under way than workers would send
    REQUIRE(b.notes().wait_for("0>2 accept " + std::to_string(k)));
    REQUIRE(a.notes().wait_for("2>0 estimate " + std::to_string(k) + " "));
    CHECK(
        b.notes().find("0>1 estimate " + std::to_string(k) + " ").ends_with(": " + text_of(block).substr(1)));
  }
  CHECK(a.counted().blocks_sent == 20);
  CHECK(b.counted().blocks_sent == 40);
}

TEST_CASE("tls: nothing is set up for a connection before it begins a handshake") {
  captured_log log;
  const test_authority authority;
  const auto files = authority.issue("node");
  process node{with_tls(files)};
  auto& notes = log.listen();
  std::filesystem::remove(files.certificate); // what is set up from now on looks for it
  const auto silent = connect_to_loopback(node.where().port);
  const auto garbage = connect_to_loopback(node.where().port);
  send_all(garbage, {'G', 'E', 'T', ' '});
  CHECK(listen_to(garbage, long_enough).closed);
  CHECK(node.counted().connections_refused == 1);
  CHECK(notes.count("the TLS files") == 0);
  send_all(silent, {0x16, 0x03, 0x01});
  CHECK(notes.wait_for("the TLS files have changed"));
  send_all(silent, {0x00, 0x04, 'G', 'E', 'T', ' '}); // no handshake after all
  CHECK(listen_to(silent, long_enough).closed);
  CHECK(node.counted().connections_refused == 2);
}

} // namespace dybw::test
