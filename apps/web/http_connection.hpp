#pragma once

#include "apps/web/http_responder.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <functional>

namespace dybw {

/// One visitor's TCP connection, on the one thread that runs its I/O context. Requests come in and replies go
/// out, one after the other. What goes wrong, also in making a reply, ends the connection and nothing else.
class http_connection : public std::enable_shared_from_this<http_connection> {
public:
  using clock = http_responder::clock;
  /// As `http_responder::answer`.
  using answerer = std::function<http_reply(std::string_view head, const std::string& from, bool last)>;

  enum class phase {
    reading,   ///< waits for a request, or for the rest of one
    replying,  ///< has a reply to send
    streaming, ///< is sent events as they come
    draining,  ///< all is said; reads what the visitor still sends, for without that it might lose the reply
    over,
  };

  /// `answer` outlives the connection.
  http_connection(boost::asio::ip::tcp::socket socket, const answerer& answer);

  void read_request();
  /// The next event, left out if the one before is not yet sent: a slow reader sees fewer.
  void send_event(const shared_text& newest);
  void end();

  phase now() const noexcept { return phase_; }
  /// Of the reply that is on its way, in bytes; all of it counts until all is sent.
  std::size_t unsent() const noexcept { return out_.head.size() + out_.body.size(); }
  clock::time_point since() const noexcept { return since_; } ///< the last time that it got on
  bool is_late(clock::time_point now) const;

private:
  template <class Work>
  auto then(Work work);
  void reply();
  void send(http_reply reply);
  void go_on();
  void discard();
  void enter(phase next);

  boost::asio::ip::tcp::socket socket_;
  const answerer& answer_;
  std::string from_; ///< the other end's address, of IPv6 what a network shares
  phase phase_ = phase::reading;
  std::string in_;
  http_reply out_;
  unsigned requests_ = 0;
  clock::time_point entered_; ///< when the phase began
  clock::time_point since_;
};

} // namespace dybw
