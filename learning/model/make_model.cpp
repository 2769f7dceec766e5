#include "learning/model/make_model.hpp"

#include "learning/base/option_text.hpp"
#include "learning/model/cnn.hpp"
#include "learning/model/mlp.hpp"
#include "learning/model/none.hpp"
#include "learning/model/softmax.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

namespace {

struct model_kind {
  const char* name;
  const char* usage;
  std::shared_ptr<const classifier> (*make)(const std::string& parameters, const data_shape& data);
};

/// A new model is one file and one line here.
constexpr model_kind kinds[] = {
    {"softmax", "softmax", make_softmax},
    {"mlp", "mlp:H1,H2,..", make_mlp},
    {"cnn", "cnn:16x5,pool2,64", make_cnn},
    {"none", "none", make_none},
};

std::string list_of_kinds() {
  std::string list;
  for (const auto& kind : kinds)
    list += (list.empty() ? "" : " | ") + std::string(kind.usage);
  return list;
}

} // namespace

std::shared_ptr<const classifier> make_model(const std::string& text, const data_shape& data) {
  assert(data.features > 0 && data.classes > 0);
  const auto [name, parameters] = split_form(text);
  const auto* kind =
      std::ranges::find_if(kinds, [name = name](const model_kind& k) { return name == k.name; });
  if (kind == std::end(kinds))
    throw input_error(input_fault::configuration, "unknown model \"" + std::string(name) + "\"",
                      "--model " + text, "choose " + list_of_kinds());
  if (parameters && parameters->empty())
    throw input_error(input_fault::configuration, "nothing follows the colon", "--model " + text,
                      "write " + std::string(kind->usage));
  return kind->make(std::string(parameters.value_or("")), data);
}

void check_model(const std::string& text) {
  constexpr image_shape large{1, 4096, 4096}; // nothing is too large for it
  make_model(text, {large.size(), 2, large});
}

} // namespace dybw
