#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace dybw {

/// A JSON value as one line or, with `indent`, as lines that are set in by so many spaces a level. Bytes that
/// are not UTF-8, as the name of a file may hold, become U+FFFD; nlohmann's `dump` throws for them.
template <class Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

} // namespace dybw
