#include "learning/base/fnv1a.hpp"

#include <doctest/doctest.h>

#include <string_view>

namespace dybw {

TEST_CASE("fnv1a: the vectors that its authors published") {
  const auto hash = [](std::string_view text) {
    fnv1a h;
    for (const auto c : text)
      h.add(static_cast<unsigned char>(c));
    return h.value();
  };
  CHECK(hash("") == 0xcbf29ce484222325ULL);
  CHECK(hash("a") == 0xaf63dc4c8601ec8cULL);
  CHECK(hash("b") == 0xaf63df4c8601f1a5ULL);
  CHECK(hash("foobar") == 0x85944171f73967e8ULL);
  CHECK(hash("chongo was here!\n") == 0x46810940eff5f915ULL);
}

} // namespace dybw
