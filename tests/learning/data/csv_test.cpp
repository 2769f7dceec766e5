#include "learning/data/csv.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace dybw;
using namespace dybw::test;

namespace {

data_split load_text(const std::string& text, double test_share = 0.25, std::uint64_t seed = 1) {
  const temporary_directory directory;
  write_file(directory.path() / "table.csv", text);
  return load_csv(directory.path() / "table.csv", test_share, seed);
}

/// `rows` rows "i,100,-2i,i mod 3".
std::string counting_table(int rows) {
  std::string text = "a,b,c,label\n";
  for (int i = 0; i < rows; ++i)
    text += std::to_string(i) + ",100," + std::to_string(-2 * i) + "," + std::to_string(i % 3) + "\n";
  return text;
}

std::vector<double> column(const dataset& data, std::size_t feature) {
  std::vector<double> values;
  for (std::size_t row = 0; row < data.size(); ++row)
    values.push_back(floats_of(data)[row * data.features + feature]);
  return values;
}

} // namespace

TEST_CASE("csv: every training column spans [0,1], keeps its order, and a constant one becomes 0") {
  const auto split = load_text(counting_table(100));
  CHECK(split.name == "csv");
  CHECK(split.train->features == 3);
  CHECK(split.train->classes == 3);
  const auto rising = column(*split.train, 0);
  const auto constant = column(*split.train, 1);
  const auto falling = column(*split.train, 2);
  CHECK(rising.front() == 0.0);
  CHECK(rising.back() == 1.0);
  CHECK(std::is_sorted(rising.begin(), rising.end()));
  for (std::size_t i = 0; i < rising.size(); ++i) {
    CHECK(constant[i] == 0.0);
    CHECK(falling[i] == doctest::Approx(1 - rising[i]));
  }
}

TEST_CASE("csv: test values beyond the training span are clamped to [0,1]") {
  bool clamped = false;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto split = load_text("x,label\n-1000,0\n1,1\n2,0\n1000,1\n", 0.25, seed);
    REQUIRE(split.test->size() == 1);
    const auto value = floats_of(*split.test)[0];
    CHECK(value >= 0);
    CHECK(value <= 1);
    clamped = clamped || value == 0 || value == 1;
  }
  CHECK(clamped);
}

TEST_CASE("csv: the share held out is drawn by the seed, each row lands in exactly one part") {
  const auto split = load_text(counting_table(100), 0.2, 5);
  CHECK(split.train->size() == 80);
  CHECK(split.test->size() == 20);
  const auto again = load_text(counting_table(100), 0.2, 5);
  const auto other = load_text(counting_table(100), 0.2, 6);
  CHECK(floats_of(*split.test) == floats_of(*again.test));
  CHECK(floats_of(*split.test) != floats_of(*other.test));

  // With rows 0 and 99 in training the scale is known, and with it every row can be told from its value.
  for (std::uint64_t seed = 1;; ++seed) {
    REQUIRE(seed < 50);
    const auto part = load_text(counting_table(100), 0.2, seed);
    std::set<int> rows;
    for (const auto& data : {part.train, part.test})
      for (const auto value : column(*data, 0))
        rows.insert(static_cast<int>(value * 99 + 0.5));
    if (rows.size() < 100)
      continue; // row 0 or 99 was held out
    CHECK(*rows.begin() == 0);
    CHECK(*rows.rbegin() == 99);
    break;
  }
}

TEST_CASE("csv: both parts keep at least one row, however extreme the share") {
  CHECK(load_text(counting_table(5), 0.001).test->size() == 1);
  CHECK(load_text(counting_table(5), 0.999).train->size() == 1);
}

TEST_CASE("csv: labels keep their rows") {
  const auto split = load_text("x,label\n0,0\n1,1\n0,0\n1,1\n0,0\n1,1\n0,0\n1,1\n");
  for (const auto& part : {split.train, split.test})
    for (std::size_t row = 0; row < part->size(); ++row)
      CHECK(floats_of(*part)[row] == static_cast<float>(part->labels[row]));
}

TEST_CASE(
    "csv: CRLF, blanks round cells, plus signs, exponents, a byte order mark and blank last lines are fine") {
  const auto plain = load_text("x,y,label\n1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0\n");
  const auto odd =
      load_text("\xEF\xBB\xBFx, y ,label\r\n 1,2.5,0\r\n+2,3e2 ,1\r\n3,\t-4,1\r\n4,.5,0\r\n\r\n \r\n");
  CHECK(floats_of(*plain.train) == floats_of(*odd.train));
  CHECK(floats_of(*plain.test) == floats_of(*odd.test));
  CHECK(plain.train->labels == odd.train->labels);
  const auto unfinished = load_text("x,y,label\n1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0");
  CHECK(floats_of(*plain.train) == floats_of(*unfinished.train));
}

TEST_CASE("csv: columns as wide as float64 and as narrow as its last digits are scaled") {
  const auto wide = load_text("x,label\n-1.7e308,0\n1.7e308,1\n0,0\n-1.7e308,1\n1.7e308,0\n0,1\n", 0.17);
  for (const auto value : floats_of(*wide.train))
    CHECK((value == 0.0F || value == 0.5F || value == 1.0F));
  const auto narrow = load_text("x,label\n1600000000,0\n1600000001,1\n1600000000,1\n1600000001,0\n");
  const auto& values = floats_of(*narrow.train);
  CHECK(*std::max_element(values.begin(), values.end()) == 1.0F);
}

TEST_CASE("csv: a malformed table is a data fault that names file, line and column") {
  struct malformed {
    std::string text;
    const char* complaint;
    const char* where;
  };
  const std::vector<malformed> cases = {
      {"", "the file is empty", "table.csv"},
      {"\nx,label\n1,0\n", "blank line instead of a header", "line 1"},
      {"x,label\n", "fewer than two rows", "table.csv"},
      {"x,label\n1,0\n", "fewer than two rows", "table.csv"},
      {"label\n0\n1\n", "a single column", "line 1"},
      {"1,2,0\n3,4,1\n5,6,0\n", "numbers instead of a header", "line 1"},
      {"x,y,label\n1,2,0\n3,abc,1\n", "'abc' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n3,1.5.2,1\n", "'1.5.2' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n3,0x10,1\n", "'0x10' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n\"3\",4,1\n", "'\"3\"' is not a number", "line 3 column 1"},
      {"x,y,label\n1,2,0\n+-3,4,1\n", "'+-3' is not a number", "line 3 column 1"},
      {"x,y,label\n1,2,0\n3,,1\n", "an empty cell", "line 3 column 2"},
      {"x,y,label\n1,nan,0\n3,4,1\n", "'nan' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,-inf,0\n3,4,1\n", "'-inf' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,1e999,0\n3,4,1\n", "'1e999' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,2,0\n3,1\n", "2 cells instead of 3", "line 3"},
      {"x,y,label\n1,2,0\n3,4,1,5\n", "4 cells instead of 3", "line 3"},
      {"x,y,label\n1,2,0\n3;4;1\n", "'3;4;1' is not a number", "line 3 column 1"},
      {"x,y,label\n1,2,0\n\n3,4,1\n", "a blank line", "line 3"},
      {"x,y,label\n1,2,0\n3,4,1.0\n", "the label '1.0' is not a whole number", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,cat\n", "the label 'cat' is not a whole number", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,\n", "the label '' is not a whole number", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,-1\n", "the label '-1' is not within", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,65536\n", "the label '65536' is not within", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,99999999999\n", "is not within", "line 3 column 3"},
      {"x,y,label\n1,2,4\n3,4,4\n", "all rows have the label 4", "table.csv"},
      {"x,y,label\n1,2,0\n3," + std::string(5'000, 'z') + ",1\n", "zz..'", "line 3 column 2"},
  };
  for (const auto& wrong : cases) {
    CAPTURE(wrong.complaint);
    const auto refused = refusal_of([&] { load_text(wrong.text); });
    CAPTURE(refused.message);
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(wrong.complaint));
    CHECK(refused.says("table.csv"));
    CHECK(refused.says(wrong.where));
    CHECK(refused.message.size() < 400);
  }
}

TEST_CASE("csv: the largest label allowed makes 65,536 classes") {
  CHECK(load_text("x,label\n1,0\n2,65535\n").train->classes == 65'536);
}

TEST_CASE("csv: a missing file and a directory are data faults") {
  const temporary_directory directory;
  auto refused = refusal_of([&] { load_csv(directory.path() / "nowhere.csv", 0.2, 1); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("nowhere.csv"));
  refused = refusal_of([&] { load_csv(directory.path(), 0.2, 1); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("directory"));
}

TEST_CASE("csv: a share outside (0,1) is a configuration fault") {
  for (const auto share : {0.0, 1.0, -0.5, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    const auto refused = refusal_of([&] { load_text(counting_table(10), share); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("--test-share"));
  }
}
