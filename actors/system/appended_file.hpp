#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace dybw {

/// Writes `bytes` at position `at` of the file, which becomes its end, and has them on the disk: what stood
/// there of a write that failed or was cut short is gone, what stood before stays. Makes the file if it is
/// missing; follows no link. Throws `std::system_error`; then nothing before `at` has changed.
void append_durably(const std::filesystem::path& file, std::uint64_t at, std::span<const std::byte> bytes);

} // namespace dybw
