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

/// Whether every array lies within a vector of so many values and has a name that can be a file's, in an
/// archive that is unpacked. Of a layout that comes from another machine nothing else is sure: its numbers
/// may overflow `size`.
inline bool is_sound(const parameter_layout& arrays, std::uint64_t values) noexcept {
  for (const auto& a : arrays) {
    if (a.name.empty() || a.name.front() == '.' || a.name.find_first_of("/\\:") != std::string::npos)
      return false;
    std::uint64_t size = 1;
    for (auto extent : a.shape) {
      if (extent > 0 && size > values / extent)
        return false;
      size *= extent;
    }
    if (size > values || a.offset > values - size)
      return false;
  }
  return true;
}

} // namespace dybw
