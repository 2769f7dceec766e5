#include "apps/results/npz_file.hpp"

#include <doctest/doctest.h>

#include <zlib.h>

#include <cstring>
#include <map>
#include <string>

namespace dybw {

namespace {

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t count) {
  std::uint64_t x = 0;
  for (std::size_t i = 0; i < count; ++i)
    x |= std::uint64_t{static_cast<unsigned char>(bytes.at(at + i))} << (8 * i);
  return x;
}

/// The entries of an archive by its directory, as a reader of ZIP files finds them, with everything checked
/// that its format says twice.
std::map<std::string, std::string> entries_of(const std::string& zip) {
  const auto end = zip.size() - 22;
  REQUIRE(number_at(zip, end, 4) == 0x06054b50);
  const auto count = number_at(zip, end + 10, 2);
  auto at = number_at(zip, end + 16, 4);
  CHECK(at + number_at(zip, end + 12, 4) == end);
  CHECK(number_at(zip, end + 8, 2) == count);
  std::map<std::string, std::string> entries;
  for (std::uint64_t i = 0; i < count; ++i) {
    REQUIRE(number_at(zip, at, 4) == 0x02014b50);
    const auto name_bytes = number_at(zip, at + 28, 2);
    const auto name = zip.substr(at + 46, name_bytes);
    const auto bytes = number_at(zip, at + 24, 4);
    const auto local = number_at(zip, at + 42, 4);
    CHECK(number_at(zip, local, 4) == 0x04034b50);
    CHECK(zip.substr(local + 4, 26) == zip.substr(at + 6, 26)); // version to lengths, in both heads
    CHECK(number_at(zip, local + 8, 2) == 0);                   // stored
    CHECK(number_at(zip, local + 18, 4) == bytes);
    CHECK(zip.substr(local + 30, name_bytes) == name);
    const auto content = zip.substr(local + 30 + name_bytes, bytes);
    CHECK(crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())) ==
          number_at(zip, at + 16, 4));
    entries[name] = content;
    at += 46 + name_bytes;
  }
  CHECK(at == end);
  return entries;
}

std::string written(const parameter_layout& layout, std::span<const float> parameters) {
  std::string bytes;
  write_npz(layout, parameters, [&](std::span<const std::byte> piece) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  });
  return bytes;
}

} // namespace

TEST_CASE("npz_file: every array is an entry of its name, with its shape and its values") {
  const parameter_layout layout{{"layers.0.weight", {2, 3}, 0}, {"layers.0.bias", {2}, 6}};
  const std::vector<float> parameters{1, 2, 3, 4, 5, 6, -7, -8};
  const auto entries = entries_of(written(layout, parameters));
  REQUIRE(entries.size() == 2);
  const auto& weight = entries.at("layers.0.weight.npy");
  CHECK(weight.starts_with("\x93NUMPY"));
  CHECK(weight.find("'shape': (2, 3), }") != std::string::npos);
  CHECK(std::memcmp(weight.data() + weight.size() - 6 * 4, parameters.data(), 6 * 4) == 0);
  const auto& bias = entries.at("layers.0.bias.npy");
  CHECK(bias.find("'shape': (2,), }") != std::string::npos);
  CHECK(std::memcmp(bias.data() + bias.size() - 2 * 4, parameters.data() + 6, 2 * 4) == 0);
  CHECK(written(layout, parameters) == written(layout, parameters));
}

TEST_CASE("npz_file: what a ZIP archive cannot hold is known before") {
  CHECK(fits_npz({{"a", {1000, 1000}, 0}}));
  CHECK_FALSE(fits_npz({{"a", {1U << 30U}, 0}}));
  CHECK_FALSE(fits_npz({{"a", {1U << 29U}, 0}, {"b", {1U << 29U}, 1U << 29U}}));
}

TEST_CASE("npz_file: a layout that another machine made up fits no archive") {
  constexpr std::uint64_t huge = std::uint64_t{1} << 62U;
  CHECK_FALSE(fits_npz({{"a", {huge}, 0}})); // times four it is 0
  CHECK_FALSE(fits_npz({{"a", {huge, 4}, 0}}));
  CHECK_FALSE(fits_npz({{"a", {1}, ~std::uint64_t{0}}}));
  CHECK_FALSE(fits_npz({{"a", {}, 0}}));
  CHECK_FALSE(fits_npz({{"a", std::vector<std::uint64_t>(33, 1), 0}}));
  CHECK_FALSE(fits_npz({{std::string(0xffff, 'a'), {1}, 0}}));
}

} // namespace dybw
