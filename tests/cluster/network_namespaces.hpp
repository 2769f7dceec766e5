#pragma once

#include "tests/cluster/cluster.hpp"

#include <optional>

namespace dybw::test {

/// Hosts of our own: network namespaces joined by a bridge in one more, each by a veth pair that can be taken
/// down and up. Needs root and a kernel that allows it.
class network_namespaces {
public:
  /// Nothing where the machine does not allow it, with the reason in `why_not`.
  static std::unique_ptr<network_namespaces> make(std::size_t hosts, std::string& why_not);
  ~network_namespaces();
  network_namespaces(const network_namespaces&) = delete;
  network_namespaces& operator=(const network_namespaces&) = delete;

  cluster_place place(std::size_t host) const;
  /// The cable of this host, in or out.
  void set_link(std::size_t host, bool up);

private:
  network_namespaces(std::size_t hosts);
  std::string name(std::size_t host) const;

  std::size_t hosts_;
  std::string prefix_;
};

} // namespace dybw::test
