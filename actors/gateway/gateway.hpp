#pragma once

#include "actors/gateway/gateway_options.hpp"

namespace dybw {

struct opened_gateway {
  gateway_actor handle;
  endpoint advertised; ///< with the real port; empty host if it does not listen
};

/// Opens the port and starts the gateway. Throws `input_error` (network fault) if the port cannot be opened.
/// The middleman must be loaded. The gateway lives until it gets an exit message.
///
/// What crosses the process's border; the numbers are in messages/limits.hpp:
///  - A connection begins with a hello of each side, within `hello_within`; other versions, byte orders, runs
///    and nodes are told why they are refused. `greetings_max` may be at that stage, and `controls_max`
///    accepted ones may carry requests.
///  - An accepted control connection is read no faster than `requests_per_s`, after a burst, and not while
///    more than `control_backlog_max` of answers wait.
///  - A control connection is closed when that much of small messages waits, or parameters wait and nothing
///    was written for `progress_within`.
///  - A link belongs to one process of the node at its other end. One that had it before is refused with
///    `place_taken_reason`.
///  - A link is closed when nothing came for twice `suspect_after` (unless this process was stopped itself),
///    when the other side does not take what is sent (`link_blocks_max`), or breaks the protocol.
///  - While the blocks of a slow link arrive, the workers here get a `heartbeat` from those at the other end.
opened_gateway open_gateway(caf::actor_system& system, const gateway_options& options);

} // namespace dybw
