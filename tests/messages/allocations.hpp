#pragma once

#include <cstddef>

namespace dybw::test {

/// Watches every `operator new` of this program while it lives: how often, and the largest piece asked for.
/// One at a time.
class allocation_watch {
public:
  allocation_watch();
  ~allocation_watch();
  allocation_watch(const allocation_watch&) = delete;
  allocation_watch& operator=(const allocation_watch&) = delete;

  std::size_t count() const;
  std::size_t largest_bytes() const;
};

} // namespace dybw::test
