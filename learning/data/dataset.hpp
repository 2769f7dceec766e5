#pragma once

#include "learning/base/types.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace dybw {

/// How an image's features lie: plane after plane of one colour each, row after row.
struct image_shape {
  std::size_t channels = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;

  constexpr std::size_t pixels() const noexcept { return rows * columns; }
  constexpr std::size_t size() const noexcept { return channels * pixels(); }
  friend bool operator==(const image_shape&, const image_shape&) = default;
};

/// What a model has to know of the samples.
struct data_shape {
  std::size_t features = 0; ///< per sample
  std::size_t classes = 0;
  image_shape image = {}; ///< of size 0 if they are no images, otherwise of `features`
};

/// Labelled samples, immutable once built and shared by all workers of a process; safe to read from any
/// thread.
///
/// Images stay bytes in memory (a quarter of the memory traffic of float32) and are scaled to [0,1] as a
/// mini-batch is gathered; tables hold float32 that a loader has already scaled to [0,1]. Then features are
/// standardised, if that is asked for.
struct dataset {
  std::size_t features = 0; ///< per sample
  std::size_t classes = 0;  ///< labels are 0 .. classes-1
  image_shape image;        ///< of size 0 if they are no images, otherwise of `features`
  /// [samples][features], row after row.
  std::variant<std::vector<std::uint8_t>, std::vector<float>> values;
  std::vector<std::int32_t> labels; ///< [samples]
  /// x becomes factor * x + offset.
  struct standardisation {
    float factor = 1;
    float offset = 0;
  };
  /// Per channel of images, else per feature; empty: features stay in [0,1].
  std::vector<standardisation> standardised;

  /// Set in a row's number it asks for the image's mirror image, left and right exchanged.
  static constexpr std::uint32_t mirrored = std::uint32_t{1} << 31;

  std::size_t size() const noexcept { return labels.size(); }
  data_shape shape() const noexcept { return {features, classes, image}; }

  /// Writes the samples `rows` as float32 to `out` ([rows.size()][features], a sample's features contiguous:
  /// a column-major Eigen matrix of features x samples) and their labels to `labels_out`. REQUIRES: each row
  /// < size(), and without `mirrored` unless they are images; `out.size() == rows.size() * features`,
  /// `labels_out.size() == rows.size()`.
  void gather(std::span<const std::uint32_t> rows, std::span<float> out,
              std::span<std::int32_t> labels_out) const;
};

/// How a loader took the files, for people to see that it is what they meant.
struct data_reading {
  std::string format;  ///< "csv, cells separated by ';', no header"
  std::string label;   ///< where it stands: "column 5 of 5, 'species'"; empty where a format has one place
  std::string scaling; ///< how features came to [0,1]
  /// What the loader decided and its user may not expect, a sentence each: a column left out, labels mapped.
  std::vector<std::string> notes;
};

/// What a run trains and is measured on.
struct data_split {
  std::string name;
  std::shared_ptr<const dataset> train;
  std::shared_ptr<const dataset> test;
  data_reading reading = {};
};

/// What was read, for people and `run.json`. All zeros if nothing was.
struct data_summary {
  std::uint64_t training_samples = 0;
  std::uint64_t test_samples = 0;
  std::uint64_t features = 0;
  std::uint64_t classes = 0;
  data_reading reading;
};

/// REQUIRES: both parts are there.
data_summary summary_of(const data_split& data);

/// In a line, without the notes: "csv: 120 training and 30 test samples, 4 features, 3 classes; ..".
std::string summary_text(const data_summary& data);

} // namespace dybw
