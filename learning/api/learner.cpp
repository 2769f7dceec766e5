#include "learning/api/learner.hpp"

#include <stdexcept>

namespace dybw {

void writer::bytes(const void* from, std::size_t count) {
  const auto* at = static_cast<const char*>(from);
  out_.insert(out_.end(), at, at + count);
}

void reader::bytes(void* to, std::size_t count) {
  check(count, 1);
  if (count > 0)
    std::memcpy(to, in_.data(), count);
  in_ = in_.subspan(count);
}

void reader::check(std::uint64_t count, std::size_t size) const {
  if (count > in_.size() / size)
    throw std::runtime_error{"what was saved ends before all was read"};
}

} // namespace dybw
