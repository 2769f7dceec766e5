#pragma once

namespace dybw {

/// `--log-level`
enum class log_level { debug, info, warn, error, off };

/// Sends the log to standard error: "dybw: LEVEL: TEXT", with the time of day in front if asked for.
void set_up_log(log_level level, bool with_time = false);

} // namespace dybw
