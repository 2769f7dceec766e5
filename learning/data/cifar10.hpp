#pragma once

#include "learning/data/dataset.hpp"

#include <filesystem>

namespace dybw {

/// Loads the binary version of CIFAR-10 from `directory`: `test_batch.bin` for testing, and for training all
/// of `data_batch_1.bin` .. `data_batch_5.bin` that are there, at least one. If none of these files is there,
/// from `directory/cifar-10-batches-bin`, which the archive makes. A file is a sequence of rows of
/// 3,073 bytes (10,000 of them in the originals):
///
///     byte 0        label, 0 .. 9
///     bytes 1-3072  1,024 bytes each of red, green and blue; 32 rows of 32 pixels per colour
///
/// Throws `input_error` (data fault) for a file that is missing, unreadable, empty or no whole number of
/// rows, and for a label beyond 9. All sizes are checked before memory is allocated.
data_split load_cifar10(const std::filesystem::path& directory);

} // namespace dybw
