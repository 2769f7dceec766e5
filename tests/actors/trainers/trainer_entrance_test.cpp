#include "actors/trainers/trainer_entrance.hpp"
#include "tests/support/fewer_descriptors.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dybw::test {

namespace {

/// A trainer that has come, and says nothing.
class caller_at {
public:
  explicit caller_at(const std::filesystem::path& path)
      : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(descriptor_ >= 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto text = path.string();
    REQUIRE(text.size() < sizeof address.sun_path);
    std::ranges::copy(text, std::begin(address.sun_path));
    REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~caller_at() { ::close(descriptor_); }
  caller_at(const caller_at&) = delete;
  caller_at& operator=(const caller_at&) = delete;

private:
  int descriptor_;
};

/// What is logged as long as it lives.
class kept_log {
public:
  kept_log() {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("kept", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  ~kept_log() { spdlog::set_default_logger(before_); }
  kept_log(const kept_log&) = delete;
  kept_log& operator=(const kept_log&) = delete;

  std::ptrdiff_t lines() const {
    const auto text = text_.str();
    return std::ranges::count(text, '\n');
  }

private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

} // namespace

TEST_CASE("trainer_entrance: without descriptors it looks once in a while, and lets in who waits later") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("skipped: without descriptors UBSan's check of types, which opens pipes, sees wrong ones");
  return;
#endif
  constexpr auto patience = std::chrono::milliseconds{100};
  constexpr auto looks = 3;
  const temporary_directory place;
  trainer_entrance door{place.path() / "door"};
  const caller_at trainer{door.path()};
  const kept_log log;
  const auto look_in_vain = [&] {
    const fewer_descriptors none{3}; // whatever is opened has a higher number
    const auto began = std::chrono::steady_clock::now();
    for (auto i = 0; i < looks; ++i)
      CHECK(door.accepted(patience) == -1);
    CHECK(std::chrono::steady_clock::now() - began > looks * patience / 2);
  };
  look_in_vain();
  CHECK(log.lines() == 1);
  const auto connection = door.accepted(patience);
  CHECK(connection >= 0);
  ::close(connection);
  const caller_at another{door.path()};
  look_in_vain();
  CHECK(log.lines() == 2); // it was over in between
}

} // namespace dybw::test
