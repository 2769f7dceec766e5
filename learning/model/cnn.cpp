#include "learning/model/cnn.hpp"

#include "learning/base/option_text.hpp"
#include "learning/model/conv_network.hpp"

#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t dense_width_max = 65'536;
constexpr std::size_t filters_max = 4'096;
constexpr std::size_t kernel_max = 31;

constexpr auto form =
    "list convolutions, poolings and hidden layers, for example cnn:16x5,pool2,32x5,pool2,64";

[[noreturn]] void refuse(const std::string& what, const std::string& mend = form) {
  throw input_error(input_fault::configuration, what, "--model cnn", mend);
}

std::size_t number(std::string_view text, std::string_view item, const char* what, std::size_t min,
                   std::size_t max) {
  const auto n = parse_number<std::size_t>(text);
  if (!n || *n < min || *n > max)
    refuse(excerpt(item) + " has no " + what + " from " + std::to_string(min) + " to " + std::to_string(max));
  return *n;
}

/// "32x5" or "32x5+2".
conv_layer parse_convolution(std::string_view item) {
  conv_layer layer;
  const auto cross = item.find('x');
  const auto plus = std::min(item.find('+', cross), item.size());
  layer.filters = number(item.substr(0, cross), item, "number of filters", 1, filters_max);
  layer.kernel = number(item.substr(cross + 1, plus - cross - 1), item, "kernel size", 1, kernel_max);
  if (plus < item.size())
    layer.padding = number(item.substr(plus + 1), item, "padding less than its kernel", 0, layer.kernel - 1);
  return layer;
}

std::string text_of(const image_shape& x) {
  return std::to_string(x.rows) + " x " + std::to_string(x.columns) + " pixels";
}

/// Of a layer's starting weights, as PyTorch's have it: with the larger ones of He et al. that mlp starts
/// from, the net of config/cifar10-cnn.ini was four points behind after 2,500 steps, in PyTorch too.
double start_deviation(std::size_t inputs) {
  return std::sqrt(1.0 / (3.0 * static_cast<double>(inputs)));
}

} // namespace

std::shared_ptr<const classifier> make_cnn(const std::string& parameters, const data_shape& data) {
  constexpr std::string_view pool = "pool";
  if (parameters.empty())
    refuse("no layers are listed");
  if (data.image.size() == 0)
    refuse("convolutions need images, and this data has none",
           "choose mlp:H1,H2,.. or softmax, or data of images: mnist, cifar10, digits");
  std::vector<conv_layer> convolutions;
  std::vector<std::size_t> widths;
  for (const auto item : split(parameters, ',')) {
    if (item.find('x') != std::string_view::npos) {
      if (!widths.empty())
        refuse("the convolution " + excerpt(item) + " stands behind a hidden layer");
      convolutions.push_back(parse_convolution(item));
    } else if (item.starts_with(pool)) {
      if (convolutions.empty() || !widths.empty() || convolutions.back().pool > 1)
        refuse(excerpt(item) + " does not follow a convolution");
      convolutions.back().pool = number(item.substr(pool.size()), item, "window size", 2, kernel_max);
    } else {
      widths.push_back(number(item, item, "width", 1, dense_width_max));
    }
  }
  if (convolutions.empty())
    refuse("there is no convolution");
  auto image = data.image;
  for (auto& layer : convolutions) {
    layer.deviation = start_deviation(image.channels * layer.kernel * layer.kernel);
    const auto after = conv_network::shape_after(image, layer);
    if (after.size() == 0)
      refuse("an image of " + text_of(image) + " is too small for a kernel of " +
                 std::to_string(layer.kernel) +
                 (layer.pool > 1 ? " and a pooling of " + std::to_string(layer.pool) : ""),
             "choose fewer or smaller layers, or padding: 16x5+2");
    image = after;
  }
  std::vector<dense_layer> dense;
  auto inputs = image.size();
  for (const auto width : widths) {
    dense.push_back({inputs, width, start_deviation(inputs)});
    inputs = width;
  }
  dense.push_back({inputs, data.classes, start_deviation(inputs)});
  return std::make_shared<conv_network>("cnn:" + parameters, data.image, convolutions, std::move(dense));
}

} // namespace dybw
