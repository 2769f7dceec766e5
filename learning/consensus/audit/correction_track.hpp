#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace dybw {

/// How the correction of one worker grows, by what it says of it after each round or exchange.
class correction_track {
public:
  struct growth {
    double projection = 0;
    double size = 0; ///< |c| before and after, together: what rounding is to be compared with
  };
  /// What it grew by: in a new generation it began at 0. None at first, and where something between was not
  /// heard, which may be a generation's beginning.
  std::optional<growth> grown(std::uint64_t generation, double projection, double size) {
    const auto before = generation != generation_ ? growth{} : growth{projection_, size_};
    const auto was_known = std::exchange(is_known_, true);
    generation_ = generation;
    projection_ = projection;
    size_ = size;
    if (!was_known)
      return std::nullopt;
    return growth{projection - before.projection, before.size + size};
  }
  void forget() noexcept { is_known_ = false; }

private:
  std::uint64_t generation_ = 0;
  double projection_ = 0;
  double size_ = 0;
  bool is_known_ = false;
};

} // namespace dybw
