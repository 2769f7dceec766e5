#pragma once

#include "apps/web/http_access.hpp"
#include "apps/web/view_source.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace dybw {

/// Text that replies share.
using shared_text = std::shared_ptr<const std::string>;

/// What a request is answered with, as it goes over the connection: the head, then the body.
struct http_reply {
  std::string head;
  std::string_view body;
  shared_text owner;   ///< of what `body` shows; none if that is part of the program
  bool close = false;  ///< no further request on this connection
  bool events = false; ///< server-sent events follow, until the connection closes
};

/// Figures about the connections, for `/metrics`.
struct http_load {
  std::size_t connections = 0;
  std::size_t streams = 0;       ///< of server-sent events
  std::uint64_t turned_away = 0; ///< connections closed for others' sake, or because they took too long
};

/// Answers requests for the page, its assets, the view as JSON and as metrics: a function from the bytes of a
/// request to those of its reply, by Boost.Beast's parser. Knows no sockets, and reads no files: there are
/// only these few paths. Views and what is made of them are used again for a tenth of a second and shared by
/// replies, so that a flood of requests costs little. Not thread-safe.
class http_responder {
public:
  static constexpr std::size_t streams_max = 8;
  static constexpr std::size_t head_bytes_max = 16 * 1024;
  // What replies say of the connection, and whoever holds the connections keeps to:
  static constexpr unsigned requests_max = 1000;
  static constexpr unsigned idle_s_max = 30;
  using clock = std::chrono::steady_clock;

  /// `address` with the port that is listened on.
  http_responder(const endpoint& address, const std::string& token, view_source views,
                 certificate_source certificates = {})
      : access_(address, token), views_(std::move(views)), certificates_(std::move(certificates)) {}

  /// `head` ends with the empty line behind the headers, or is `head_bytes_max` long and goes on; bodies are
  /// not read, the reply then says `close`. `from`: the visitor's address. `last`: keep the connection open
  /// for no further request. Throws what the source of views throws.
  http_reply answer(std::string_view head, const std::string& from, bool last, const http_load& load,
                    clock::time_point now);

  /// The newest view as one server-sent event; shared by all streams.
  shared_text event(clock::time_point now);

private:
  struct exchange; // Boost.Beast's names stay out of this header
  /// What was made of a view. That is kept, so that its address stays its own.
  struct remembered {
    std::shared_ptr<const run_view> of;
    shared_text text;
  };

  void route(exchange& x);
  void serve(exchange& x);
  shared_text metrics(const exchange& x);
  template <class Make>
  const shared_text& made_of_newest(remembered& last, clock::time_point now, Make make);

  http_access access_;
  view_source views_;
  certificate_source certificates_;
  std::shared_ptr<const run_view> newest_;
  clock::time_point newest_at_{};
  remembered json_;
  remembered metrics_;
  remembered event_;
  std::map<unsigned, std::uint64_t> replies_; ///< by status
};

} // namespace dybw
