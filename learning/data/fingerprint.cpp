#include "learning/data/fingerprint.hpp"

#include <zlib.h>

#include <algorithm>

namespace dybw {

namespace {

template <class T>
std::uint64_t add(std::uint64_t sum, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const Bytef*>(values.data());
  return crc32_z(static_cast<uLong>(sum), bytes, values.size() * sizeof(T));
}

std::uint64_t check_sum(const dataset& data) {
  const std::vector<std::uint64_t> shape = {data.features, data.classes, data.size()};
  auto sum = add(0, shape);
  sum = std::visit([sum](const auto& values) { return add(sum, values); }, data.values);
  return add(sum, data.labels);
}

} // namespace

std::uint64_t fingerprint(const data_split& data) {
  return std::max<std::uint64_t>(check_sum(*data.train) << 32 | check_sum(*data.test), 1);
}

} // namespace dybw
