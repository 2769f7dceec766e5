#include "learning/base/option_text.hpp"

#include <doctest/doctest.h>

namespace dybw {

TEST_CASE("option_text: a word for a shell is quoted if it must be, and comes back as it was") {
  CHECK(shell_word("runs/2026-1") == "runs/2026-1");
  CHECK(shell_word("my runs") == "'my runs'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("").size() == 2);
  CHECK(shell_word("$HOME") == "'$HOME'");
}

TEST_CASE("option_text: what editors and people put around a text is not part of it") {
  CHECK(trimmed(" \t a b \r\n") == "a b");
  CHECK(trimmed(" ").empty());
  CHECK(without_byte_order_mark("\xEF\xBB\xBFx") == "x");
  CHECK(without_byte_order_mark("x") == "x");
}

} // namespace dybw
