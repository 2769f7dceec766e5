#include "apps/web/http_responder.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace dybw::test {

namespace {

/// A reply as the visitor sees it.
struct seen {
  std::string bytes;
  bool close;
  bool events;
};

/// A responder of which one asks, with the clock in the test's hand.
struct asked {
  explicit asked(const std::string& token = "", run_view view = sample_view())
      : responder({"127.0.0.1", 7480}, token,
                  [this, shared = std::make_shared<const run_view>(std::move(view))] {
                    ++views;
                    return std::make_shared<const run_view>(*shared);
                  }) {}

  seen raw(const std::string& head, bool last = false) {
    const auto reply = responder.answer(head, from, last, load, now);
    return {reply.head + std::string{reply.body}, reply.close, reply.events};
  }
  seen get(const std::string& path, const std::string& headers = "", const std::string& method = "GET") {
    return raw(method + " " + path + " HTTP/1.1\r\nHost: localhost:7480\r\n" + headers + "\r\n");
  }

  int views = 0;
  std::string from = "10.0.0.1";
  http_load load;
  http_responder::clock::time_point now{};
  http_responder responder;
};

int status(const seen& r) {
  return r.bytes.starts_with("HTTP/1.1 ") ? std::stoi(r.bytes.substr(9)) : 0;
}

std::string body(const seen& r) {
  return r.bytes.substr(r.bytes.find("\r\n\r\n") + 4);
}

bool has(const seen& r, const std::string& text) {
  return r.bytes.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("http_responder: the page and its assets") {
  asked a;
  const auto page = a.get("/");
  CHECK(status(page) == 200);
  CHECK(has(page, "Content-Type: text/html; charset=utf-8\r\n"));
  CHECK(has(page, "<html lang=\"en\""));
  CHECK_FALSE(page.close);
  for (const std::string path : {"/assets/base.css", "/assets/base.js", "/assets/chart.js",
                                 "/assets/dashboard.css", "/assets/dashboard.js"}) {
    CAPTURE(path);
    CHECK(status(a.get(path)) == 200);
    CHECK(has(page, path)); // nothing is served that the page does not use
  }
}

TEST_CASE("http_responder: the page holds no script or style of its own, which its policy would forbid") {
  asked a;
  const auto page = a.get("/");
  CHECK(has(page, "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'"));
  CHECK_FALSE(has(page, "unsafe-inline"));
  CHECK_FALSE(has(page, "<style"));
  CHECK_FALSE(has(page, "<script>"));
  CHECK_FALSE(has(page, "style="));
  CHECK_FALSE(has(page, "onclick"));
}

TEST_CASE("http_responder: every reply says what it is and that it may not be framed or embedded") {
  asked a;
  for (const std::string path : {"/", "/metrics", "/api/view", "/healthz", "/no-such-path"}) {
    const auto reply = a.get(path);
    CAPTURE(path);
    CHECK(has(reply, "X-Content-Type-Options: nosniff\r\n"));
    CHECK(has(reply, "X-Frame-Options: DENY\r\n"));
    CHECK(has(reply, "frame-ancestors 'none'"));
    CHECK_FALSE(has(reply, "Access-Control"));
  }
  CHECK(has(a.get("/metrics"), "Cache-Control: no-store\r\n"));
}

TEST_CASE("http_responder: assets that a browser has already are not sent again") {
  asked a;
  const auto first = a.get("/assets/chart.js");
  const auto at = first.bytes.find("ETag: ") + 6;
  const auto tag = first.bytes.substr(at, first.bytes.find("\r\n", at) - at);
  const auto again = a.get("/assets/chart.js", "If-None-Match: " + tag + "\r\n");
  CHECK(status(again) == 304);
  CHECK(body(again).empty());
}

TEST_CASE("http_responder: replies of the same view share it, and those of an asset are not copies either") {
  asked a;
  for (const std::string path : {"/", "/assets/chart.js", "/api/view", "/api/events"}) {
    CAPTURE(path);
    const auto head = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const auto one = a.responder.answer(head, "", false, {}, a.now),
               other = a.responder.answer(head, "", false, {}, a.now);
    CHECK_FALSE(one.body.empty());
    CHECK(static_cast<const void*>(one.body.data()) == other.body.data());
  }
}

TEST_CASE("http_responder: the view as JSON, as metrics and as an event") {
  asked a;
  const auto view = nlohmann::json::parse(body(a.get("/api/view")));
  CHECK(view["policy"] == "dtur");
  const auto metrics = a.get("/metrics");
  CHECK(has(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(has(metrics, "\ndybw_local_steps_total 9000\n"));
  CHECK(has(metrics, "\ndybw_http_responses_total{code=\"200\"} 1\n"));
  const auto event = *a.responder.event(a.now);
  CHECK(event.starts_with("event: view\ndata: {"));
  CHECK(event.ends_with("}\n\n"));
}

TEST_CASE("http_responder: a stream begins with a head without length, and the newest view") {
  asked a;
  const auto stream = a.get("/api/events");
  CHECK(stream.events);
  CHECK(status(stream) == 200);
  CHECK(has(stream, "Content-Type: text/event-stream\r\n"));
  CHECK(has(stream, "Connection: close\r\n"));
  CHECK_FALSE(has(stream, "Content-Length"));
  CHECK_FALSE(has(stream, "chunked"));
  CHECK(body(stream).starts_with("retry: 1000\n\nevent: view\ndata: {"));
  CHECK_FALSE(a.get("/api/events", "", "HEAD").events);
}

TEST_CASE("http_responder: no more streams than are good for the run") {
  asked a;
  a.load.streams = http_responder::streams_max;
  const auto refused = a.get("/api/events");
  CHECK(status(refused) == 503);
  CHECK_FALSE(refused.events);
  CHECK(has(refused, "Retry-After: 10\r\n"));
}

TEST_CASE(
    "http_responder: the connection stays open where the visitor's protocol says so, and says so itself") {
  asked a;
  const std::string host = " HTTP/1.0\r\nHost: localhost\r\n";
  const auto open = a.get("/healthz");
  CHECK_FALSE(open.close);
  CHECK(has(open, "Connection: keep-alive\r\nKeep-Alive: timeout=30, max=1000\r\n"));
  CHECK(has(open, "Content-Length: 3\r\n"));
  CHECK_FALSE(a.raw("GET /healthz" + host + "Connection: keep-alive\r\n\r\n").close);
  for (const auto& closing :
       {a.get("/healthz", "Connection: close\r\n"), a.raw("GET /healthz" + host + "\r\n"),
        a.raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", true)}) {
    CHECK(status(closing) == 200);
    CHECK(closing.close);
    CHECK(has(closing, "Connection: close\r\n"));
  }
}

TEST_CASE("http_responder: a flood of requests asks for a view ten times a second at most") {
  asked a;
  for (int i = 0; i < 100; ++i) {
    a.get("/metrics");
    a.get("/api/view");
    a.now += std::chrono::milliseconds{10};
  }
  CHECK(a.views == 10);
}

TEST_CASE("http_responder: unknown paths, and paths of the file system") {
  asked a;
  for (const std::string path : {"/index.html", "/assets/", "/assets/../../../etc/passwd", "/../etc/passwd",
                                 "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/api", "/assets/report.js",
                                 "/metrics/", "/healthz/x", "/%00"}) {
    CAPTURE(path);
    CHECK(status(a.get(path)) == 404);
  }
}

TEST_CASE("http_responder: only what reads is allowed, and a body ends the connection unread") {
  asked a;
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    CAPTURE(method);
    const auto reply = a.get("/metrics", "Content-Length: 5\r\n", method);
    CHECK(status(reply) == 405);
    CHECK(reply.close);
    CHECK_FALSE(has(reply, "dybw_"));
  }
  CHECK(a.get("/metrics", "Content-Length: 5\r\n").close);
  CHECK(a.get("/metrics", "Transfer-Encoding: chunked\r\n").close);
  CHECK_FALSE(a.get("/metrics", "Content-Length: 0\r\n").close);
  const auto head = a.get("/metrics", "", "HEAD");
  CHECK(status(head) == 200);
  CHECK(body(head).empty());
}

TEST_CASE("http_responder: with a token nothing but /healthz is shown without it") {
  for (const std::string path :
       {"/", "/assets/base.js", "/api/view", "/api/events", "/metrics", "/nothing"}) {
    asked a{"correct-horse"}; // anew: guesses are counted
    CAPTURE(path);
    for (const auto& refused :
         {a.get(path), a.get(path, "Authorization: Bearer wrong\r\n"), a.get(path + "?token=no")}) {
      CHECK(status(refused) == 401);
      CHECK_FALSE(refused.events);
      CHECK(has(refused, "WWW-Authenticate: Bearer\r\n"));
      CHECK_FALSE(has(refused, "dtur"));
    }
  }
  asked a{"correct-horse"};
  CHECK(status(a.get("/healthz")) == 200);
  CHECK(status(a.get("/metrics", "Authorization: Bearer correct-horse\r\n")) == 200);
}

TEST_CASE("http_responder: a link with the token earns a cookie and loses the token") {
  asked a{"correct-horse"};
  const auto link = a.get("/?token=correct-horse");
  CHECK(status(link) == 303);
  CHECK(has(link, "Location: /\r\n"));
  const auto at = link.bytes.find("Set-Cookie: ") + 12;
  const auto cookie = link.bytes.substr(at, link.bytes.find(';', at) - at);
  CHECK(status(a.get("/api/view", "Cookie: " + cookie + "\r\n")) == 200);
  CHECK(status(a.get("/api/view?token=correct-horse")) == 200);
}

TEST_CASE("http_responder: a token with signs of its own is read out of a link") {
  asked a{"a+b %&=/?"};
  CHECK(status(a.get("/api/view?x=1&token=a%2Bb+%25%26%3d/?")) == 200);
  for (const std::string wrong :
       {"", "token", "token=", "token=%", "token=%2", "token=a%2Bb+%25%26%3d/", "tokens=a%2Bb+%25%26%3d/?"})
    CHECK(status(a.get("/api/view?" + wrong)) == 401);
}

TEST_CASE("http_responder: without a token a name that was made to point here is not served") {
  asked a;
  const auto reply = a.raw("GET /metrics HTTP/1.1\r\nHost: evil.example:7480\r\n\r\n");
  CHECK(status(reply) == 403);
  CHECK_FALSE(has(reply, "dybw_"));
  CHECK(status(a.raw("GET /metrics HTTP/1.0\r\n\r\n")) == 403);
  CHECK(status(a.raw("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")) == 200);
}

TEST_CASE("http_responder: nonsense is answered or hung up on, never obeyed") {
  asked a;
  const std::string longest(9000, 'a');
  for (const std::string& head :
       {std::string{"\r\n\r\n"}, std::string{"GET\r\n\r\n"}, std::string{"GET /metrics\r\n\r\n"},
        std::string{"GET /metrics HTTP/9.9\r\nHost: localhost\r\n\r\n"},
        std::string{"BREW /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        "GET /" + longest + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + longest + "\r\n\r\n",
        std::string{"GET /"} + '\0' + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        std::string{"\x16\x03\x01\x02\r\n\r\n"}}) {
    CAPTURE(head);
    const auto reply = a.raw(head);
    CHECK(status(reply) != 200);
    CHECK(reply.close);
    CHECK_FALSE(has(reply, "dybw_"));
  }
}

TEST_CASE("http_responder: a head that is too long, in one line or in all") {
  asked a;
  const std::string longest(9000, 'a');
  CHECK(status(a.get("/" + longest)) == 414);
  CHECK(status(a.get("/healthz", "X: " + longest + "\r\n")) == 431);
  std::string many;
  while (many.size() < http_responder::head_bytes_max)
    many += "X: some\r\n";
  CHECK(status(a.raw(("GET /healthz HTTP/1.1\r\n" + many).substr(0, http_responder::head_bytes_max))) == 431);
}

TEST_CASE("http_responder: random bytes do no harm") {
  asked a;
  std::mt19937 random{7};
  const std::string alphabet = "GET /:?=&%\r\n\t\"\\,;HTP1.0metrics-\xff\x80";
  for (int i = 0; i < 5000; ++i) {
    std::string head = i % 2 == 0 ? "GET /metrics HTTP/1.1\r\nHost: localhost\r\n" : "";
    for (auto n = random() % 200; n > 0; --n)
      head += i % 3 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    a.raw(head + "\r\n\r\n");
  }
  CHECK(status(a.get("/healthz")) == 200);
}

TEST_CASE("http_responder: ranges are not served, so nobody makes work of one reply") {
  asked a;
  std::string many = "0-1";
  while (many.size() < 8000)
    many += ",0-1";
  for (const auto& ranges : {std::string{"0-10,20-30"}, many, std::string(8000, '1') + "-"}) {
    const auto reply = a.get("/metrics", "rANGE: bytes=" + ranges + "\r\n");
    CHECK(status(reply) == 200);
    CHECK(has(reply, "\ndybw_http_streams 0\n"));
  }
}

TEST_CASE("http_responder: replies are not compressed, and no body is asked for") {
  asked a;
  const auto reply = a.get("/metrics", "Accept-Encoding: br, gzip\r\nExpect: 100-continue\r\n");
  CHECK(status(reply) == 200);
  CHECK_FALSE(has(reply, "Content-Encoding"));
  CHECK_FALSE(has(reply, "100 Continue"));
}

TEST_CASE("http_responder: after wrong tokens an address is told to wait") {
  asked a{"correct-horse-battery"};
  for (int i = 0; i < http_access::guesses_at_once; ++i)
    CHECK(status(a.get("/", "Authorization: Bearer wrong\r\n")) == 401);
  const auto early = a.get("/", "Authorization: Bearer wrong\r\n");
  CHECK(status(early) == 429);
  CHECK(has(early, "\r\nRetry-After: 1\r\n"));
  CHECK(status(a.get("/healthz")) == 200);
  a.from = "10.0.0.2";
  CHECK(status(a.get("/metrics", "Authorization: Bearer correct-horse-battery\r\n")) == 200);
}

TEST_CASE("http_responder: /metrics says when certificates end, if there are any") {
  const auto views = [] { return std::make_shared<const run_view>(sample_view()); };
  http_responder with{{"127.0.0.1", 7480}, "", views, [] {
                        return std::vector<certificate_end>{{"a.example", 1'800'000'000}, {"b \"q\"", 1}};
                      }};
  const auto text = [](http_responder& r) {
    return std::string{r.answer("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "", false, {}, {}).body};
  };
  const auto shown = text(with);
  CHECK(shown.find("dybw_certificate_expiry_timestamp_seconds{certificate=\"a.example\"} 1800000000\n") !=
        std::string::npos);
  CHECK(shown.find("{certificate=\"b \\\"q\\\"\"} 1\n") != std::string::npos);
  http_responder without{{"127.0.0.1", 7480}, "", views};
  CHECK(text(without).find("certificate") == std::string::npos);
}

} // namespace dybw::test
