#include "apps/web/http_access.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

using verdict = http_access::verdict;

TEST_CASE("http_access: without a token only names of this machine are served, whatever they resolve to") {
  const http_access open{{"127.0.0.1", 7480}, ""};
  const auto judged = [&](const std::string& host) { return open.judge({host, "", "", {}}); };
  for (const std::string host :
       {"127.0.0.1:7480", "localhost:7480", "localhost", "[::1]:7480", "LOCALHOST:1"})
    CHECK(judged(host) == verdict::granted);
  for (const std::string host :
       {"evil.example:7480", "", ":7480", "[", "127.0.0.1.evil.example", "10.0.0.1"}) {
    CAPTURE(host);
    CHECK(judged(host) == verdict::wrong_host);
  }
}

TEST_CASE("http_access: a token is taken as a header, as a link and as the cookie that the link earns") {
  const http_access guarded{{"0.0.0.0", 7480}, "correct-horse"};
  const auto host = "anything";
  CHECK(guarded.judge({host, "Bearer correct-horse", "", {}}) == verdict::granted);
  CHECK(guarded.judge({host, "bearer correct-horse", "", {}}) == verdict::granted);
  CHECK(guarded.judge({host, "", "", "correct-horse"}) == verdict::granted_by_link);
  const auto cookie = guarded.cookie();
  CHECK(cookie.find("HttpOnly") != std::string::npos);
  CHECK(cookie.find("SameSite=Strict") != std::string::npos);
  CHECK(cookie.find("correct-horse") == std::string::npos);
  const auto pair = cookie.substr(0, cookie.find(';'));
  CHECK(guarded.judge({host, "", pair, {}}) == verdict::granted);
  CHECK(guarded.judge({host, "", "other=1; " + pair + "; more=2", {}}) == verdict::granted);
}

TEST_CASE("http_access: wrong tokens are refused, and so is none") {
  const http_access guarded{{"0.0.0.0", 7480}, "correct-horse"};
  CHECK(guarded.judge({"", "", "", {}}) == verdict::refused);
  for (const std::string header : {"Bearer ", "Bearer", "Bearer correct-hors", "Bearer correct-horsf",
                                   "Bearer correct-horse ", "Basic correct-horse", "correct-horse"}) {
    CAPTURE(header);
    CHECK(guarded.judge({"", header, "", {}}) == verdict::refused);
  }
  CHECK(guarded.judge({"", "Bearer correct-horse", "", "wrong"}) == verdict::refused);
  CHECK(guarded.judge({"", "", "", ""}) == verdict::refused);
  for (const std::string cookies :
       {"dybw_7480=", "dybw_7480=correct-horse", "dybw_7480", ";;", "xdybw_7480=1"})
    CHECK(guarded.judge({"", "", cookies, {}}) == verdict::refused);
}

TEST_CASE("http_access: cookies of another port or token are worth nothing") {
  const http_access one{{"0.0.0.0", 7480}, "a"}, other{{"0.0.0.0", 7481}, "a"},
      changed{{"0.0.0.0", 7480}, "b"};
  const auto cookie = one.cookie().substr(0, one.cookie().find(';'));
  CHECK(one.judge({"", "", cookie, {}}) == verdict::granted);
  CHECK(other.judge({"", "", cookie, {}}) == verdict::refused);
  CHECK(changed.judge({"", "", cookie, {}}) == verdict::refused);
}

} // namespace dybw::test
