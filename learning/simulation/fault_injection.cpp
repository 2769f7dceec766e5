#include "learning/simulation/fault_injection.hpp"

#include <algorithm>

namespace dybw {

namespace {

/// What lasts until then lasts from now on for so long; what overlaps counts once. Returns what that adds.
nanoseconds prolong(nanoseconds& until, nanoseconds now, nanoseconds length) {
  const auto was = std::max(until, now);
  until = std::max(was, now + length);
  return until - was;
}

} // namespace

bool crash(simulated_network& network, const crash_fault& f) {
  auto& s = network.at(f.worker);
  if (s.next_life) { // before it has begun
    s.next_life.reset();
    --network.unfinished;
  }
  if (!s.alive)
    return false;
  s.alive = false;
  s.mail.clear();
  network.unfinished -= s.finished ? 0u : 1u;
  if (f.loses_sent)
    for (std::size_t i = 0; i < s.degree; ++i)
      network.links[s.first_link + i].way.lose_under_way();
  return true;
}

void hang(simulated_network& network, const hang_fault& f) {
  auto& s = network.at(f.worker);
  if (!s.alive)
    return;
  s.step_due += prolong(s.frozen_until, network.now(), f.length);
  s.wake_order = f.order;
  network.push(s.frozen_until, s, {occurrence::kind::wake});
}

std::deque<occurrence> take_mail(simulated_network& network, simulated_shell& s) {
  if (network.now() < s.frozen_until)
    return {};
  auto mail = std::exchange(s.mail, {});
  const auto is_pulse = [](const occurrence& o) { return o.what == occurrence::kind::pulse; };
  if (s.wake_order == hang_fault::wake::check_first)
    std::stable_partition(mail.begin(), mail.end(), is_pulse);
  else if (s.wake_order == hang_fault::wake::check_last)
    std::stable_partition(mail.begin(), mail.end(), std::not_fn(is_pulse));
  return mail;
}

void stall(simulated_network& network, const stall_fault& f) {
  auto& s = network.at(f.worker);
  if (!s.alive)
    return;
  s.step_due += prolong(s.stalled_until, network.now(), f.length);
  s.stall_noticed_in = f.noticed_after;
  watch_for_stall(network, s);
  network.push(s.stalled_until, s, {occurrence::kind::resumed});
}

void watch_for_stall(simulated_network& network, const simulated_shell& s) {
  if (s.ticket != 0 && network.now() < s.stalled_until)
    network.push(network.now() + s.stall_noticed_in, s,
                 {.what = occurrence::kind::stalled, .number = s.ticket});
}

void cut(simulated_network& network, const cut_fault& f) {
  const auto forth = network.link_between(f.link.a, f.link.b);
  for (auto i : {forth, std::size_t{network.links[forth].reverse}})
    if (!network.links[i].way.cut())
      network.links[i].way.cut_off(f.how);
}

void mend(simulated_network& network, const mend_fault& f) {
  const auto forth = network.link_between(f.link.a, f.link.b);
  for (auto i : {forth, std::size_t{network.links[forth].reverse}}) {
    auto& l = network.links[i];
    const auto was = l.way.cut();
    auto held = l.way.mend();
    if (was == cut_fault::kind::loses && !network.at(l.to).detector.is_lost(l.to_slot))
      network.post(i, {envelope::connection_broken{}, {}});
    for (; held > 0; --held)
      network.schedule_delivery(i);
  }
}

void restart(simulated_network& network, const restart_fault& f,
             const std::function<void(simulated_shell& giver, std::size_t slot)>& give_up) {
  auto& s = network.at(f.worker);
  auto life = std::make_unique<rebirth>();
  for (auto id : f.asked) {
    auto& giver = network.at(id);
    const auto index = network.link_between(id, f.worker);
    if (!giver.alive || network.now() < giver.frozen_until || network.links[index].way.cut())
      continue;
    give_up(giver, index - giver.first_link);
    const auto w = giver.machine->welcome_for(f.worker);
    if (!w)
      continue;
    life->facts.insert(life->facts.end(), w->facts.begin(), w->facts.end());
    if (!life->estimate || w->round > life->completed)
      life->estimate = giver.current;
    life->completed = std::max(life->completed, w->round);
  }
  for (std::size_t i = 0; i < s.degree; ++i) {
    auto& out = network.links[s.first_link + i];
    out.way.cut_off(cut_fault::kind::loses);
    network.links[out.reverse].way.cut_off(cut_fault::kind::loses);
  }
  ++s.incarnation;
  if (life->facts.empty())
    return;
  ++network.unfinished;
  s.next_life = std::move(life);
  network.push(network.now() + f.begins_after, s, {occurrence::kind::rebirth});
}

std::optional<round_number> give_birth(simulated_network& network, simulated_shell& s) {
  const auto life = std::move(s.next_life);
  if (!life)
    return std::nullopt;
  auto machine = network.options.machine;
  machine.self = s.id;
  machine.completed = life->completed;
  machine.facts = life->facts;
  auto fresh = network.make_shell(std::move(machine));
  fresh.first_link = s.first_link;
  fresh.incarnation = s.incarnation;
  fresh.current = life->estimate;
  for (std::size_t i = 0; i < s.degree; ++i) {
    fresh.detector.give_up(i);
    auto& out = network.links[s.first_link + i];
    out.window.reset();
    network.links[out.reverse].slots = {};
    if (!network.codes.empty()) {
      network.codes[s.first_link + i].reset();
      network.codes[s.first_link + i].sent = {};
      network.codes[out.reverse].heard = {};
    }
  }
  s = std::move(fresh);
  return life->completed;
}

} // namespace dybw
