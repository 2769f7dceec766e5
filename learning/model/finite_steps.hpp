#pragma once

#include "learning/model/parameter_layout.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace dybw {

/// Index of the first value that is an infinity or a NaN; `values.size()`: none.
std::size_t first_not_finite(std::span<const float> values);

/// The name of the array that this value belongs to. REQUIRES: a layout that covers it.
const std::string& name_at(const parameter_layout& layout, std::size_t value);

/// Keeps steps that are not finite from moving w. One thread at a time.
class finite_steps {
public:
  static constexpr int odd_max = 3; ///< steps in a row after which nothing good will come

  /// What of the step from w is not finite: an array's name, or "its loss"; empty: nothing. Otherwise `next`
  /// becomes w, and the loss that of the newest finite step.
  std::string check(const parameter_layout& layout, std::span<const float> w, std::span<float> next,
                    double& loss);
  /// Whether the newest `odd_max` steps were not.
  bool is_hopeless() const noexcept { return odd_in_a_row_ >= odd_max; }

private:
  int odd_in_a_row_ = 0;
  double loss_ = 0;
};

} // namespace dybw
