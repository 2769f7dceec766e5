#pragma once

#include "apps/web/http_address.hpp"
#include "apps/web/view_source.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace dybw {

/// What a request is answered with, as it goes over the connection.
struct http_reply {
  std::string bytes;
  bool close = false;  ///< no further request on this connection
  bool events = false; ///< server-sent events follow, until the connection closes
};

/// Figures about the connections, for `/metrics`.
struct http_load {
  std::size_t connections = 0;
  std::size_t streams = 0;       ///< of server-sent events
  std::uint64_t turned_away = 0; ///< connections closed for others' sake, or because they took too long
};

/// Of cpp-httplib.
const char* http_library_version();

/// Answers requests for the page, its assets, the view as JSON and as metrics: a function from the bytes of a
/// request to those of its reply, by cpp-httplib's parser. Knows no sockets, and reads no files: there are
/// only these few paths. Views and what is made of them are used again for a tenth of a second, so that a
/// flood of requests costs little. Not thread-safe.
class http_responder {
public:
  static constexpr std::size_t streams_max = 8;
  static constexpr std::size_t head_bytes_max = 16 * 1024;
  // What replies say of the connection, and whoever holds the connections keeps to:
  static constexpr unsigned requests_max = 1000;
  static constexpr unsigned idle_s_max = 30;
  using clock = std::chrono::steady_clock;

  /// `address` with the port that is listened on.
  http_responder(const endpoint& address, const std::string& token, view_source views);
  ~http_responder();
  http_responder(const http_responder&) = delete;
  http_responder& operator=(const http_responder&) = delete;

  /// `head` ends with the empty line behind the headers; bodies are not read, the reply then says `close`.
  /// `last`: keep the connection open for no further request.
  http_reply answer(const std::string& head, bool last, const http_load& load, clock::time_point now);

  /// The newest view as one server-sent event; shared by all streams.
  std::shared_ptr<const std::string> event(clock::time_point now);

private:
  class server; // cpp-httplib's names stay out of this header
  std::unique_ptr<server> server_;
};

} // namespace dybw
