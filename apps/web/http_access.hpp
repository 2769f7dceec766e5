#pragma once

#include "apps/web/http_address.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace dybw {

/// What a request says about who sends it.
struct http_credentials {
  std::string from;                 ///< the address that it comes from
  std::string host;                 ///< header `Host`
  std::string authorization;        ///< header `Authorization`
  std::string cookies;              ///< header `Cookie`
  std::optional<std::string> token; ///< query parameter `token`
};

/// Who may see the figures. With a token: who sends it as `Authorization: Bearer TOKEN`, as `?token=TOKEN`,
/// or as the cookie that the latter is answered with. Without: every process of this machine, but no web page
/// that has its own name resolved to this machine to read along, hence the look at the host. Comparisons take
/// the same time whatever differs. An address from which `guesses_at_once` wrong tokens came has one more
/// looked at per second; others are not held up by that. Not thread-safe.
class http_access {
public:
  enum class verdict {
    granted,
    granted_by_link, ///< by `?token=`: answer with `cookie()`, so that the link works on
    refused,         ///< no token, or a wrong one
    too_soon,        ///< after wrong ones: not looked at
    wrong_host,
  };

  using moment = std::chrono::steady_clock::time_point;
  static constexpr int guesses_at_once = 8;
  static constexpr std::chrono::seconds one_guess{1};

  /// `address` with the port that is listened on, which the cookie is named after: the ports of a host share
  /// cookies.
  http_access(const endpoint& address, const std::string& token);

  verdict judge(const http_credentials& who, moment now);
  /// Value of `Set-Cookie`. Holds a hash of the token, so that it works on after a restart and gives nothing
  /// away.
  std::string cookie() const;

private:
  verdict judge_token(const http_credentials& who) const;
  bool host_fits(const std::string& host) const;

  std::string host_;
  std::string token_;
  std::string cookie_name_;
  std::string cookie_value_;
  std::map<std::string, moment> wrong_; ///< by address, bounded: when its wrong guesses will be forgotten
};

} // namespace dybw
