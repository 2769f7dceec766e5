#pragma once

#include "learning/model/evaluation.hpp"

#include <cstddef>
#include <vector>

namespace dybw {

/// The evaluations of a run, in bounded memory however long it lasts: of older ones the fewer the older they
/// are, so that gaps are some thousandths of the time that has gone by since; the first stays. Not
/// thread-safe.
class evaluation_history {
public:
  /// Most that are kept.
  static constexpr std::size_t kept_max = 2000;

  void add(const evaluation& e);

  /// In the order added.
  const std::vector<evaluation>& kept() const noexcept { return kept_; }
  /// Those kept of all but the first `seen` that were added.
  std::vector<evaluation> since(std::size_t seen) const;
  std::size_t count() const noexcept { return count_; } ///< added so far
  double cpu_s() const noexcept { return cpu_s_; }      ///< of all that were added
  void clear() { *this = {}; }

private:
  /// Ages begin to count beyond so many evaluations.
  static constexpr std::size_t newest_whole = 200;
  void drop_one();

  std::vector<evaluation> kept_;
  std::vector<std::size_t> numbers_; ///< of those kept, from 0 in the order added
  std::size_t count_ = 0;
  double cpu_s_ = 0;
};

} // namespace dybw
