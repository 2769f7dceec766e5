#pragma once

#include "learning/data/dataset.hpp"

#include <filesystem>

namespace dybw {

/// Where a run's data comes from; the values of the options of the same names.
struct data_options {
  std::string name = "digits"; ///< digits | mnist | cifar10 | csv | libsvm
  std::filesystem::path path;  ///< directory (mnist, cifar10) or file (csv, libsvm); unused by digits
  double test_share = 0.2;     ///< csv, libsvm: share of the rows held out, in (0,1)
  std::string label;           ///< csv: name or number (from 1) of the label's column; empty: found
  std::uint64_t seed = 1;      ///< digits: generation; csv, libsvm: which rows are held out
  bool standardise = false;    ///< --scaling standard, not unit
  bool mirror = false;         ///< --augment mirror: images, while training
};

/// Loads what the options name, and standardises it by the training samples if they say so. Throws
/// `input_error` (data fault) for a missing, unreadable, truncated or mislabelled file and (configuration
/// fault) for an unknown name or a path that is missing from the options. Checks magic numbers, sizes and
/// label ranges before it allocates.
data_split load_data(const data_options& options);

} // namespace dybw
