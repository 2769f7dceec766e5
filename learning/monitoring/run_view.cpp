#include "learning/monitoring/run_view.hpp"

#include "learning/base/enum_text.hpp"

namespace dybw {

std::string_view to_string(worker_standing s) {
  return enum_text<worker_standing::silent>(s, {"working", "done", "lost", "silent"});
}

std::string_view to_string(event_view::severity s) {
  return enum_text<event_view::severity::error>(s, {"info", "warning", "error"});
}

std::string_view to_string(run_view::state s) {
  return enum_text<run_view::state::lost>(s, {"attaching", "idle", "running", "over", "lost"});
}

} // namespace dybw
