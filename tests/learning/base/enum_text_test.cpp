#include "learning/base/enum_text.hpp"

#include <doctest/doctest.h>

namespace dybw {

TEST_CASE("enum_text: the name at the value's place, and a question mark beyond") {
  enum class size { small, large };
  const auto text = [](size x) { return enum_text<size::large>(x, {"small", "large"}); };
  CHECK(text(size::small) == "small");
  CHECK(text(size::large) == "large");
  CHECK(text(static_cast<size>(2)) == "?");
}

} // namespace dybw
