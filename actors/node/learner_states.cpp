#include "actors/node/learner_states.hpp"

#include <exception>

namespace dybw {

learner_states_actor::behavior_type
learner_states(learner_states_actor::stateful_pointer<learner_states_state>,
               const std::shared_ptr<learner_group>& learners) {
  return {
      [=](const learner_state_wanted& x) {
        learner_state state{x.worker, {}, {}};
        try {
          state.bytes = learners->save(x.worker);
        } catch (const std::exception& e) {
          state.failure = e.what();
        }
        return state;
      },
      [=](const learner_state& x) {
        learner_state_taken taken;
        try {
          learners->load(x.worker, x.bytes);
        } catch (const std::exception& e) {
          taken.failure = e.what();
        }
        return taken;
      },
  };
}

} // namespace dybw
