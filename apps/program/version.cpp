#include "apps/program/version.hpp"

namespace dybw {

std::string version() {
  return DYBW_VERSION;
}

} // namespace dybw
