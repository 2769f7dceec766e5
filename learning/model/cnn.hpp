#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"

namespace dybw {

/// A convolutional network of images. `parameters` is what follows the colon in
/// "cnn:16x5,pool2,32x5,pool2,64": from the image on,
///
///     FxK     a convolution of F filters of K x K pixels, then ReLU
///     FxK+P   the same with P pixels of zero around the image
///     poolN   after a convolution: the largest of every N x N pixels
///     H       a hidden layer of that width, then ReLU; all of these stand last
///
/// and a layer of as many outputs as there are classes. Weights start with the spread of PyTorch's. Throws
/// `input_error` (configuration fault) for anything else, for samples that are no images, and if an image
/// becomes too small for a layer.
std::shared_ptr<const classifier> make_cnn(const std::string& parameters, const data_shape& data);

} // namespace dybw
