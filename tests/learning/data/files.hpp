#pragma once

#include "learning/base/error.hpp"
#include "learning/data/dataset.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace dybw::test {

using bytes = std::vector<std::uint8_t>;

/// An empty directory that goes with its owner.
class temporary_directory {
public:
  temporary_directory() {
    auto name = (std::filesystem::temp_directory_path() / "dybw-data-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& file, const bytes& content) {
  std::ofstream out{file, std::ios::binary};
  out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  REQUIRE(out.good());
}

inline void write_file(const std::filesystem::path& file, const std::string& content) {
  write_file(file, bytes(content.begin(), content.end()));
}

inline bytes read_file(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void write_gzipped(const std::filesystem::path& file, const bytes& content) {
  auto* out = gzopen(file.c_str(), "wb");
  REQUIRE(out != nullptr);
  gzwrite(out, content.data(), static_cast<unsigned>(content.size()));
  REQUIRE(gzclose(out) == Z_OK);
}

/// What a call that must refuse its input says.
struct refusal {
  input_fault fault{};
  std::string message = "(nothing was refused)";
  bool says(const std::string& part) const { return message.find(part) != std::string::npos; }
};

template <class Call>
refusal refusal_of(Call call) {
  try {
    call();
  } catch (const input_error& error) {
    return {error.fault(), error.what()};
  }
  return {};
}

/// The original files of a data set, which may be missing on a developer's machine.
inline std::optional<std::filesystem::path> real_data(const std::string& name) {
  const auto* set = std::getenv("DYBW_DATA");
  const auto root = std::filesystem::path{set != nullptr ? set : DYBW_SOURCE_DIR "/../shared/data"};
  if (std::filesystem::exists(root / name))
    return root / name;
  MESSAGE("skipped: no ", name, " below ", root.string(), " (set DYBW_DATA)");
  return std::nullopt;
}

inline const bytes& bytes_of(const dataset& data) {
  return std::get<bytes>(data.values);
}

inline const std::vector<float>& floats_of(const dataset& data) {
  return std::get<std::vector<float>>(data.values);
}

} // namespace dybw::test
