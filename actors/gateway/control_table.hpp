#pragma once

#include "actors/local_messages.hpp"
#include "messages/limits.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <vector>

namespace dybw {

/// The control connections of a gateway: how many there may be, how fast each is read, which take nothing any
/// more. Acts on nothing by itself and reads no clock. Not thread-safe.
///
/// The mailbox that requests go to has no bound. So who connected to us pays for each request from an
/// allowance of `requests_at_once`, which grows by `requests_per_s`; a connection that has none left, or does
/// not take its answers, is not read for a while. Over all of them together there is one allowance of bytes,
/// and one bound on the memory of requests that are not yet whole.
class control_table {
public:
  using moment = std::chrono::steady_clock::time_point;

  /// Bytes of one connection.
  struct flow {
    std::uint64_t read = 0; ///< since it began
    std::uint64_t written = 0;
    std::uint64_t waiting = 0;        ///< to be written
    std::uint64_t waiting_frames = 0; ///< of them, all but parameters
  };

  struct control {
    std::int64_t handle = 0; ///< what the multiplexer calls the connection
    bool accepted = false;   ///< the other side sends the requests; otherwise we do
    bool paused = false;     ///< is not read
    std::int64_t requests_left = requests_at_once;
    std::uint64_t charged = 0; ///< bytes read that are paid for
    std::uint64_t held = 0;    ///< memory of the request that is not yet whole
    moment began{};            ///< that request
    std::uint64_t written = 0; ///< when `progress` was made
    moment progress{};
  };

  /// Whether one more may be accepted.
  bool has_room() const;
  connection_id add(std::int64_t handle, bool accepted, moment now);
  void remove(connection_id id) { controls_.erase(id); }
  /// Null if it is closed.
  const control* find(connection_id id) const;

  /// Whether one takes more of our messages.
  static bool takes_more(const flow& f) { return f.waiting_frames <= control_backlog_max; }
  /// A request came. Returns whether to read on; if not, `look_at_all` says when.
  bool charge(connection_id id, const flow& f);

  /// So much memory is held by what has come of a request on this connection; 0: it is whole. Returns who has
  /// to go, so that all together hold no more than `request_memory_max`: who has been at it for longest.
  std::vector<connection_id> hold(connection_id id, std::uint64_t bytes, moment now);

  struct findings {
    std::vector<connection_id> stuck; ///< parameters wait, and none were taken for `progress_within`
    std::vector<connection_id> resumed;
  };
  /// To be asked several times per second. When it was not for a second, this process was stopped, and nobody
  /// is stuck.
  findings look_at_all(moment now, const std::function<flow(const control&)>& flow_of);

private:
  std::map<connection_id, control> controls_;
  std::uint64_t last_id_ = 0;
  std::int64_t bytes_left_ = request_bytes_at_once; ///< that requests on any of them may bring
  moment looked_{};
};

} // namespace dybw
