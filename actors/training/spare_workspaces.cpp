#include "actors/training/spare_workspaces.hpp"

namespace dybw {

spare_workspaces::loan spare_workspaces::borrow() {
  for (auto& x : places_) {
    if (x.taken.exchange(true, std::memory_order_acquire))
      continue;
    loan lent{&x};
    if (!x.workspace)
      x.workspace = std::make_unique<training_workspace>(*setup_);
    return lent;
  }
  return loan{nullptr};
}

} // namespace dybw
