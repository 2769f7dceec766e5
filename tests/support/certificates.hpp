#pragma once

#include "actors/transport/tls_context.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace dybw::test {

/// A certificate authority for tests, with its files in a directory of its own that goes when it goes.
class test_authority {
public:
  explicit test_authority(const std::string& name = "test authority");
  ~test_authority();
  test_authority(const test_authority&) = delete;
  test_authority& operator=(const test_authority&) = delete;

  struct wishes {
    std::chrono::seconds from{-3600};
    std::chrono::seconds until{3600}; ///< from now
    std::string purposes = "serverAuth,clientAuth";
  };
  /// A certificate that it signs, with its key; valid for an hour.
  tls_files issue(const std::string& name) const { return issue(name, wishes{}); }
  tls_files issue(const std::string& name, const wishes& wanted) const;
  tls_files issue_expired(const std::string& name) const {
    return issue(name, {std::chrono::hours{-2}, std::chrono::hours{-1}, "serverAuth,clientAuth"});
  }

  const std::filesystem::path& directory() const noexcept { return directory_; }

private:
  struct secret;
  std::filesystem::path directory_;
  std::unique_ptr<secret> secret_;
};

} // namespace dybw::test
