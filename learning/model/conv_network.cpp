#include "learning/model/conv_network.hpp"

#include "learning/base/random.hpp"
#include "learning/model/products.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dybw {

namespace {

constexpr std::size_t tile_images_max = 64;

/// Rows are a few dozen floats, for which a call of memmove, or a loop that first looks for alignment, takes
/// longer than the work: eight at a time wherever they lie, then four, then one.
template <class Each>
void along_row(std::size_t count, Each each) {
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8)
    each.template operator()<8>(i);
  if (i + 4 <= count) {
    each.template operator()<4>(i);
    i += 4;
  }
  for (; i < count; ++i)
    each.template operator()<1>(i);
}

template <int N>
using pack = Eigen::Map<Eigen::Array<float, N, 1>>;
template <int N>
using const_pack = Eigen::Map<const Eigen::Array<float, N, 1>>;

void copy_row(const float* __restrict from, std::size_t count, float* __restrict to) {
  along_row(count, [&]<int N>(std::size_t i) { pack<N>{to + i} = const_pack<N>{from + i}; });
}

void add_row(const float* __restrict from, std::size_t count, float* __restrict to) {
  along_row(count, [&]<int N>(std::size_t i) { pack<N>{to + i} += const_pack<N>{from + i}; });
}

/// A run of pixels under one weight of a filter: `count` of them from entry `from` of the image on are
/// entries `to` and so on of the matrix of patches.
struct pixel_run {
  std::size_t from = 0;
  std::size_t to = 0;
  std::size_t count = 0;
};

/// Calls `each` for every run: what im2col and its adjoint have in common. Entries of the matrix that no run
/// reaches are padding.
template <class Each>
void for_each_run(const image_shape& in, const conv_layer& layer, const image_shape& out, Each each) {
  const auto padding = layer.padding;
  std::size_t to = 0;
  for (std::size_t c = 0; c < in.channels; ++c)
    for (std::size_t ky = 0; ky < layer.kernel; ++ky)
      for (std::size_t kx = 0; kx < layer.kernel; ++kx) {
        // Pixel x of a row of `out` lies over column x + kx - padding of the image.
        const auto begin = std::min(padding - std::min(kx, padding), out.columns);
        const auto end = std::min(in.columns + padding - std::min(kx, in.columns + padding), out.columns);
        for (std::size_t y = ky; y < ky + out.rows; ++y, to += out.columns)
          if (begin < end && y >= padding && y < in.rows + padding)
            each(pixel_run{(c * in.rows + y - padding) * in.columns + begin + kx - padding, to + begin,
                           end - begin});
      }
}

/// The pixels under the filters: [patch][pixels of `out`], row after row.
void take_patches(const float* image, const image_shape& in, const conv_layer& layer, const image_shape& out,
                  std::span<float> patches) {
  if (layer.padding > 0)
    std::ranges::fill(patches, 0.0F);
  for_each_run(in, layer, out,
               [&](const pixel_run& r) { copy_row(image + r.from, r.count, patches.data() + r.to); });
}

/// The adjoint: adds every entry to the pixel that it was taken from.
void add_patches(const float* patches, const image_shape& in, const conv_layer& layer, const image_shape& out,
                 float* image) {
  for_each_run(in, layer, out, [&](const pixel_run& r) { add_row(patches + r.to, r.count, image + r.from); });
}

/// Of each window the largest value, and where it stands in `z`. A NaN counts as the largest: a diverged
/// model must show. `Width`: that of a window if it is known here, for which vectors can be loaded; else 0.
template <std::size_t Width>
void pool_plane(const float* z, std::size_t columns, std::size_t pool, const image_shape& out,
                float* __restrict largest, std::int32_t* __restrict place) {
  const auto width = Width > 0 ? Width : pool;
  for (std::size_t y = 0; y < out.rows; ++y, largest += out.columns, place += out.columns) {
    const auto row = y * width * columns;
#pragma GCC ivdep
    for (std::size_t x = 0; x < out.columns; ++x) {
      auto best = z[row + x * width];
      auto at = static_cast<std::int32_t>(row + x * width);
#pragma GCC unroll 4
      for (std::size_t i = 1; i < width * width; ++i) {
        const auto here = row + i / width * columns + x * width + i % width;
        const auto value = z[here];
        const auto wins = value > best || value != value;
        best = wins ? value : best;
        at = wins ? static_cast<std::int32_t>(here) : at;
      }
      largest[x] = best;
      place[x] = at;
    }
  }
}

} // namespace

class conv_network::workspace_type final : public model_workspace {
public:
  workspace_type(const conv_network& net, std::size_t samples_max)
      : tile_samples(std::min(samples_max, tile_images_max)), head(net.head_.make_workspace(tile_samples)) {
    std::size_t patches_max = 0;
    std::size_t convolved_max = 0;
    for (const auto& l : net.layers_) {
      const auto size = as_index(l.out.size() * tile_samples);
      outputs.emplace_back(Eigen::VectorXf::Zero(size));
      deltas.emplace_back(Eigen::VectorXf::Zero(size));
      places.emplace_back(l.is.pool > 1 ? l.out.size() * tile_samples : 0);
      patches_max = std::max(patches_max, l.patch() * l.convolved.pixels());
      convolved_max = std::max(convolved_max, l.convolved.size());
    }
    patches = Eigen::VectorXf::Zero(as_index(patches_max));
    convolved = Eigen::VectorXf::Zero(as_index(convolved_max));
  }

  std::span<float> patches_of(const layer& l) { return {patches.data(), l.patch() * l.convolved.pixels()}; }

  std::size_t tile_samples;
  std::vector<Eigen::VectorXf> outputs;          ///< [layers], each [samples][out]: after ReLU
  std::vector<Eigen::VectorXf> deltas;           ///< [layers], same shapes: d loss / d output
  std::vector<std::vector<std::int32_t>> places; ///< [layers], same shapes: where the largest stood
  Eigen::VectorXf patches;                       ///< of one image: [patch][pixels]
  Eigen::VectorXf convolved;                     ///< of one image: [filters][pixels]
  std::unique_ptr<model_workspace> head;
};

image_shape conv_network::shape_after(const image_shape& image, const conv_layer& layer) {
  const auto length = [&](std::size_t n) {
    n += 2 * layer.padding;
    return n < layer.kernel ? 0 : (n - layer.kernel + 1) / layer.pool;
  };
  return {layer.filters, length(image.rows), length(image.columns)};
}

conv_network::conv_network(std::string name, image_shape image, const std::vector<conv_layer>& convolutions,
                           std::vector<dense_layer> dense)
    : name_(std::move(name)), head_(name_, std::move(dense)) {
  assert(!convolutions.empty());
  for (const auto& is : convolutions) {
    auto& l = layers_.emplace_back();
    l.is = is;
    l.in = image;
    auto unpooled = is;
    unpooled.pool = 1;
    l.convolved = shape_after(image, unpooled);
    l.out = image = shape_after(image, is);
    assert(l.out.size() > 0);
    l.first = head_first_;
    head_first_ += (l.patch() + 1) * is.filters;
  }
  assert(head_.features() == image.size());
}

std::size_t conv_network::multiplications() const noexcept {
  auto count = head_.multiplications();
  for (const auto& l : layers_)
    count += l.patch() * l.convolved.size();
  return count;
}

parameter_layout conv_network::layout() const {
  parameter_layout arrays;
  for (const auto& l : layers_) {
    const auto& is = l.is;
    arrays.push_back({"", {is.filters, l.in.channels, is.kernel, is.kernel}, l.first});
    arrays.push_back({"", {is.filters}, l.first + is.filters * l.patch()});
  }
  for (auto array : head_.layout()) {
    array.offset += head_first_;
    arrays.push_back(std::move(array));
  }
  for (std::size_t i = 0; i < arrays.size(); ++i)
    arrays[i].name = "layers." + std::to_string(i / 2) + (i % 2 == 0 ? ".weight" : ".bias");
  return arrays;
}

void conv_network::initialise(std::uint64_t seed, std::span<float> parameters) const {
  assert(parameters.size() == parameter_count());
  auto generator = make_generator(seed, random_stream::parameters);
  for (const auto& l : layers_) {
    std::normal_distribution<double> normal;
    const auto weights = parameters.subspan(l.first, l.patch() * l.is.filters);
    for (auto& w : weights)
      w = static_cast<float>(l.is.deviation * normal(generator));
    std::ranges::fill(parameters.subspan(l.first + weights.size(), l.is.filters), 0.0F);
  }
  head_.initialise(generator, parameters.subspan(head_first_));
}

std::unique_ptr<model_workspace> conv_network::make_workspace(std::size_t samples_max) const {
  fix_cache_sizes();
  return std::make_unique<workspace_type>(*this, std::max<std::size_t>(samples_max, 1));
}

void conv_network::forward(std::span<const float> parameters, std::span<const float> images,
                           std::size_t samples, workspace_type& workspace) const {
  const auto* input = images.data();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const auto& l = layers_[i];
    const auto pixels = as_index(l.convolved.pixels());
    const auto filters = as_index(l.is.filters);
    const auto patch = as_index(l.patch());
    const const_rows w(parameters.data() + l.first, filters, patch);
    const const_column b(w.data() + w.size(), filters);
    auto* output = workspace.outputs[i].data();
    auto* place = workspace.places[i].data();
    for (std::size_t s = 0; s < samples; ++s, input += l.in.size(), output += l.out.size()) {
      take_patches(input, l.in, l.is, l.convolved, workspace.patches_of(l));
      auto* convolved = l.is.pool > 1 ? workspace.convolved.data() : output;
      mutable_rows z(convolved, filters, pixels);
      z.colwise() = b;
      add_product(z, w, const_rows(workspace.patches.data(), patch, pixels));
      if (l.is.pool > 1) {
        const auto pool = l.is.pool == 2 ? pool_plane<2> : pool_plane<0>;
        for (std::size_t f = 0; f < l.is.filters; ++f)
          pool(convolved + f * l.convolved.pixels(), l.convolved.columns, l.is.pool, l.out,
               output + f * l.out.pixels(), place + f * l.out.pixels());
        place += l.out.size();
      }
      for (std::size_t k = 0; k < l.out.size(); ++k)
        output[k] = std::max(output[k], 0.0F); // a NaN stays
    }
    input = workspace.outputs[i].data();
  }
}

void conv_network::backward(std::span<const float> parameters, std::span<const float> images,
                            std::size_t samples, std::span<float> gradient, workspace_type& workspace) const {
  for (auto i = layers_.size(); i-- > 0;) {
    const auto& l = layers_[i];
    const auto pixels = as_index(l.convolved.pixels());
    const auto filters = as_index(l.is.filters);
    const auto patch = as_index(l.patch());
    const const_rows w(parameters.data() + l.first, filters, patch);
    mutable_rows w_gradient(gradient.data() + l.first, filters, patch);
    mutable_column b_gradient(w_gradient.data() + w_gradient.size(), filters);
    for (std::size_t s = 0; s < samples; ++s) {
      const auto* input =
          i == 0 ? images.data() + s * l.in.size() : workspace.outputs[i - 1].data() + s * l.in.size();
      const auto* output = workspace.outputs[i].data() + s * l.out.size();
      auto* delta = workspace.deltas[i].data() + s * l.out.size();
      for (std::size_t k = 0; k < l.out.size(); ++k)
        delta[k] = output[k] > 0.0F ? delta[k] : 0.0F;
      auto* convolved = delta;
      if (l.is.pool > 1) {
        convolved = workspace.convolved.data();
        std::fill_n(convolved, l.convolved.size(), 0.0F);
        const auto* place = workspace.places[i].data() + s * l.out.size();
        for (std::size_t f = 0; f < l.is.filters; ++f)
          for (std::size_t k = f * l.out.pixels(); k < (f + 1) * l.out.pixels(); ++k)
            convolved[f * l.convolved.pixels() + static_cast<std::size_t>(place[k])] = delta[k];
      }
      const const_rows d(convolved, filters, pixels);
      b_gradient += d.rowwise().sum();
      take_patches(input, l.in, l.is, l.convolved, workspace.patches_of(l));
      mutable_rows patches(workspace.patches.data(), patch, pixels);
      add_product(w_gradient, d, patches.transpose());
      if (i == 0)
        continue; // nobody needs the gradient of the features
      auto* delta_below = workspace.deltas[i - 1].data() + s * l.in.size();
      patches.setZero();
      add_product(patches, w.transpose(), d);
      std::fill_n(delta_below, l.in.size(), 0.0F);
      add_patches(patches.data(), l.in, l.is, l.convolved, delta_below);
    }
  }
}

double conv_network::loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                                       std::span<float> gradient, model_workspace& workspace) const {
  const auto samples = batch.labels.size();
  const auto features = layers_.front().in.size();
  assert(samples > 0 && batch.features.size() == samples * features);
  assert(parameters.size() == parameter_count() && gradient.size() == parameter_count());
  assert(dynamic_cast<workspace_type*>(&workspace) != nullptr);
  auto& space = static_cast<workspace_type&>(workspace);

  std::ranges::fill(gradient, 0.0F);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(samples));
  const auto flat = layers_.back().out.size();
  double loss_sum = 0;
  for (std::size_t first = 0; first < samples; first += space.tile_samples) {
    const auto count = std::min(space.tile_samples, samples - first);
    const auto images = batch.features.subspan(first * features, count * features);
    forward(parameters, images, count, space);
    loss_sum += head_.add_gradient(
        parameters.subspan(head_first_),
        {{space.outputs.back().data(), count * flat}, batch.labels.subspan(first, count)}, scale,
        gradient.subspan(head_first_), {space.deltas.back().data(), count * flat}, *space.head);
    backward(parameters, images, count, gradient, space);
  }
  return loss_sum / static_cast<double>(samples);
}

batch_score conv_network::score(std::span<const float> parameters, const batch_view& batch,
                                model_workspace& workspace) const {
  const auto samples = batch.labels.size();
  const auto features = layers_.front().in.size();
  assert(batch.features.size() == samples * features);
  assert(parameters.size() == parameter_count());
  assert(dynamic_cast<workspace_type*>(&workspace) != nullptr);
  auto& space = static_cast<workspace_type&>(workspace);

  const auto flat = layers_.back().out.size();
  batch_score result;
  for (std::size_t first = 0; first < samples; first += space.tile_samples) {
    const auto count = std::min(space.tile_samples, samples - first);
    forward(parameters, batch.features.subspan(first * features, count * features), count, space);
    const auto part = head_.score(
        parameters.subspan(head_first_),
        {{space.outputs.back().data(), count * flat}, batch.labels.subspan(first, count)}, *space.head);
    result.loss_sum += part.loss_sum;
    result.correct += part.correct;
  }
  return result;
}

} // namespace dybw
