#pragma once

#include <Eigen/Core>

#include <cstddef>

/// Matrix products as the networks need them: without allocation, and with the same rounding on every
/// processor that has the instructions the program was built for. For the sources of models only.
namespace dybw {

using Eigen::Index;
using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using const_rows = Eigen::Map<const row_matrix>;
using mutable_rows = Eigen::Map<row_matrix>;
using const_samples = Eigen::Map<const Eigen::MatrixXf>; ///< [features x samples], a sample per column
using mutable_samples = Eigen::Map<Eigen::MatrixXf>;
using const_column = Eigen::Map<const Eigen::VectorXf>;
using mutable_column = Eigen::Map<Eigen::VectorXf>;

/// With panels of this size Eigen's packing buffers stay below EIGEN_STACK_ALLOCATION_LIMIT (see
/// CMakeLists.txt) whatever the layer's width, so that no product allocates.
constexpr Index panel_max = 408;

/// Eigen cuts its products by the sizes of the caches, which it asks the processor for, and how they are cut
/// decides how the sums are rounded. So it is told the same sizes everywhere: those of a common server, which
/// others differ from by little speed. They are process-wide: written by whoever makes the first model or
/// workspace, before any product; from then on they are only read.
inline void fix_cache_sizes() {
  constexpr std::ptrdiff_t l1 = 32 * 1024;
  constexpr std::ptrdiff_t l2 = 512 * 1024;
  constexpr std::ptrdiff_t l3 = 8 * 1024 * 1024;
  if (Eigen::l1CacheSize() != l1 || Eigen::l2CacheSize() != l2 || Eigen::l3CacheSize() != l3)
    Eigen::setCpuCacheSizes(l1, l2, l3);
}

constexpr Index as_index(std::size_t n) {
  return static_cast<Index>(n);
}

/// Length of the panels that cut `n` into as few and as equal pieces as may be.
constexpr Index panel_length(Index n) {
  const auto panels = (n + panel_max - 1) / panel_max;
  return panels == 0 ? 1 : (n + panels - 1) / panels;
}

/// result += left * right, without allocation.
template <class Result, class Left, class Right>
void add_product(Result& result, const Left& left, const Right& right) {
  const auto rows_max = panel_length(result.rows());
  const auto columns_max = panel_length(result.cols());
  for (Index row = 0; row < result.rows(); row += rows_max) {
    const auto rows = std::min(rows_max, result.rows() - row);
    for (Index column = 0; column < result.cols(); column += columns_max) {
      const auto columns = std::min(columns_max, result.cols() - column);
      result.block(row, column, rows, columns).noalias() +=
          left.middleRows(row, rows) * right.middleCols(column, columns);
    }
  }
}

} // namespace dybw
