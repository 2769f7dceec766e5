#pragma once

#include "messages/control.hpp"

#include <nlohmann/json.hpp>

#include <span>
#include <string>

namespace dybw {

/// Which workers live on which node, a line each.
std::string placement_text(std::span<const endpoint> nodes, std::span<const node_index> placement);

/// What `dybw status` prints for people.
std::string status_text(const node_status& status);

/// The same as one JSON object.
nlohmann::ordered_json to_json(const node_status& status);

} // namespace dybw
