#include "learning/model/mlp.hpp"

#include "learning/base/option_text.hpp"
#include "learning/model/dense_network.hpp"

#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t width_max = 65'536;

std::vector<std::size_t> parse_widths(std::string_view text) {
  std::vector<std::size_t> widths;
  for (const auto item : split(text, ',')) {
    const auto width = parse_number<std::size_t>(item);
    if (!width || *width < 1 || *width > width_max)
      throw input_error(input_fault::configuration,
                        "\"" + std::string(item) + "\" is not the width of a hidden layer", "--model mlp",
                        "list widths of 1 to " + std::to_string(width_max) + ", for example mlp:256,256");
    widths.push_back(*width);
  }
  return widths;
}

dense_layer he_layer(std::size_t inputs, std::size_t outputs) {
  return {inputs, outputs, std::sqrt(2.0 / static_cast<double>(inputs))};
}

} // namespace

std::shared_ptr<const classifier> make_mlp(const std::string& parameters, const data_shape& data) {
  std::vector<dense_layer> layers;
  std::string name = "mlp";
  auto inputs = data.features;
  for (const auto width : parse_widths(parameters)) {
    name += (layers.empty() ? ':' : ',') + std::to_string(width);
    layers.push_back(he_layer(inputs, width));
    inputs = width;
  }
  layers.push_back(he_layer(inputs, data.classes));
  return std::make_shared<dense_network>(std::move(name), std::move(layers));
}

} // namespace dybw
