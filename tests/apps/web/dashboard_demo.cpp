#include "apps/web/http_server.hpp"
#include "tests/apps/web/moving_view.hpp"

#include <chrono>
#include <cstdio>
#include <iostream>

/// For work on the web page: serves the moving sample until standard input ends.
///
///     dashboard_demo [ADDRESS:PORT [WORKERS]]
int main(int count, char** arguments) {
  using namespace dybw;
  const auto begin = std::chrono::steady_clock::now();
  const std::string address = count > 1 ? arguments[1] : "127.0.0.1:7480";
  const auto workers = static_cast<std::size_t>(count > 2 ? std::stoul(arguments[2]) : 8);
  try {
    const http_server server{{parse_endpoint(address), ""}, [&] {
                               const std::chrono::duration<double> t =
                                   std::chrono::steady_clock::now() - begin;
                               return std::make_shared<const run_view>(moving_view(t.count(), workers));
                             }};
    std::cout << "http://" << to_string(server.address()) << "/\n" << std::flush;
    while (std::getchar() != EOF) {
    }
  } catch (const std::exception& error) {
    std::cerr << "dashboard_demo: error: " << error.what() << '\n';
    return 2;
  }
}
