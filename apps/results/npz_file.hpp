#pragma once

#include "actors/system/durable_file.hpp"
#include "learning/model/parameter_layout.hpp"

#include <span>

namespace dybw {

/// What a ZIP archive without its 64-bit extension can hold, names and heads included.
constexpr std::uint64_t npz_bytes_max = 0xffff'0000;

/// Whether the arrays fit into one; false for a layout, from wherever, that no archive can hold.
bool fits_npz(const parameter_layout& layout);

/// Writes the arrays as `numpy.load` takes them, by their names: a ZIP archive whose entries NAME.npy are
/// stored as they are, float32. The same arrays give the same bytes. REQUIRES: the arrays lie within
/// `parameters`; they fit.
void write_npz(const parameter_layout& layout, std::span<const float> parameters, const byte_sink& write);

} // namespace dybw
