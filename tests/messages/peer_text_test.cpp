#include "messages/frame.hpp"
#include "messages/peer_text.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <span>
#include <string>

namespace dybw::test {

namespace {

std::string cleaned(std::string text) {
  clean_peer_text(text);
  return text;
}

/// What the other side reads of a message.
frame read_back(const std::vector<char>& bytes, bool control) {
  frame_parser parser;
  if (control)
    parser.expect_control(4000);
  std::span<const char> rest{bytes};
  std::optional<frame> out;
  REQUIRE(parser.parse(rest, out) == ec::none);
  REQUIRE(out);
  return *out;
}

} // namespace

TEST_CASE("peer_text: what is clean stays, in any language") {
  for (const std::string text : {"", "node 3 is busy; try again", "d\xc3\xa9j\xc3\xa0 vu \xe2\x82\xac",
                                 "\xf0\x9f\x98\x80 \xe6\x97\xa5\xe6\x9c\xac"})
    CHECK(cleaned(text) == text);
}

TEST_CASE("peer_text: no line can be forged, no terminal steered") {
  CHECK(cleaned("a\n2026-01-01 dybw: error: b") == "a 2026-01-01 dybw: error: b");
  CHECK(cleaned("a\r\nb\tc\vd\fe") == "a  b c d e");
  CHECK(cleaned("\x1b[2J\x1b]0;title\x07") == "?[2J?]0;title?");
  CHECK(cleaned(std::string("a\0b", 3)) == "a?b");
  CHECK(cleaned("\x7f") == "?");
  CHECK(cleaned("\xc2\x9b"
                "31m") == "?31m");                                 // CSI as one character of C1
  CHECK(cleaned("\xc2\x85|\xe2\x80\xa8|\xe2\x80\xa9") == " | | "); // Unicode's own line breaks
  CHECK(cleaned("\xe2\x80\xae"
                "gpj.exe") == "?gpj.exe"); // right to left
}

TEST_CASE("peer_text: what is no UTF-8 is replaced byte by byte, and the rest is kept") {
  CHECK(cleaned("\x9b"
                "31m") == "?31m");
  CHECK(cleaned("caf\xe9 ol\xc3\xa9") == "caf? ol\xc3\xa9");
  CHECK(cleaned("\xc0\x8a") == "??");           // a line break in two bytes
  CHECK(cleaned("\xe0\x80\x8a") == "???");      // in three
  CHECK(cleaned("\xed\xa0\x80") == "???");      // half a surrogate pair
  CHECK(cleaned("\xf4\x90\x80\x80") == "????"); // beyond Unicode
  CHECK(cleaned("\xe2\x82") == "??");           // cut short
}

TEST_CASE("peer_text: all text that comes from outside passes through it") {
  const std::string forged = "a\n\x1b[1mb";
  std::vector<char> bytes;
  append_frame(bytes, refusal{forged});
  CHECK(std::get<refusal>(read_back(bytes, false)).reason == "a ?[1mb");
  bytes.clear();
  hello greeting;
  greeting.version = forged;
  append_frame(bytes, greeting);
  CHECK(std::get<hello>(read_back(bytes, false)).version == "a ?[1mb");
  bytes.clear();
  node_status status;
  status.run_name = forged;
  status.nodes = {{forged, 7}};
  append_frame(bytes, control_message{status});
  const auto message = std::get<std::shared_ptr<const control_message>>(read_back(bytes, true));
  CHECK(std::get<node_status>(*message).run_name == "a ?[1mb");
  CHECK(std::get<node_status>(*message).nodes[0].host == "a ?[1mb");
  bytes.clear();
  prepare_run_request prepare;
  prepare.spec.config.data.path = forged;
  prepare.spec.config.policies = {forged};
  append_frame(bytes, control_message{prepare});
  const auto spec = std::get<prepare_run_request>(
      *std::get<std::shared_ptr<const control_message>>(read_back(bytes, true)));
  CHECK(spec.spec.config.data.path.string() == "a ?[1mb");
  CHECK(spec.spec.config.policies[0] == "a ?[1mb");
}

} // namespace dybw::test
