#pragma once

#include "learning/data/dataset.hpp"

#include <filesystem>

namespace dybw {

/// Loads MNIST, or any other set of images laid out like it (Fashion-MNIST, EMNIST), from the IDX files in
/// `directory`:
///
///     train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte  t10k-labels-idx1-ubyte
///
/// each plain or gzipped (`.gz`), with `-idx` or `.idx`, with `t10k` or `test`, and as EMNIST has them with
/// the set's name and a dash ahead. If they are not there: in `directory/raw` or `directory/NAME/raw`, where
/// torchvision puts them. An IDX file is
///
///     bytes 0-3   0, 0, 8 (unsigned bytes), number of dimensions (labels 1, images 3)
///     then        per dimension its size, 32 bits, big-endian: samples, rows, columns
///     then        the values, one byte each, last dimension fastest; pixels 0 (paper) .. 255 (ink)
///
/// Labels up to 9 are ten classes. Others must count without a gap from 0, or from 1 as those of EMNIST's
/// letters do; then label 1 is class 0, and so on.
///
/// Throws `input_error` (data fault) for a file that is missing, unreadable, damaged, truncated or followed
/// by more bytes, a wrong magic number, sizes that disagree, labels with gaps, and test labels that training
/// has not. Memory stays in proportion to what a file really holds, whatever its header says.
data_split load_mnist(const std::filesystem::path& directory);

} // namespace dybw
