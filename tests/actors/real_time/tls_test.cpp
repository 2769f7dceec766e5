#include "learning/base/error.hpp"
#include "tests/actors/support/network.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/loopback.hpp"

#include <fstream>

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

gateway_options with_tls(gateway_options options) {
  options.tls = true;
  return options;
}
gateway_options tls_only_dialling() {
  return with_tls({});
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
  process node{with_tls(on_loopback()), authority.issue("node")};
  process client{tls_only_dialling(), authority.issue("client")};
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
    process node{with_tls(on_loopback()), good};
    process client{tls_only_dialling(), files};
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
  process node{with_tls(on_loopback()), authority.issue_expired("late")};
  process client{tls_only_dialling(), good};
  mentions(answer_to(client, node), "the other side's certificate has expired");
}

TEST_CASE("tls: a plain connection to a TLS port and the other way round fail with a hint") {
  const test_authority authority;
  const auto files = authority.issue("node");
  process secure{with_tls(on_loopback()), files};
  process open{on_loopback()};
  process plain_client;
  process tls_client{tls_only_dialling(), files};
  mentions(answer_to(plain_client, secure), "--tls-cert");
  mentions(answer_to(tls_client, open), "does not speak TLS");
  CHECK(eventually([&] { return secure.counted().connections_refused == 1; }));
  CHECK(eventually([&] { return open.counted().connections_refused == 1; }));
  CHECK(open.counted().connections_refused == 1);
}

TEST_CASE("tls: files that vanish later cost the connection, not the process") {
  const test_authority authority;
  const test_authority moved;
  const auto files = moved.issue("node");
  process node{with_tls(on_loopback()), files};
  process client{tls_only_dialling(), authority.issue("client")};
  std::filesystem::remove(files.certificate);
  mentions(answer_to(client, node), "during the TLS handshake");
  CHECK(eventually([&] { return node.counted().connections_refused == 1; }));
  process other{tls_only_dialling(), moved.issue("other")};
  std::filesystem::remove(files.authority);
  mentions(answer_to(other, node), "check the files of --tls-cert");
}

TEST_CASE("tls: links carry blocks in order") {
  const test_authority authority;
  process a{with_tls(on_loopback()), authority.issue("a")};
  process b{with_tls(on_loopback()), authority.issue("b")};
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
  const test_authority authority;
  const auto files = authority.issue("node");
  process node{with_tls(on_loopback()), files};
  std::filesystem::remove(files.certificate); // setting up fails from now on
  const auto silent = connect_to_loopback(node.where().port);
  const auto garbage = connect_to_loopback(node.where().port);
  send_all(garbage, {'G', 'E', 'T', ' '});
  CHECK(listen_to(garbage, long_enough).closed);
  CHECK(node.counted().connections_refused == 1);
  send_all(silent, {0x16, 0x03, 0x01});
  CHECK(listen_to(silent, long_enough).closed);
  CHECK(node.counted().connections_refused == 2);
}

} // namespace dybw::test
