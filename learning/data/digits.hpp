#pragma once

#include "learning/data/dataset.hpp"

#include <cstdint>

namespace dybw {

/// The built-in set, drawn from `seed`: 10,000 training and 2,000 test images of 28 x 28 bytes (0 paper, 255
/// ink), as many of each digit 0 .. 9. Each sample is its digit's pen strokes under a random size, slant,
/// rotation, bend, shift, thickness and ink, with noise on every pixel; it depends on the seed and its own
/// index only. Softmax stays below 95 % test accuracy, a hidden layer of 128 goes above.
data_split generate_digits(std::uint64_t seed);

} // namespace dybw
