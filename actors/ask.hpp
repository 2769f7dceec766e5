#pragma once

#include "learning/base/types.hpp"

#include <caf/actor_clock.hpp>
#include <caf/scoped_actor.hpp>

#include <optional>
#include <utility>

namespace dybw {

/// Asks `whom` and waits for the answer, for `patience` at most; nothing if there is none, and `refused` gets
/// the error. For threads that block. In CAF 0.17 the timeout of a request comes also after its answer, and
/// whatever comes begins the waiting of a `receive` with `caf::after` anew: who asks ten times a second would
/// wait there for as long as its patience lasts. So it is taken back here.
template <class Answer, class Handle, class Refused, class... Question>
std::optional<Answer> ask_and_wait(caf::scoped_actor& self, const Handle& whom, nanoseconds patience,
                                   Refused refused, Question... question) {
  std::optional<Answer> answer;
  auto request = self->request(whom, patience, std::move(question)...);
  const auto id = request.id();
  std::move(request).receive([&](Answer& x) { answer = std::move(x); },
                             [&](const caf::error& e) { refused(e); });
  self->clock().cancel_request_timeout(self.ptr(), id);
  return answer;
}

} // namespace dybw
