#pragma once

#include "learning/base/error.hpp"
#include "learning/model/parameter_block.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

/// What the formats of checkpoint files share: little-endian numbers in a head with a checksum, values as
/// float32, a CRC-32 of all at the end. For learning/data/ only.
namespace dybw {

static_assert(std::endian::native == std::endian::little, "the files' byte order is the host's");

class checksum {
public:
  checksum() = default;
  /// Of bytes whose sum this is, and what is added to them.
  explicit checksum(std::uint32_t value) : value_(value) {}

  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) { // zlib counts in unsigned int
      const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), std::size_t{1} << 30U));
      value_ = crc32(value_, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
      bytes = bytes.subspan(piece.size());
    }
  }
  std::uint32_t value() const noexcept { return static_cast<std::uint32_t>(value_); }

private:
  uLong value_ = crc32(0, nullptr, 0);
};

inline std::uint32_t checksum_of(std::span<const std::byte> bytes) {
  checksum sum;
  sum.add(bytes);
  return sum.value();
}

template <class Number>
void put(std::span<std::byte> to, std::size_t at, Number x) {
  const auto bytes = std::as_bytes(std::span{&x, 1});
  std::copy(bytes.begin(), bytes.end(), to.subspan(at).begin());
}

template <class Number>
Number get(std::span<const std::byte> from, std::size_t at) {
  Number x{};
  const auto bytes = from.subspan(at, sizeof x);
  std::copy(bytes.begin(), bytes.end(), std::as_writable_bytes(std::span{&x, 1}).begin());
  return x;
}

inline constexpr std::size_t checkpoint_tail_bytes = 4;

/// The bytes of the head that its own checksum, behind them, covers are all but the last eight.
template <std::size_t Size>
void seal_head(std::array<std::byte, Size>& head) {
  put(head, Size - 8, checksum_of(std::span{head}.first(Size - 8)));
}

/// A checkpoint file, read from front to end. Throws `input_error` (data fault) for one that is not what it
/// should be.
class checkpoint_reader {
public:
  static constexpr auto from_another_copy = "resume from another copy of the run's directory";

  explicit checkpoint_reader(const std::filesystem::path& file) : path_(file) {
    std::error_code failed;
    if (!std::filesystem::exists(file, failed))
      refuse("there is no checkpoint", from_another_copy);
    bytes_ = std::filesystem::is_regular_file(file, failed) ? std::filesystem::file_size(file, failed) : 0;
    in_.open(file, std::ios::binary);
    if (failed || !in_)
      refuse("the checkpoint cannot be read", "check its permissions");
  }

  /// The head begins with the magic and, at 8, the version.
  template <std::size_t Size>
  std::array<std::byte, Size> read_head(const std::array<char, 8>& magic, std::uint32_t version) {
    std::array<std::byte, Size> h{};
    const auto there = std::min<std::uint64_t>(bytes_, Size);
    read(std::span{h}.first(static_cast<std::size_t>(there)));
    if (there < magic.size() ||
        !std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(h.data())))
      refuse("this is no checkpoint of dybw", "name the directory that a run wrote");
    if (there >= 12 && get<std::uint32_t>(h, 8) != version)
      refuse("the checkpoint has version " + std::to_string(get<std::uint32_t>(h, 8)) +
                 " of the format, not " + std::to_string(version),
             "resume with the version of dybw that wrote it");
    if (there < Size)
      refuse_cut(Size);
    if (get<std::uint32_t>(h, Size - 8) != checksum_of(std::span{h}.first(Size - 8)))
      refuse("the checkpoint is damaged: its head's checksum is wrong", from_another_copy);
    return h;
  }

  /// Before anything is allocated: the whole file should have so many bytes.
  void expect_bytes(std::uint64_t whole) const {
    if (bytes_ < whole)
      refuse_cut(whole);
    if (bytes_ > whole)
      refuse("the checkpoint is damaged: it has " + std::to_string(bytes_ - whole) + " bytes too many",
             from_another_copy);
  }

  template <class Number>
  Number number() {
    Number x{};
    read(std::as_writable_bytes(std::span{&x, 1}));
    return x;
  }

  parameter_block values(std::size_t count) {
    auto buffer = std::make_shared<float_buffer>(count);
    read(std::as_writable_bytes(buffer->values()));
    return parameter_block{std::move(buffer)};
  }

  void read(std::span<std::byte> to) {
    in_.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    if (!in_)
      refuse("the checkpoint cannot be read", from_another_copy);
    sum_.add(to);
  }

  void check_sum() {
    const auto sum = sum_.value();
    if (number<std::uint32_t>() != sum)
      refuse("the checkpoint is damaged: its checksum is wrong", from_another_copy);
  }

  std::uint64_t bytes() const noexcept { return bytes_; }

  [[noreturn]] void refuse(const std::string& what, const std::string& mend) const {
    throw input_error{input_fault::data, what, path_.string(), mend};
  }

private:
  [[noreturn]] void refuse_cut(std::uint64_t whole) const {
    refuse("the checkpoint is cut short: " + std::to_string(bytes_) + " of " + std::to_string(whole) +
               " bytes",
           from_another_copy);
  }

  std::filesystem::path path_;
  std::ifstream in_;
  std::uint64_t bytes_ = 0;
  checksum sum_;
};

} // namespace dybw
