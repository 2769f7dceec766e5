#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dybw {

/// One visitor's TCP connection, none of whose calls block. Requests come in, replies go out of a buffer, one
/// after the other.
class http_connection {
public:
  using clock = std::chrono::steady_clock;

  enum class phase {
    reading,   ///< waits for a request, or for the rest of one
    replying,  ///< has a reply to send
    streaming, ///< is sent events as they come
    draining,  ///< all is said; reads what the visitor still sends, for without that it might lose the reply
    over,
  };

  /// Takes the socket over.
  http_connection(int descriptor, clock::time_point now);
  ~http_connection();
  http_connection(const http_connection&) = delete;
  http_connection& operator=(const http_connection&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  phase now() const noexcept { return phase_; }
  short wanted_events() const noexcept; ///< for poll
  std::size_t unsent() const noexcept { return out_.size() - sent_; }
  unsigned requests() const noexcept { return requests_; }
  clock::time_point since() const noexcept { return since_; } ///< the last time that it got on
  bool is_late(clock::time_point now) const;

  /// Reads and writes what is possible, `events` being what poll says.
  void get_on(short events, std::size_t head_bytes_max, clock::time_point now);
  /// A complete head, taken out of the buffer; none if there is none yet, or a reply is still on its way.
  std::optional<std::string> next_head();
  bool has_head() const { return phase_ == phase::reading && in_.find(head_end) != std::string::npos; }
  void reply(std::string bytes, bool close, bool events, clock::time_point now);
  /// The next event, left out if the one before is not yet sent: a slow reader sees fewer.
  void send_event(std::string_view text, clock::time_point now);

private:
  static constexpr std::string_view head_end = "\r\n\r\n";

  void receive(std::size_t head_bytes_max, clock::time_point now);
  void flush(clock::time_point now);
  void enter(phase next, clock::time_point now);

  int descriptor_;
  phase phase_ = phase::reading;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
  unsigned requests_ = 0;
  bool close_ = false;        ///< after this reply
  bool ended_ = false;        ///< the visitor sends nothing more
  clock::time_point entered_; ///< when the phase began
  clock::time_point since_;
};

} // namespace dybw
