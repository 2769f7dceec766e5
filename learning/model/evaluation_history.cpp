#include "learning/model/evaluation_history.hpp"

#include <algorithm>
#include <limits>

namespace dybw {

/// The one goes whose going leaves the smallest gap for its age, so that gaps grow in proportion to age.
void evaluation_history::drop_one() {
  std::size_t least = 1;
  auto least_gap = std::numeric_limits<double>::max();
  for (std::size_t i = 1; i + 1 < numbers_.size(); ++i) {
    const auto gap = static_cast<double>(numbers_[i + 1] - numbers_[i - 1]) /
                     static_cast<double>(count_ - numbers_[i] + newest_whole);
    if (gap < least_gap) {
      least_gap = gap;
      least = i;
    }
  }
  kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(least));
  numbers_.erase(numbers_.begin() + static_cast<std::ptrdiff_t>(least));
}

void evaluation_history::add(const evaluation& e) {
  if (kept_.size() == kept_max)
    drop_one();
  kept_.push_back(e);
  numbers_.push_back(count_++);
  cpu_s_ += e.cpu_s;
}

std::vector<evaluation> evaluation_history::since(std::size_t seen) const {
  const auto first = std::lower_bound(numbers_.begin(), numbers_.end(), seen) - numbers_.begin();
  return {kept_.begin() + first, kept_.end()};
}

} // namespace dybw
