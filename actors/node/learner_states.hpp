#pragma once

#include "actors/actors.hpp"
#include "learning/model/learner_group.hpp"

namespace dybw {

struct learner_states_state {
  static inline const char* name = "learner_states";
};

/// Asks the learners of this process for what others are to begin with, and gives it to them: that takes as
/// long as they like, and blocks, until `learner_group::end`. Spawn with `caf::detached`.
learner_states_actor::behavior_type
learner_states(learner_states_actor::stateful_pointer<learner_states_state> self,
               const std::shared_ptr<learner_group>& learners);

} // namespace dybw
