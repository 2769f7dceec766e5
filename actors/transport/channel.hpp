#pragma once

#include "actors/transport/peer_identity.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace dybw {

/// The bytes of one non-blocking socket, which it does not own: as they are, or through TLS
/// (actors/transport/tls_channel.hpp). Used by one thread.
class channel {
public:
  struct outcome {
    std::size_t bytes = 0; ///< 0: nothing goes at the moment
    bool failed = false;   ///< no more will ever go; `failure` says why
    bool drained = false;  ///< reading: there is no more for now
  };

  virtual ~channel() = default;

  /// Fills the places in turn.
  virtual outcome read(int socket, std::span<const std::span<char>> places) = 0;
  virtual outcome write(int socket, std::span<const std::span<const char>> pieces) = 0;
  /// Whether `read` would give something although nothing comes from the socket.
  virtual bool has_pending() const = 0;
  /// Whether writing has to wait until something has been read (a handshake).
  virtual bool must_read_first() const = 0;

  /// Whom the other side's certificate names, once bytes have come; null without TLS.
  virtual std::shared_ptr<const peer_identity> peer() { return nullptr; }

  /// One clause, without a stop.
  const std::string& failure() const noexcept { return failure_; }
  /// The failure is in the way the connection was set up, not in the network: what to mend, if that is known.
  const std::string& remedy() const noexcept { return remedy_; }

protected:
  outcome fail(std::string why, std::string remedy = {}) {
    failure_ = std::move(why);
    remedy_ = std::move(remedy);
    return {0, true, true};
  }

private:
  std::string failure_;
  std::string remedy_;
};

std::unique_ptr<channel> make_plain_channel();

} // namespace dybw
