#include "learning/model/finite_steps.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace dybw {

std::size_t first_not_finite(std::span<const float> values) {
  constexpr std::uint32_t exponent = 0x7f800000;
  constexpr std::size_t at_once = 1024;
  for (std::size_t first = 0; first < values.size(); first += at_once) {
    const auto piece = values.subspan(first, std::min(at_once, values.size() - first));
    std::uint32_t odd = 0; // a loop without a way out becomes vector instructions
    for (auto x : piece)
      odd |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(x) & exponent) == exponent);
    if (odd != 0)
      return first +
             static_cast<std::size_t>(
                 std::ranges::find_if_not(piece, [](float x) { return std::isfinite(x); }) - piece.begin());
  }
  return values.size();
}

const std::string& name_at(const parameter_layout& layout, std::size_t value) {
  const auto behind = std::ranges::upper_bound(layout, value, {}, &parameter_array::offset);
  return std::prev(behind)->name; // the first begins at 0
}

std::string finite_steps::check(const parameter_layout& layout, std::span<const float> w,
                                std::span<float> next, double& loss) {
  const auto odd = first_not_finite(next);
  if (odd == next.size() && std::isfinite(loss)) {
    odd_in_a_row_ = 0;
    loss_ = loss;
    return {};
  }
  ++odd_in_a_row_;
  loss = loss_;
  const auto what = odd < next.size() ? name_at(layout, odd) : std::string{"its loss"};
  std::ranges::copy(w, next.begin());
  return what;
}

} // namespace dybw
