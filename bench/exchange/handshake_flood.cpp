#include "bench/exchange/handshake_flood.hpp"

#include "tests/support/loopback.hpp"

#include <openssl/ssl.h>

#include <chrono>
#include <deque>
#include <memory>
#include <stdexcept>
#include <vector>

namespace dybw::bench {

namespace {

/// What a client says first.
std::vector<char> client_hello() {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free};
  const std::unique_ptr<SSL, decltype(&SSL_free)> session{SSL_new(context.get()), SSL_free};
  auto* out = BIO_new(BIO_s_mem());
  SSL_set_bio(session.get(), BIO_new(BIO_s_mem()), out); // takes both
  SSL_connect(session.get());
  std::vector<char> bytes(4096);
  const auto count = BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  if (count <= 0)
    throw std::runtime_error("OpenSSL begins no handshake");
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

} // namespace

handshake_flood::handshake_flood(std::uint16_t port, unsigned per_s)
    : thread_([this, port, per_s] { run(port, per_s); }) {}

handshake_flood::~handshake_flood() {
  over_ = true;
  thread_.join();
}

void handshake_flood::run(std::uint16_t port, unsigned per_s) {
  const auto hello = client_hello();
  const auto start = std::chrono::steady_clock::now();
  std::deque<test::owned_socket> open;
  constexpr std::size_t open_max = 128;
  for (; !over_; ++begun_) {
    std::this_thread::sleep_until(start +
                                  std::chrono::nanoseconds{std::chrono::seconds{1}} * begun_.load() / per_s);
    auto socket = test::connect_to_loopback(port);
    if (socket.get() < 0)
      continue;
    test::send_all(socket, hello);
    open.push_back(std::move(socket));
    if (open.size() > open_max)
      open.pop_front();
  }
}

} // namespace dybw::bench
