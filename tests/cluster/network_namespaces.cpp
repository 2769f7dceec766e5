#include "tests/cluster/network_namespaces.hpp"

#include <sstream>
#include <stdexcept>

#include <unistd.h>

namespace dybw::test {

namespace {

constexpr auto program = "/usr/sbin/ip";

/// Runs `ip` with these words; throws with what it said if it fails.
void ip(const std::string& words) {
  std::vector<std::string> command{program};
  std::istringstream in(words);
  for (std::string word; in >> word;)
    command.push_back(word);
  const auto end = child_process{command}.wait(std::chrono::seconds{10});
  if (end.code != 0)
    throw std::runtime_error("ip " + words + ": " + end.err);
}

} // namespace

network_namespaces::network_namespaces(std::size_t hosts)
    : hosts_(hosts), prefix_("dybw" + std::to_string(getpid())) {}

std::string network_namespaces::name(std::size_t host) const {
  return prefix_ + "-" + std::to_string(host);
}

/// The bridge lives in a namespace of its own, of the number after the last host's, so that nothing outside
/// is touched.
std::unique_ptr<network_namespaces> network_namespaces::make(std::size_t hosts, std::string& why_not) {
  if (access(program, X_OK) != 0) {
    why_not = "the program ip is not installed";
    return nullptr;
  }
  std::unique_ptr<network_namespaces> all{new network_namespaces{hosts}};
  try {
    const auto hub = all->name(hosts);
    for (std::size_t i = 0; i <= hosts; ++i) {
      ip("netns add " + all->name(i));
      ip("-n " + all->name(i) + " link set lo up");
    }
    ip("-n " + hub + " link add bridge0 type bridge");
    ip("-n " + hub + " link set bridge0 up");
    for (std::size_t i = 0; i < hosts; ++i) {
      const auto cable = "cable" + std::to_string(i);
      ip("-n " + hub + " link add " + cable + " type veth peer name eth0 netns " + all->name(i));
      ip("-n " + hub + " link set " + cable + " master bridge0 up");
      ip("-n " + all->name(i) + " addr add 10.77.0." + std::to_string(i + 1) + "/24 dev eth0");
      ip("-n " + all->name(i) + " link set eth0 up");
    }
  } catch (const std::runtime_error& e) {
    why_not = e.what();
    return nullptr;
  }
  return all;
}

network_namespaces::~network_namespaces() {
  for (std::size_t i = 0; i <= hosts_; ++i)
    try {
      ip("netns del " + name(i));
    } catch (const std::runtime_error&) { // was not made
    }
}

cluster_place network_namespaces::place(std::size_t host) const {
  return {"10.77.0." + std::to_string(host + 1), {program, "netns", "exec", name(host)}};
}

void network_namespaces::set_link(std::size_t host, bool up) {
  ip("-n " + name(hosts_) + " link set cable" + std::to_string(host) + (up ? " up" : " down"));
}

} // namespace dybw::test
