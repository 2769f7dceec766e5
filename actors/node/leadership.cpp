#include "actors/node/leadership.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

leadership::leadership(std::vector<node_index> placement, node_index self, bool joins, nanoseconds now)
    : placement_(std::move(placement)), self_(self) {
  for (std::size_t i = 0; i < placement_.size(); ++i)
    if (placement_[i] == self_)
      views_.push_back(joins ? view{worker_at(i), 1, worker_at(i)}
                             : view{worker_at(i), placement_.size(), worker_at(0)});
  lead_ = node_at(placement_.size()); // nobody yet
  choose(now, !joins);
}

void leadership::changed(worker_id worker, std::size_t component, worker_id lowest, nanoseconds now) {
  const auto found =
      std::find_if(views_.begin(), views_.end(), [&](const view& v) { return v.worker == worker; });
  if (found == views_.end() || index_of(lowest) >= placement_.size())
    return;
  found->component = component;
  found->lowest = lowest;
  choose(now, false);
}

void leadership::choose(nanoseconds now, bool at_once) {
  if (views_.empty())
    return;
  const auto best = *std::min_element(views_.begin(), views_.end(), [](const view& x, const view& y) {
    return std::pair{y.component, x.lowest} < std::pair{x.component, y.lowest};
  });
  component_ = best.component;
  const auto before = std::exchange(lead_, placement_[index_of(best.lowest)]);
  if (lead_ != before)
    leads_from_ = at_once ? now : now + settle_time;
}

} // namespace dybw
