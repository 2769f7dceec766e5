#pragma once

#include "apps/web/http_address.hpp"

#include <optional>
#include <string>

namespace dybw {

/// What a request says about who sends it.
struct http_credentials {
  std::string host;                 ///< header `Host`
  std::string authorization;        ///< header `Authorization`
  std::string cookies;              ///< header `Cookie`
  std::optional<std::string> token; ///< query parameter `token`
};

/// Who may see the figures. With a token: who sends it as `Authorization: Bearer TOKEN`, as `?token=TOKEN`,
/// or as the cookie that the latter is answered with. Without: every process of this machine, but no web page
/// that has its own name resolved to this machine to read along, hence the look at the host. Comparisons take
/// the same time whatever differs.
class http_access {
public:
  enum class verdict {
    granted,
    granted_by_link, ///< by `?token=`: answer with `cookie()`, so that the link works on
    refused,         ///< no token, or a wrong one
    wrong_host,
  };

  /// `address` with the port that is listened on, which the cookie is named after: the ports of a host share
  /// cookies.
  http_access(const endpoint& address, const std::string& token);

  verdict judge(const http_credentials& who) const;
  /// Value of `Set-Cookie`. Holds a hash of the token, so that it works on after a restart and gives nothing
  /// away.
  std::string cookie() const;

private:
  bool host_fits(const std::string& host) const;

  std::string host_;
  std::string token_;
  std::string cookie_name_;
  std::string cookie_value_;
};

} // namespace dybw
