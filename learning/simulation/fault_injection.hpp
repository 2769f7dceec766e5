#pragma once

#include "learning/simulation/simulated_network.hpp"

/// What faults do to the shells and links of a simulated network. (What a shell notices of them is an event
/// for its machine, which is the simulation's business.)
namespace dybw {

/// Returns whether the worker was alive. A next life that was to come is called off.
bool crash(simulated_network& network, const crash_fault& f);
void hang(simulated_network& network, const hang_fault& f);
/// What came for a shell while it hung, in the order in which it handles it on waking; nothing if another
/// hang began meanwhile.
std::deque<occurrence> take_mail(simulated_network& network, simulated_shell& s);
void stall(simulated_network& network, const stall_fault& f);
/// A step has begun: if what makes it is stalled, the shell will find that.
void watch_for_stall(simulated_network& network, const simulated_shell& s);
void cut(simulated_network& network, const cut_fault& f);
void mend(simulated_network& network, const mend_fault& f);

/// After its crash: schedules the worker's next life with what the neighbours asked tell it, each of which
/// first gives the worker up.
void restart(simulated_network& network, const restart_fault& f,
             const std::function<void(simulated_shell& giver, std::size_t slot)>& give_up);
/// The worker's new process begins, after the round returned. Nothing if its next life was called off.
std::optional<round_number> give_birth(simulated_network& network, simulated_shell& s);

} // namespace dybw
