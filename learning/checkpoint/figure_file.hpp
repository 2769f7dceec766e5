#pragma once

#include "learning/checkpoint/checked_bytes.hpp"

#include <vector>

namespace dybw {

/// The figures of a run in virtual time that depend on the parameters, of all rounds, exchanges and
/// `strides_apart` told, in their order: a file beside the checkpoint that is only appended to, float64 as
/// they are. The checkpoint says how many of them belong to it, and their CRC-32; what stands behind them is
/// of no account.
///
/// Reads it from front to end, a portion in memory at a time. Throws `input_error` (data fault) for a file
/// that is missing, too short or damaged.
class figure_reader {
public:
  figure_reader(const std::filesystem::path& file, std::uint64_t count, std::uint32_t sum);

  /// The next ones. REQUIRES: there are so many left.
  void next(std::span<double> figures);
  std::uint64_t left() const noexcept { return count_ - given_; }

private:
  void fill();

  checkpoint_reader in_;
  std::uint64_t count_;
  std::uint32_t expected_;
  checksum sum_;
  std::uint64_t given_ = 0;
  std::uint64_t read_ = 0;
  std::vector<double> portion_;
  std::size_t at_ = 0; ///< in it
};

} // namespace dybw
