#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace dybw {

/// Labelled samples, immutable once built and shared by all workers of a process; safe to read from any
/// thread.
///
/// Images stay bytes in memory (a quarter of the memory traffic of float32) and are scaled to [0,1] as a
/// mini-batch is gathered; tables hold float32 that a loader has already scaled to [0,1].
struct dataset {
  std::size_t features = 0; ///< per sample
  std::size_t classes = 0;  ///< labels are 0 .. classes-1
  /// [samples][features], row after row.
  std::variant<std::vector<std::uint8_t>, std::vector<float>> values;
  std::vector<std::int32_t> labels; ///< [samples]

  std::size_t size() const noexcept { return labels.size(); }

  /// Writes the samples `rows` as float32 in [0,1] to `out` ([rows.size()][features], a sample's features
  /// contiguous: a column-major Eigen matrix of features x samples) and their labels to `labels_out`.
  /// REQUIRES: each row < size(), `out.size() == rows.size() * features`, `labels_out.size() == rows.size()`.
  void gather(std::span<const std::uint32_t> rows, std::span<float> out,
              std::span<std::int32_t> labels_out) const;
};

/// What a run trains and is measured on.
struct data_split {
  std::string name;
  std::shared_ptr<const dataset> train;
  std::shared_ptr<const dataset> test;
};

} // namespace dybw
