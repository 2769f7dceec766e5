#pragma once

#include "actors/transport/tls_context.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

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
    std::chrono::seconds until{std::chrono::days{60}}; ///< from now
    std::string purposes = "serverAuth,clientAuth";
    std::string names = "DNS:localhost,IP:127.0.0.1"; ///< alternative ones
    std::vector<std::string> roles{"node", "launcher"};
  };
  /// A certificate that it signs, with its key.
  tls_files issue(const std::string& name) const { return issue(name, wishes{}); }
  tls_files issue(const std::string& name, const wishes& wanted) const;
  tls_files issue_expired(const std::string& name) const {
    wishes old;
    old.from = std::chrono::hours{-2};
    old.until = std::chrono::hours{-1};
    return issue(name, old);
  }
  tls_files issue_for(const std::string& name, const std::string& names) const {
    wishes wanted;
    wanted.names = names;
    return issue(name, wanted);
  }
  tls_files issue_with(const std::string& name, const std::vector<std::string>& roles) const {
    wishes wanted;
    wanted.roles = roles;
    return issue(name, wanted);
  }
  /// A list of these certificates, in force until then; the file is always the same one.
  std::filesystem::path revoke(const std::vector<tls_files>& those,
                               std::chrono::seconds until = std::chrono::hours{1}) const;

  const std::filesystem::path& directory() const noexcept { return directory_; }

private:
  struct secret;
  std::filesystem::path directory_;
  std::unique_ptr<secret> secret_;
};

/// As long as it lives, every `dybw` that this process starts uses these files, by its environment.
class tls_environment {
public:
  explicit tls_environment(const tls_files& files);
  ~tls_environment();
  tls_environment(const tls_environment&) = delete;
  tls_environment& operator=(const tls_environment&) = delete;
};

} // namespace dybw::test
