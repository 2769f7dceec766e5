#include "messages/spec_hash.hpp"

#include "learning/base/fnv1a.hpp"
#include "messages/control_inspect.hpp"

#include <algorithm>

namespace dybw {

namespace {

/// Over it as it travels.
template <class T>
std::uint64_t hash_of(const T& x) {
  std::vector<char> bytes;
  wire_writer{bytes}(x);
  fnv1a hash;
  for (const auto byte : bytes)
    hash.add(static_cast<unsigned char>(byte));
  return hash.value();
}

} // namespace

std::uint64_t spec_hash(const run_spec& spec) {
  auto common = spec;
  common.self = {};
  common.config.data.path.clear();
  common.config.threads = 0;
  return hash_of(common);
}

std::uint64_t layout_hash(const std::vector<trainer_array>& arrays) {
  return std::max<std::uint64_t>(1, hash_of(arrays));
}

} // namespace dybw
