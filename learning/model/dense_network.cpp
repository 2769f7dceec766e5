#include "learning/model/dense_network.hpp"

#include "learning/base/random.hpp"
#include "learning/model/products.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace dybw {

namespace {

constexpr std::size_t tile_samples_max = 256;

/// A NaN stays a NaN: a diverged model must show.
void apply_relu(Eigen::Ref<Eigen::VectorXf> z) {
  for (auto& value : z)
    value = std::max(value, 0.0F);
}

/// Sets `delta` to zero where the ReLU was shut, and adds its sum over the samples to `bias_gradient`.
void pass_relu_back(const float* activation, float* delta, float* bias_gradient, std::size_t outputs,
                    std::size_t samples) {
  for (std::size_t sample = 0; sample < samples; ++sample) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < outputs; ++i) {
      const auto passed = activation[i] > 0.0F ? delta[i] : 0.0F;
      delta[i] = passed;
      bias_gradient[i] += passed;
    }
    activation += outputs;
    delta += outputs;
  }
}

/// Whether `label` is the first arg max of the logits; never with a NaN among them.
bool is_hit(const float* logits, std::size_t classes, std::size_t label) {
  auto hit = true;
  for (std::size_t c = 0; c < label; ++c)
    hit &= logits[label] > logits[c];
  for (std::size_t c = label; c < classes; ++c)
    hit &= logits[label] >= logits[c];
  return hit;
}

} // namespace

class dense_network::workspace_type final : public model_workspace {
public:
  workspace_type(const std::vector<dense_layer>& layers, std::size_t samples_max)
      : tile_samples(std::min(samples_max, tile_samples_max)), per_sample(as_index(tile_samples)) {
    for (const auto& layer : layers) {
      const auto size = as_index(layer.outputs * tile_samples);
      outputs.emplace_back(Eigen::VectorXf::Zero(size));
      deltas.emplace_back(Eigen::VectorXf::Zero(size));
    }
  }

  std::size_t tile_samples;
  std::vector<Eigen::VectorXf> outputs; ///< [layers], each [samples][outputs]: after ReLU; logits last
  std::vector<Eigen::VectorXf> deltas;  ///< [layers], same shapes: d loss / d z
  Eigen::RowVectorXf per_sample;        ///< [samples]
};

namespace {

/// Turns the logits ([classes x samples]) into d (sum of the losses * scale) / d logits in `delta` and
/// returns the sum of the losses. Subtracting the largest logit first keeps exp() from overflowing.
double softmax_cross_entropy(const const_samples& logits, std::span<const std::int32_t> labels, float scale,
                             mutable_samples& delta, Eigen::Ref<Eigen::RowVectorXf> per_sample) {
  per_sample = logits.colwise().maxCoeff();
  delta = logits.rowwise() - per_sample;
  double shifted = 0;
  for (Index sample = 0; sample < delta.cols(); ++sample)
    shifted += delta(labels[static_cast<std::size_t>(sample)], sample);
  delta = delta.array().exp();
  per_sample = delta.colwise().sum();
  const auto loss_sum = per_sample.array().log().cast<double>().sum() - shifted;
  per_sample = scale / per_sample.array();
  delta.array().rowwise() *= per_sample.array();
  for (Index sample = 0; sample < delta.cols(); ++sample)
    delta(labels[static_cast<std::size_t>(sample)], sample) -= scale;
  return loss_sum;
}

} // namespace

dense_network::dense_network(std::string name, std::vector<dense_layer> layers)
    : name_(std::move(name)), layers_(std::move(layers)) {
  assert(!layers_.empty());
  fix_cache_sizes();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    assert(l == 0 || layers_[l].inputs == layers_[l - 1].outputs);
    first_.push_back(parameter_count_);
    parameter_count_ += (layers_[l].inputs + 1) * layers_[l].outputs;
  }
}

parameter_layout dense_network::layout() const {
  parameter_layout arrays;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    const auto name = "layers." + std::to_string(l) + '.';
    arrays.push_back({name + "weight", {layer.outputs, layer.inputs}, first_[l]});
    arrays.push_back({name + "bias", {layer.outputs}, first_[l] + layer.outputs * layer.inputs});
  }
  return arrays;
}

void dense_network::initialise(std::uint64_t seed, std::span<float> parameters) const {
  auto generator = make_generator(seed, random_stream::parameters);
  initialise(generator, parameters);
}

void dense_network::initialise(random_generator& generator, std::span<float> parameters) const {
  assert(parameters.size() == parameter_count_);
  std::normal_distribution<double> normal;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    const auto weights = parameters.subspan(first_[l], layer.inputs * layer.outputs);
    for (auto& w : weights)
      w = static_cast<float>(layer.deviation * normal(generator));
    std::ranges::fill(parameters.subspan(first_[l] + weights.size(), layer.outputs), 0.0F);
  }
}

std::unique_ptr<model_workspace> dense_network::make_workspace(std::size_t samples_max) const {
  fix_cache_sizes();
  return std::make_unique<workspace_type>(layers_, std::max<std::size_t>(samples_max, 1));
}

void dense_network::forward(std::span<const float> parameters, std::span<const float> features,
                            std::size_t samples, workspace_type& workspace) const {
  const auto* input = features.data();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto outputs = as_index(layers_[l].outputs);
    const auto inputs = as_index(layers_[l].inputs);
    const const_rows w(parameters.data() + first_[l], outputs, inputs);
    const const_column b(w.data() + w.size(), outputs);
    const const_samples a(input, inputs, as_index(samples));
    mutable_samples z(workspace.outputs[l].data(), outputs, as_index(samples));
    z.colwise() = b;
    add_product(z, w, a);
    if (l + 1 < layers_.size())
      apply_relu(workspace.outputs[l].head(z.size()));
    input = z.data();
  }
}

void dense_network::backward(std::span<const float> parameters, std::span<const float> features,
                             std::size_t samples, std::span<float> gradient,
                             std::span<float> feature_gradient, workspace_type& workspace) const {
  for (auto l = layers_.size(); l-- > 0;) {
    const auto outputs = as_index(layers_[l].outputs);
    const auto inputs = as_index(layers_[l].inputs);
    const const_samples delta(workspace.deltas[l].data(), outputs, as_index(samples));
    const const_samples a(l == 0 ? features.data() : workspace.outputs[l - 1].data(), inputs,
                          as_index(samples));
    mutable_rows w_gradient(gradient.data() + first_[l], outputs, inputs);
    add_product(w_gradient, delta, a.transpose());
    if (l + 1 == layers_.size())
      mutable_column(w_gradient.data() + w_gradient.size(), outputs) += delta.rowwise().sum();
    if (l == 0 && feature_gradient.empty())
      break;
    const const_rows w(parameters.data() + first_[l], outputs, inputs);
    mutable_samples delta_below(l == 0 ? feature_gradient.data() : workspace.deltas[l - 1].data(), inputs,
                                as_index(samples));
    delta_below.setZero();
    add_product(delta_below, w.transpose(), delta);
    if (l == 0)
      break;
    const auto& below = layers_[l - 1];
    pass_relu_back(a.data(), delta_below.data(),
                   gradient.data() + first_[l - 1] + below.inputs * below.outputs, below.outputs, samples);
  }
}

double dense_network::loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                                        std::span<float> gradient, model_workspace& workspace) const {
  const auto samples = batch.labels.size();
  const auto features = layers_.front().inputs;
  assert(samples > 0);
  assert(batch.features.size() == samples * features);
  assert(parameters.size() == parameter_count_ && gradient.size() == parameter_count_);
  assert(dynamic_cast<workspace_type*>(&workspace) != nullptr);
  auto& space = static_cast<workspace_type&>(workspace);

  std::ranges::fill(gradient, 0.0F);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(samples));
  double loss_sum = 0;
  for (std::size_t first = 0; first < samples; first += space.tile_samples) {
    const auto count = std::min(space.tile_samples, samples - first);
    const auto tile = batch.features.subspan(first * features, count * features);
    loss_sum +=
        add_gradient(parameters, {tile, batch.labels.subspan(first, count)}, scale, gradient, {}, space);
  }
  return loss_sum / static_cast<double>(samples);
}

double dense_network::add_gradient(std::span<const float> parameters, const batch_view& tile, float scale,
                                   std::span<float> gradient, std::span<float> feature_gradient,
                                   model_workspace& workspace) const {
  auto& space = static_cast<workspace_type&>(workspace);
  const auto samples = tile.labels.size();
  assert(samples <= space.tile_samples);
  assert(feature_gradient.empty() || feature_gradient.size() == tile.features.size());
  forward(parameters, tile.features, samples, space);
  const auto classes = as_index(layers_.back().outputs);
  mutable_samples delta(space.deltas.back().data(), classes, as_index(samples));
  const auto loss_sum =
      softmax_cross_entropy(const_samples(space.outputs.back().data(), classes, as_index(samples)),
                            tile.labels, scale, delta, space.per_sample.head(as_index(samples)));
  backward(parameters, tile.features, samples, gradient, feature_gradient, space);
  return loss_sum;
}

batch_score dense_network::score(std::span<const float> parameters, const batch_view& batch,
                                 model_workspace& workspace) const {
  const auto samples = batch.labels.size();
  const auto features = layers_.front().inputs;
  assert(batch.features.size() == samples * features);
  assert(parameters.size() == parameter_count_);
  assert(dynamic_cast<workspace_type*>(&workspace) != nullptr);
  auto& space = static_cast<workspace_type&>(workspace);

  const auto classes = layers_.back().outputs;
  batch_score result;
  for (std::size_t first = 0; first < samples; first += space.tile_samples) {
    const auto count = std::min(space.tile_samples, samples - first);
    const auto labels = batch.labels.subspan(first, count);
    forward(parameters, batch.features.subspan(first * features, count * features), count, space);
    const const_samples logits(space.outputs.back().data(), as_index(classes), as_index(count));
    for (std::size_t sample = 0; sample < count; ++sample)
      if (is_hit(logits.data() + sample * classes, classes, static_cast<std::size_t>(labels[sample])))
        ++result.correct;
    mutable_samples delta(space.deltas.back().data(), logits.rows(), logits.cols());
    result.loss_sum +=
        softmax_cross_entropy(logits, labels, 1.0F, delta, space.per_sample.head(as_index(count)));
  }
  return result;
}

} // namespace dybw
