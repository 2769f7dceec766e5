#include "messages/spec_hash.hpp"

#include "messages/control_inspect.hpp"

namespace dybw {

/// FNV-1a (Fowler, Noll, Vo) over the spec as it travels.
std::uint64_t spec_hash(const run_spec& spec) {
  auto common = spec;
  common.self = {};
  common.config.data.path.clear();
  common.config.threads = 0;
  std::vector<char> bytes;
  wire_writer{bytes}(common);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const auto byte : bytes)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return hash;
}

} // namespace dybw
