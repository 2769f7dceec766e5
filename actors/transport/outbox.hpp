#pragma once

#include "learning/model/parameter_block.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace dybw {

/// What waits to be written to one connection, in order: small frames one after another, and blocks that are
/// not copied but held. Not thread-safe.
class outbox {
public:
  /// Where small frames are appended to, one per call. Valid until the next call.
  std::vector<char>& tail();
  void append(const parameter_block& block);

  bool empty() const noexcept { return bytes() == 0; }
  std::uint64_t bytes() const noexcept;
  /// Of them, those of small frames.
  std::uint64_t frames_bytes() const noexcept;

  /// The next pieces to write, at most as many as `pieces` has room for; returns how many there are.
  std::size_t next(std::span<std::span<const char>> pieces) const;
  /// So many bytes of them have been written.
  void written(std::size_t bytes);

private:
  struct piece {
    std::vector<char> bytes; ///< or
    parameter_block block;
    std::span<const char> span() const noexcept;
  };

  void drop_front();

  std::deque<piece> pieces_;
  std::size_t written_ = 0;        ///< of the first piece
  std::uint64_t blocks_bytes_ = 0; ///< of all blocks in `pieces_`
  std::uint64_t frames_bytes_ = 0; ///< of all small frames but those of the last piece
  std::vector<char> spare_;        ///< a buffer to use again
};

} // namespace dybw
