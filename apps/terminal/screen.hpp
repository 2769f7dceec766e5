#pragma once

#include "apps/web/view_source.hpp"

#include <functional>
#include <memory>

namespace dybw {

/// Shows the live view until the user presses q, `interrupted` says so, or the terminal is gone. Returns the
/// last view. Draws four times per second, and on keys and changes of size at once. Leaves the terminal as it
/// was, also when `source` throws. Colours unless the environment has NO_COLOR; Unicode if the locale does.
///
/// REQUIRES: standard input and output are a terminal; nobody else writes to it meanwhile. Called once at a
/// time. Throws `std::runtime_error` unless terminal_shows_pictures().
std::shared_ptr<const run_view> show_on_terminal(const view_source& source,
                                                 const std::function<bool()>& interrupted);

} // namespace dybw
