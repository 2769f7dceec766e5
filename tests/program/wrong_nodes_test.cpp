#include "tests/program/child_process.hpp"
#include "tests/program/local_port.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace dybw::test {

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;)
    words.push_back(word);
  return words;
}

/// The contract: within ten seconds one line on standard error, nothing on standard output, the exit code.
void check_refusal(const std::string& arguments, int code, const std::string& says,
                   const std::filesystem::path& place = {}) {
  CAPTURE(arguments);
  const auto end = dybw(words_of(arguments), place);
  CHECK_FALSE(end.killed);
  CHECK(end.signal == 0);
  CHECK(end.code == code);
  CHECK(end.out.empty());
  CAPTURE(end.err);
  CHECK(end.err.starts_with("dybw: error: "));
  CHECK(std::ranges::count(end.err, '\n') == 1);
  CHECK(end.err.find(says) != std::string::npos);
  CHECK(end.took < std::chrono::seconds{10});
}

} // namespace

TEST_CASE("dybw: a node that cannot be reached is one line and exit code 4, for every command") {
  const local_port nobody{local_port::kind::closed};
  const local_port stranger{local_port::kind::garbage};
  for (const std::string command : {"status ", "stop ", "run --policy full --nodes "}) {
    check_refusal(command + "nowhere.invalid:7400", 4, "nowhere.invalid");
    check_refusal(command + nobody.address(), 4, "nothing listens, at " + nobody.address());
    check_refusal(command + stranger.address(), 4, stranger.address() + " does not speak dybw's protocol");
  }
}

TEST_CASE("dybw node: a port of the page that is taken is one line and exit code 4, and an end") {
  const local_port taken{local_port::kind::silent};
  const auto end = dybw({"node", "--listen", "127.0.0.1:0", "--http", taken.address()});
  CHECK_FALSE(end.killed);
  CHECK(end.code == 4);
  CHECK(end.err.find("cannot serve HTTP on " + taken.address()) != std::string::npos);
  CHECK(end.took < std::chrono::seconds{10});
}

TEST_CASE("dybw node: trainers that are none, or two of one name, are refused") {
  const std::string node = "node --listen 127.0.0.1:0 ";
  for (const std::string none : {"plane", "=true", "a/b=true", "plane="})
    check_refusal(node + "--trainer " + none, 2, "--trainer=" + none + " is no NAME=COMMAND");
  check_refusal(node + "--trainer a=true --trainer a=false", 2, "--trainer names a twice");
  check_refusal(node + "--join-state", 2, "--join-state is for nodes that join");
}

TEST_CASE("dybw run: lists of nodes as other tools write them") {
  const local_port nobody{local_port::kind::closed};
  const local_port another{local_port::kind::closed};
  const temporary_directory place;
  for (const auto& list : {nobody.address() + ",", nobody.address() + ", " + another.address()}) {
    const auto end = dybw({"run", "--quiet", "--policy", "full", "--nodes", list});
    CAPTURE(end.err);
    CHECK(end.code == 4);
    CHECK(end.err.find("nothing listens, at " + nobody.address()) != std::string::npos);
  }
  const auto gap = dybw({"run", "--nodes", nobody.address() + ",," + another.address()});
  CHECK(gap.code == 2);
  CHECK(gap.err.find("names no node at place 2") != std::string::npos);
  const auto file = (place.path() / "hosts").string();
  std::ofstream(file) << "\xEF\xBB\xBF" << nobody.address() << ",\r\n# the other\r\n"
                      << another.address() << " slots=2\r\n";
  const auto hosts = dybw({"run", "--nodes-file", file});
  CAPTURE(hosts.err);
  CHECK(hosts.code == 2);
  CHECK(hosts.err.find(file + ":3: slots are not read from here") != std::string::npos);
}

TEST_CASE("dybw: a node that takes a connection and says nothing is given up in time") {
  const local_port silent{local_port::kind::silent};
  check_refusal("status --timeout 0.5 " + silent.address(), 4, silent.address());
  check_refusal("stop --timeout 0.5 " + silent.address(), 4, silent.address());
  check_refusal("run --policy full --nodes " + silent.address(), 4, silent.address());
}

TEST_CASE("dybw: wrong usage of nodes is refused with exit code 2") {
  const temporary_directory place;
  const auto& root = place.path();
  std::ofstream(root / "nodes.txt") << "127.0.0.1:7400\n# a comment\nlocalhost\n";
  std::ofstream(root / "twice.txt") << "127.0.0.1:7400\n127.0.0.1:7400\n";
  std::ofstream(root / "cert.pem") << "no certificate\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"run --nodes 127.0.0.1:7400 --detach --policy full,dtur", "not one for each of 2 policies"},
      {"run --detach", "--detach is for runs on other machines"},
      {"run --nodes 127.0.0.1", "has no port"},
      {"run --nodes 127.0.0.1:1,127.0.0.1:1", "node 127.0.0.1:1 is named twice"},
      {"run --nodes-file nodes.txt", "nodes.txt:3: the address \"localhost\" has no port"},
      {"run --nodes-file twice.txt", "twice.txt:2"},
      {"run --nodes 127.0.0.1:1 --tls-cert cert.pem", "--tls-key is not given"},
      {"run --nodes 127.0.0.1:1 --tls-cert cert.pem --tls-key cert.pem --tls-ca cert.pem", "cert.pem"},
      {"node", "--listen is not given"},
      {"node --listen 0.0.0.0:7400", "is open to other machines without TLS"},
      {"node --listen 127.0.0.1:0 --out nodes.txt", "--out=nodes.txt is no directory"},
      {"node --listen 127.0.0.1:0 --slots many", "--slots=many is not a whole number"},
      {"status", "no node is given"},
      {"stop 127.0.0.1:1 127.0.0.1:2", "unexpected argument '127.0.0.1:2'"},
  };
  for (const auto& [arguments, says] : cases)
    check_refusal(arguments, 2, says, root);
  check_refusal("node --listen 127.0.0.1:0 --data nowhere", 3, "--data=nowhere is not there", root);
  check_refusal("run --nodes-file nowhere.txt", 3, "nowhere.txt", root);
}

TEST_CASE("dybw node: a port that is taken, or an address of another machine, is exit code 4") {
  const local_port taken{local_port::kind::silent};
  check_refusal("node --listen " + taken.address(), 4, taken.address());
  check_refusal("node --insecure --listen 192.0.2.1:7400", 4, "192.0.2.1:7400");
}

} // namespace dybw::test
