#pragma once

#include "learning/consensus/worker_machine.hpp"

#include <string>

/// Readable lines of what a machine was told and did, for scripted tests and for replaying schedules.
namespace dybw::test {

std::string to_text(const protocol_message& m);
std::string to_text(const event& e);
std::string to_text(const effect& e);

/// "12.345 s  worker 3: accept{4} from 2 -> mix{4}, compute{5}"
std::string transcript_line(nanoseconds now, worker_id id, const event& e,
                            const std::vector<effect>& effects);

/// What a worker is doing and whom it waits for.
std::string describe(worker_id id, const machine_status& status);

} // namespace dybw::test
