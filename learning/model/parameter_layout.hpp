#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dybw {

/// One named array within a model's flat parameter vector.
struct parameter_array {
  std::string name;                 ///< "layers.0.weight"
  std::vector<std::uint64_t> shape; ///< row-major: the last index moves quickest
  std::uint64_t offset = 0;         ///< of its first value, in values

  std::uint64_t size() const noexcept {
    std::uint64_t n = 1;
    for (auto extent : shape)
      n *= extent;
    return n;
  }
  friend bool operator==(const parameter_array&, const parameter_array&) = default;
};

/// All of a model's arrays, by their offsets: together they are the whole vector.
using parameter_layout = std::vector<parameter_array>;

} // namespace dybw
