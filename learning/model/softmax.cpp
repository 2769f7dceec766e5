#include "learning/model/softmax.hpp"

#include "learning/base/error.hpp"
#include "learning/model/dense_network.hpp"

namespace dybw {

std::shared_ptr<const classifier> make_softmax(const std::string& parameters, const data_shape& data) {
  if (!parameters.empty())
    throw input_error(input_fault::configuration, "softmax takes no parameters",
                      "--model softmax:" + parameters, "write softmax, or mlp:H1,H2,.. for hidden layers");
  constexpr double start_deviation = 0.01; // so that workers that start at random points do differ
  return std::make_shared<dense_network>(
      "softmax", std::vector<dense_layer>{{data.features, data.classes, start_deviation}});
}

} // namespace dybw
