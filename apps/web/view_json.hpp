#pragma once

#include "learning/monitoring/run_view.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace dybw {

/// All of a view, with the names of its fields: SI units, null for what is absent or not a number. `history`
/// and `edges` come as columns, one list per field, since they hold hundreds of entries of a kind. What `dybw
/// monitor --format json` prints and `/api/view` serves.
nlohmann::ordered_json to_json(const run_view& view);

/// What the web page draws, in one line: columns instead of objects, numbers with four significant digits,
/// and no more of waits, events and edges than the page shows. About 100 kB and two milliseconds for 1,000
/// workers.
std::string page_json(const run_view& view);

/// The most that `page_json` holds of what may be many; how many there are it always says.
inline constexpr std::size_t page_edges_max = 5000;
inline constexpr std::size_t page_waits_max = 100;
inline constexpr std::size_t page_events_max = 60;
/// Up to this number of workers it holds their recent round lengths.
inline constexpr std::size_t page_sparklines_max = 64;

} // namespace dybw
