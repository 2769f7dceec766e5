#include "apps/web/http_responder.hpp"

#include "apps/text/json_text.hpp"
#include "apps/web/view_json.hpp"
#include "apps/web/view_metrics.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <prometheus/text_serializer.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <limits>
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

namespace http = boost::beast::http;
using http::field;
using http::status;

constexpr auto reuse_for = std::chrono::milliseconds{100};
constexpr std::size_t line_bytes_max = 8 * 1024; ///< of the target, and of each header
/// Browsers try again after this many milliseconds of their own accord; the page has its own clock, too.
constexpr std::string_view events_begin = "retry: 1000\n\n";

struct asset {
  std::string_view path;
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
constexpr std::array<std::pair<const char*, const char*>, 6> standing_headers = {{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
}};

std::string tag_of(std::string_view content) {
  const auto sum = crc32_z(0, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  return "\"" + std::to_string(content.size()) + "-" + std::to_string(sum) + "\"";
}

/// Of a query: "a%20b+c" is "a b c".
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char code = 0;
    const auto digits = text.substr(i + 1, 2);
    if (text[i] == '%' && digits.size() == 2 &&
        std::from_chars(digits.data(), digits.data() + 2, code, 16).ptr == digits.data() + 2) {
      plain += static_cast<char>(code);
      i += 2;
    } else {
      plain += text[i] == '+' ? ' ' : text[i];
    }
  }
  return plain;
}

/// The value of the parameter `token` among "name=value&name=value".
std::optional<std::string> token_of(std::string_view query) {
  while (!query.empty()) {
    const auto one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    const auto name = one.substr(0, one.find('='));
    if (name == "token")
      return decoded(one.substr(std::min(name.size() + 1, one.size())));
  }
  return std::nullopt;
}

} // namespace

/// A request and what is made of it.
struct http_responder::exchange {
  const http::request<http::empty_body>& request;
  const std::string& from;
  const http_load& load;
  clock::time_point now;
  std::string_view path;
  std::string_view query;
  http::response<http::empty_body> response;
  http_reply reply;

  std::string header(field name) const {
    const auto value = request[name];
    return {value.begin(), value.end()};
  }
  void send(const char* type, std::string_view body, shared_text owner = nullptr) {
    response.set(field::content_type, type);
    reply.body = body;
    reply.owner = std::move(owner);
  }
  void send_new(const char* type, shared_text body) {
    response.set(field::cache_control, "no-store");
    send(type, *body, body);
  }
  void say(status result, const std::string& text) {
    response.result(result);
    send_new("text/plain; charset=utf-8", std::make_shared<const std::string>(text + "\n"));
  }
};

http_reply http_responder::answer(std::string_view head, const std::string& from, bool last,
                                  const http_load& load, clock::time_point now) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(head_bytes_max);
  parser.body_limit(std::numeric_limits<std::uint64_t>::max()); // none is read
  boost::system::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);

  const auto& request = parser.get();
  exchange x{request, from, load, now, {}, {}, {status::ok, 11}, {}};
  for (const auto& [name, value] : standing_headers)
    x.response.set(name, value);
  const std::string_view target{request.target().data(), request.target().size()};
  if (error == http::error::need_more || // it goes on
      std::any_of(request.begin(), request.end(),
                  [](const auto& header) { return header.value().size() > line_bytes_max; })) {
    x.say(status::request_header_fields_too_large, "This is more than a request needs.");
  } else if (error) {
    x.say(status::bad_request, "This is no request.");
  } else if (target.size() > line_bytes_max) {
    x.say(status::uri_too_long, "There is nothing here.");
  } else {
    x.path = target.substr(0, target.find('?'));
    x.query = target.substr(std::min(x.path.size() + 1, target.size()));
    route(x);
  }

  const auto result = x.response.result();
  ++replies_[x.response.result_int()];
  auto& reply = x.reply;
  reply.close =
      last || reply.events || x.response.result_int() >= 400 || !parser.is_done() || !request.keep_alive();
  x.response.set(field::connection, reply.close ? "close" : "keep-alive");
  if (!reply.close)
    x.response.set(field::keep_alive,
                   "timeout=" + std::to_string(idle_s_max) + ", max=" + std::to_string(requests_max));
  if (!reply.events && result != status::not_modified)
    x.response.content_length(reply.body.size());
  reply.head = boost::beast::buffers_to_string(
      http::fields::writer{x.response, x.response.version(), x.response.result_int()}.get());
  if (request.method() == http::verb::head)
    reply.body = {}, reply.events = false;
  else if (reply.events)
    reply.head += events_begin;
  return std::move(reply);
}

void http_responder::route(exchange& x) {
  if (x.request.method() != http::verb::get && x.request.method() != http::verb::head) {
    x.response.set(field::allow, "GET, HEAD");
    return x.say(status::method_not_allowed, "Only GET and HEAD.");
  }
  if (x.path == "/healthz") // for whoever watches over the process: says nothing else
    return x.say(status::ok, "ok");
  switch (access_.judge({x.from, x.header(field::host), x.header(field::authorization),
                         x.header(field::cookie), token_of(x.query)},
                        x.now)) {
  case http_access::verdict::too_soon:
    x.response.set(field::retry_after, "1");
    return x.say(status::too_many_requests,
                 "Too many wrong tokens came from this address: one more per second is looked at.");
  case http_access::verdict::refused:
    x.response.set(field::www_authenticate, "Bearer");
    return x.say(status::unauthorized,
                 "This needs the run's token: open /?token=TOKEN once, or send the header\n"
                 "Authorization: Bearer TOKEN");
  case http_access::verdict::wrong_host:
    return x.say(status::forbidden, "The header Host does not name this machine.");
  case http_access::verdict::granted_by_link:
    x.response.set(field::set_cookie, access_.cookie());
    if (x.path == "/") { // the token leaves the address bar and the history
      x.response.result(status::see_other);
      x.response.set(field::cache_control, "no-store");
      return x.response.set(field::location, "/");
    }
    break;
  case http_access::verdict::granted:
    break;
  }
  serve(x);
}

void http_responder::serve(exchange& x) {
  if (x.path == "/api/events") {
    if (x.load.streams >= streams_max) {
      x.response.set(field::retry_after, "10");
      return x.say(status::service_unavailable, "As many pages as can be served look on already.");
    }
    x.reply.events = true;
    return x.send_new("text/event-stream", event(x.now));
  }
  if (x.path == "/api/view")
    return x.send_new("application/json", made_of_newest(json_, x.now, [](const run_view& view) {
                        return json_text(to_json(view)) + "\n";
                      }));
  if (x.path == "/metrics")
    return x.send_new("text/plain; version=0.0.4; charset=utf-8", metrics(x));
  const auto* page = std::ranges::find(pages, x.path, &asset::path);
  if (page == pages.end())
    return x.say(status::not_found,
                 "There is nothing here; see /, /api/view, /api/events, /metrics and /healthz.");
  const auto tag = tag_of(page->content());
  x.response.set(field::etag, tag);
  x.response.set(field::cache_control, "no-cache"); // ask each time, so that an upgrade shows at once
  if (x.header(field::if_none_match) == tag)
    x.response.result(status::not_modified);
  else
    x.send(page->type, page->content());
}

shared_text http_responder::event(clock::time_point now) {
  return made_of_newest(
      event_, now, [](const run_view& view) { return "event: view\ndata: " + page_json(view) + "\n\n"; });
}

/// The view's, and with them the server's own.
shared_text http_responder::metrics(const exchange& x) {
  const prometheus::TextSerializer text;
  const auto& of_view = made_of_newest(
      metrics_, x.now, [&](const run_view& view) { return text.Serialize(view_metrics(view)); });
  using enum prometheus::MetricType;
  std::vector<prometheus::MetricFamily> own;
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type, auto value) -> auto& {
    prometheus::ClientMetric metric;
    metric.counter.value = metric.gauge.value = static_cast<double>(value);
    if (own.empty() || own.back().name != name)
      own.push_back({name, help, type, {}});
    return own.back().metric.emplace_back(std::move(metric));
  };
  for (const auto& [code, count] : replies_)
    add("dybw_http_responses_total", "Replies to HTTP requests, by status code", Counter, count).label = {
        {"code", std::to_string(code)}};
  add("dybw_http_connections", "Open HTTP connections", Gauge, x.load.connections);
  add("dybw_http_streams", "Pages that are being sent events", Gauge, x.load.streams);
  add("dybw_http_connections_turned_away_total",
      "HTTP connections closed to make room for others, or because they took too long", Counter,
      x.load.turned_away);
  if (certificates_)
    for (const auto& [name, end] : certificates_())
      add("dybw_certificate_expiry_timestamp_seconds",
          "When a certificate ends that this process shows or was shown, in Unix time", Gauge, end)
          .label = {{"certificate", name}};
  return std::make_shared<const std::string>(*of_view + text.Serialize(own));
}

template <class Make>
const shared_text& http_responder::made_of_newest(remembered& last, clock::time_point now, Make make) {
  if (!newest_ || now - newest_at_ >= reuse_for) {
    newest_ = views_();
    assert(newest_);
    newest_at_ = now;
  }
  if (last.of != newest_)
    last = {newest_, std::make_shared<const std::string>(make(*newest_))};
  return last.text;
}

} // namespace dybw
