#pragma once

#include "actors/trainers/shared_slots.hpp"
#include "actors/trainers/trainer_process.hpp"
#include "actors/trainers/trainer_socket.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/model/finite_steps.hpp"
#include "learning/model/local_learner.hpp"
#include "learning/model/trainer_layout.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <semaphore>
#include <string>
#include <type_traits>
#include <vector>

namespace dybw {

/// The conversation with the trainer of one worker. `prepare` and `share` come first, of one thread; then
/// steps and evaluations are asked for by any. Whatever goes wrong with the trainer is a `learner_failed`,
/// and for ever.
class trainer_link {
public:
  /// The samples of this worker, of so many with these labels (empty: not labelled). Throws `input_error`.
  using rows_source =
      std::function<std::vector<std::uint32_t>(std::uint64_t samples, std::span<const std::int32_t> labels)>;

  /// `process` is the one that was started for it; null: it is not ours.
  trainer_link(std::uint32_t worker, std::unique_ptr<trainer_socket> socket,
               std::shared_ptr<trainer_process> process)
      : worker_(worker), socket_(std::move(socket)), process_(std::move(process)) {}

  /// Tells it its place.
  void place(std::span<const char> body);
  /// Until the trainer has said what its parameters are; any time. Throws `input_error` as `rows` does.
  const trainer_layout& prepare(const rows_source& rows);
  /// Shares memory with it; it begins to write its starting values.
  void share();
  /// The starting values, once they are there.
  std::span<const float> starting_values();

  learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next);
  /// None if it is busy for longer than it usually is, or fails. `interrupted` is asked meanwhile; true makes
  /// an end soon.
  std::optional<std::vector<named_score>> evaluate(std::span<const float> parameters,
                                                   const std::function<bool()>& interrupted);

  /// What it needs to go on, as of its newest step; empty if it cannot say.
  std::vector<char> save();
  /// The same, but empty as well if it is busy for longer than it usually is.
  std::vector<char> save_soon();
  /// What `save` of an earlier process gave; before any step. `interrupted` as in `evaluate`.
  void load(std::span<const char> saved, const std::function<bool()>& interrupted);

  const trainer_layout& layout() const noexcept { return layout_; }
  /// "trainer 4711 (cpu)", once it has its starting values.
  const std::string& name() const noexcept { return name_; }
  const std::shared_ptr<shared_slots>& slots() const noexcept { return slots_; }
  bool has_failed() const noexcept { return failed_; }
  bool has_failed_evaluating() const noexcept { return failed_evaluating_; }
  /// It has its starting values, and can be asked for steps.
  bool is_ready() const noexcept { return ready_; }
  /// Tells it that nothing more will come. From any thread.
  void say_bye(const std::string& why) noexcept;
  void refuse(const std::string& why) noexcept;
  /// Whoever waits for it fails. From any thread.
  void abort() noexcept { socket_->shut_down(); }

private:
  template <class Talk>
  std::invoke_result_t<Talk&> talk(Talk what);
  nanoseconds patience() const noexcept;
  std::vector<char> ask_for_state();
  void ask(std::uint16_t type, std::span<const char> body, const std::function<bool()>& gives_up = {});
  const trainer_message& hear();
  std::span<const char> hear(std::uint16_t type);
  void wait_for_answer(const std::function<bool()>& interrupted);
  [[noreturn]] void fail(const std::string& why);
  void check_finite(learner_output& done, std::span<const float> w, std::span<float> next);

  std::uint32_t worker_;
  std::unique_ptr<trainer_socket> socket_;
  std::shared_ptr<trainer_process> process_;
  std::string name_;
  trainer_layout layout_;
  std::shared_ptr<shared_slots> slots_;
  std::binary_semaphore free_{1}; ///< one speaks with it at a time; that one's is what follows
  std::string failure_;           ///< once `failed_`
  std::atomic<bool> failed_{false};
  std::atomic<bool> failed_evaluating_{false};
  std::atomic<bool> ready_{false};
  std::atomic<std::int64_t> step_ns_{0}; ///< how long the newest took
  std::uint64_t ticket_ = 0;
  finite_steps finite_;
};

} // namespace dybw
