#include "learning/data/load.hpp"

#include "learning/base/error.hpp"
#include "learning/data/cifar10.hpp"
#include "learning/data/csv.hpp"
#include "learning/data/digits.hpp"
#include "learning/data/idx.hpp"
#include "learning/data/libsvm.hpp"
#include "learning/data/standardise.hpp"

namespace dybw {

namespace {

const std::filesystem::path& path_of(const data_options& options, const std::string& what) {
  if (options.path.empty())
    throw input_error{
        input_fault::configuration, "--dataset=" + options.name + " needs " + what, "--data is not given",
        "add --data " + std::string{options.name == "csv" || options.name == "libsvm" ? "FILE" : "DIR"}};
  return options.path;
}

data_split load_files(const data_options& options) {
  if (options.name == "digits")
    return generate_digits(options.seed);
  if (options.name == "mnist")
    return load_mnist(path_of(options, "the directory of its IDX files"));
  if (options.name == "cifar10")
    return load_cifar10(path_of(options, "the directory of its .bin files"));
  if (options.name == "csv")
    return load_csv(path_of(options, "a file"), options.test_share, options.seed, options.label);
  if (options.name == "libsvm")
    return load_libsvm(path_of(options, "a file"), options.test_share, options.seed);
  throw input_error{input_fault::configuration, "unknown dataset '" + options.name + "'", "--dataset",
                    "choose digits, mnist, cifar10, csv or libsvm"};
}

/// Both parts as the training samples want it: what is tested is not looked at.
void standardise(data_split& data) {
  const auto by = standardisation_of(*data.train);
  for (const auto& part : {data.train, data.test})
    std::const_pointer_cast<dataset>(part)->standardised = by; // made just now, and nobody else's yet
  data.reading.scaling += (data.reading.scaling.empty() ? "" : ", ") +
                          std::string{data.train->image.size() > 0 ? "each channel" : "each feature"} +
                          " standardised";
}

} // namespace

data_split load_data(const data_options& options) {
  auto data = load_files(options);
  if (options.standardise)
    standardise(data);
  return data;
}

} // namespace dybw
