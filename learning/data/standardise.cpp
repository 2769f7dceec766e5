#include "learning/data/standardise.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace dybw {

namespace {

/// Sums over the values of one channel or feature, in [0,1].
struct moments {
  double count = 0;
  double sum = 0;
  double squares = 0;

  void add(double x, double times) {
    count += times;
    sum += times * x;
    squares += times * x * x;
  }
  dataset::standardisation standardisation() const {
    const auto mean = sum / count;
    const auto variance = std::max(squares / count - mean * mean, 0.0);
    // Less is what rounding leaves of a constant.
    const auto factor = variance > 1e-12 ? 1 / std::sqrt(variance) : 1.0;
    return {static_cast<float>(factor), static_cast<float>(-mean * factor)};
  }
};

/// Bytes are counted, so that there is nothing to round.
void add_to(moments& m, const std::vector<std::uint8_t>& values, std::size_t first, std::size_t length,
            std::size_t stride) {
  std::array<std::uint64_t, 256> counts{};
  for (; first < values.size(); first += stride)
    for (std::size_t i = first; i < first + length; ++i)
      ++counts[values[i]];
  for (std::size_t byte = 0; byte < counts.size(); ++byte)
    m.add(static_cast<double>(byte) / 255, static_cast<double>(counts[byte]));
}

void add_to(moments& m, const std::vector<float>& values, std::size_t first, std::size_t length,
            std::size_t stride) {
  for (; first < values.size(); first += stride)
    for (std::size_t i = first; i < first + length; ++i)
      m.add(static_cast<double>(values[i]), 1);
}

} // namespace

std::vector<dataset::standardisation> standardisation_of(const dataset& data) {
  assert(data.size() > 0);
  const auto parts = data.image.size() > 0 ? data.image.channels : data.features;
  const auto length = data.features / parts;
  std::vector<dataset::standardisation> all;
  for (std::size_t part = 0; part < parts; ++part) {
    moments m;
    std::visit([&](const auto& values) { add_to(m, values, part * length, length, data.features); },
               data.values);
    all.push_back(m.standardisation());
  }
  return all;
}

} // namespace dybw
