#include "apps/results/npz_file.hpp"

#include "apps/results/run_json.hpp"
#include "learning/checkpoint/checked_bytes.hpp"

#include <cassert>
#include <string>
#include <string_view>

namespace dybw {

namespace {

constexpr std::string_view npy_suffix = ".npy";
constexpr std::size_t local_head_bytes = 30;
constexpr std::size_t central_head_bytes = 46;
constexpr std::size_t npy_head_bytes = 256; // at most, and for each extent so many more:
constexpr std::size_t extent_bytes = 24;
constexpr std::size_t extents_max = 32;           // that every NumPy takes
constexpr std::uint16_t zip_version = 20;         // 2.0
constexpr std::uint16_t first_day = 1U << 5U | 1; // 1 January 1980: no clock in results

/// Little-endian numbers, whatever the host.
class zip_bytes {
public:
  zip_bytes& u16(std::uint64_t x) { return put(x, 2); }
  zip_bytes& u32(std::uint64_t x) { return put(x, 4); }
  zip_bytes& text(const std::string& x) {
    bytes_ += x;
    return *this;
  }
  const std::string& bytes() const noexcept { return bytes_; }

private:
  zip_bytes& put(std::uint64_t x, int count) {
    for (int i = 0; i < count; ++i)
      bytes_ += static_cast<char>(x >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

struct entry {
  std::string name;
  std::string head; ///< of its .npy
  std::span<const float> values;
  std::uint64_t at = 0; ///< of its local head
  std::uint32_t sum = 0;

  std::uint64_t bytes() const { return head.size() + values.size_bytes(); }
};

std::uint32_t checksum_of(const entry& e) {
  checksum sum;
  sum.add(std::as_bytes(std::span{e.head}));
  sum.add(std::as_bytes(e.values));
  return sum.value();
}

/// What the local and the central head have in common.
void append_common(zip_bytes& out, const entry& e) {
  out.u16(zip_version).u16(0).u16(0).u16(0).u16(first_day); // no flags, stored, midnight
  out.u32(e.sum).u32(e.bytes()).u32(e.bytes()).u16(e.name.size()).u16(0);
}

} // namespace

bool fits_npz(const parameter_layout& layout) {
  // The sizes are small from here on, so that their sum is right.
  if (layout.size() >= 0xffff || !is_sound(layout, npz_bytes_max / sizeof(float)))
    return false;
  std::uint64_t bytes = 0;
  for (const auto& a : layout) {
    const auto name_bytes = a.name.size() + npy_suffix.size();
    if (a.shape.empty() || a.shape.size() > extents_max || name_bytes > 0xffff)
      return false;
    bytes += sizeof(float) * a.size() + npy_head_bytes + extent_bytes * a.shape.size() + 2 * name_bytes +
             local_head_bytes + central_head_bytes;
  }
  return bytes <= npz_bytes_max;
}

void write_npz(const parameter_layout& layout, std::span<const float> parameters, const byte_sink& write) {
  assert(fits_npz(layout) && is_sound(layout, parameters.size()));
  std::uint64_t written = 0;
  const auto pass = [&](std::span<const std::byte> bytes) {
    write(bytes);
    written += bytes.size();
  };
  std::vector<entry> entries;
  for (const auto& a : layout) {
    auto& e = entries.emplace_back(
        entry{a.name + std::string{npy_suffix}, npy_header(a.shape), parameters.subspan(a.offset, a.size())});
    e.at = written;
    e.sum = checksum_of(e);
    zip_bytes head;
    append_common(head.u32(0x04034b50), e);
    head.text(e.name).text(e.head);
    pass(std::as_bytes(std::span{head.bytes()}));
    pass(std::as_bytes(e.values));
  }
  const auto directory_at = written;
  for (const auto& e : entries) {
    zip_bytes head;
    append_common(head.u32(0x02014b50).u16(zip_version), e);
    head.u16(0).u16(0).u16(0).u32(0).u32(e.at).text(e.name); // no comment, first disk, no attributes
    pass(std::as_bytes(std::span{head.bytes()}));
  }
  zip_bytes end;
  end.u32(0x06054b50).u16(0).u16(0).u16(entries.size()).u16(entries.size());
  end.u32(written - directory_at).u32(directory_at).u16(0);
  pass(std::as_bytes(std::span{end.bytes()}));
}

} // namespace dybw
