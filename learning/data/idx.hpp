#pragma once

#include "learning/data/dataset.hpp"

#include <filesystem>

namespace dybw {

/// Loads MNIST, or any other set of images in ten classes laid out like it, from the IDX files in
/// `directory`:
///
///     train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte  t10k-labels-idx1-ubyte
///
/// each plain or gzipped (`.gz`), with `-idx` or `.idx`. An IDX file is
///
///     bytes 0-3   0, 0, 8 (unsigned bytes), number of dimensions (labels 1, images 3)
///     then        per dimension its size, 32 bits, big-endian: samples, rows, columns
///     then        the values, one byte each, last dimension fastest; pixels 0 (paper) .. 255 (ink)
///
/// Throws `input_error` (data fault) for a file that is missing, unreadable, damaged, truncated or followed
/// by more bytes, a wrong magic number, sizes that disagree, and a label beyond 9. Memory stays in proportion
/// to what a file really holds, whatever its header says.
data_split load_mnist(const std::filesystem::path& directory);

} // namespace dybw
