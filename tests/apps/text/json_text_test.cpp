#include "apps/text/json_text.hpp"

#include <doctest/doctest.h>

namespace dybw {

TEST_CASE("json_text: one line, or as many as there are values") {
  const nlohmann::ordered_json value{{"b", 1}, {"a", {true, nullptr}}};
  CHECK(json_text(value) == R"({"b":1,"a":[true,null]})");
  CHECK(json_text(value, 2) == "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    null\n  ]\n}");
}

TEST_CASE("json_text: bytes that are not UTF-8 are replaced, all others stay") {
  CHECK(json_text(nlohmann::json("caf\xe9/\xc3\xa9")) == "\"caf\xef\xbf\xbd/\xc3\xa9\"");
}

} // namespace dybw
