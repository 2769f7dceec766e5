#include "apps/web/http_access.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

using verdict = http_access::verdict;

namespace {

/// Judged without a thought of what came before: from an address of its own.
verdict judged(http_access access, const std::string& host, const std::string& authorization = "",
               const std::string& cookies = "", std::optional<std::string> token = {}) {
  return access.judge({"", host, authorization, cookies, std::move(token)}, {});
}

} // namespace

TEST_CASE("http_access: without a token only names of this machine are served, whatever they resolve to") {
  const http_access open{{"127.0.0.1", 7480}, ""};
  for (const std::string host :
       {"127.0.0.1:7480", "localhost:7480", "localhost", "[::1]:7480", "LOCALHOST:1"})
    CHECK(judged(open, host) == verdict::granted);
  for (const std::string host :
       {"evil.example:7480", "", ":7480", "[", "127.0.0.1.evil.example", "10.0.0.1"}) {
    CAPTURE(host);
    CHECK(judged(open, host) == verdict::wrong_host);
  }
}

TEST_CASE("http_access: a token is taken as a header, as a link and as the cookie that the link earns") {
  const http_access guarded{{"0.0.0.0", 7480}, "correct-horse"};
  const auto host = "anything";
  CHECK(judged(guarded, host, "Bearer correct-horse", "", {}) == verdict::granted);
  CHECK(judged(guarded, host, "bearer correct-horse", "", {}) == verdict::granted);
  CHECK(judged(guarded, host, "", "", "correct-horse") == verdict::granted_by_link);
  const auto cookie = guarded.cookie();
  CHECK(cookie.find("HttpOnly") != std::string::npos);
  CHECK(cookie.find("SameSite=Strict") != std::string::npos);
  CHECK(cookie.find("correct-horse") == std::string::npos);
  const auto pair = cookie.substr(0, cookie.find(';'));
  CHECK(judged(guarded, host, "", pair, {}) == verdict::granted);
  CHECK(judged(guarded, host, "", "other=1; " + pair + "; more=2", {}) == verdict::granted);
}

TEST_CASE("http_access: wrong tokens are refused, and so is none") {
  const http_access guarded{{"0.0.0.0", 7480}, "correct-horse"};
  CHECK(judged(guarded, "", "", "", {}) == verdict::refused);
  for (const std::string header : {"Bearer ", "Bearer", "Bearer correct-hors", "Bearer correct-horsf",
                                   "Bearer correct-horse ", "Basic correct-horse", "correct-horse"}) {
    CAPTURE(header);
    CHECK(judged(guarded, "", header, "", {}) == verdict::refused);
  }
  CHECK(judged(guarded, "", "Bearer correct-horse", "", "wrong") == verdict::refused);
  CHECK(judged(guarded, "", "", "", "") == verdict::refused);
  for (const std::string cookies :
       {"dybw_7480=", "dybw_7480=correct-horse", "dybw_7480", ";;", "xdybw_7480=1"})
    CHECK(judged(guarded, "", "", cookies, {}) == verdict::refused);
}

TEST_CASE("http_access: cookies of another port or token are worth nothing") {
  const http_access one{{"0.0.0.0", 7480}, "a"}, other{{"0.0.0.0", 7481}, "a"},
      changed{{"0.0.0.0", 7480}, "b"};
  const auto cookie = one.cookie().substr(0, one.cookie().find(';'));
  CHECK(judged(one, "", "", cookie, {}) == verdict::granted);
  CHECK(judged(other, "", "", cookie, {}) == verdict::refused);
  CHECK(judged(changed, "", "", cookie, {}) == verdict::refused);
}

TEST_CASE("http_access: after wrong guesses an address has one looked at per second, right or wrong") {
  http_access guarded{{"0.0.0.0", 7480}, "correct-horse-battery"};
  auto now = http_access::moment{std::chrono::hours{1}};
  const auto guess = [&](const std::string& from, const std::string& token) {
    return guarded.judge({from, "", "Bearer " + token, "", {}}, now);
  };
  for (int i = 0; i < http_access::guesses_at_once; ++i)
    CHECK(guess("10.0.0.1", "wrong" + std::to_string(i)) == verdict::refused);
  CHECK(guess("10.0.0.1", "wrong") == verdict::too_soon);
  CHECK(guess("10.0.0.1", "correct-horse-battery") == verdict::too_soon); // or guessing would cost nothing
  const std::string stale = "dybw_7480=0";
  CHECK(guarded.judge({"10.0.0.1", "", "", stale, {}}, now) == verdict::too_soon); // a cookie is a guess
  CHECK(guarded.judge({"10.0.0.1", "", "", "", "x"}, now) == verdict::too_soon);
  CHECK(guarded.judge({"10.0.0.1", "", "", "", {}}, now) == verdict::refused); // none is made here
  CHECK(guess("10.0.0.2", "correct-horse-battery") == verdict::granted);
  int looked_at = 0;
  for (int i = 0; i < 600; ++i, now += std::chrono::milliseconds{100})
    looked_at += guess("10.0.0.1", "wrong") == verdict::refused ? 1 : 0;
  CHECK(looked_at >= 59);
  CHECK(looked_at <= 61);
  now += http_access::one_guess;
  CHECK(guess("10.0.0.1", "correct-horse-battery") == verdict::granted);
}

TEST_CASE("http_access: however many addresses guess, those with the token are let in") {
  http_access guarded{{"0.0.0.0", 7480}, "correct-horse-battery"};
  const auto now = http_access::moment{std::chrono::hours{1}};
  for (int i = 0; i < 5000; ++i)
    CHECK(guarded.judge({std::to_string(i), "", "Bearer wrong", "", {}}, now) == verdict::refused);
  CHECK(guarded.judge({"friend", "", "Bearer correct-horse-battery", "", {}}, now) == verdict::granted);
}

} // namespace dybw::test
