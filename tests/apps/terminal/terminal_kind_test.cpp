#include "apps/terminal/terminal_kind.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace dybw::test {

namespace {

/// Standard output is a terminal of a kind, until it goes.
class terminal_of_kind {
public:
  explicit terminal_of_kind(const char* kind) {
    if (const auto* known = std::getenv("TERM"))
      kind_before_ = known;
    ::setenv("TERM", kind, 1);
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    const auto slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(slave >= 0);
    ::dup2(slave, STDOUT_FILENO);
    ::close(slave);
  }
  ~terminal_of_kind() {
    ::dup2(output_before_, STDOUT_FILENO);
    ::close(output_before_);
    ::close(master_);
    ::setenv("TERM", kind_before_.c_str(), 1);
  }
  terminal_of_kind(const terminal_of_kind&) = delete;
  terminal_of_kind& operator=(const terminal_of_kind&) = delete;

private:
  int output_before_ = ::dup(STDOUT_FILENO);
  int master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  std::string kind_before_;
};

bool shows_pictures(const char* kind) {
  const terminal_of_kind here{kind};
  return terminal_shows_pictures();
}

} // namespace

TEST_CASE(
    "terminal_kind: a terminal of a kind that nobody knows, or that cannot place its cursor, gets lines") {
  CHECK(shows_pictures("xterm"));
  CHECK_FALSE(shows_pictures("no-such-terminal"));
  CHECK_FALSE(shows_pictures("dumb"));
  CHECK_FALSE(shows_pictures(""));
}

} // namespace dybw::test
