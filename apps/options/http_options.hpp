#pragma once

#include "apps/options/option_values.hpp"
#include "apps/web/http_address.hpp"

#include <optional>

namespace dybw {

/// The options `--http` and `--http-token`, the same for `run`, `node` and `monitor`.
boost::program_options::options_description http_option_group();

/// The address and the token, checked; nothing without `--http`. A token that is not given is taken from the
/// environment variable DYBW_HTTP_TOKEN, where `ps` does not show it. Throws `input_error` (configuration
/// fault) for an address beyond loopback without a token.
std::optional<http_options> read_http(const option_values& given);

} // namespace dybw
