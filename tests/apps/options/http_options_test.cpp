#include "apps/options/http_options.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace dybw::test {

namespace {

constexpr const char* variable = "DYBW_HTTP_TOKEN";

std::optional<http_options> read(const std::vector<std::string>& arguments) {
  static const auto known = http_option_group();
  option_values given{known, "dybw monitor"};
  given.add_arguments(arguments);
  return read_http(given);
}

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    read(arguments);
  } catch (const input_error& error) {
    CHECK(error.fault() == input_fault::configuration);
    return error.what();
  }
  return "";
}

/// The environment as if nobody had set the token.
struct without_variable {
  without_variable() { ::unsetenv(variable); }
  ~without_variable() { ::unsetenv(variable); }
};

} // namespace

TEST_CASE_FIXTURE(without_variable, "http_options: nothing is served unless asked for") {
  CHECK_FALSE(read({}));
}

TEST_CASE_FIXTURE(without_variable, "http_options: loopback needs no token") {
  const auto options = read({"--http=127.0.0.1:7480"});
  REQUIRE(options);
  CHECK(options->address == endpoint{"127.0.0.1", 7480});
  CHECK(options->token.empty());
  CHECK(read({"--http=localhost:0"}));
  CHECK(read({"--http=[::1]:7480"}));
}

TEST_CASE_FIXTURE(without_variable, "http_options: beyond loopback a token is needed") {
  CHECK(refusal({"--http=0.0.0.0:7480"}) ==
        "--http=0.0.0.0:7480 can be reached from other machines, so it needs a token; set the environment "
        "variable DYBW_HTTP_TOKEN or --http-token, or listen on 127.0.0.1");
  const auto options = read({"--http=0.0.0.0:7480", "--http-token=correct-horse-battery"});
  REQUIRE(options);
  CHECK(options->token == "correct-horse-battery");
}

TEST_CASE_FIXTURE(without_variable, "http_options: beyond loopback a token has at least 16 characters") {
  CHECK(refusal({"--http=0.0.0.0:7480", "--http-token=fifteen-letters"}) ==
        "--http=0.0.0.0:7480 can be reached from other machines, so its token needs at least 16 characters; "
        "set "
        "DYBW_HTTP_TOKEN to what \"openssl rand -hex 16\" prints, or listen on 127.0.0.1");
  CHECK(refusal({"--http=a.example:7480", "--http-token=x"}) != "");
  CHECK(read({"--http=0.0.0.0:7480", "--http-token=sixteen-letters!"})->token == "sixteen-letters!");
  CHECK(read({"--http=127.0.0.1:7480", "--http-token=x"})->token == "x");
}

TEST_CASE_FIXTURE(without_variable,
                  "http_options: the token may come from the environment, the option wins") {
  ::setenv(variable, "from-the-environment", 1);
  CHECK(read({"--http=0.0.0.0:7480"})->token == "from-the-environment");
  CHECK(read({"--http=0.0.0.0:7480", "--http-token=given-as-an-option"})->token == "given-as-an-option");
  ::setenv(variable, "", 1);
  CHECK(refusal({"--http=0.0.0.0:7480"}) != "");
}

TEST_CASE_FIXTURE(without_variable,
                  "http_options: tokens that cannot travel are refused without showing them") {
  for (const std::string& token :
       {std::string{"two words"}, std::string{"caf\xc3\xa9"}, std::string(2000, 'a')}) {
    const auto line = refusal({"--http=127.0.0.1:7480", "--http-token=" + token});
    CHECK(line.find("the token of the web page is not usable, --http-token; give ") == 0);
    CHECK(line.find(token) == std::string::npos);
  }
  ::setenv(variable, "two words", 1);
  CHECK(refusal({"--http=127.0.0.1:7480"}) != "");
}

TEST_CASE_FIXTURE(without_variable,
                  "http_options: a token without an address, and an address without a port") {
  CHECK(refusal({"--http-token=s3cret"}) ==
        "--http-token protects nothing without --http; add --http ADDRESS:PORT");
  CHECK(refusal({"--http=7480"}) != "");
}

} // namespace dybw::test
