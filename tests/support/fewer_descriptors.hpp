#pragma once

#include <doctest/doctest.h>

#include <sys/resource.h>

namespace dybw::test {

/// As long as it lives this process opens no descriptor from this number on.
class fewer_descriptors {
public:
  explicit fewer_descriptors(rlim_t from) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit low{from, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  }
  ~fewer_descriptors() { CHECK(::setrlimit(RLIMIT_NOFILE, &before_) == 0); }
  fewer_descriptors(const fewer_descriptors&) = delete;
  fewer_descriptors& operator=(const fewer_descriptors&) = delete;

private:
  rlimit before_{};
};

} // namespace dybw::test
