#include "learning/model/trainer_layout.hpp"

#include <algorithm>

namespace dybw {

std::string text_of(const trainer_array& array) {
  auto text = (array.frozen ? "frozen " : "") + array.type;
  for (auto extent : array.shape)
    text += " [" + std::to_string(extent) + ']';
  return text;
}

std::string first_difference(const std::vector<trainer_array>& first,
                             const std::vector<trainer_array>& other) {
  const auto common = std::min(first.size(), other.size());
  for (std::size_t i = 0; i < common; ++i) {
    const auto& a = first[i];
    const auto& b = other[i];
    if (a == b)
      continue;
    if (a.name != b.name)
      return "array " + std::to_string(i) + " is " + a.name + " here and " + b.name + " there";
    if (text_of(a) != text_of(b))
      return a.name + " is " + text_of(a) + " here and " + text_of(b) + " there";
    return a.name + " is frozen and has other values there";
  }
  if (first.size() > common)
    return first[common].name + " is missing there";
  if (other.size() > common)
    return other[common].name + " is missing here";
  return {};
}

} // namespace dybw
