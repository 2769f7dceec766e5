#include "learning/data/load.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using namespace dybw::test;

TEST_CASE("load_data: the default options give digits, drawn from their seed") {
  const auto split = load_data({});
  CHECK(split.name == "digits");
  data_options other;
  other.seed = 2;
  CHECK(bytes_of(*split.test) != bytes_of(*load_data(other).test));
}

TEST_CASE("load_data: an unknown name is a configuration fault that lists the valid ones") {
  data_options options;
  options.name = "imagenet";
  const auto refused = refusal_of([&] { load_data(options); });
  CHECK(refused.fault == input_fault::configuration);
  for (const auto* part : {"'imagenet'", "digits", "mnist", "cifar10", "csv", "libsvm", "--dataset"})
    CHECK(refused.says(part));
}

TEST_CASE("load_data: a data set that needs a path asks for --data, a configuration fault") {
  for (const auto* name : {"mnist", "cifar10", "csv", "libsvm"}) {
    data_options options;
    options.name = name;
    const auto refused = refusal_of([&] { load_data(options); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("--dataset=" + std::string{name}));
    CHECK(refused.says("--data"));
  }
}

TEST_CASE("load_data: a path that is not there is a data fault that names it") {
  for (const auto* name : {"mnist", "cifar10", "csv", "libsvm"}) {
    data_options options;
    options.name = name;
    options.path = "/nowhere/at/all";
    const auto refused = refusal_of([&] { load_data(options); });
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says("/nowhere/at/all"));
  }
}

TEST_CASE("load_data: csv takes the label's column from the options") {
  const temporary_directory directory;
  write_file(directory.path() / "table.csv", std::string{"kind,size\n0,1\n1,2\n0,3\n1,4\n"});
  data_options options;
  options.name = "csv";
  options.path = directory.path() / "table.csv";
  options.label = "kind";
  CHECK(load_data(options).train->classes == 2);
  options.label = "2";
  CHECK(load_data(options).train->classes == 4);
}

TEST_CASE("load_data: csv takes its path, share and seed from the options") {
  const temporary_directory directory;
  write_file(directory.path() / "table.csv", std::string{"x,label\n1,0\n2,1\n3,0\n4,1\n"});
  data_options options;
  options.name = "csv";
  options.path = directory.path() / "table.csv";
  options.test_share = 0.5;
  const auto split = load_data(options);
  CHECK(split.name == "csv");
  CHECK(split.test->size() == 2);
}

TEST_CASE("load_data: an error is one line, whatever the path holds") {
  data_options options;
  options.name = "csv";
  options.path = "no\nsuch\nfile";
  CHECK(refusal_of([&] { load_data(options); }).message.find('\n') == std::string::npos);
}

TEST_CASE("load_data: both parts are standardised by the training samples, and the reading says so") {
  data_options options;
  options.standardise = true;
  const auto split = load_data(options);
  REQUIRE(split.train->standardised.size() == 1);
  REQUIRE(split.test->standardised.size() == 1);
  CHECK(split.test->standardised[0].factor == split.train->standardised[0].factor);
  CHECK(split.test->standardised[0].offset == split.train->standardised[0].offset);
  CHECK(split.reading.scaling.find("standardised") != std::string::npos);
  CHECK(load_data({}).train->standardised.empty());
}
