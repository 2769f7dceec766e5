#include "actors/transport/outbox.hpp"

#include <algorithm>
#include <utility>

namespace dybw {

namespace {

/// A piece is freed when all of it is written: with a backlog that never quite ends one piece would grow for
/// ever.
constexpr std::size_t piece_bytes = 64 * 1024;

} // namespace

std::span<const char> outbox::piece::span() const noexcept {
  if (!block)
    return bytes;
  const auto values = block.values();
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::vector<char>& outbox::tail() {
  if (pieces_.empty() || pieces_.back().block || pieces_.back().bytes.size() >= piece_bytes) {
    if (!pieces_.empty())
      frames_bytes_ += pieces_.back().bytes.size();
    pieces_.emplace_back().bytes = std::exchange(spare_, {});
  }
  return pieces_.back().bytes;
}

void outbox::append(const parameter_block& block) {
  if (block.values().empty())
    return;
  if (!pieces_.empty())
    frames_bytes_ += pieces_.back().bytes.size();
  pieces_.emplace_back().block = block;
  blocks_bytes_ += block.values().size_bytes();
}

std::uint64_t outbox::bytes() const noexcept {
  const auto last = pieces_.empty() ? 0 : pieces_.back().bytes.size();
  return blocks_bytes_ + frames_bytes_ + last - written_;
}

std::uint64_t outbox::frames_bytes() const noexcept {
  const auto in_front = pieces_.empty() || pieces_.front().block ? 0 : written_;
  const auto last = pieces_.empty() ? 0 : pieces_.back().bytes.size();
  return frames_bytes_ + last - in_front;
}

std::size_t outbox::next(std::span<std::span<const char>> pieces) const {
  std::size_t count = 0;
  auto skip = written_;
  for (const auto& p : pieces_) {
    const auto rest = p.span().subspan(std::exchange(skip, 0));
    if (rest.empty())
      continue;
    if (count == pieces.size())
      break;
    pieces[count++] = rest;
  }
  return count;
}

void outbox::written(std::size_t bytes) {
  written_ += bytes;
  while (!pieces_.empty() && written_ >= pieces_.front().span().size())
    drop_front();
}

void outbox::drop_front() {
  auto& front = pieces_.front();
  const auto size = front.span().size();
  written_ -= size;
  if (front.block) {
    blocks_bytes_ -= size;
  } else {
    if (pieces_.size() > 1)
      frames_bytes_ -= size;
    constexpr std::size_t spare_bytes_max = 64 * 1024;
    if (front.bytes.capacity() > spare_.capacity() && front.bytes.capacity() <= spare_bytes_max) {
      spare_ = std::move(front.bytes);
      spare_.clear();
    }
  }
  pieces_.pop_front();
}

} // namespace dybw
