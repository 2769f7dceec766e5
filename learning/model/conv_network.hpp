#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/dense_network.hpp"

namespace dybw {

/// A convolution with stride 1, its bias, the largest value of every `pool` x `pool` pixels (rows and columns
/// that do not fill a window are left out), and ReLU.
struct conv_layer {
  std::size_t filters = 0;
  std::size_t kernel = 0;  ///< kernel x kernel pixels
  std::size_t padding = 0; ///< pixels of zero around the image
  std::size_t pool = 1;    ///< 1: none
  double deviation = 0;    ///< standard deviation of the normal draw of W; b starts at 0
};

/// Convolutions, then fully connected layers: im2col and Eigen products, an image at a time. A model of
/// images, [channels][rows][columns] each.
///
/// Parameters, layer after layer: W ([filters][channels][kernel][kernel]), then b ([filters]); behind them
/// those of the fully connected layers, whose features are the last images as they lie. As in PyTorch.
class conv_network final : public classifier {
public:
  /// REQUIRES: at least one convolution and one dense layer; every kernel and pool fits into its image; the
  /// first dense layer takes what the last convolution gives.
  conv_network(std::string name, image_shape image, const std::vector<conv_layer>& convolutions,
               std::vector<dense_layer> dense);

  /// What a layer makes of such an image; no rows or columns if kernel or pool does not fit into it.
  static image_shape shape_after(const image_shape& image, const conv_layer& layer);

  std::string name() const override { return name_; }
  std::size_t parameter_count() const noexcept override { return head_first_ + head_.parameter_count(); }
  std::size_t multiplications() const noexcept override;
  /// "layers.0.weight" and "layers.0.bias" of the first layer, and so on.
  parameter_layout layout() const override;
  void initialise(std::uint64_t seed, std::span<float> parameters) const override;
  std::unique_ptr<model_workspace> make_workspace(std::size_t samples_max) const override;
  double loss_and_gradient(std::span<const float> parameters, const batch_view& batch,
                           std::span<float> gradient, model_workspace& workspace) const override;
  batch_score score(std::span<const float> parameters, const batch_view& batch,
                    model_workspace& workspace) const override;

private:
  class workspace_type;

  struct layer {
    conv_layer is;
    image_shape in;
    image_shape convolved; ///< before the pooling
    image_shape out;
    std::size_t first = 0; ///< where its parameters start
    std::size_t patch() const { return in.channels * is.kernel * is.kernel; }
  };

  void forward(std::span<const float> parameters, std::span<const float> images, std::size_t samples,
               workspace_type& workspace) const;
  /// Adds the tile's share to `gradient`; the workspace holds the tile's activations and d loss / d features
  /// of the dense layers.
  void backward(std::span<const float> parameters, std::span<const float> images, std::size_t samples,
                std::span<float> gradient, workspace_type& workspace) const;

  std::string name_;
  std::vector<layer> layers_;
  std::size_t head_first_ = 0;
  dense_network head_;
};

} // namespace dybw
