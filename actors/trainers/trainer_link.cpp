#include "actors/trainers/trainer_link.hpp"

#include "actors/trainers/turn.hpp"
#include "learning/base/error.hpp"
#include "messages/control_inspect.hpp"
#include "messages/trainer_protocol.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace dybw {

namespace {

/// Where the averaged arrays lie in a slot. Throws `std::runtime_error` for what cannot be.
parameter_layout averaged_of(const std::vector<trainer_array>& arrays) {
  parameter_layout averaged;
  std::set<std::string> names;
  std::uint64_t at = 0;
  for (const auto& a : arrays) {
    if (a.name.empty() || !names.insert(a.name).second)
      throw std::runtime_error("the trainer has two arrays named \"" + a.name + "\", or one without a name");
    if (a.frozen)
      continue;
    averaged.push_back({a.name, a.shape, at});
    if (std::ranges::count(a.shape, 0U) > 0 || !is_sound({averaged.back()}, parameters_max))
      throw std::runtime_error("the trainer's array \"" + a.name + "\" cannot be averaged: " + text_of(a) +
                               " is empty or too large in all, or no file can have its name");
    at += averaged.back().size();
  }
  if (averaged.empty())
    throw std::runtime_error("the trainer has no parameters to average");
  return averaged;
}

/// "ValueError: no such file (train.py:31)"
std::string failure_text(std::span<const char> body) {
  std::string kind;
  std::string text;
  std::string place;
  std::string trace; // stands in its standard error, too
  read_trainer_body(body, kind, text, place, trace);
  return kind + ": " + text + (place.empty() ? "" : " (" + place + ')');
}

/// The rows of a worker that asks for them.
std::vector<char> rows_answer(std::span<const char> wanted, const trainer_link::rows_source& rows) {
  std::uint64_t samples = 0;
  std::uint32_t labelled = 0;
  constexpr std::size_t head = sizeof samples + sizeof labelled;
  read_trainer_body(wanted.first(std::min(head, wanted.size())), samples, labelled);
  const auto rest = wanted.subspan(head);
  if (rest.size() % sizeof(std::int32_t) != 0 ||
      rest.size() / sizeof(std::int32_t) != (labelled != 0 ? samples : 0))
    throw std::runtime_error("the trainer says what cannot be read; use the same version of both sides");
  std::vector<std::int32_t> labels(rest.size() / sizeof(std::int32_t));
  std::ranges::copy(std::as_bytes(rest), std::as_writable_bytes(std::span{labels}).begin());
  const auto mine = rows(samples, labels);
  auto body = trainer_body(std::uint64_t{mine.size()});
  const auto bytes = std::as_bytes(std::span{mine});
  const auto* at = reinterpret_cast<const char*>(bytes.data());
  body.insert(body.end(), at, at + bytes.size());
  return body;
}

} // namespace

void trainer_link::place(std::span<const char> body) {
  socket_->send(DYBW_PLACE, body);
}

void trainer_link::fail(const std::string& why) {
  failure_ = why;
  failed_ = true;
  abort();
  throw learner_failed{why};
}

/// Whatever goes wrong in it is the end of this conversation.
template <class Talk>
std::invoke_result_t<Talk&> trainer_link::talk(Talk what) {
  try {
    return what();
  } catch (const trainer_gone&) {
    fail("its trainer " + (process_ ? process_->how_it_ended() : "has closed its connection"));
  } catch (const input_error&) {
    throw;
  } catch (const learner_failed&) {
    throw;
  } catch (const std::runtime_error& e) {
    fail(e.what());
  }
}

const trainer_message& trainer_link::hear() {
  const auto& m = socket_->receive(process_ ? process_->handle() : -1);
  if (m.type == DYBW_FAILED)
    fail(failure_text(m.body));
  return m;
}

/// What it says next, if that is of the type that was asked for.
std::span<const char> trainer_link::hear(std::uint16_t type) {
  const auto& m = hear();
  if (m.type != type)
    fail("its trainer says a message of type " + std::to_string(m.type) + ", not " + std::to_string(type));
  return m.body;
}

void trainer_link::ask(std::uint16_t type, std::span<const char> body,
                       const std::function<bool()>& gives_up) {
  if (failed_)
    throw learner_failed{failure_};
  try {
    socket_->send(type, body, -1, gives_up);
  } catch (const trainer_gone&) {
    return; // it may have said why before it went, and will be heard
  }
}

const trainer_layout& trainer_link::prepare(const rows_source& rows) {
  return talk([&]() -> const trainer_layout& {
    for (;;) {
      const auto& m = hear();
      if (m.type == DYBW_ROWS_WANTED) {
        socket_->send(DYBW_ROWS, rows_answer(m.body, rows));
        continue;
      }
      if (m.type != DYBW_LAYOUT)
        fail("its trainer says a message of type " + std::to_string(m.type) + " before its layout");
      std::uint32_t abilities = 0;
      read_trainer_body(m.body, abilities, layout_.arrays);
      layout_.evaluates = (abilities & DYBW_EVALUATES) != 0;
      layout_.saves = (abilities & DYBW_SAVES) != 0;
      layout_.averaged = averaged_of(layout_.arrays);
      return layout_;
    }
  });
}

void trainer_link::share() {
  talk([&] {
    slots_ = shared_slots::make(static_cast<std::size_t>(layout_.parameters()));
    slots_->values(shared_slots::for_w);
    socket_->send(DYBW_SLOTS,
                  trainer_body(slots_->bytes(), slots_->stride(), shared_slots::count, shared_slots::for_w),
                  slots_->descriptor());
  });
}

std::span<const float> trainer_link::starting_values() {
  return talk([&]() -> std::span<const float> {
    std::string device;
    read_trainer_body(hear(DYBW_READY), device);
    const auto values = slots_->values(shared_slots::for_w);
    if (const auto odd = first_not_finite(values); odd < values.size())
      fail("its trainer's " + name_at(layout_.averaged, odd) + " begins with a value that is not finite");
    name_ = "trainer" + (process_ ? ' ' + std::to_string(process_->pid()) : "") +
            (device.empty() ? "" : " (" + device + ')');
    ready_ = true;
    return values;
  });
}

learner_output trainer_link::step(const learner_input& at, std::span<const float> w, std::span<float> next) {
  const turn mine{free_};
  const auto began = std::chrono::steady_clock::now();
  auto in = slots_->slot_of(w);
  if (in) {
    slots_->release(shared_slots::for_w); // where it started from
  } else {
    in = shared_slots::for_w;
    std::ranges::copy(w, slots_->values(*in).begin());
  }
  const auto out = slots_->slot_of(next);
  const auto to = out.value_or(shared_slots::for_next);
  if (!out)
    slots_->values(to); // so that the memory is there
  auto done = talk([&] {
    ask(DYBW_STEP, trainer_body(++ticket_, at.completed, *in, to));
    std::uint64_t ticket = 0;
    learner_output answer;
    read_trainer_body(hear(DYBW_DONE), ticket, answer.loss, answer.samples);
    if (ticket != ticket_)
      fail("its trainer answers step " + std::to_string(ticket) + ", not " + std::to_string(ticket_));
    return answer;
  });
  if (!out)
    std::ranges::copy(slots_->values(to), next.begin());
  check_finite(done, w, next);
  step_ns_ = std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - began).count();
  return done;
}

void trainer_link::check_finite(learner_output& done, std::span<const float> w, std::span<float> next) {
  const auto odd = finite_.check(layout_.averaged, w, next, done.loss);
  if (odd.empty())
    return;
  if (finite_.is_hopeless())
    fail("its trainer's steps were not finite " + std::to_string(finite_steps::odd_max) +
         " times in a row, in " + odd);
  spdlog::warn("worker {}: step {} of its trainer is not finite in {} and does not count", worker_, ticket_,
               odd);
}

/// It takes as long as it takes, but somebody who wants an end shall have it.
void trainer_link::wait_for_answer(const std::function<bool()>& interrupted) {
  constexpr nanoseconds look_every = std::chrono::milliseconds{200};
  constexpr auto looks_after_interrupt = 15;
  for (auto left = looks_after_interrupt;
       !socket_->says_something_within(look_every, process_ ? process_->handle() : -1);)
    if (interrupted && interrupted() && --left == 0)
      fail("its trainer had not answered when the run was interrupted");
}

/// With somebody else's turn.
nanoseconds trainer_link::patience() const noexcept {
  constexpr nanoseconds least = std::chrono::seconds{1};
  constexpr nanoseconds most = std::chrono::seconds{60};
  constexpr auto usual_steps = 4;
  return std::min(least + usual_steps * nanoseconds{step_ns_}, most);
}

std::optional<std::vector<named_score>> trainer_link::evaluate(std::span<const float> parameters,
                                                               const std::function<bool()>& interrupted) {
  const turn mine{free_, patience()};
  if (!mine || !layout_.evaluates || !ready_ || has_failed())
    return std::nullopt;
  try {
    return talk([&] {
      const auto own = slots_->slot_of(parameters);
      if (!own)
        std::ranges::copy(parameters, slots_->values(shared_slots::for_evaluation).begin());
      ask(DYBW_EVALUATE, trainer_body(own.value_or(shared_slots::for_evaluation)));
      wait_for_answer(interrupted);
      std::vector<named_score> scores;
      read_trainer_body(hear(DYBW_SCORE), scores);
      slots_->release(shared_slots::for_evaluation);
      return std::optional{std::move(scores)};
    });
  } catch (const learner_failed&) {
    failed_evaluating_ = true;
    return std::nullopt; // its next step tells
  } catch (const std::bad_alloc&) {
    return std::nullopt; // nothing was asked
  }
}

std::vector<char> trainer_link::save() {
  const turn mine{free_};
  return ask_for_state();
}

std::vector<char> trainer_link::save_soon() {
  const turn mine{free_, patience()};
  return mine && ready_ && !has_failed() ? ask_for_state() : std::vector<char>{};
}

std::vector<char> trainer_link::ask_for_state() {
  if (!layout_.saves)
    return {};
  return talk([&] {
    ask(DYBW_SAVE, {});
    const auto saved = hear(DYBW_SAVED);
    return std::vector<char>(saved.begin(), saved.end());
  });
}

void trainer_link::load(std::span<const char> saved, const std::function<bool()>& interrupted) {
  const turn mine{free_};
  talk([&] {
    if (!layout_.saves)
      fail("its trainer cannot go on where an earlier one was");
    ask(DYBW_LOAD, saved, interrupted);
    wait_for_answer(interrupted);
    hear(DYBW_LOADED);
  });
}

void trainer_link::say_bye(const std::string& why) noexcept {
  try {
    socket_->send(DYBW_BYE, trainer_body(why), -1, [] { return true; });
  } catch (const trainer_gone&) {
    return;
  }
}

void trainer_link::refuse(const std::string& why) noexcept {
  try {
    socket_->send(DYBW_REFUSED, trainer_body(why), -1, [] { return true; });
  } catch (const trainer_gone&) {
    return;
  }
}

} // namespace dybw
