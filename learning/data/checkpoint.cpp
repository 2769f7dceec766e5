#include "learning/data/checkpoint.hpp"

#include "learning/error.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <string>

namespace dybw {

namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "the file's byte order is the host's");

constexpr std::array<char, 8> magic = {'D', 'Y', 'B', 'W', 'C', 'K', 'P', 'T'};
constexpr std::uint32_t version = 1;
constexpr std::size_t head_bytes = 96;
constexpr std::size_t head_checked_bytes = 88; ///< covered by the checksum in the head
constexpr std::size_t tail_bytes = 4;
constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;

constexpr auto from_another_copy = "resume from another copy of the run's directory";

using head = std::array<std::byte, head_bytes>;

[[noreturn]] void refuse(const std::string& what, const fs::path& file, const std::string& mend) {
  throw input_error{input_fault::data, what, file.string(), mend};
}

class checksum {
public:
  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) { // zlib counts in unsigned int
      const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), chunk_bytes * 1024));
      value_ = crc32(value_, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
      bytes = bytes.subspan(piece.size());
    }
  }
  std::uint32_t value() const noexcept { return static_cast<std::uint32_t>(value_); }

private:
  uLong value_ = crc32(0, nullptr, 0);
};

std::uint32_t checksum_of(std::span<const std::byte> bytes) {
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

head encode_head(const checkpoint& x) {
  head h{};
  std::copy(magic.begin(), magic.end(), reinterpret_cast<char*>(h.data()));
  put(h, 8, version);
  put(h, 12, static_cast<std::uint32_t>(head_bytes));
  put(h, 16, x.run_hash);
  put(h, 24, static_cast<std::uint32_t>(x.worker));
  put(h, 28, x.workers);
  put(h, 32, x.round);
  put(h, 40, x.local_steps);
  put(h, 48, x.epoch);
  put(h, 56, x.delays);
  put(h, 64, static_cast<std::int64_t>(x.elapsed.count()));
  put(h, 72, static_cast<std::uint64_t>(x.parameters.values().size()));
  put(h, 80, static_cast<std::uint64_t>(x.velocity.values().size()));
  put(h, head_checked_bytes, checksum_of(std::span{h}.first(head_checked_bytes)));
  return h;
}

/// A checkpoint file, read from front to end.
class reader {
public:
  explicit reader(const fs::path& file) : path_(file) {
    std::error_code fault;
    if (!fs::exists(file, fault))
      refuse("there is no checkpoint", file, from_another_copy);
    bytes_ = fs::is_regular_file(file, fault) ? fs::file_size(file, fault) : 0;
    in_.open(file, std::ios::binary);
    if (fault || !in_)
      refuse("the checkpoint cannot be read", file, "check its permissions");
  }

  head read_head() {
    head h{};
    const auto there = std::min<std::uint64_t>(bytes_, head_bytes);
    read(std::span{h}.first(static_cast<std::size_t>(there)));
    if (there < magic.size() ||
        !std::equal(magic.begin(), magic.end(), reinterpret_cast<const char*>(h.data())))
      refuse("this is no checkpoint of dybw", path_, "name the directory that a run wrote");
    if (there >= 12 && get<std::uint32_t>(h, 8) != version)
      refuse("the checkpoint has version " + std::to_string(get<std::uint32_t>(h, 8)) +
                 " of the format, not " + std::to_string(version),
             path_, "resume with the version of dybw that wrote it");
    if (there < head_bytes)
      refuse_cut(head_bytes);
    if (get<std::uint32_t>(h, head_checked_bytes) != checksum_of(std::span{h}.first(head_checked_bytes)))
      refuse("the checkpoint is damaged: its head's checksum is wrong", path_, from_another_copy);
    return h;
  }

  /// REQUIRES: `count` values are wanted whatever the file says.
  void expect_values(std::size_t count) const {
    const auto whole = head_bytes + count * sizeof(float) + tail_bytes;
    if (bytes_ < whole)
      refuse_cut(whole);
    if (bytes_ > whole)
      refuse("the checkpoint is damaged: it has " + std::to_string(bytes_ - whole) + " bytes too many", path_,
             from_another_copy);
  }

  parameter_block read_values(std::size_t count) {
    auto buffer = std::make_shared<float_buffer>(count);
    read(std::as_writable_bytes(buffer->values()));
    return parameter_block{std::move(buffer)};
  }

  void check_sum() {
    const auto sum = sum_.value();
    std::array<std::byte, tail_bytes> tail{};
    read(tail);
    if (get<std::uint32_t>(tail, 0) != sum)
      refuse("the checkpoint is damaged: its checksum is wrong", path_, from_another_copy);
  }

private:
  void read(std::span<std::byte> to) {
    in_.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    if (!in_)
      refuse("the checkpoint cannot be read", path_, from_another_copy);
    sum_.add(to);
  }

  [[noreturn]] void refuse_cut(std::uint64_t whole) const {
    refuse("the checkpoint is cut short: " + std::to_string(bytes_) + " of " + std::to_string(whole) +
               " bytes",
           path_, from_another_copy);
  }

  fs::path path_;
  std::ifstream in_;
  std::uint64_t bytes_ = 0;
  checksum sum_;
};

void check_fit(const head& h, const checkpoint_frame& expected, const fs::path& file) {
  const auto worker = get<std::uint32_t>(h, 24);
  const auto workers = get<std::uint32_t>(h, 28);
  const auto parameters = get<std::uint64_t>(h, 72);
  const auto velocity = get<std::uint64_t>(h, 80);
  if (get<std::uint64_t>(h, 16) != expected.run_hash || workers != expected.workers)
    refuse("the checkpoint is of a run with other options", file,
           "give the options of that run, or its directory");
  if (worker != static_cast<std::uint32_t>(expected.worker))
    refuse("the checkpoint is that of worker " + std::to_string(worker) + ", not of worker " +
               to_string(expected.worker),
           file, "give the files their own names");
  if (parameters != expected.parameters || velocity != (expected.has_velocity ? expected.parameters : 0))
    refuse("the checkpoint has " + std::to_string(parameters) + " parameters, the model " +
               std::to_string(expected.parameters),
           file, "give the options and the data of that run");
}

} // namespace

void encode(const checkpoint& x, const std::function<void(std::span<const std::byte>)>& write) {
  const auto h = encode_head(x);
  checksum sum;
  for (const auto piece : {std::span<const std::byte>{h}, std::as_bytes(x.parameters.values()),
                           std::as_bytes(x.velocity.values())}) {
    sum.add(piece);
    write(piece);
  }
  std::array<std::byte, tail_bytes> tail{};
  put(tail, 0, sum.value());
  write(tail);
}

checkpoint read_checkpoint(const fs::path& file, const checkpoint_frame& expected) {
  reader in{file};
  const auto h = in.read_head();
  check_fit(h, expected, file);
  in.expect_values(expected.parameters * (expected.has_velocity ? 2 : 1));
  checkpoint x;
  x.run_hash = expected.run_hash;
  x.worker = expected.worker;
  x.workers = expected.workers;
  x.round = get<std::uint64_t>(h, 32);
  x.local_steps = get<std::uint64_t>(h, 40);
  x.epoch = get<std::uint64_t>(h, 48);
  x.delays = get<std::uint64_t>(h, 56);
  x.elapsed = nanoseconds{get<std::int64_t>(h, 64)};
  x.parameters = in.read_values(expected.parameters);
  if (expected.has_velocity)
    x.velocity = in.read_values(expected.parameters);
  in.check_sum();
  return x;
}

} // namespace dybw
