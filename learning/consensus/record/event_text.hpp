#pragma once

#include "learning/consensus/worker_machine.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What machines were told and did, one line of text per event: to be read, and to be played again
/// (docs/protocol.md, "Event logs"). Numbers are exact; moments are in nanoseconds. A worker's first line
/// says after which round it goes on, and which will be its last if there is one.
///
///     0 3 new 0 100 |
///     105000000 3 from 2 estimate 4 | use 2 4; send 2 accept 4
namespace dybw {

/// Separated by "; ".
std::string to_text(const std::vector<effect>& effects);

/// Each appends a line, with its end.
void append_new_worker(std::string& out, nanoseconds now, const machine_options& options);
void append_event(std::string& out, nanoseconds now, worker_id id, const event& e,
                  const std::vector<effect>& effects);

struct event_line {
  nanoseconds at{0};
  worker_id worker{};
  std::optional<event> what;                  ///< none: a new worker
  round_number completed = 0;                 ///< .. that goes on after this round ..
  round_number last_round = ~round_number{0}; ///< .. and joins none after this
  std::string_view effects_text;              ///< part of the line
};

/// The line without its end; nothing if it is none.
std::optional<event_line> parse_event_line(std::string_view line);

} // namespace dybw
