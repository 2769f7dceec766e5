#pragma once

#include "learning/base/error.hpp"
#include "learning/base/types.hpp"
#include "learning/model/parameter_block.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace dybw {

class training_workspace;

struct learner_input {
  std::span<const std::uint32_t> rows;     ///< the mini-batch; empty for learners that have their own data
  round_number completed = 0;              ///< rounds before the step
  training_workspace* workspace = nullptr; ///< scratch memory of this thread
  bool goes_on = false; ///< w is where the newest step led, which counts if and when this one does
};

struct learner_output {
  double loss = 0;           ///< of the mini-batch at w
  std::uint64_t samples = 0; ///< in it
};

/// One worker's way of learning: parameters in, parameters out. It owns what is not averaged (momentum, an
/// optimiser, a process that has them). Used by one thread at a time, of those that train.
class local_learner {
public:
  virtual ~local_learner() = default;

  /// Writes w~, the parameters after a gradient step from w, to `next`; both [parameter_count]. Leaves w as
  /// it is: others may be reading it. Throws `learner_failed`.
  virtual learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next) = 0;
  /// The newest step counts, with those that it went on from. One that another follows without this leaves
  /// no trace, where the learner can undo it.
  virtual void keep() {}
  /// Does the work of a step from w once more and forgets it: what a slow machine's time goes into.
  virtual void repeat(const learner_input& /*at*/, std::span<const float> /*w*/) {}

  /// What it needs besides w to go on, as of the newest step or of the newest that counts; none: nothing.
  virtual parameter_block state(bool /*of_newest*/) const { return {}; }
  virtual void restore(const parameter_block& /*state*/, bool /*of_newest*/) {}
  /// Its state is opaque: `save` gives it, as of the newest step; empty: nothing. Throws `learner_failed`.
  virtual bool is_opaque() const noexcept { return false; }
  virtual std::vector<char> save() { return {}; }

  /// Memory for parameters from which it reads w and to which it writes w~ without a copy; unspecified
  /// values.
  virtual std::shared_ptr<float_buffer> allocate(std::size_t count) {
    return std::make_shared<float_buffer>(count);
  }
  /// The step is another process's work: this thread waits for it.
  virtual bool waits() const noexcept { return false; }
  /// That process, for those who watch: "trainer 4711 (cpu)". Empty: this one.
  virtual std::string_view maker() const noexcept { return {}; }
};

/// Makes the learner of a worker. Called once for each.
using learner_factory = std::function<std::unique_ptr<local_learner>(worker_id)>;

} // namespace dybw
