#pragma once

#include "learning/model/parameter_layout.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dybw {

/// One array of a trainer's layout.
struct trainer_array {
  std::string name;
  std::string type; ///< "float32"
  bool frozen = false;
  std::uint32_t checksum = 0; ///< of a frozen one's bytes
  std::vector<std::uint64_t> shape;
  friend bool operator==(const trainer_array&, const trainer_array&) = default;
};

struct trainer_layout {
  bool evaluates = false;
  bool saves = false;
  std::vector<trainer_array> arrays;
  parameter_layout averaged; ///< those that are averaged, as they lie in a slot
  std::uint64_t parameters() const noexcept {
    return averaged.empty() ? 0 : averaged.back().offset + averaged.back().size();
  }
};

/// "frozen float32 [10][784]"
std::string text_of(const trainer_array& array);

/// "layers.0.weight is float32 [10][784] here and float32 [10][785] there": the first array in which `other`
/// differs from `first`; empty: none.
std::string first_difference(const std::vector<trainer_array>& first,
                             const std::vector<trainer_array>& other);

} // namespace dybw
