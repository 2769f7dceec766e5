#pragma once

namespace dybw {

/// Whether standard output is a terminal of a kind (TERM) that is known here and can place its cursor.
bool terminal_shows_pictures();

} // namespace dybw
