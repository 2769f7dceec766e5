#include "learning/data/dataset.hpp"

#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

constexpr float byte_scale = 1.0F / 255.0F; // 255 becomes 1 exactly

// A byte pointer may alias anything: without __restrict the loop would not be vectorised.
void write_sample(const std::uint8_t* __restrict from, std::size_t features, float* __restrict to) {
  for (std::size_t i = 0; i < features; ++i)
    to[i] = static_cast<float>(from[i]) * byte_scale;
}

void write_sample(const float* __restrict from, std::size_t features, float* __restrict to) {
  std::copy_n(from, features, to);
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
void gather_from(const std::vector<T>& values, std::size_t features, std::span<const std::uint32_t> rows,
                 float* out) {
  constexpr std::size_t ahead = 2;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size())
      prefetch_sample(values.data() + rows[i + ahead] * features, features);
    write_sample(values.data() + rows[i] * features, features, out + i * features);
  }
}

} // namespace

void dataset::gather(std::span<const std::uint32_t> rows, std::span<float> out,
                     std::span<std::int32_t> labels_out) const {
  assert(out.size() == rows.size() * features);
  assert(labels_out.size() == rows.size());
  assert(std::all_of(rows.begin(), rows.end(), [this](std::uint32_t row) { return row < size(); }));
  std::visit([&](const auto& all) { gather_from(all, features, rows, out.data()); }, values);
  for (std::size_t i = 0; i < rows.size(); ++i)
    labels_out[i] = labels[rows[i]];
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
