#include "learning/consensus/record/event_replay.hpp"

#include "learning/consensus/make_machine.hpp"
#include "learning/graph/topology.hpp"

#include <algorithm>
#include <stdexcept>

namespace dybw {

namespace {

/// The neighbour that the event is about; none for others.
std::optional<worker_id> neighbour_in(const event& e) {
  if (const auto* m = std::get_if<message_received>(&e))
    return m->from;
  if (const auto* l = std::get_if<neighbour_lost>(&e))
    return l->id;
  if (const auto* h = std::get_if<neighbour_heard>(&e))
    return h->id;
  return std::nullopt;
}

} // namespace

event_replay::event_replay(machine_options shared)
    : shared_(std::move(shared)), workers_(shared_.graph->workers()) {
  if (!shared_.parts)
    shared_.parts = parts_for(shared_);
}

std::optional<event_replay::difference> event_replay::take(std::string_view line) {
  ended_ = nullptr;
  const auto x = parse_event_line(line);
  if (!x)
    throw std::invalid_argument{"is no event"};
  line_ = *x;
  if (index_of(x->worker) >= workers_.size())
    throw std::invalid_argument{"names worker " + to_string(x->worker) + ", which the run has not"};
  auto& w = workers_[index_of(x->worker)];
  if (!x->what) {
    auto options = shared_;
    options.self = x->worker;
    options.completed = x->completed;
    options.last_round = x->last_round;
    w = {make_machine(std::move(options)), x->at};
    return std::nullopt;
  }
  if (!w.machine)
    throw std::invalid_argument{"is of worker " + to_string(x->worker) + ", which is not there yet"};
  if (x->at < w.now)
    throw std::invalid_argument{"goes back in time"};
  w.now = x->at;
  if (const auto neighbour = neighbour_in(*x->what);
      neighbour && !std::ranges::binary_search(shared_.graph->neighbours(x->worker), *neighbour))
    throw std::invalid_argument{"names worker " + to_string(*neighbour) + ", which is no neighbour of " +
                                to_string(x->worker)};
  ++events_;
  const auto& effects = w.machine->step(x->at, *x->what);
  for (const auto& e : effects)
    if (const auto* done = std::get_if<round_done>(&e))
      ended_ = done->record;
  auto text = to_text(effects);
  if (text == x->effects_text)
    return std::nullopt;
  return difference{x->worker, std::string{x->effects_text}, std::move(text)};
}

std::size_t event_replay::workers_seen() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(workers_, [](const replayed_worker& w) { return w.machine != nullptr; }));
}

} // namespace dybw
