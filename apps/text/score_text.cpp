#include "apps/text/score_text.hpp"

#include "learning/base/number_text.hpp"

namespace dybw {

std::string score_text(std::span<const named_score> scores) {
  std::string text;
  for (const auto& s : scores)
    if (s.name != "accuracy" && s.name != "loss")
      text += (text.empty() ? "" : ", ") + s.name + ' ' + short_text(s.value, 3);
  return text;
}

} // namespace dybw
