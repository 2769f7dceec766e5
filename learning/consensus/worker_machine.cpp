#include "learning/consensus/worker_machine.hpp"

#include "learning/base/enum_text.hpp"

namespace dybw {

std::string_view to_string(phase p) {
  return enum_text<phase::left>(p, {"idle", "computing", "gathering", "settling", "left"});
}

std::string_view to_string(wait_cause::kind k) {
  return enum_text<wait_cause::kind::threshold>(k, {"estimate", "accept or closed", "closed", "threshold"});
}

} // namespace dybw
