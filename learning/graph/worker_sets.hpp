#pragma once

#include "learning/base/types.hpp"

#include <numeric>
#include <vector>

namespace dybw {

/// Disjoint sets of workers (union-find): who hangs together by the edges joined so far.
class worker_sets {
public:
  explicit worker_sets(std::size_t workers) : above_(workers) { part_all(); }

  /// Everybody is alone again.
  void part_all() { std::iota(above_.begin(), above_.end(), std::size_t{0}); }

  /// False if the ends were in one set already.
  bool join(edge e) {
    const auto a = find(e.a);
    const auto b = find(e.b);
    above_[a] = b;
    return a != b;
  }

  bool together(worker_id x, worker_id y) { return find(x) == find(y); }

  /// The number of the worker's set, the same for all in it, below the number of workers.
  std::size_t set_of(worker_id id) { return find(id); }

private:
  std::size_t find(worker_id id) {
    auto i = index_of(id);
    while (above_[i] != i)
      i = above_[i] = above_[above_[i]];
    return i;
  }

  std::vector<std::size_t> above_;
};

} // namespace dybw
