#pragma once

#include "learning/base/random.hpp"
#include "learning/model/model.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace dybw {

/// A fully connected layer, z = W a + b, and the spread of its starting weights.
struct dense_layer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  double deviation = 0; ///< standard deviation of the normal draw of W; b starts at 0
};

/// Fully connected layers with ReLU between them and a softmax cross-entropy behind the last one; without
/// hidden layers it is multinomial logistic regression.
///
/// Parameters, layer after layer: W ([outputs][inputs], one row per output), then b ([outputs]). Row-major W
/// makes the weight gradients of a layer with few outputs a quarter faster in Eigen than column-major.
///
/// A batch is worked through in tiles of at most 256 samples: a tile's activations stay in the L2 cache, and
/// the workspace does not grow with the batch beyond that.
class dense_network final : public classifier {
public:
  /// REQUIRES: at least one layer, each layer's `inputs` equal to the `outputs` of the one before.
  dense_network(std::string name, std::vector<dense_layer> layers);

  std::string name() const override { return name_; }
  std::size_t parameter_count() const noexcept override { return parameter_count_; }
  /// "layers.0.weight" and "layers.0.bias" of the first layer, and so on, as in PyTorch.
  parameter_layout layout() const override;
  void initialise(std::uint64_t seed, std::span<float> parameters) const override;
  /// The same from a generator in use.
  void initialise(random_generator& generator, std::span<float> parameters) const;
  std::unique_ptr<model_workspace> make_workspace(std::size_t samples_max) const override;
  double loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                           std::span<float> gradient, model_workspace& workspace) const override;
  batch_score score(std::span<const float> parameters, const batch_view& batch,
                    model_workspace& workspace) const override;

  /// For a network that ends in this one: adds d (sum of the losses * scale) / d parameters to `gradient`,
  /// writes that of the features to `feature_gradient` unless it is empty, and returns the sum of the losses.
  /// REQUIRES: no more samples than the workspace was made for, nor than 256.
  double add_gradient(std::span<const float> parameters, const batch_view& tile, float scale,
                      std::span<float> gradient, std::span<float> feature_gradient,
                      model_workspace& workspace) const;

  std::size_t features() const noexcept { return layers_.front().inputs; }

private:
  class workspace_type;

  /// Activations of all layers, logits last, of one tile ([samples][inputs of the first layer]).
  void forward(std::span<const float> parameters, std::span<const float> features, std::size_t samples,
               workspace_type& workspace) const;
  /// Adds the tile's share to `gradient`; the workspace holds the tile's activations and d loss / d logits.
  void backward(std::span<const float> parameters, std::span<const float> features, std::size_t samples,
                std::span<float> gradient, std::span<float> feature_gradient,
                workspace_type& workspace) const;

  std::string name_;
  std::vector<dense_layer> layers_;
  std::vector<std::size_t> first_; ///< [layers], where each layer's parameters start
  std::size_t parameter_count_ = 0;
};

} // namespace dybw
