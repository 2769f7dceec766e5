#pragma once

#include "learning/base/types.hpp"
#include "learning/consensus/worker_machine.hpp"

#include <variant>
#include <vector>

/// What may go wrong in a simulated network, and when a run is asked to stop.
namespace dybw {

/// The worker stops for ever. Nobody is told: neighbours notice its silence (if silence is watched) or a
/// `suspicion` is scheduled for them, as when a connection closes.
struct crash_fault {
  worker_id worker{};
  bool loses_sent = false; ///< what it sent and has not arrived yet is lost too (the host died)
};

/// The worker's whole process is stopped for a while (a debugger, swapping, a moved virtual machine): it
/// handles nothing and sends nothing, its computation stands still; what arrives meanwhile waits.
struct hang_fault {
  enum class wake {
    check_first,  ///< on waking the failure detector's overdue check runs before the mail
    in_due_order, ///< .. in its place among the mail
    check_last    ///< .. after the mail
  };
  worker_id worker{};
  nanoseconds length{0};
  wake order = wake::in_due_order;
};

/// The failure detector of `who` gives up `whom`, rightly (after a crash) or not. A live neighbour is heard
/// again at its next sign of life.
struct suspicion_fault {
  worker_id who{};
  worker_id whom{};
  neighbour_lost::cause why = neighbour_lost::cause::silent;
};

/// A link carries nothing until it is mended, in both directions.
struct cut_fault {
  enum class kind {
    holds, ///< as TCP over a network that comes back: what is sent arrives after the mending
    loses, ///< the connection breaks: what is under way and what is sent is lost. Each end notices by a
           ///< `suspicion`, by silence, or at the latest before the first message of the new connection.
           ///< Until then what it sends may travel on the new one
  };
  edge link;
  kind how = kind::holds;
};

struct mend_fault {
  edge link;
};

/// The worker's process is started again (and killed before, if it is alive) and joins. It asks neighbours
/// for a welcome now and begins after a while, when the facts and the round may be out of date. Those dead,
/// hung, through or cut off give none; without any it stays away. All its connections are broken; each stands
/// again when its link is mended.
struct restart_fault {
  worker_id worker{};
  std::vector<worker_id> asked; ///< neighbours
  nanoseconds begins_after{0};
};

/// The worker's process says something that its machine did not: it is broken, or of another version.
struct forged_fault {
  worker_id from{};
  worker_id to{}; ///< a neighbour
  protocol_message what;
};

/// The worker is asked to stop (a limit reached, a target, Ctrl-C).
struct stop_fault {
  worker_id worker{};
};

/// Whoever makes the worker's steps hangs for a while, whatever comes of them; the worker itself is well.
struct stall_fault {
  worker_id worker{};
  nanoseconds length{0};
  nanoseconds noticed_after{0}; ///< by the worker, of each step that lasts so long meanwhile
};

using fault = std::variant<crash_fault, hang_fault, suspicion_fault, cut_fault, mend_fault, restart_fault,
                           forged_fault, stop_fault, stall_fault>;

} // namespace dybw
