#include "apps/options/http_options.hpp"

#include "actors/transport/address.hpp"
#include "apps/options/option_group.hpp"

#include <algorithm>
#include <cstdlib>

namespace po = boost::program_options;

namespace dybw {

namespace {

constexpr std::size_t token_bytes_max = 1024;

/// It travels in a header, and as a query parameter that people type.
void check_token(const std::string& token, const std::string& where) {
  const auto fits = std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
  if (fits && !token.empty() && token.size() <= token_bytes_max)
    return;
  throw input_error{input_fault::configuration,
                    "the token of the web page is " + std::string(token.empty() ? "empty" : "not usable"),
                    where,
                    "give up to 1,024 letters, digits and signs without spaces, for example what "
                    "\"openssl rand -hex 16\" prints"};
}

} // namespace

po::options_description http_option_group() {
  auto list = option_group("Web page and metrics");
  list.add_options()("http", text_value("ADDRESS:PORT"),
                     "serve a web page of the run, with /metrics for Prometheus; 127.0.0.1:7480 shows it on "
                     "this machine only")("http-token", text_value("TOKEN"),
                                          "what visitors must know, needed beyond loopback, there of at "
                                          "least 16 characters; better given as environment variable "
                                          "DYBW_HTTP_TOKEN, which others on this machine cannot read");
  return list;
}

std::optional<http_options> read_http(const option_values& given) {
  if (!given.given("http")) {
    if (given.given("http-token"))
      throw input_error{input_fault::configuration, "--http-token protects nothing without --http", "",
                        "add --http ADDRESS:PORT"}; // `refuse` would show the token
    return std::nullopt;
  }
  http_options options;
  const auto& text = given.text("http");
  options.address = given.reading("http", [&] { return parse_endpoint(text); });
  const auto* const from_environment = std::getenv("DYBW_HTTP_TOKEN");
  if (given.given("http-token")) {
    options.token = given.text("http-token");
    check_token(options.token, "--http-token");
  } else if (from_environment != nullptr && *from_environment != '\0') {
    options.token = from_environment;
    check_token(options.token, "DYBW_HTTP_TOKEN");
  }
  if (options.token.empty() && !is_loopback(options.address.host))
    given.refuse("http", "can be reached from other machines, so it needs a token",
                 "set the environment variable DYBW_HTTP_TOKEN or --http-token, or listen on 127.0.0.1");
  if (options.token.size() < remote_token_bytes_min && !is_loopback(options.address.host))
    given.refuse("http", "can be reached from other machines, so its token needs at least 16 characters",
                 "set DYBW_HTTP_TOKEN to what \"openssl rand -hex 16\" prints, or listen on 127.0.0.1");
  return options;
}

} // namespace dybw
