#pragma once

#include "learning/data/dataset.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// How the training samples are dealt to the workers: `iid`, `shards:S`, `dirichlet:A` or
/// `dirichlet-equal:A`.
///  - iid: a random permutation cut into N parts of equal size up to one sample;
///  - shards:S (McMahan et al., arXiv 1602.05629): sorted by label, cut into N*S runs of equal size up to
///  one, each
///    worker dealt S of them at random;
///  - dirichlet:A (Yurochkin et al., arXiv 1905.12022): each class divided among the workers by a draw from
///    a symmetric Dirichlet distribution, whose parameters are A each; parts of any size, redrawn until every
///    worker has at least one sample;
///  - dirichlet-equal:A (Hsu et al., arXiv 1909.06335): for each worker a mix of classes is drawn, from a
///    Dirichlet distribution whose parameters are A times the classes' shares of all samples (A is their
///    sum). Then the workers take a sample each in turn, of a class drawn by their mix from those that are
///    left, so that their parts are of equal size up to one sample.
/// Every sample goes to exactly one worker.
struct partition_spec {
  enum class kind { iid, shards, dirichlet, dirichlet_equal };
  kind how = kind::iid;
  std::size_t shards_per_worker = 2; ///< S >= 1
  double concentration = 0.5;        ///< A > 0
};

/// Parses the option's value; throws `input_error` (configuration fault).
partition_spec parse_partition(const std::string& text);

/// The rows of each worker: [workers][..]. Same arguments, same result. Throws `input_error` (configuration
/// fault) if there are fewer samples than workers (or than runs to deal).
std::vector<std::vector<std::uint32_t>> partition_rows(const dataset& data, std::size_t workers,
                                                       const partition_spec& spec, std::uint64_t seed);

/// Of so many samples, which somebody else has, the rows of one worker; `labels` has the class of each, or
/// is empty where the partition goes by chance alone. Throws `input_error` (configuration fault).
std::vector<std::uint32_t> deal_rows(std::uint64_t samples, std::span<const std::int32_t> labels,
                                     std::size_t workers, const partition_spec& spec, std::uint64_t seed,
                                     std::size_t worker);

} // namespace dybw
