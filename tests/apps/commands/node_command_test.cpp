#include "apps/commands/commands.hpp"
#include "apps/options/node_command_options.hpp"
#include "apps/options/node_options.hpp"
#include "apps/program/descriptors.hpp"
#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace dybw {

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

node_command_options read(const std::string& line) {
  return read_node_options(words_of(line));
}

/// The message with which a line of options is refused; empty if it is not.
std::string refused(const std::function<void(const std::string&)>& read_line, const std::string& line) {
  try {
    read_line(line);
  } catch (const input_error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "";
}

void check_refused(const std::function<void(const std::string&)>& read_line, const std::string& line,
                   const std::string& fragment) {
  INFO(line);
  const auto message = refused(read_line, line);
  CHECK_MESSAGE(message.find(fragment) != std::string::npos, message);
}

} // namespace

TEST_CASE("node_command: options may come from a file, the command line wins") {
  const auto file = std::filesystem::temp_directory_path() / ("node-" + std::to_string(getpid()) + ".ini");
  std::ofstream(file) << "listen = 127.0.0.1:7400\nout = o\nrejoin = true\nslots = 3\n";
  const auto given = read("--config " + file.string() + " --slots 5");
  CHECK(given.listen == endpoint{"127.0.0.1", 7400});
  CHECK(given.rejoin);
  CHECK(given.slots == 5);
  const auto node = [](const std::string& line) { read(line); };
  std::ofstream(file) << "workers = 3\n";
  check_refused(node, "--config " + file.string(), file.string());
  const auto status = [](const std::string& line) { status_command(words_of(line)); };
  check_refused(status, "127.0.0.1:1 --config " + file.string(), file.string());
  std::filesystem::remove(file);
}

TEST_CASE("node_command: --rejoin needs to know the run, and an address that stays") {
  const auto node = [](const std::string& line) { read(line); };
  CHECK(read("--listen 127.0.0.1:7400 --rejoin --out o").rejoin);
  check_refused(node, "--listen 127.0.0.1:7400 --rejoin",
                "--rejoin needs to know which run this node was in");
  check_refused(node, "--listen 127.0.0.1:0 --rejoin --out o", "an address that stays the same");
  check_refused(node, "--listen 127.0.0.1:7400 --rejoin --out o --join a:1", "--rejoin contradicts --join");
}

TEST_CASE("node_command: the options say where to listen, what to offer and where things lie") {
  const auto plain = read("--listen 127.0.0.1:7400");
  CHECK(plain.listen == endpoint{"127.0.0.1", 7400});
  CHECK_FALSE(plain.advertise);
  CHECK_FALSE(plain.join);
  CHECK_FALSE(plain.out);
  CHECK(plain.data.empty());
  CHECK(plain.slots == 0);
  CHECK(plain.level == log_level::info);
  const auto full = read("--listen localhost:0 --advertise a.example.org:7400 --data d --out o --slots 4 "
                         "--threads 2 --join b:7401 --quiet");
  CHECK(full.advertise == endpoint{"a.example.org", 7400});
  CHECK(full.join == endpoint{"b", 7401});
  CHECK(full.data == "d");
  CHECK(full.out == std::filesystem::path{"o"});
  CHECK(full.slots == 4);
  CHECK(full.threads == 2);
  CHECK(full.level == log_level::warn);
  CHECK(read("--listen [::1]:7400 --quiet --log-level debug").level == log_level::debug);
}

TEST_CASE("node_command: an address open to other machines needs TLS, or the word that it does not") {
  for (const std::string address : {"0.0.0.0:7400", "[::]:7400", "192.168.1.5:7400", "a.example.org:7400"})
    check_refused(read, "--listen " + address, "is open to other machines without TLS");
  CHECK(read("--listen 0.0.0.0:7400 --insecure").listen.host == "0.0.0.0");
  check_refused(read, "--listen 0.0.0.0:7400 --tls-cert a.pem", "--tls-key is not given");
  check_refused(read, "--listen 127.0.0.1:1 --tls-cert a --tls-key b --tls-ca nowhere.pem", "");
}

TEST_CASE("node_command: wrong options are refused") {
  check_refused(read, "", "--listen is not given");
  check_refused(read, "--listen 7400", "the address \"7400\" has no port");
  check_refused(read, "--listen 127.0.0.1:1 --slots -1", "--slots=-1 is out of range");
  check_refused(read, "--listen 127.0.0.1:1 --threads many", "--threads=many is not a whole number");
  check_refused(read, "--listen 127.0.0.1:1 --log-level loud", "--log-level=loud is unknown");
  check_refused(read, "--listen 127.0.0.1:1 --join b", "the address \"b\" has no port");
  check_refused(read, "--listen 127.0.0.1:1 stray", "unexpected argument 'stray'");
  check_refused(read, "--listen 127.0.0.1:1 --slot 2", "did you mean --slots?");
  check_refused(read, "--listen 0.0.0.0:1 --insecure --join b:1", "give --advertise");
}

TEST_CASE("status and stop: one node is named, and their options are checked before anything is sent") {
  const auto status = [](const std::string& line) { status_command(words_of(line)); };
  const auto stop = [](const std::string& line) { stop_command(words_of(line)); };
  check_refused(status, "", "no node is given; give its address: dybw status HOST:PORT");
  check_refused(stop, "", "no node is given; give its address: dybw stop HOST:PORT");
  for (const auto& command : {std::function<void(const std::string&)>{status}, {stop}}) {
    check_refused(command, "here", "the address \"here\" has no port");
    check_refused(command, "a:1 b:2", "unexpected argument 'b:2'");
    check_refused(command, "a:0", "has port 0");
    check_refused(command, "a:1 --timeout 0", "--timeout=0 is out of range");
    check_refused(command, "a:1 --tls-ca x", "--tls-cert is not given");
    check_refused(command, "a:1 --nodes x", "unknown option --nodes");
  }
  check_refused(status, "a:1 --format yaml", "--format=yaml is unknown");
  check_refused(stop, "a:1 --format json", "unknown option --format");
}

TEST_CASE("node, status and stop: their help has every option, in lines that fit") {
  for (const auto& [help, options] :
       {std::pair{node_help(),
                  words_of("--listen --advertise --data --out --slots --threads --join --insecure "
                           "--tls-cert --tls-key --tls-ca --log-level --quiet")},
        std::pair{status_help(), words_of("--timeout --format --tls-cert --tls-key --tls-ca")},
        std::pair{stop_help(), words_of("--timeout --tls-cert --tls-key --tls-ca")}}) {
    for (const auto& option : options)
      CHECK_MESSAGE(help.find(option) != std::string::npos, option);
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);)
      CHECK_MESSAGE(line.size() <= 100, line);
  }
}

TEST_CASE("docs/configuration.md: every option of the commands for nodes is explained") {
  std::ifstream in(std::filesystem::path{DYBW_SOURCE_DIR} / "docs" / "configuration.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  for (const auto& help : {node_help(), status_help(), stop_help(), monitor_help()})
    for (auto at = help.find("\n  --"); at != std::string::npos; at = help.find("\n  --", at + 1)) {
      const auto name = help.substr(at + 3, help.find(' ', at + 3) - at - 3);
      if (name != "--help")
        CHECK_MESSAGE(page.find("`" + name) != std::string::npos, name);
    }
  for (const auto* option : {"--nodes", "--nodes-file", "--detach"})
    CHECK_MESSAGE(page.find(std::string{"`"} + option) != std::string::npos, option);
}

TEST_CASE("node: TLS files may come from the environment, and hints name those that do not") {
  const auto read = [](const std::vector<std::string>& words) { return read_node_options(words); };
  ::setenv("DYBW_TLS_CERT", "cert of the environment", 1);
  CHECK_THROWS_WITH_AS(read({"--listen", "127.0.0.1:1"}), doctest::Contains("--tls-key is not given"),
                       input_error);
  const tls_files files{"cert of the environment", "my key", "ca.pem"};
  CHECK(tls_words(files) == " --tls-key 'my key' --tls-ca ca.pem");
  ::unsetenv("DYBW_TLS_CERT");
  CHECK(tls_words(files) == " --tls-cert 'cert of the environment' --tls-key 'my key' --tls-ca ca.pem");
  CHECK(tls_words(std::nullopt).empty());
  tls_files listed = files;
  listed.revoked = "ca.crl";
  CHECK(tls_words(listed) ==
        " --tls-cert 'cert of the environment' --tls-key 'my key' --tls-ca ca.pem --tls-crl ca.crl");
  ::setenv("DYBW_TLS_CRL", "ca.crl", 1);
  CHECK(tls_words(listed) == " --tls-cert 'cert of the environment' --tls-key 'my key' --tls-ca ca.pem");
  CHECK_THROWS_WITH_AS(read({"--listen", "127.0.0.1:1"}), doctest::Contains("--tls-cert is not given"),
                       input_error); // a list alone is no certificate
  ::unsetenv("DYBW_TLS_CRL");
}

TEST_CASE("node: takes all descriptors that it may have") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  auto low = before;
  low.rlim_cur = std::min<rlim_t>(200, before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(raise_descriptor_limit() == before.rlim_max);
  rlimit now{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
  CHECK(now.rlim_cur == before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

} // namespace dybw
