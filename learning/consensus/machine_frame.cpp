#include "learning/consensus/machine_frame.hpp"

#include "learning/consensus/mutation.hpp"

namespace dybw {

namespace {

machine_options filled_in(machine_options options) {
  if (!options.parts)
    options.parts = parts_for(options);
  if (!options.effects)
    options.effects = std::make_shared<std::vector<effect>>();
  return options;
}

} // namespace

machine_frame::machine_frame(machine_options options)
    : options_(filled_in(std::move(options))), near_(options_.graph->neighbours(options_.self)),
      members_(*options_.graph, options_.self, *options_.parts),
      completed_(std::min(options_.completed, options_.last_round)), effects_(*options_.effects) {
  record_.degree = options_.graph->degree(options_.self);
  if (!options_.facts.empty())
    members_.take_over(options_.facts);
}

std::optional<welcome> machine_frame::welcome_for(worker_id joiner) const {
  const auto neighbours = options_.graph->neighbours(options_.self);
  if (!std::ranges::binary_search(neighbours, joiner) || phase_ == phase::idle || phase_ == phase::left)
    return std::nullopt;
  return welcome{facts().facts(), round_for(joiner)};
}

bool machine_frame::may_be_in(round_number round) const {
  if (mutated(mutation::believes_every_round))
    return true;
  const auto here = std::max(completed_, current_);
  return round <= options_.last_round && (round <= here || round - here <= rounds_ahead_max);
}

machine_status machine_frame::status_of_phase() const {
  machine_status s;
  s.phase = phase_;
  s.round = in_round() ? current_ : completed_;
  s.completed = completed_;
  s.since = phase_since_;
  if (phase_ == phase::gathering)
    s.timeout = deadline_;
  s.component = members_.component();
  s.lowest = members_.lowest();
  if (members_.rests())
    s.waiting_for.push_back({options_.self, wait_cause::kind::step, phase_since_});
  return s;
}

/// It does at both ends, unless one of them is in another generation by now: then its correction has begun
/// anew, and the other's will.
bool machine_frame::counts_into_correction(std::uint64_t named) const {
  return options_.corrects && named == facts().generation();
}

void machine_frame::set_phase(phase p) {
  phase_ = p;
  phase_since_ = now_;
}

void machine_frame::start_step(double unanswered) {
  set_phase(phase::computing);
  step_started_ = now_;
  effects_.push_back(compute{++ticket_, unanswered});
}

void machine_frame::leave() {
  set_phase(phase::left);
  for (auto id : options_.graph->neighbours(options_.self))
    effects_.push_back(send{id, leaving{}});
  effects_.push_back(finished{completed_});
}

void machine_frame::send_facts(worker_id to) {
  if (!facts().empty())
    effects_.push_back(send{to, membership_news{std::make_shared<const std::vector<fact>>(facts().facts())}});
}

} // namespace dybw
