#pragma once

#include "learning/consensus/known_members.hpp"
#include "learning/consensus/worker_machine.hpp"

#include <algorithm>

namespace dybw {

/// What the machines of both protocols have in common: the moment and the phase, the step under way, who is
/// known to be up, and the effects of the event at hand.
class machine_frame : public worker_machine {
public:
  /// Nobody is further ahead: a thousand rounds a second for seven weeks.
  static constexpr round_number rounds_ahead_max = round_number{1} << 32U;

  std::optional<welcome> welcome_for(worker_id joiner) const final;
  bool may_be_in(round_number round) const final;
  const machine_counters& counters() const final { return counters_; }
  const membership& facts() const final { return members_.facts(); }
  round_number completed() const final { return completed_; }
  phase current_phase() const final { return phase_; }

protected:
  explicit machine_frame(machine_options options);

  bool in_round() const { return phase_ == phase::gathering || phase_ == phase::settling; }
  /// Whether no step is to follow.
  bool is_through() const { return stopping_ || completed_ >= options_.last_round; }
  /// Which neighbours are waited for is left to be filled in.
  machine_status status_of_phase() const;

  void set_phase(phase p);
  void start_step(double unanswered = 0);
  void leave();
  void send_facts(worker_id to);
  /// What a correction belongs to; 0 without.
  std::uint64_t correction_generation() const { return options_.corrects ? facts().generation() : 0; }
  /// Whether an average counts into the correction both ends of which named this generation.
  bool counts_into_correction(std::uint64_t named) const;

  /// Floods news: passes them on to the neighbours for which `is_told` holds.
  template <class Neighbours, class Predicate>
  void pass_on(std::vector<fact> news, const Neighbours& neighbours, Predicate is_told) {
    const auto message = membership_news{std::make_shared<const std::vector<fact>>(std::move(news))};
    for (const auto& n : neighbours)
      if (is_told(n))
        effects_.push_back(send{n.id, message});
    effects_.push_back(members_.look_at_part());
  }

  /// `neighbours` are those of the graph, in its order. Null for a stranger.
  template <class Neighbours>
  auto find(Neighbours& neighbours, worker_id id) const {
    const auto i = std::lower_bound(near_.begin(), near_.end(), id); // their numbers alone: few cache lines
    return i != near_.end() && *i == id ? &neighbours[static_cast<std::size_t>(i - near_.begin())] : nullptr;
  }

  machine_options options_;
  std::span<const worker_id> near_; ///< the neighbours
  known_members members_;
  phase phase_ = phase::idle;
  nanoseconds now_{0};
  nanoseconds phase_since_{0};
  nanoseconds deadline_{0};    ///< gathering: when it gives up
  round_number completed_ = 0; ///< joined and mixed, or sat out
  round_number current_ = 0;   ///< in_round(): the round in progress
  bool stopping_ = false;
  std::uint64_t ticket_ = 0;
  nanoseconds step_started_{0};
  round_record record_;
  machine_counters counters_;
  std::vector<effect>& effects_; ///< options_.effects

private:
  /// The round after which a neighbour that joins may count.
  virtual round_number round_for(worker_id joiner) const = 0;
};

} // namespace dybw
