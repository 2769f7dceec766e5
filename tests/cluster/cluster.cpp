#include "tests/cluster/cluster.hpp"

#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dybw::test {

namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// All files of this name below a directory, oldest first.
std::vector<fs::path> files_below(const fs::path& directory, const std::string& name) {
  std::vector<fs::path> found;
  std::error_code gone;
  for (auto i = fs::recursive_directory_iterator{directory, gone}; !gone && i != fs::end(i);
       i.increment(gone))
    if (i->path().filename() == name)
      found.push_back(i->path());
  std::sort(found.begin(), found.end(), [](const fs::path& x, const fs::path& y) {
    return fs::last_write_time(x) < fs::last_write_time(y);
  });
  return found;
}

} // namespace

/// Below the range from which the system takes the ports of outgoing connections, which would get in the way
/// between now and the moment a node listens.
std::uint16_t free_port() {
  static std::mt19937 generator{static_cast<unsigned>(getpid())};
  std::uniform_int_distribution<int> ports{12'000, 31'000};
  for (int i = 0; i < 100; ++i) {
    const auto port = static_cast<std::uint16_t>(ports(generator));
    const auto descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const auto bound = bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    close(descriptor);
    if (bound)
      return port;
  }
  throw std::runtime_error("no free port");
}

std::uint64_t peak_memory(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmHWM:"))
      return std::stoull(line.substr(6)) * 1024;
  return 0;
}

std::vector<nlohmann::json> read_lines(const fs::path& file) {
  std::vector<nlohmann::json> result;
  std::ifstream in(file);
  auto torn = false; // as a process leaves it that is killed while it writes
  for (std::string line; std::getline(in, line);) {
    if (torn)
      throw std::runtime_error(file.string() + " holds half a line in its middle");
    auto value = nlohmann::json::parse(line, nullptr, false);
    torn = value.is_discarded();
    if (!torn)
      result.push_back(std::move(value));
  }
  return result;
}

cluster::cluster(std::size_t nodes, std::vector<std::string> more, std::vector<cluster_place> places)
    : places_(std::move(places)), more_(std::move(more)) {
  places_.resize(nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    addresses_.push_back(places_[i].host + ":" + std::to_string(free_port()));
    nodes_.emplace_back();
    start(i);
  }
  for (std::size_t i = 0; i < nodes; ++i)
    if (!wait_until(i, [](const nlohmann::json&) { return true; }))
      throw std::runtime_error("a node did not start: " + nodes_[i]->errors());
}

std::vector<std::string> cluster::command(std::size_t node, const std::vector<std::string>& arguments) const {
  auto words = places_[node].prefix;
  for (auto& word : dybw_command(arguments))
    words.push_back(std::move(word));
  return words;
}

std::string cluster::list() const {
  std::string text;
  for (const auto& a : addresses_)
    text += (text.empty() ? "" : ",") + a;
  return text;
}

fs::path cluster::out(std::size_t node) const {
  return place_.path() / ("node-" + std::to_string(node));
}

void cluster::start(std::size_t node, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"node", "--listen", addresses_[node], "--out", out(node).string()};
  arguments.insert(arguments.end(), more_.begin(), more_.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  nodes_[node] = std::make_unique<child_process>(command(node, arguments));
}

void cluster::kill(std::size_t node) {
  nodes_[node]->send(SIGKILL);
  nodes_[node]->wait(std::chrono::seconds{10});
}

int cluster::leave(std::size_t node) {
  nodes_[node]->send(SIGTERM);
  return nodes_[node]->wait(std::chrono::seconds{20}).code;
}

std::unique_ptr<child_process> cluster::launch(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"run", "--nodes", list()});
  return std::make_unique<child_process>(command(0, arguments));
}

nlohmann::json cluster::ask(std::size_t node) const {
  const auto end =
      child_process{command(node, {"status", addresses_[node], "--format", "json", "--timeout", "2"})}.wait(
          std::chrono::seconds{20});
  const auto answer = nlohmann::json::parse(end.out, nullptr, false);
  return end.code == 0 && !answer.is_discarded() ? answer : nlohmann::json{};
}

nlohmann::json cluster::status(std::size_t node) {
  nlohmann::json answer;
  wait_until(node, [&answer](const nlohmann::json& s) {
    answer = s;
    return true;
  });
  return answer;
}

bool cluster::wait_until(std::size_t node, const std::function<bool(const nlohmann::json&)>& condition,
                         std::chrono::seconds how_long) {
  const auto deadline = clock::now() + how_long * (is_slow_build ? 4 : 1);
  nlohmann::json answer;
  while (clock::now() < deadline) {
    answer = ask(node);
    if (answer.is_object() && condition(answer))
      return true;
    go_on(milliseconds{50});
  }
  std::cerr << "waited in vain; node " << node << " last said: " << answer.dump() << '\n';
  return false;
}

void cluster::go_on(milliseconds time) {
  const auto deadline = clock::now() + time;
  do {
    for (auto& n : nodes_)
      if (n && n->id() > 0)
        n->go_on(milliseconds{5});
  } while (clock::now() < deadline);
}

std::vector<nlohmann::json> cluster::rounds(std::size_t node) const {
  std::vector<nlohmann::json> all;
  for (const auto& file : files_below(out(node), "rounds.jsonl"))
    for (auto& line : read_lines(file))
      all.push_back(std::move(line));
  return all;
}

nlohmann::json cluster::result(std::size_t node) const {
  const auto files = files_below(out(node), "run.json");
  if (files.empty())
    return {};
  std::ifstream in(files.back());
  return nlohmann::json::parse(in, nullptr, false);
}

std::string cluster::errors() const {
  std::string text;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    text += "node " + std::to_string(i) + ": " + nodes_[i]->errors() + "\n";
  return text;
}

process_end tell_to_end(child_process& launcher) {
  launcher.send(SIGINT);
  return launcher.wait(patience);
}

bool is_idle(const nlohmann::json& status) {
  return status.is_object() && status["state"] == "idle";
}

bool is_running(const nlohmann::json& status) {
  return status.is_object() && status["state"] == "running" && status["newest_round"] > 20;
}

std::vector<std::string> operator+(std::vector<std::string> x, const std::vector<std::string>& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

} // namespace dybw::test
