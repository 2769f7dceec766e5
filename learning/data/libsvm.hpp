#pragma once

#include "learning/data/dataset.hpp"

#include <cstdint>
#include <filesystem>

namespace dybw {

/// Features x samples of one data set in memory, as float32 without gaps: 4 GiB.
constexpr std::uint64_t dense_values_max = std::uint64_t{1} << 30U;

/// Loads a sparse table in LIBSVM's (SVMlight's) text format, one sample per line:
///
///     LABEL INDEX:VALUE INDEX:VALUE ..   # comment
///
/// Labels are whole numbers or words and become classes from 0 (see `class_labels`); indices ascend from 1,
/// or from 0 if one is 0; what is not there is 0. If `FILE.t` stands beside `file`, as the collection of
/// LIBSVM's authors names its test sets, it is the test set; else `test_share` and `seed` hold rows out.
/// Features are scaled as those of a CSV file. In memory all values are there, zeros too.
///
/// Throws `input_error` (data fault) that names file and line for anything else, among it several labels in a
/// line (multi-label sets) and `qid:` (rankings), and a table of more than `dense_values_max` values.
data_split load_libsvm(const std::filesystem::path& file, double test_share, std::uint64_t seed,
                       std::uint64_t values_max = dense_values_max);

} // namespace dybw
