#include "actors/transport/tls_context.hpp"
#include "tests/actors/support/gateways.hpp"
#include "tests/support/certificates.hpp"

#include "learning/base/error.hpp"

#include <sys/stat.h>

/// Who shows which certificate, and what comes of it: over loopback, by certificates of one authority.
namespace dybw::test {

namespace {

using namespace std::chrono_literals;
using roles = std::vector<std::string>;

gateway_options listening(const tls_files& files) {
  auto options = on_loopback();
  options.tls = std::make_shared<tls_context>(files);
  return options;
}
gateway_options dialling(const tls_files& files) {
  gateway_options options;
  options.tls = std::make_shared<tls_context>(files);
  return options;
}

/// What a client hears that wants a control connection to this host.
std::string answer_to(process& client, const endpoint& node) {
  client.open(1, node);
  REQUIRE(eventually([&] { return !client.client_notes().lines().empty(); }));
  return client.client_notes().lines()[0];
}

/// What comes of a request by who holds these: "got", or the last word of the node.
template <class Request>
std::string answer_to_request(process& node, const tls_files& files, Request request) {
  process client{dialling(files)};
  const auto opened = answer_to(client, node.where());
  CAPTURE(opened);
  REQUIRE(opened.starts_with("opened"));
  client.send(1, std::move(request));
  client.send(1, node_status_request{}); // whatever comes of the first, there is an end
  std::string word;
  auto& heard = node.acceptor_notes();
  REQUIRE(eventually([&] {
    for (const auto& line : client.client_notes().lines())
      if (line.starts_with("closed"))
        word = line;
    if (heard.count("got 9 ") > 0 && word.empty())
      word = "got";
    return !word.empty();
  }));
  heard.clear();
  return word;
}

std::string refusal_of(const tls_files& files) {
  try {
    check_tls(files);
  } catch (const input_error& e) {
    CHECK(e.exit_code() == 2);
    return e.what();
  }
  return {};
}

void mentions(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  CHECK(contains(text, part));
}

} // namespace

TEST_CASE("check_tls: a private key that others on this machine may read is refused, with what mends it") {
  const test_authority authority;
  const auto files = authority.issue("node");
  for (const ::mode_t open : {0644, 0604, 0620, 0610, 0666}) {
    REQUIRE(::chmod(files.key.c_str(), open) == 0);
    const auto line = refusal_of(files);
    mentions(line, "--tls-key=" + files.key.string());
    mentions(line, "chmod 600 " + files.key.string());
    CHECK_THROWS_AS(tls_context{files}, input_error);
  }
  for (const ::mode_t closed : {0600, 0400}) {
    REQUIRE(::chmod(files.key.c_str(), closed) == 0);
    CHECK(refusal_of(files).empty());
  }
  REQUIRE(::chmod(files.key.c_str(), 0640) == 0); // as root gives it to a service's group
  CHECK(refusal_of(files).empty() == (::getuid() == 0));
}

TEST_CASE("peer_identity: roles and hosts are read from the certificate, and nothing else counts") {
  const test_authority authority;
  const auto own = [&](const tls_files& files) { return check_tls(files); };
  const auto node = own(authority.issue_with("n", {"node"}));
  CHECK(node->name == "n");
  CHECK(node->is(peer_role::node));
  CHECK_FALSE(node->is(peer_role::launcher));
  CHECK_FALSE(node->is(peer_role::monitor));
  CHECK(roles_text(*node) == "node");
  CHECK(roles_text(*own(authority.issue_with("b", {"launcher", "node"}))) == "node and launcher");
  for (const roles& others : {roles{}, roles{"Node"}, roles{"nodes"}, roles{""}})
    CHECK(own(authority.issue_with("o", others))->roles == 0);
  const auto host =
      own(authority.issue_for("h", "DNS:a.example,DNS:*.lab.example,IP:10.0.0.5,IP:2001:db8::5"));
  for (const std::string is : {"a.example", "A.EXAMPLE", "x.lab.example", "10.0.0.5", "2001:db8::5"})
    CHECK_MESSAGE(host->is_for(is), is);
  for (const std::string is_not :
       {"h", "b.example", "lab.example", "x.y.lab.example", "10.0.0.6", "localhost", ""})
    CHECK_FALSE_MESSAGE(host->is_for(is_not), is_not);
  const auto local = own(authority.issue_for("l", "DNS:localhost"));
  CHECK(local->is_for("127.0.0.1"));
  CHECK(local->is_for("::1"));
  CHECK_FALSE(local->is_for("10.0.0.5"));
  CHECK_FALSE(own(authority.issue_for("localhost", ""))->is_for("localhost")); // a common name is no host
}

TEST_CASE(
    "identity: a valid certificate for another host is refused when dialling, and both sides know why") {
  const test_authority authority;
  process node{listening(authority.issue_for("elsewhere", "DNS:b.example"))};
  process client{dialling(authority.issue("client"))};
  const auto line = answer_to(client, node.where());
  CHECK(line.starts_with("failed 1: "));
  mentions(line, "the certificate of elsewhere is not for 127.0.0.1");
  mentions(node.acceptor_notes().find("closed"), "the certificate of elsewhere is not for 127.0.0.1");
}

TEST_CASE("identity: a node's own certificate will do for itself on loopback, whatever host it is for") {
  const test_authority authority;
  const auto files = authority.issue_for("elsewhere", "DNS:b.example");
  process node{listening(files)};
  process watcher{dialling(files)};
  CHECK(answer_to(watcher, node.where()) == "opened 1 1");
}

TEST_CASE("identity: who is dialled as a node must be one") {
  const test_authority authority;
  process fraud{listening(authority.issue_with("laptop", {"launcher", "monitor"}))};
  process client{dialling(authority.issue("client"))};
  mentions(answer_to(client, fraud.where()),
           "the certificate of laptop names launcher and monitor, this is for a node");
}

TEST_CASE("identity: a certificate for another host gets no link when it dials") {
  const test_authority authority;
  process a{listening(authority.issue_for("x", "DNS:b.example"))};
  process b{listening(authority.issue("b"))};
  // The lower number dials: a does, and says that it is node 0, which is at 127.0.0.1.
  const std::vector<endpoint> nodes{a.where(), b.where()};
  a.join(this_run, 0, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), 3);
  b.join(this_run, 1, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), 3);
  mentions(a.links().find("down 1"), "the certificate of x is not for 127.0.0.1, node 0 of this run");
  CHECK(b.links().count("up") == 0);
  CHECK(eventually([&] { return b.counted().connections_refused > 0; }));
}

TEST_CASE(
    "identity: a certificate for another host gets no link when it is dialled, and a monitor's none at all") {
  const test_authority authority;
  const auto join_both = [](process& a, process& b) {
    const std::vector<endpoint> nodes{a.where(), b.where()};
    a.join(this_run, 0, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), 3);
    b.join(this_run, 1, nodes, placed({0, 0, 1, 1}), graph_of("ring", 4), 3);
  };
  process a{listening(authority.issue("a"))};
  process b{listening(authority.issue_for("y", "DNS:b.example"))};
  join_both(a, b);
  mentions(a.links().find("down 1"), "the certificate of y is not for 127.0.0.1");
  CHECK(a.links().count("up") == 0);
  process c{listening(authority.issue_with("c", {"monitor", "launcher"}))};
  process d{listening(authority.issue("d"))};
  join_both(c, d);
  mentions(c.links().find("down 1"), "the certificate of c names launcher and monitor, this is for a node");
  CHECK(d.links().count("up") == 0);
}

TEST_CASE("identity: a monitor only reads, a launcher is no node, a node begins nothing") {
  const test_authority authority;
  process node{listening(authority.issue("node"))};
  const auto monitor = authority.issue_with("m", {"monitor"});
  const auto launcher = authority.issue_with("l", {"launcher"});
  const auto other_node = authority.issue_with("n", {"node"});
  CHECK(answer_to_request(node, monitor, describe_request{}) == "got");
  CHECK(answer_to_request(node, monitor, metrics_request{}) == "got");
  mentions(answer_to_request(node, monitor, stop_request{}), "names monitor, this is for a launcher");
  mentions(answer_to_request(node, monitor, saved_options_request{"a"}), "this is for a launcher");
  mentions(answer_to_request(node, monitor, snapshot_request{}), "this is for a launcher");
  mentions(answer_to_request(node, monitor, subscribe_request{}), "this is for a launcher");
  CHECK(answer_to_request(node, launcher, prepare_run_request{}) == "got");
  CHECK(answer_to_request(node, launcher, subscribe_request{}) == "got");
  mentions(answer_to_request(node, launcher, join_request{{"127.0.0.1", 1}}),
           "names launcher, this is for a node");
  mentions(answer_to_request(node, launcher, welcome_request{}), "this is for a node");
  mentions(answer_to_request(node, launcher, learner_state_request{}), "this is for a node");
  mentions(answer_to_request(node, other_node, snapshot_request{this_run, worker_at(0)}),
           "is for no node of a run that is known here");
  mentions(answer_to_request(node, other_node, prepare_run_request{}), "names node, this is for a launcher");
  mentions(answer_to_request(node, other_node, abandon_request{}), "this is for a launcher");
  CHECK(answer_to_request(node, other_node, join_request{{"127.0.0.1", 1}}) == "got");
  mentions(answer_to_request(node, other_node, join_request{{"b.example", 1}}), "is not for b.example");
  process nobody{dialling(authority.issue_with("nobody", {}))};
  mentions(answer_to(nobody, node.where()), "the certificate of nobody names no role");
}

TEST_CASE("identity: nobody moves a place that his certificate is not for, nor to another host") {
  const test_authority authority;
  const auto at_b = authority.issue_for("b", "DNS:b.example,DNS:localhost");
  process a{listening(authority.issue("a"))};
  const std::vector<endpoint> nodes{a.where(), {"b.example", 7400}, {"c.example", 7400}};
  a.join(this_run, 0, nodes, placed({0, 1, 2}), graph_of("complete", 3), 3);
  const auto moved = [&](const tls_files& by, std::size_t place, const endpoint& to, run_id run = this_run) {
    return answer_to_request(a, by, node_moved{run, node_at(place), to});
  };
  CHECK(moved(at_b, 1, {"b.example", 7500}) == "got");
  mentions(moved(at_b, 2, {"b.example", 7500}), "place 2 of the run belongs to c.example");
  mentions(moved(at_b, 2, {"c.example", 7500}), "the certificate of b is not for c.example");
  mentions(moved(at_b, 1, {"c.example", 7500}), "place 1 of the run belongs to b.example");
  mentions(moved(at_b, 0, {"evil.example", 1}), "place 0 of the run belongs to 127.0.0.1");
  mentions(moved(at_b, 1, {"b.example", 7500}, this_run + 1), "takes no part in that run");
  const auto stranger = authority.issue_for("s", "DNS:s.example");
  mentions(moved(stranger, 0, a.where()), "the certificate of s is not for 127.0.0.1");
  mentions(answer_to_request(a, authority.issue_with("n", {"node"}), welcome_request{this_run, worker_at(1)}),
           "is not for b.example");
  CHECK(answer_to_request(a, at_b, welcome_request{this_run, worker_at(1)}) == "got");
  mentions(answer_to_request(a, at_b, learner_state_request{this_run, worker_at(2), worker_at(0)}),
           "is not for c.example");
  CHECK(answer_to_request(a, at_b, learner_state_request{this_run, worker_at(1), worker_at(0)}) == "got");
  for (const auto& none : {learner_state_request{this_run, worker_at(3), worker_at(0)},
                           learner_state_request{this_run + 1, worker_at(1), worker_at(0)}})
    mentions(answer_to_request(a, at_b, none), "takes no part in that run, or it has no such worker");
}

TEST_CASE("identity: a node's certificate stops the runs that it is part of, and no others") {
  const test_authority authority;
  process a{listening(authority.issue("a"))};
  a.join(this_run, 0, {a.where(), {"b.example", 1}}, placed({0, 1}), graph_of("complete", 2), 3);
  auto wanted = test_authority::wishes{};
  wanted.roles = {"node"};
  wanted.names = "DNS:s.example";
  const auto stranger = authority.issue("s", wanted);
  mentions(answer_to_request(a, stranger, stop_request{this_run}),
           "the certificate of s is for no node of the run");
  mentions(answer_to_request(a, stranger, stop_request{0}), "the certificate of s is for no node of the run");
  mentions(answer_to_request(a, stranger, run_over{this_run}), "is for no node of the run");
  wanted.names = "DNS:b.example";
  CHECK(answer_to_request(a, authority.issue("b", wanted), run_over{this_run}) == "got");
}

TEST_CASE(
    "identity: before a run only launchers stop it, and after it only who was part of it has its result") {
  const test_authority authority;
  process a{listening(authority.issue("a"))};
  auto wanted = test_authority::wishes{};
  wanted.roles = {"node"};
  wanted.names = "DNS:s.example";
  const auto stranger = authority.issue("s", wanted);
  wanted.names = "DNS:b.example";
  const auto member = authority.issue("b", wanted);
  mentions(answer_to_request(a, stranger, stop_request{0}),
           "the certificate of s is for no node of a run that is known here");
  CHECK(answer_to_request(a, authority.issue_with("l", {"launcher"}), stop_request{0}) == "got");
  a.join(this_run, 0, {a.where(), {"b.example", 1}}, placed({0, 1}), graph_of("complete", 2), 3);
  CHECK(answer_to_request(a, member, stop_request{this_run}) == "got");
  a.tell(leave_run{this_run});
  mentions(answer_to_request(a, stranger, result_request{this_run}),
           "the certificate of s is for no node of the run");
  CHECK(answer_to_request(a, member, result_request{this_run}) == "got");
  mentions(answer_to_request(a, member, stop_request{0}), "is for no node of a run that is known here");
}

TEST_CASE("check_tls: a revocation list is read, and an own certificate on it or a list that does not serve "
          "refused") {
  const test_authority authority;
  const test_authority other{"another"};
  auto files = authority.issue("node");
  files.revoked = authority.revoke({authority.issue("x")});
  CHECK(refusal_of(files).empty());
  authority.revoke({files});
  mentions(refusal_of(files), "the certificate is revoked");
  authority.revoke({}, -1min);
  mentions(refusal_of(files), "--tls-crl=" + files.revoked.string());
  mentions(refusal_of(files), "expired");
  files.revoked = other.revoke({});
  mentions(refusal_of(files), "the revocation list does not serve");
  files.revoked = files.certificate;
  mentions(refusal_of(files), "holds no revocation list");
  files.revoked = "/nowhere/ca.crl";
  mentions(refusal_of(files), "cannot read the file, --tls-crl=/nowhere/ca.crl");
}

TEST_CASE("identity: a revoked certificate is refused when dialling and when dialled, from the moment that "
          "it is listed") {
  const test_authority authority;
  auto files = authority.issue("node");
  const auto bad = authority.issue("bad");
  files.revoked = authority.revoke({});
  process node{listening(files)};
  {
    process client{dialling(bad)};
    CHECK(answer_to(client, node.where()) == "opened 1 1");
  }
  authority.revoke({bad});
  std::this_thread::sleep_for(1100ms); // the files are looked at once a second
  process revoked_client{dialling(bad)};
  mentions(answer_to(revoked_client, node.where()), "our certificate is revoked, says the other side");
  process good{dialling(authority.issue("good"))};
  CHECK(answer_to(good, node.where()) == "opened 1 1");
  process revoked_node{listening(bad)};
  auto wary = authority.issue("wary");
  wary.revoked = files.revoked;
  process client{dialling(wary)};
  mentions(answer_to(client, revoked_node.where()), "the other side's certificate is revoked");
}

TEST_CASE("tls_context: knows when its own certificate ends, and those that it was shown") {
  const test_authority authority;
  auto wanted = test_authority::wishes{};
  wanted.until = std::chrono::days{5};
  const auto options = listening(authority.issue("node"));
  process node{options};
  process client{dialling(authority.issue("short", wanted))};
  REQUIRE(answer_to(client, node.where()) == "opened 1 1");
  const auto in_days = [](const certificate_end& x) {
    return static_cast<double>(x.ends - std::time(nullptr)) / 86400;
  };
  const auto ends = ends_of(options.tls)();
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].name == "node");
  CHECK(in_days(ends[0]) == doctest::Approx(60).epsilon(0.01));
  CHECK(ends[1].name == "short");
  CHECK(in_days(ends[1]) == doctest::Approx(5).epsilon(0.01));
  wanted.until = std::chrono::days{200}; // longer than its authority
  const tls_context beyond{authority.issue("long", wanted)};
  CHECK(beyond.ends()[0].name == "test authority");
  CHECK(in_days(beyond.ends()[0]) == doctest::Approx(90).epsilon(0.01));
  CHECK_FALSE(ends_of(nullptr));
}

TEST_CASE("tls_context: knows when its revocation list ends") {
  const test_authority authority;
  auto files = authority.issue("node");
  files.revoked = authority.revoke({}, std::chrono::days{10});
  const auto ends = tls_context{files}.ends();
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].name == "node");
  CHECK(ends[1].name == "revocation list");
  CHECK(static_cast<double>(ends[1].ends - std::time(nullptr)) / 86400 == doctest::Approx(10).epsilon(0.01));
}

TEST_CASE("gateway: of many handshakes that begin at once only some do, the others wait their turn") {
  const test_authority authority;
  auto options = listening(authority.issue("node"));
  process node{options};
  process client{dialling(authority.issue("client"))};
  std::vector<owned_socket> strangers;
  for (int i = 0; i < handshakes_at_once; ++i) // they use the burst up
    strangers.push_back(connect_to_loopback(node.where().port));
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::uint64_t many = 100;
  for (std::uint64_t key = 1; key <= many; ++key)
    client.open(key, node.where());
  REQUIRE(client.client_notes().wait_for("opened", many));
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took > std::chrono::seconds{1} * (many - 20) / handshakes_per_s);
}

TEST_CASE("gateway: requests that are never finished share one bound of memory, and others go on") {
  process node{on_loopback()};
  auto said = framed(hello{});
  auto request = framed(control_message{node_status_request{}});
  request[3] = 0;
  request[2] = static_cast<char>(0xff); // close to 16 MiB
  said.insert(said.end(), request.begin(), request.end());
  said.resize(said.size() + 14 * 1024 * 1024);
  std::vector<owned_socket> greedy;
  for (int i = 0; i < 8; ++i) {
    greedy.push_back(connect_to_loopback(node.where().port));
    send_all(greedy.back(), said);
  }
  CHECK(eventually([&] {
    std::size_t closed = 0;
    for (const auto& line : node.acceptor_notes().lines())
      closed += line.starts_with("closed: its request took too long") ? 1 : 0;
    return closed >= 4;
  }));
  process client;
  client.open(1, node.where());
  REQUIRE(client.client_notes().wait_for("opened 1"));
  client.send(1, stop_request{});
  CHECK(client.client_notes().find("text") == "text stopped");
}

} // namespace dybw::test
