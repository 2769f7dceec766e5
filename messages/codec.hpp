#pragma once

#include "learning/base/types.hpp"
#include "messages/peer_text.hpp"
#include "messages/wire.hpp"

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

/// The inspectors that frames are written and read with (messages/frame.hpp). They take the same `inspect`
/// overloads as CAF's, but they know how many bytes are there, so that no count is believed; they call
/// nothing virtual; numbers are little-endian and doubles keep their bits (CAF's packing of them loops for
/// ever on an infinity). Parameter blocks keep the host's byte order, which the two ends of a connection
/// compare. Text is cleaned where it is read, here and nowhere else (messages/peer_text.hpp).
///
///     bool        one byte, 0 or 1          string, path  u32 count, bytes; at most text_bytes_max
///     enum        its underlying type       vector        u32 count, items
///     optional    bool, then the value      parameters    u64 count, float32 as they are
namespace dybw {

/// The last enumerator, for enumerations that are checked on loading. Identifiers have none.
template <class Enum>
struct enum_range {
  static_assert(std::is_same_v<Enum, void>, "say what the last enumerator is");
};
struct any_value {};
template <auto Last>
struct up_to {
  static constexpr auto last = Last;
};
template <>
struct enum_range<worker_id> : any_value {};

/// Writes at the end of a buffer. Cannot fail.
class wire_writer {
public:
  using result_type = ec;
  static constexpr bool reads_state = true;
  static constexpr bool writes_state = false;

  /// With `last_block` the values of parameters are not written but left there: they have to come last.
  explicit wire_writer(std::vector<char>& out, parameter_block* last_block = nullptr)
      : out_(out), last_block_(last_block) {}

  template <class... Ts>
  ec operator()(const Ts&... xs) {
    (write(xs), ...);
    return ec::none;
  }

  void raw(const void* data, std::size_t bytes) {
    if (bytes == 0) // first of all: else GCC sees an overflow in writing it to an empty vector
      return;
    const auto at = out_.size();
    out_.resize(at + bytes);
    std::memcpy(out_.data() + at, data, bytes);
  }

private:
  template <class T>
  void write(const T& x) {
    if constexpr (caf::meta::is_annotation<T>::value) {
    } else if constexpr (std::is_same_v<T, bool>) {
      number(static_cast<std::uint8_t>(x));
    } else if constexpr (std::integral<T>) {
      number(static_cast<std::make_unsigned_t<T>>(x));
    } else if constexpr (std::is_enum_v<T>) {
      write(static_cast<std::underlying_type_t<T>>(x));
    } else if constexpr (std::is_same_v<T, double>) {
      number(std::bit_cast<std::uint64_t>(x));
    } else {
      write_compound(x);
    }
  }

  template <std::unsigned_integral T>
  void number(T x) {
    char bytes[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes[i] = static_cast<char>(x >> (8 * i));
    raw(bytes, sizeof(T));
  }

  void count(std::size_t n) { number(static_cast<std::uint32_t>(n)); }

  template <class T>
  void write_compound(const T& x) {
    inspect(*this, const_cast<T&>(x)); // an inspector that only reads; `inspect` serves loading, too
  }
  void write_compound(const std::string& x) {
    const auto bytes = std::min(x.size(), text_bytes_max);
    count(bytes);
    raw(x.data(), bytes);
  }
  void write_compound(const std::filesystem::path& x) { write_compound(x.string()); }
  void write_compound(nanoseconds x) { write(x.count()); }
  template <class T>
  void write_compound(const std::optional<T>& x) {
    write(x.has_value());
    if (x)
      write(*x);
  }
  template <class T>
  void write_compound(const std::vector<T>& x) {
    count(x.size());
    for (const auto& item : x)
      write(item);
  }
  void write_compound(const std::vector<char>& x) {
    count(x.size());
    raw(x.data(), x.size());
  }
  void write_compound(const parameter_block& x) {
    number(static_cast<std::uint64_t>(x.values().size()));
    if (last_block_ != nullptr)
      *last_block_ = x;
    else
      raw(x.values().data(), x.values().size_bytes());
  }
  void write_compound(const membership_news& x) { write_compound(x.facts ? *x.facts : std::vector<fact>{}); }

  std::vector<char>& out_;
  parameter_block* last_block_;
};

/// Reads from a piece of memory. After an error everything else is skipped, and the value is unspecified.
class wire_reader {
public:
  using result_type = ec;
  static constexpr bool reads_state = false;
  static constexpr bool writes_state = true;

  explicit wire_reader(std::span<const char> in) : in_(in), items_bytes_left_(items_bytes_max(in.size())) {}

  template <class... Ts>
  ec operator()(Ts&&... xs) {
    (read(xs), ...);
    return error_;
  }

  std::size_t remaining() const noexcept { return in_.size(); }
  ec error() const noexcept { return error_; }
  /// The first error, or `trailing` if not all was read.
  ec finish() const noexcept { return error_ == ec::none && !in_.empty() ? ec::trailing : error_; }

private:
  void fail(ec code) noexcept {
    if (error_ == ec::none)
      error_ = code;
    in_ = {};
  }

  bool raw(void* data, std::size_t bytes) {
    if (bytes > in_.size()) {
      fail(ec::truncated);
      return false;
    }
    if (bytes > 0)
      std::memcpy(data, in_.data(), bytes);
    in_ = in_.subspan(bytes);
    return true;
  }

  template <class T>
  void read(T& x) {
    if (error_ != ec::none)
      return;
    if constexpr (caf::meta::is_annotation<T>::value) {
    } else if constexpr (std::is_same_v<T, bool>) {
      read_flag(x);
    } else if constexpr (std::integral<T>) {
      read_number(x);
    } else if constexpr (std::is_enum_v<T>) {
      read_enum(x);
    } else if constexpr (std::is_same_v<T, double>) {
      std::uint64_t bits = 0;
      read_number(bits);
      x = std::bit_cast<double>(bits);
    } else {
      read_compound(x);
    }
  }

  template <class T>
  void read_number(T& x) {
    unsigned char bytes[sizeof(T)];
    if (!raw(bytes, sizeof(T)))
      return;
    using bits = std::make_unsigned_t<T>;
    bits value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<bits>(value | static_cast<bits>(static_cast<bits>(bytes[i]) << (8 * i)));
    x = static_cast<T>(value);
  }

  void read_flag(bool& x) {
    std::uint8_t value = 0;
    read_number(value);
    if (value > 1)
      fail(ec::malformed);
    x = value == 1;
  }

  template <class T>
  void read_enum(T& x) {
    std::underlying_type_t<T> value{};
    read_number(value);
    if constexpr (!std::is_base_of_v<any_value, enum_range<T>>)
      if (value < 0 || value > static_cast<std::underlying_type_t<T>>(enum_range<T>::last))
        return fail(ec::malformed);
    x = static_cast<T>(value);
  }

  template <class T>
  void read_compound(T& x) {
    inspect(*this, x);
  }
  void read_compound(std::string& x) {
    std::uint32_t bytes = 0;
    read_number(bytes);
    if (bytes > text_bytes_max)
      return fail(ec::oversized);
    if (bytes > in_.size())
      return fail(ec::truncated);
    x.assign(in_.data(), bytes);
    in_ = in_.subspan(bytes);
    clean_peer_text(x);
  }
  void read_compound(std::filesystem::path& x) {
    std::string text;
    read_compound(text);
    x = text;
  }
  void read_compound(nanoseconds& x) {
    nanoseconds::rep value = 0;
    read_number(value);
    x = nanoseconds{value};
  }
  template <class T>
  void read_compound(std::optional<T>& x) {
    bool there = false;
    read_flag(there);
    x.reset();
    if (there && error_ == ec::none)
      read(x.emplace());
  }
  template <class T>
  void read_compound(std::vector<T>& x);
  void read_compound(std::vector<char>& x) {
    std::uint32_t bytes = 0;
    read_number(bytes);
    if (bytes > in_.size())
      return fail(ec::truncated);
    x.assign(in_.begin(), in_.begin() + bytes);
    in_ = in_.subspan(bytes);
  }
  void read_compound(parameter_block& x) {
    std::uint64_t count = 0;
    read_number(count);
    x = parameter_block{};
    if (count == 0)
      return;
    if (count > parameters_max)
      return fail(ec::oversized);
    if (count > in_.size() / sizeof(float))
      return fail(ec::truncated);
    auto buffer = std::make_shared<float_buffer>(static_cast<std::size_t>(count));
    raw(buffer->values().data(), buffer->values().size_bytes());
    x = parameter_block{std::move(buffer)};
  }
  void read_compound(membership_news& x) {
    std::vector<fact> facts;
    read_compound(facts);
    x.facts = std::make_shared<const std::vector<fact>>(std::move(facts));
  }

  std::span<const char> in_;
  std::size_t items_bytes_left_; ///< that vectors may still take
  ec error_ = ec::none;
};

/// The bytes of a default value: without text, items and options, the fewest that one takes.
template <class T>
std::size_t least_wire_bytes() {
  static const auto bytes = [] {
    std::vector<char> out;
    wire_writer{out}(T{});
    return out.size();
  }();
  return bytes;
}

template <class T>
void wire_reader::read_compound(std::vector<T>& x) {
  std::uint32_t count = 0;
  read_number(count);
  x.clear();
  if (count > in_.size() / least_wire_bytes<T>())
    return fail(ec::truncated);
  if (count > items_bytes_left_ / sizeof(T))
    return fail(ec::oversized);
  items_bytes_left_ -= count * sizeof(T);
  for (std::uint32_t i = 0; i < count && error_ == ec::none; ++i) // grows with what is really there
    read(x.emplace_back());
}

} // namespace dybw
