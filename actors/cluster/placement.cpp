#include "actors/cluster/placement.hpp"

#include "learning/base/error.hpp"

#include <algorithm>
#include <numeric>
#include <string>

namespace dybw {

std::vector<std::uint32_t> place_workers(std::size_t workers, std::span<const std::uint32_t> slots) {
  const auto all = std::accumulate(slots.begin(), slots.end(), std::uint64_t{0});
  const auto limited = std::none_of(slots.begin(), slots.end(), [](std::uint32_t n) { return n == 0; });
  if (limited && all < workers) {
    std::string each;
    for (auto n : slots)
      each += (each.empty() ? "" : " + ") + std::to_string(n);
    throw input_error{input_fault::configuration,
                      "--workers=" + std::to_string(workers) + " is more than the nodes have slots for",
                      std::to_string(all) + (slots.size() > 1 ? " = " + each : ""),
                      "give fewer workers, more nodes, or the nodes more --slots"};
  }
  std::vector<std::uint32_t> placement;
  std::vector<std::size_t> hosted(slots.size());
  for (std::size_t node = 0; placement.size() < workers; node = (node + 1) % slots.size()) {
    if (slots[node] > 0 && hosted[node] == slots[node])
      continue;
    ++hosted[node];
    placement.push_back(static_cast<std::uint32_t>(node));
  }
  return placement;
}

} // namespace dybw
