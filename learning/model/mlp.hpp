#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"

namespace dybw {

/// Multilayer perceptron: ReLU layers of the widths that `parameters` lists ("256,256"), then a softmax.
/// Weights start with the spread of He et al. (arXiv 1502.01852), which keeps the size of the activations
/// from layer to layer. Throws `input_error` (configuration fault) for anything but widths of 1 .. 65536.
std::shared_ptr<const classifier> make_mlp(const std::string& parameters, const data_shape& data);

} // namespace dybw
