#include "apps/web/http_server.hpp"
#include "learning/base/error.hpp"
#include "tests/apps/web/raw_client.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>

namespace dybw::test {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

std::string request(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

struct answered {
  int status;
  std::string body;
};

/// Serves the sample on a free port of loopback.
struct served {
  explicit served(std::size_t workers = 8, const std::string& token = "")
      : view(std::make_shared<const run_view>(sample_view(workers))),
        server(std::make_unique<http_server>(http_options{{"127.0.0.1", 0}, token},
                                             [this] {
                                               ++views;
                                               return std::make_shared<const run_view>(*view);
                                             })),
        address(server->address()) {}

  /// Nothing if there is no reply, or none of the length that it announces.
  std::optional<answered> get(const std::string& path, const std::string& headers = "") const {
    raw_client client{address};
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n");
    const auto text = client.receive_all(5s);
    const auto head = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.1 ") || head == std::string::npos ||
        text.find("\r\nContent-Length: " + std::to_string(text.size() - head - 4) + "\r\n") > head)
      return std::nullopt;
    return answered{std::stoi(text.substr(9)), text.substr(head + 4)};
  }
  bool answers(const std::string& path) const {
    const auto reply = get(path);
    return reply && reply->status == 200;
  }

  std::atomic<int> views = 0;
  std::shared_ptr<const run_view> view;
  std::unique_ptr<http_server> server;
  endpoint address;
};

std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
    ++n;
  return n;
}

/// Connections of which one end each is in this process need twice as many descriptors as the default allows.
bool allow_descriptors(rlim_t n) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, n));
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= n;
}

std::string refusal(const endpoint& address, const std::string& token, input_fault expected) {
  try {
    const http_server server{{address, token}, [] { return std::make_shared<const run_view>(); }};
  } catch (const input_error& error) {
    CHECK(error.fault() == expected);
    return error.what();
  }
  return "";
}

double seconds_of(const std::function<void()>& work) {
  const auto begin = clock::now();
  work();
  return std::chrono::duration<double>(clock::now() - begin).count();
}

} // namespace

TEST_CASE("http_server: serves the page, the view, metrics and its health") {
  const served s;
  CHECK(s.address.port != 0);
  for (const std::string path : {"/", "/api/view", "/metrics", "/healthz"}) {
    CAPTURE(path);
    CHECK(s.answers(path));
  }
  CHECK(s.get("/secrets")->status == 404);
}

TEST_CASE("http_server: several requests on one connection, also sent at once") {
  const served s;
  raw_client client{s.address};
  client.send(request("/healthz") + request("/healthz") + request("/no-such-path"));
  const auto text = client.receive_all(5s);
  CHECK(text.find("200 OK") != std::string::npos);
  CHECK(text.find("200 OK") != text.rfind("200 OK"));
  CHECK(text.find("404 Not Found") != std::string::npos);
}

TEST_CASE("http_server: a request in pieces, and one from a client that says nothing more after it") {
  const served s;
  raw_client pieces{s.address};
  for (const char c : request("/healthz"))
    pieces.send(std::string(1, c));
  CHECK(pieces.receive("ok\n", 5s).find("200 OK") != std::string::npos);
  raw_client half{s.address};
  half.send(request("/metrics"));
  half.end_of_requests();
  CHECK(half.receive_all(5s).find("dybw_parts 1\n") != std::string::npos);
}

TEST_CASE("http_server: a wrong token gets nothing, the right one everything") {
  const served s{8, "correct-horse"};
  CHECK(s.get("/metrics")->status == 401);
  CHECK(s.get("/metrics", "Authorization: Bearer wrong\r\n")->status == 401);
  CHECK(s.get("/metrics", "Authorization: Bearer correct-horse\r\n")->status == 200);
  CHECK(s.get("/healthz")->status == 200);
}

TEST_CASE("http_server: events come at once and again, at most twice per second, and end with their reader") {
  served s;
  {
    raw_client reader{s.address};
    reader.send(request("/api/events"));
    std::vector<clock::time_point> at;
    CHECK(reader.receive("\n\nevent: view\ndata: {", 5s).find("text/event-stream") != std::string::npos);
    for (int i = 0; i < 3; ++i) {
      CHECK(reader.receive("\n\nevent: view\ndata: {", 5s).find("\"policy\":\"dtur\"") != std::string::npos);
      at.push_back(clock::now());
    }
    CHECK(at.back() - at.front() > 900ms);
    CHECK(at.back() - at.front() < 3s);
  }
  const auto streams = [&] {
    return s.get("/metrics")->body.find("\ndybw_http_streams 0\n") != std::string::npos;
  };
  auto gone = false;
  for (int i = 0; i < 50 && !gone; ++i)
    gone = streams();
  CHECK(gone);
}

TEST_CASE("http_server: eight pages may look on, the ninth is told so") {
  const served s;
  std::vector<raw_client> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back(s.address).send(request("/api/events"));
    CHECK(readers.back().receive("event: view", 5s).find("200 OK") != std::string::npos);
  }
  CHECK(s.get("/api/events")->status == 503);
  CHECK(s.answers("/metrics"));
}

TEST_CASE("http_server: stops at once, also with streams and idle connections open") {
  served s;
  std::vector<raw_client> open;
  for (int i = 0; i < 8; ++i) {
    open.emplace_back(s.address).send(request("/api/events"));
    open.back().receive("event: view", 5s);
    open.emplace_back(s.address);
  }
  CHECK(seconds_of([&] { s.server.reset(); }) < 1);
  for (auto& client : open)
    CHECK(client.is_closed(2s));
}

TEST_CASE("http_server: the port is free again at once") {
  auto s = std::make_unique<served>();
  raw_client reader{s->address};
  reader.send(request("/api/events"));
  reader.receive("event: view", 5s);
  const auto address = s->address;
  s.reset();
  CHECK(refusal(address, "", input_fault::network) == "");
}

TEST_CASE("http_server: a port that is taken, an address of somebody else and one that does not exist") {
  const served s;
  CHECK(refusal(s.address, "", input_fault::network).find("cannot serve HTTP on 127.0.0.1:") == 0);
  CHECK(refusal({"192.0.2.1", 0}, "token", input_fault::configuration) != "");
  CHECK(refusal({"no-such-host.invalid", 0}, "token", input_fault::configuration) != "");
}

TEST_CASE("http_server: an address that others can reach needs a token, whatever checked the options") {
  CHECK(refusal({"0.0.0.0", 0}, "", input_fault::configuration).find("needs a token") != std::string::npos);
  CHECK(refusal({"0.0.0.0", 0}, "fifteen-letters", input_fault::configuration) != "");
  CHECK(refusal({"0.0.0.0", 0}, "sixteen-letters!", input_fault::configuration) == "");
  CHECK(refusal({"127.0.0.1", 0}, "x", input_fault::configuration) == "");
}

TEST_CASE("http_server: malformed requests are hung up on, and others do not notice") {
  const served s;
  for (const std::string& nonsense :
       {std::string{"\r\n\r\n"}, std::string{"nonsense\r\n\r\n"}, std::string(100'000, 'x'),
        "GET / HTTP/1.1\r\n" + std::string(30'000, 'x'), std::string("\0\1\2\3\r\n\r\n", 8),
        std::string{"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"}}) {
    raw_client client{s.address};
    client.send(nonsense);
    CHECK(client.receive_all(5s).find("dybw_") == std::string::npos);
    CHECK(client.is_closed(5s));
    CHECK(s.answers("/healthz"));
  }
}

TEST_CASE("http_server: a head without end is answered, and hung up on") {
  const served s;
  raw_client client{s.address};
  client.send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
  CHECK(client.receive_all(5s).starts_with("HTTP/1.1 431 "));
}

TEST_CASE("http_server: what fails inside costs one connection, and the next is served") {
  std::atomic<bool> fails = true;
  const http_server server{{{"127.0.0.1", 0}, ""}, [&] {
                             return fails ? throw std::bad_alloc{}
                                          : std::make_shared<const run_view>(sample_view());
                           }};
  raw_client first{server.address()}, second{server.address()}, watcher{server.address()};
  first.send(request("/api/view"));
  CHECK(first.receive_all(5s) == "");
  CHECK(first.is_closed(5s));
  second.send(request("/healthz"));
  CHECK(second.receive("ok\n", 5s).starts_with("HTTP/1.1 200 "));
  fails = false;
  watcher.send(request("/api/events"));
  CHECK(watcher.receive("}\n\n", 5s) != "");
  fails = true;
  CHECK(watcher.receive("}\n\n", 700ms) == ""); // no view, no event
  fails = false;
  CHECK(watcher.receive("}\n\n", 5s) != "");
  second.send(request("/api/view"));
  CHECK(second.receive("dtur", 5s).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("http_server: two thousand open connections and readers that do not read leave room for others") {
  if (!allow_descriptors(6000)) {
    MESSAGE("skipped: this user may not open 6,000 files");
    return;
  }
  const served s{1000};
  std::vector<raw_client> slow;
  for (int i = 0; i < 4; ++i) { // ask for megabytes and take nothing
    slow.emplace_back(s.address, 4096);
    for (int k = 0; k < 20; ++k)
      slow.back().send(request("/metrics"));
  }
  raw_client watcher{s.address, 4096};
  watcher.send(request("/api/events"));
  const auto before = open_descriptors();
  std::vector<raw_client> idle;
  const auto opened = seconds_of([&] {
    for (int i = 0; i < 2000; ++i) {
      idle.emplace_back(s.address);
      if (i % 3 == 0)
        idle.back().send("GET /metrics HT"); // and never goes on
      if (i % 500 == 499)
        CHECK(s.answers("/healthz"));
    }
  });
  CHECK(opened < 20);
  CHECK(seconds_of([&] { CHECK(s.answers("/healthz")); }) < 3);
  CHECK(seconds_of([&] { CHECK(s.answers("/metrics")); }) < 3);
  CHECK(open_descriptors() < before + 2000 + 300); // the server's own share is bounded
  CHECK(s.get("/metrics")->body.find("\ndybw_http_connections_turned_away_total 0\n") == std::string::npos);
}

TEST_CASE("http_server: a slow reader is sent fewer views, not old ones") {
  served s{1000};
  raw_client slow{s.address, 4096};
  slow.send(request("/api/events"));
  raw_client quick{s.address};
  quick.send(request("/api/events"));
  for (int i = 0; i < 4; ++i) // four views later the slow one still has not read the first
    CHECK(quick.receive("}\n\n", 5s) != "");
  CHECK(s.answers("/healthz"));
  const auto first = slow.receive("}\n\n", 5s);
  CHECK(first.find("event: view") != std::string::npos);
}

} // namespace dybw::test
