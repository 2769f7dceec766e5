#include "apps/web/http_responder.hpp"

#include "apps/text/json_text.hpp"
#include "apps/web/http_access.hpp"
#include "apps/web/view_json.hpp"
#include "apps/web/view_metrics.hpp"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <zlib.h>

#include <strings.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <string_view>
#include <utility>

namespace dybw {

namespace assets {

std::string_view base_css();
std::string_view base_js();
std::string_view chart_js();
std::string_view dashboard_css();
std::string_view dashboard_html();
std::string_view dashboard_js();

} // namespace assets

namespace {

using clock = http_responder::clock;

constexpr auto reuse_for = std::chrono::milliseconds{100};
constexpr const char* plain = "text/plain; charset=utf-8";
constexpr const char* events_path = "/api/events";
/// Browsers try again after this many milliseconds of their own accord; the page has its own clock, too.
constexpr std::string_view events_begin = "retry: 1000\n\n";

struct asset {
  const char* path;
  const char* type;
  std::string_view (*content)();
};
constexpr std::array pages = {
    asset{"/", "text/html; charset=utf-8", assets::dashboard_html},
    asset{"/assets/base.css", "text/css; charset=utf-8", assets::base_css},
    asset{"/assets/base.js", "text/javascript; charset=utf-8", assets::base_js},
    asset{"/assets/chart.js", "text/javascript; charset=utf-8", assets::chart_js},
    asset{"/assets/dashboard.css", "text/css; charset=utf-8", assets::dashboard_css},
    asset{"/assets/dashboard.js", "text/javascript; charset=utf-8", assets::dashboard_js},
};

/// What every reply carries: nothing from elsewhere runs, is shown or sent, and nobody frames or embeds the
/// page.
httplib::Headers standing_headers() {
  return {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"}};
}

/// A request in memory, and the reply to it, as cpp-httplib wants to see them.
class exchange final : public httplib::Stream {
public:
  explicit exchange(std::string_view request) : rest_(request) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const auto n = std::min(size, rest_.size());
    std::memcpy(to, rest_.data(), n);
    rest_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, std::size_t size) override {
    reply.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; } // looked at for being small enough only

  std::string reply;

private:
  std::string_view rest_;
};

/// The head without headers that would only make work: the parser matches `Range` with a recursive regular
/// expression, compressing costs more processor time than a run should lose, and bodies are not awaited.
std::string without_extras(std::string_view head) {
  static constexpr std::array<std::string_view, 3> extras = {"range:", "accept-encoding:", "expect:"};
  const auto begins = [](std::string_view line, std::string_view name) {
    return line.size() >= name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0;
  };
  std::string kept;
  while (!head.empty()) {
    const auto end = head.find('\n');
    const auto line = head.substr(0, end == std::string_view::npos ? end : end + 1);
    head.remove_prefix(line.size());
    if (std::ranges::none_of(extras, [&](std::string_view name) { return begins(line, name); }))
      kept += line;
  }
  return kept;
}

std::string tag_of(std::string_view content) {
  const auto sum = crc32_z(0, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  return "\"" + std::to_string(content.size()) + "-" + std::to_string(sum) + "\"";
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Transfer-Encoding") ||
         (request.has_header("Content-Length") && request.get_header_value("Content-Length") != "0");
}

/// Something made of the newest view, and when.
template <class T>
struct remembered {
  std::shared_ptr<const run_view> of; ///< kept, so that its address stays its own
  T value{};
};

} // namespace

/// All requests pass `route`; nothing is registered with cpp-httplib, neither patterns nor folders.
class http_responder::server : private httplib::Server {
public:
  server(const endpoint& address, const std::string& token, view_source views)
      : access_(address, token), views_(std::move(views)),
        responses_(prometheus::BuildCounter()
                       .Name("dybw_http_responses_total")
                       .Help("Replies to HTTP requests, by status code")
                       .Register(own_)) {
    set_default_headers(standing_headers());
    set_keep_alive_timeout(idle_s_max);
    set_keep_alive_max_count(requests_max);
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      route(request, response);
      return HandlerResponse::Handled;
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      response.status = 500; // the default would tell what went wrong inside
    });
    set_logger([this](const httplib::Request&, const httplib::Response& response) { note(response.status); });
  }

  http_reply answer(const std::string& head, bool last, const http_load& load, clock::time_point now) {
    load_ = load;
    now_ = now;
    reply_ = {};
    status_ = 0;
    const auto plain_head = without_extras(head);
    exchange both{plain_head};
    const auto close = last || head.starts_with(std::string{"GET "} + events_path);
    const auto closing = process(both, close, [this](httplib::Request& request) {
      request.headers.erase(
          "Accept-Encoding"); // compressing costs more processor time than a run should lose
      request.ranges.clear();
      reply_.close = request.method != "GET" && request.method != "HEAD";
      reply_.close = reply_.close || has_body(request);
    });
    reply_.bytes = std::move(both.reply);
    reply_.close = reply_.close || close || closing || status_ == 0 || status_ >= 400 || reply_.bytes.empty();
    if (reply_.events) {
      reply_.bytes += events_begin;
      reply_.bytes += *event(now);
    }
    return std::move(reply_);
  }

  std::shared_ptr<const std::string> event(clock::time_point now) {
    const auto newest = view(now);
    if (event_.of != newest)
      event_ = {newest, std::make_shared<std::string>("event: view\ndata: " + page_json(*newest) + "\n\n")};
    return event_.value;
  }

private:
  /// The signature has changed from version 0.11, that of Debian 12, to 0.18, that of Debian 13. Returns
  /// whether the connection ends with this reply.
  template <class Setup>
  bool process(exchange& both, bool close, Setup setup) {
    auto closed = false;
    const auto go_on = [&] {
      if constexpr (requires(server & s) { s.process_request(both, close, closed, setup); })
        return this->process_request(both, close, closed, setup);
      else
        return this->process_request(both, std::string{}, 0, std::string{}, 0, close, closed, setup);
    }();
    return closed || !go_on;
  }

  void note(int status) {
    status_ = status;
    responses_.Add({{"code", std::to_string(status)}}).Increment();
  }

  void say(httplib::Response& response, int status, const std::string& text) const {
    response.status = status;
    response.set_header("Cache-Control", "no-store");
    response.set_content(text + "\n", plain);
  }

  void route(const httplib::Request& request, httplib::Response& response) {
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      return say(response, 405, "Only GET and HEAD.");
    }
    if (request.path == "/healthz") // for whoever watches over the process: says nothing else
      return say(response, 200, "ok");
    http_credentials who{request.get_header_value("Host"), request.get_header_value("Authorization"),
                         request.get_header_value("Cookie"), std::nullopt};
    if (request.has_param("token"))
      who.token = request.get_param_value("token");
    switch (access_.judge(who)) {
    case http_access::verdict::refused:
      response.set_header("WWW-Authenticate", "Bearer");
      return say(response, 401,
                 "This needs the run's token: open /?token=TOKEN once, or send the header\n"
                 "Authorization: Bearer TOKEN");
    case http_access::verdict::wrong_host:
      return say(response, 403, "The header Host does not name this machine.");
    case http_access::verdict::granted_by_link:
      response.set_header("Set-Cookie", access_.cookie());
      if (request.path == "/") { // the token leaves the address bar and the history
        response.set_header("Cache-Control", "no-store");
        return response.set_redirect("/", 303);
      }
      break;
    case http_access::verdict::granted:
      break;
    }
    serve(request, response);
  }

  void serve(const httplib::Request& request, httplib::Response& response) {
    if (request.path == events_path)
      return serve_events(request, response);
    if (request.path == "/api/view" || request.path == "/metrics") {
      response.status = 200;
      response.set_header("Cache-Control", "no-store");
      if (request.path == "/metrics")
        response.set_content(metrics(), "text/plain; version=0.0.4; charset=utf-8");
      else
        response.set_content(json(), "application/json");
      return;
    }
    for (const auto& page : pages)
      if (request.path == page.path)
        return serve_asset(page, request, response);
    say(response, 404, "There is nothing here; see /, /api/view, /api/events, /metrics and /healthz.");
  }

  void serve_events(const httplib::Request& request, httplib::Response& response) {
    if (load_.streams >= streams_max) {
      response.set_header("Retry-After", "10");
      return say(response, 503, "As many pages as can be served look on already.");
    }
    response.status = 200;
    response.set_header("Cache-Control", "no-store");
    if (request.method == "HEAD")
      return response.set_content("", "text/event-stream");
    reply_.events = true;
    // Only the head is wanted of cpp-httplib, one without a length; the events follow as they come.
    response.set_content_provider("text/event-stream", [](std::size_t, httplib::DataSink&) { return false; });
  }

  static void serve_asset(const asset& page, const httplib::Request& request, httplib::Response& response) {
    const auto content = page.content();
    const auto tag = tag_of(content);
    response.set_header("ETag", tag);
    response.set_header("Cache-Control", "no-cache"); // ask each time, so that an upgrade shows at once
    if (request.get_header_value("If-None-Match") == tag) {
      response.status = 304;
      return;
    }
    response.status = 200;
    response.set_content(content.data(), content.size(), page.type);
  }

  std::shared_ptr<const run_view> view(clock::time_point now) {
    if (!newest_ || now - newest_at_ >= reuse_for) {
      newest_ = views_();
      assert(newest_);
      newest_at_ = now;
    }
    return newest_;
  }

  const std::string& json() {
    const auto newest = view(now_);
    if (json_.of != newest)
      json_ = {newest, json_text(to_json(*newest)) + "\n"};
    return json_.value;
  }

  std::string metrics() {
    const prometheus::TextSerializer text;
    const auto newest = view(now_);
    if (metrics_.of != newest)
      metrics_ = {newest, text.Serialize(view_metrics(*newest))};
    auto own = own_.Collect();
    const auto add = [&](const char* name, const char* help, prometheus::MetricType type, auto value) {
      prometheus::ClientMetric metric;
      metric.counter.value = metric.gauge.value = static_cast<double>(value);
      own.push_back({name, help, type, {metric}});
    };
    using enum prometheus::MetricType;
    add("dybw_http_connections", "Open HTTP connections", Gauge, load_.connections);
    add("dybw_http_streams", "Pages that are being sent events", Gauge, load_.streams);
    add("dybw_http_connections_turned_away_total",
        "HTTP connections closed to make room for others, or because they took too long", Counter,
        load_.turned_away);
    return metrics_.value + text.Serialize(own);
  }

  http_access access_;
  view_source views_;
  prometheus::Registry own_;
  prometheus::Family<prometheus::Counter>& responses_;

  std::shared_ptr<const run_view> newest_;
  clock::time_point newest_at_{};
  remembered<std::string> json_;
  remembered<std::string> metrics_;
  remembered<std::shared_ptr<const std::string>> event_;

  // Of the request in progress:
  http_load load_;
  clock::time_point now_{};
  http_reply reply_;
  int status_ = 0;
};

http_responder::http_responder(const endpoint& address, const std::string& token, view_source views)
    : server_(std::make_unique<server>(address, token, std::move(views))) {}

http_responder::~http_responder() = default;

http_reply http_responder::answer(const std::string& head, bool last, const http_load& load,
                                  clock::time_point now) {
  return server_->answer(head, last, load, now);
}

std::shared_ptr<const std::string> http_responder::event(clock::time_point now) {
  return server_->event(now);
}

const char* http_library_version() {
  return CPPHTTPLIB_VERSION;
}

} // namespace dybw
