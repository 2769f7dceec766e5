#include "apps/web/http_access.hpp"

#include "actors/transport/address.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace dybw {

namespace {

constexpr std::string_view bearer = "bearer ";
constexpr std::size_t addresses_max = 1024;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool same(std::string_view x, std::string_view y) {
  return x.size() == y.size() && CRYPTO_memcmp(x.data(), y.data(), x.size()) == 0;
}

std::string hash_of(const std::string& token) {
  const auto text = "dybw cookie " + token;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string hex;
  for (const auto byte : digest) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 15U];
  }
  return hex;
}

/// The host of a `Host` header: without the port, and without the brackets of IPv6.
std::string host_name(std::string_view header) {
  if (header.starts_with('[')) {
    const auto end = header.find(']');
    return std::string{end == std::string_view::npos ? header : header.substr(1, end - 1)};
  }
  return std::string{header.substr(0, header.find(':'))};
}

/// The value of a cookie among "name=value; name=value".
std::optional<std::string_view> cookie_of(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    auto one = cookies.substr(0, end);
    cookies = end == std::string_view::npos ? std::string_view{} : cookies.substr(end + 1);
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.starts_with(name) && one.substr(name.size()).starts_with('='))
      return one.substr(name.size() + 1);
  }
  return std::nullopt;
}

} // namespace

http_access::http_access(const endpoint& address, const std::string& token)
    : host_(lower(address.host)), token_(token), cookie_name_("dybw_" + std::to_string(address.port)),
      cookie_value_(hash_of(token)) {}

http_access::verdict http_access::judge(const http_credentials& who, moment now) {
  if (token_.empty())
    return host_fits(who.host) ? verdict::granted : verdict::wrong_host;
  const auto guesses = who.token || !who.authorization.empty() || cookie_of(who.cookies, cookie_name_);
  if (!guesses)
    return verdict::refused;
  const auto found = wrong_.find(who.from);
  if (found != wrong_.end() && found->second - now > (guesses_at_once - 1) * one_guess)
    return verdict::too_soon;
  const auto judged = judge_token(who);
  if (judged == verdict::refused) {
    if (wrong_.size() >= addresses_max)
      std::erase_if(wrong_, [&](const auto& x) { return x.second <= now; });
    if (wrong_.size() >= addresses_max)
      wrong_.clear();
    auto& until = wrong_[who.from];
    until = std::max(until, now) + one_guess;
  }
  return judged;
}

http_access::verdict http_access::judge_token(const http_credentials& who) const {
  if (who.token)
    return same(*who.token, token_) ? verdict::granted_by_link : verdict::refused;
  if (lower(who.authorization.substr(0, bearer.size())) == bearer)
    return same(std::string_view{who.authorization}.substr(bearer.size()), token_) ? verdict::granted
                                                                                   : verdict::refused;
  const auto cookie = cookie_of(who.cookies, cookie_name_);
  return cookie && same(*cookie, cookie_value_) ? verdict::granted : verdict::refused;
}

std::string http_access::cookie() const {
  return cookie_name_ + "=" + cookie_value_ + "; Path=/; HttpOnly; SameSite=Strict";
}

bool http_access::host_fits(const std::string& host) const {
  const auto name = lower(host_name(host));
  return !name.empty() && (name == host_ || is_loopback(name));
}

} // namespace dybw
