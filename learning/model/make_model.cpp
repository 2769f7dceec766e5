#include "learning/model/make_model.hpp"

#include "learning/base/error.hpp"
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
  std::shared_ptr<const model> (*make)(const std::string& parameters, std::size_t features,
                                       std::size_t classes);
};

/// A new model is one file and one line here.
constexpr model_kind kinds[] = {
    {"softmax", "softmax", make_softmax},
    {"mlp", "mlp:H1,H2,..", make_mlp},
    {"none", "none", make_none},
};

std::string list_of_kinds() {
  std::string list;
  for (const auto& kind : kinds)
    list += (list.empty() ? "" : " | ") + std::string(kind.usage);
  return list;
}

} // namespace

std::shared_ptr<const model> make_model(const std::string& text, std::size_t features, std::size_t classes) {
  assert(features > 0 && classes > 0);
  const auto colon = std::min(text.find(':'), text.size());
  const auto name = text.substr(0, colon);
  const auto* kind = std::ranges::find_if(kinds, [&](const model_kind& k) { return name == k.name; });
  if (kind == std::end(kinds))
    throw input_error(input_fault::configuration, "unknown model \"" + name + "\"", "--model " + text,
                      "choose " + list_of_kinds());
  const auto has_parameters = colon < text.size();
  if (has_parameters && colon + 1 == text.size())
    throw input_error(input_fault::configuration, "nothing follows the colon", "--model " + text,
                      "write " + std::string(kind->usage));
  return kind->make(has_parameters ? text.substr(colon + 1) : std::string{}, features, classes);
}

} // namespace dybw
