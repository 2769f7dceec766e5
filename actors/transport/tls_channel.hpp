#pragma once

#include "actors/transport/channel.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <filesystem>
#include <memory>

namespace dybw {

/// Files of `--tls-cert`, `--tls-key` and `--tls-ca`, all PEM: both ends of every connection show a
/// certificate that this authority signed.
struct tls_files {
  std::filesystem::path certificate; ///< with intermediate ones behind it, if there are any
  std::filesystem::path key;         ///< without a passphrase
  std::filesystem::path authority;
};

/// Reads and checks them: readable, key fits certificate, certificate in its time, for both ends of a
/// connection and signed by the authority. Throws `input_error` (configuration fault).
void check_tls(const tls_files& files);

/// Loads CAF's OpenSSL module with these files. The middleman must have been loaded before.
void load_tls(caf::actor_system_config& config, const tls_files& files);

/// One end of a TLS connection, at least version 1.2, both certificates checked: CAF's `openssl::session`,
/// with the reasons of failures. The handshake goes on with every `read` and `write`. For a connection that
/// we opened; null if it failed at once; then `reason` says why. Throws nothing, even if the files have
/// vanished.
std::unique_ptr<channel> make_tls_channel(caf::actor_system& system, int socket, std::string& reason);

/// For an accepted connection. A session costs a millisecond of the multiplexer's time (it reads the files),
/// so nothing is set up before the other side has begun a handshake. What can go wrong, `read` says.
std::unique_ptr<channel> make_accepting_tls_channel(caf::actor_system& system);

} // namespace dybw
