#include "learning/data/dataset.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

template <class T>
constexpr float unit = 1; ///< what a value is multiplied with to come to [0,1]
template <>
constexpr float unit<std::uint8_t> = 1.0F / 255.0F; // 255 becomes 1 exactly

// A byte pointer may alias anything: without __restrict the loops would not be vectorised.
template <class T>
void write_sample(const T* __restrict from, std::size_t count, float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i)
    to[i] = static_cast<float>(from[i]) * unit<T>;
}

template <class T>
void write_standardised(const T* __restrict from, std::size_t count, dataset::standardisation by,
                        float* __restrict to) {
  const auto factor = unit<T> * by.factor;
  for (std::size_t i = 0; i < count; ++i)
    to[i] = static_cast<float>(from[i]) * factor + by.offset;
}

void mirror_rows(const image_shape& image, float* values) {
  for (std::size_t row = 0; row < image.channels * image.rows; ++row, values += image.columns)
    std::reverse(values, values + image.columns);
}

// Shuffled rows lie anywhere in memory, where the processor cannot foresee them; their numbers are known
// ahead.
template <class T>
void prefetch_sample(const T* from, std::size_t features) {
  constexpr std::size_t line_bytes = 64;
  const auto* bytes = reinterpret_cast<const char*>(from);
  for (std::size_t offset = 0; offset < features * sizeof(T); offset += line_bytes)
    __builtin_prefetch(bytes + offset);
}

template <class T>
void gather_from(const std::vector<T>& values, const dataset& data, std::span<const std::uint32_t> rows,
                 float* out) {
  constexpr std::size_t ahead = 2;
  const auto features = data.features;
  const auto sample = [&](std::uint32_t row) {
    return values.data() + (row & ~dataset::mirrored) * features;
  };
  const auto& standardised = data.standardised;
  const auto length = features / std::max<std::size_t>(standardised.size(), 1);
  for (std::size_t i = 0; i < rows.size(); ++i, out += features) {
    if (i + ahead < rows.size())
      prefetch_sample(sample(rows[i + ahead]), features);
    const auto* from = sample(rows[i]);
    if (standardised.empty())
      write_sample(from, features, out);
    for (std::size_t c = 0; c < standardised.size(); ++c)
      write_standardised(from + c * length, length, standardised[c], out + c * length);
    if ((rows[i] & dataset::mirrored) != 0)
      mirror_rows(data.image, out);
  }
}

} // namespace

void dataset::gather(std::span<const std::uint32_t> rows, std::span<float> out,
                     std::span<std::int32_t> labels_out) const {
  assert(out.size() == rows.size() * features);
  assert(labels_out.size() == rows.size());
  assert(std::all_of(rows.begin(), rows.end(), [this](std::uint32_t row) {
    return (row & ~mirrored) < size() && (row < mirrored || image.size() == features);
  }));
  std::visit([&](const auto& all) { gather_from(all, *this, rows, out.data()); }, values);
  for (std::size_t i = 0; i < rows.size(); ++i)
    labels_out[i] = labels[rows[i] & ~mirrored];
}

data_summary summary_of(const data_split& data) {
  auto summary = data_summary{data.train->size(), data.test->size(), data.train->features,
                              data.train->classes, data.reading};
  if (summary.reading.format.empty())
    summary.reading.format = data.name;
  return summary;
}

std::string summary_text(const data_summary& data) {
  auto text = data.reading.format + ": " + count_text(data.training_samples) + " training and " +
              counted(data.test_samples, "test sample") + ", " + counted(data.features, "feature") + ", " +
              count_text(data.classes) + " classes";
  if (!data.reading.label.empty())
    text += "; label: " + data.reading.label;
  if (!data.reading.scaling.empty())
    text += "; " + data.reading.scaling;
  return text;
}

} // namespace dybw
