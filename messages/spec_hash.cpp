#include "messages/spec_hash.hpp"

#include "learning/base/fnv1a.hpp"
#include "messages/control_inspect.hpp"

namespace dybw {

/// Over the spec as it travels.
std::uint64_t spec_hash(const run_spec& spec) {
  auto common = spec;
  common.self = {};
  common.config.data.path.clear();
  common.config.threads = 0;
  std::vector<char> bytes;
  wire_writer{bytes}(common);
  fnv1a hash;
  for (const auto byte : bytes)
    hash.add(static_cast<unsigned char>(byte));
  return hash.value();
}

} // namespace dybw
