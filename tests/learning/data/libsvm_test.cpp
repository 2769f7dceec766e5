#include "learning/data/libsvm.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace dybw;
using namespace dybw::test;

namespace {

data_split load_text(const std::string& text, const std::string& test_text = {},
                     std::uint64_t values_max = dense_values_max) {
  const temporary_directory directory;
  write_file(directory.path() / "a1a", text);
  if (!test_text.empty())
    write_file(directory.path() / "a1a.t", test_text);
  return load_libsvm(directory.path() / "a1a", 0.5, 1, values_max);
}

std::string notes_of(const data_split& split) {
  std::string all;
  for (const auto& note : split.reading.notes)
    all += note + '\n';
  return all;
}

} // namespace

TEST_CASE("libsvm: what is not there is 0, features span [0,1] in training, FILE.t is the test set") {
  const auto split = load_text("-1 1:0.5 3:2\n+1 3:-2 # a comment\n\n# nothing but a comment\n-1\r\n",
                               "+1 2:9 3:1 \n-1 1:7\n");
  CHECK(split.name == "libsvm");
  CHECK(split.train->features == 3);
  CHECK(split.train->classes == 2);
  CHECK(split.train->labels == std::vector<std::int32_t>{0, 1, 0});
  CHECK(split.test->labels == std::vector<std::int32_t>{1, 0});
  CHECK(floats_of(*split.train) == std::vector<float>{1, 0, 1, 0, 0, 0, 0, 0, 0.5F});
  CHECK(floats_of(*split.test) == std::vector<float>{0, 0, 0.75F, 1, 0, 0.5F});
  CHECK(notes_of(split).find("a1a.t is the test set") != std::string::npos);
  CHECK(notes_of(split).find("labels -1, 1 are classes 0 to 1") != std::string::npos);
}

TEST_CASE("libsvm: a feature that every training sample gives is scaled without the zero that none has") {
  const auto split = load_text("0 1:10\n1 1:20\n", "0 1:15\n1\n");
  CHECK(floats_of(*split.train) == std::vector<float>{0, 1});
  CHECK(floats_of(*split.test) == std::vector<float>{0.5F, 0});
}

TEST_CASE("libsvm: without a test set rows are held out, once each") {
  const auto split = load_text("1 1:1\n2 1:2\n3 1:3\n1 1:4\n");
  CHECK(split.train->size() == 2);
  CHECK(split.test->size() == 2);
  CHECK(split.train->classes == 3);
  CHECK(notes_of(split) == "labels 1 to 3 are classes 0 to 2\n");
}

TEST_CASE("libsvm: features count from 1, or from 0 if one does") {
  CHECK(load_text("0 2:1\n1 5:1\n").train->features == 5);
  const auto from_zero = load_text("0 0:1 2:1\n1 5:1\n");
  CHECK(from_zero.train->features == 6);
  CHECK(notes_of(from_zero) == "features count from 0\n");
}

TEST_CASE("libsvm: a malformed file is a data fault that names file and line") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1 1:1\n1,2 1:1\n", "several labels or values"},
      {"1 1:1\n1,2,0\n", "--dataset csv"},
      {"1 1:1\n2 qid:3 1:1\n", "rankings"},
      {"1 1:1\n1:1 2:1\n", "no label ahead of '1:1'"},
      {"1 1:1\n2 3:1 2:1\n", "the index 2 behind 3"},
      {"1 1:1\n2 3:1 3:1\n", "the index 3 behind 3"},
      {"1 1:1\n2 -1:1\n", "'-1:1' is not INDEX:VALUE"},
      {"1 1:1\n2 5\n", "'5' is not INDEX:VALUE"},
      {"1 1:1\n2 a:5\n", "'a:5' is not INDEX:VALUE"},
      {"1 1:1\n2 4294967295:5\n", "is above 100,000,000"},
      {"1 1:1\n2 1:\n", "an empty cell"},
      {"1 1:1\n2 1:x\n", "'x' is not a number"},
      {"1 1:1\n2 1:nan\n", "not a finite number"},
      {"1 1:1\n2 1:1e300\n", "does not fit float32"},
      {"1 1:1\n2.5 1:1\n", "the label '2.5' is not a whole number"},
  };
  for (const auto& [text, complaint] : cases) {
    CAPTURE(complaint);
    for (const auto in_test : {false, true}) {
      if (in_test && text.find("2.5") != std::string::npos)
        continue; // labels are judged together, by the first file's name
      const auto refused =
          refusal_of([&, &text = text] { in_test ? load_text("1 1:1\n2 1:1\n", text) : load_text(text); });
      CAPTURE(refused.message);
      CHECK(refused.fault == input_fault::data);
      CHECK(refused.says(complaint));
      CHECK(refused.says(in_test ? "a1a.t line 2" : "a1a line 2"));
    }
  }
  CHECK(refusal_of([] { load_text("1 1:1\n1 1:2\n"); }).says("all rows have the label 1"));
  CHECK(refusal_of([] { load_text("1\n2\n"); }).says("no sample has a value"));
  CHECK(refusal_of([] { load_text("1 1:1\n"); }).says("fewer than two samples"));
  CHECK(refusal_of([] { load_text(""); }).says("fewer than two samples"));
  CHECK(refusal_of([] { load_text("1 1:1\n2 1:1\n", "# nothing\n"); }).says("no samples"));
  CHECK(refusal_of([] { load_text("BZh91AY&SY"); }).says("bunzip2"));
}

TEST_CASE("libsvm: a table that would not fit memory without its gaps is refused before it is made") {
  const std::string rows = "1 1:1\n2 100000000:1\n";
  const auto refused = refusal_of([&] { load_text(rows + rows + rows + rows + rows + rows); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("12 samples of 100,000,000 features take more than 1,073,741,824 values"));
  CHECK(refusal_of([] { load_text("1 3:1\n2 1:1\n", "1 1:1\n", 8); }).says("3 samples of 3 features"));
  CHECK(load_text("1 3:1\n2 1:1\n", "1 1:1\n", 9).train->features == 3);
}
