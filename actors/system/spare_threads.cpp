#include "actors/system/spare_threads.hpp"

#include <latch>
#include <thread>
#include <vector>

namespace dybw {

void require_threads(std::size_t count) {
  std::latch all_tried{1};
  std::vector<std::jthread> held; // all at once
  held.reserve(count);
  struct release {
    std::latch& gate;
    ~release() { gate.count_down(); }
  } const at_end{all_tried};
  for (std::size_t i = 0; i < count; ++i)
    held.emplace_back([&all_tried] { all_tried.wait(); });
}

} // namespace dybw
