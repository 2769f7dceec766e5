#pragma once

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/sec.hpp>

#include <exception>
#include <new>
#include <string>

namespace dybw {

/// What was thrown, for people.
inline std::string thrown_text(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown";
  }
}

/// For `set_exception_handler`: who monitors the actor hears what it threw, where CAF alone would only say
/// that something was thrown.
inline caf::error thrown_error(const std::exception_ptr& thrown) {
  return caf::make_error(caf::sec::runtime_error, thrown_text(thrown));
}

} // namespace dybw
