#include "learning/monitoring/run_view.hpp"

namespace dybw {

std::string_view to_string(worker_standing s) {
  switch (s) {
  case worker_standing::working:
    return "working";
  case worker_standing::done:
    return "done";
  case worker_standing::lost:
    return "lost";
  case worker_standing::silent:
    return "silent";
  }
  return "?";
}

std::string_view to_string(event_view::severity s) {
  switch (s) {
  case event_view::severity::info:
    return "info";
  case event_view::severity::warning:
    return "warning";
  case event_view::severity::error:
    return "error";
  }
  return "?";
}

std::string_view to_string(run_view::state s) {
  switch (s) {
  case run_view::state::attaching:
    return "attaching";
  case run_view::state::idle:
    return "idle";
  case run_view::state::running:
    return "running";
  case run_view::state::over:
    return "over";
  case run_view::state::lost:
    return "lost";
  }
  return "?";
}

} // namespace dybw
