#include "learning/data/load.hpp"

#include "learning/base/error.hpp"
#include "learning/data/cifar10.hpp"
#include "learning/data/csv.hpp"
#include "learning/data/digits.hpp"
#include "learning/data/idx.hpp"

namespace dybw {

namespace {

void require_path(const data_options& options, const std::string& what) {
  if (options.path.empty())
    throw input_error{input_fault::configuration, "--dataset=" + options.name + " needs " + what,
                      "--data is not given",
                      "add --data " + std::string{options.name == "csv" ? "FILE" : "DIR"}};
}

} // namespace

data_split load_data(const data_options& options) {
  if (options.name == "digits")
    return generate_digits(options.seed);
  if (options.name == "mnist") {
    require_path(options, "the directory of its IDX files");
    return load_mnist(options.path);
  }
  if (options.name == "cifar10") {
    require_path(options, "the directory of its .bin files");
    return load_cifar10(options.path);
  }
  if (options.name == "csv") {
    require_path(options, "a file");
    return load_csv(options.path, options.test_share, options.seed);
  }
  throw input_error{input_fault::configuration, "unknown dataset '" + options.name + "'", "--dataset",
                    "choose digits, mnist, cifar10 or csv"};
}

} // namespace dybw
