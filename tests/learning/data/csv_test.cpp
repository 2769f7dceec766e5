#include "learning/data/csv.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace dybw;
using namespace dybw::test;

namespace {

data_split load_text(const std::string& text, double test_share = 0.25, std::uint64_t seed = 1,
                     const std::string& label = {}) {
  const temporary_directory directory;
  write_file(directory.path() / "table.csv", text);
  return load_csv(directory.path() / "table.csv", test_share, seed, label);
}

/// Half of the rows held out; the label's column, or empty for the one that is found.
data_split load_half(const std::string& text, const std::string& label = {}) {
  return load_text(text, 0.5, 1, label);
}

std::string notes_of(const data_split& split) {
  std::string all;
  for (const auto& note : split.reading.notes)
    all += note + '\n';
  return all;
}

bool same_data(const data_split& a, const data_split& b) {
  return floats_of(*a.train) == floats_of(*b.train) && floats_of(*a.test) == floats_of(*b.test) &&
         a.train->labels == b.train->labels && a.test->labels == b.test->labels &&
         a.train->classes == b.train->classes;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Two features, four rows, the label last.
const std::string plain_table = "x,y2,label\n1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0\n";

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
      {"x,y,label\n1,2,0\n3,abc,1\n", "'abc' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n3,1.5.2,1\n", "'1.5.2' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n3,0x10,1\n", "'0x10' is not a number", "line 3 column 2"},
      {"x,y,label\n1,2,0\n\"3\"a,4,1\n", "text behind a closing quote", "line 3"},
      {"x,y,label\n1,2,0\n\"3,4,1\n5,6,0\n", "a quote is opened and never closed", "line 3"},
      {"\"x,y,label\n1,2,0\n", "a quote is opened and never closed", "line 1"},
      {"x,y,label\n1,NA,0\n3,4,1\n", "'NA' stands for a missing value", "line 2 column 2"},
      {"x,y,label\n1,2,0\n3,\"1,500\",1\n", "thousands without commas", "line 3 column 2"},
      {"x,y,label\n1,2,0\n+-3,4,1\n", "'+-3' is not a number", "line 3 column 1"},
      {"x,y,label\n1,2,0\n3,,1\n", "an empty cell", "line 3 column 2"},
      {"x,y,label\n1,nan,0\n3,4,1\n", "'nan' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,-inf,0\n3,4,1\n", "'-inf' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,1e999,0\n3,4,1\n", "'1e999' is not a finite number", "line 2 column 2"},
      {"x,y,label\n1,2,0\n3,1\n", "2 cells instead of 3", "line 3"},
      {"x,y,label\n1,2,0\n3,4,1,5\n", "4 cells instead of 3", "line 3"},
      {"x,y,label\n1,2,0\n3;4;1\n", "1 cell instead of 3", "line 3"},
      {"x,y,label\n1,2,0\n\n3,4,1\n", "a blank line", "line 3"},
      {"x,y,label\n1,2,0\n3,4,0.5\n", "the label '0.5' is not a whole number", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,cat\n", "the label 'cat' is a word, '0' on line 2 a number", "line 3 column 3"},
      {"x,y,label\n1,2,0\n3,4,\n", "the label '' is missing", "line 3 column 3"},
      {"x,y,label\n1,2,a\n3,4,?\n", "the label '?' is missing", "line 3 column 3"},
      {"x,label,y2\n1,0,2\n3,nan,4\n", "the label 'nan' is missing", "line 3 column 2"},
      {"a b label\n1 2 0\n", "a single column", "line 1"},
      {"1 2 0\n3 4 1\n", "cells separated by blanks", "line 1"},
      {"1|2|0\n3|4|1\n", "cells separated by bars", "line 1"},
      {"+1 1:0.5 3:2\n-1 2:1\n", "--dataset libsvm", "line 1"},
      {"@relation iris\n@data\n1,2,0\n", "ARFF", "line 1"},
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

TEST_CASE("csv: 65,536 classes are the most") {
  std::string text = "x,label\n";
  for (int i = 0; i < 65'536; ++i)
    for (int times = 0; times < 2; ++times)
      text += std::to_string(i % 7) + ',' + std::to_string(i) + '\n';
  CHECK(load_text(text).train->classes == 65'536);
  const auto refused = refusal_of([&] { load_text(text + "1,65536\n"); });
  CHECK(refused.says("more than 65,536 different labels"));
  CHECK(refused.says("line 131074 column 2"));
}

TEST_CASE("csv: the label is found by its name, wherever it stands and however it is written") {
  const auto last = load_half(plain_table);
  CHECK(last.reading.label == "column 3 of 3, 'label'");
  CHECK(last.reading.notes.empty());
  for (const auto* name : {"label", "Label", "LABELS", "class", "Class Label", "target", "y", "species"}) {
    CAPTURE(name);
    const auto first = load_half(std::string{name} + ",x,y2\n0,1,2.5\n1,2,300\n1,3,-4\n0,4,0.5\n");
    CHECK(same_data(first, last));
    CHECK(notes_of(first).find("the label is column 1 of 3, '" + std::string{name} + "'") == 0);
  }
  const auto middle = load_half("x,class,y2\n1,0,2.5\n2,1,300\n3,1,-4\n4,0,0.5\n");
  CHECK(same_data(middle, last));
}

TEST_CASE("csv: --label names the column, or else counts it from 1, and wins over names") {
  const auto table = "target,x,3\n0,1,5\n1,2,6\n1,3,5\n0,4,6\n";
  CHECK(load_half(table).reading.label == "column 1 of 3, 'target'");
  CHECK(load_half(table, "x").train->classes == 4);
  CHECK(load_half(table, "X").train->classes == 4);
  CHECK(load_half(table, "2").reading.label == "column 2 of 3, 'x'");
  CHECK(load_half(table, "3").reading.label == "column 3 of 3, '3'");
  CHECK(load_half("x,1,2\n1,0,0\n2,1,1\n1,1,0\n", "1").reading.label == "column 2 of 3, '1'");
  for (const auto* none : {"z", "0", "4", "-1", "1.5"}) {
    CAPTURE(none);
    const auto refused = refusal_of([&] { load_half(table, none); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("--label=" + std::string{none} + " is no column"));
    CHECK(refused.says("the names are target, x, 3"));
  }
  CHECK(refusal_of([&] { load_half("a,a,label\n1,2,0\n3,4,1\n", "a"); }).says("names several columns"));
}

TEST_CASE("csv: a label that may be one column or another is refused") {
  struct doubtful {
    std::string text;
    const char* complaint;
  };
  std::string regression = "a,b\n";
  std::string two = "kind,w,grade\n";
  std::string mnist = "";
  for (int i = 0; i < 40; ++i) {
    regression += "0.5," + std::to_string(i * 7) + '\n';
    two += std::to_string(i % 3) + "," + std::to_string(i / 7.0) + "," + std::to_string(i % 4) + '\n';
    mnist += std::to_string(i % 10) + "," + std::to_string(i * 5 % 256) + ",0,0\n";
  }
  for (const auto& [text, complaint] : std::vector<doubtful>{
           {"label,x,class\n0,1,0\n1,2,1\n", "both column 1 of 3, 'label' and column 3 of 3, 'class'"},
           {"x,y,z\n1,2,0\n3,4,1\n", "'y' may be the label or a coordinate"},
           {regression, "40 different labels in 40 rows"},
           {two, "both column 1 of 3, 'kind' and column 3 of 3, 'grade' may be the label"},
           {mnist, "all rows have the label 0"},
           {"0,1,2\n3,4,0\n5,6,1\n", "the first line may name the columns or be a sample"},
           {"x,5,0\n1,5,0\n2,6,1\n", "the first line may name the columns or be a sample"}}) {
    CAPTURE(complaint);
    const auto refused = refusal_of([&, &text = text] { load_half(text); });
    CAPTURE(refused.message);
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(complaint));
  }
  CHECK(load_half(two, "kind").train->classes == 3);
  CHECK(load_half(two, "3").train->classes == 4);
  CHECK(load_half(regression, "b").train->classes == 40);
  CHECK(load_half(mnist, "1").train->classes == 10);
}

TEST_CASE("csv: a column that numbers the rows is left out with a word") {
  const auto plain = load_half(plain_table);
  for (const auto* name : {"", "Unnamed: 0", "id", "Id", "index"}) {
    CAPTURE(name);
    const auto split =
        load_half(std::string{name} + ",x,y2,label\n0,1,2.5,0\n1,2,300,1\n2,3,-4,1\n3,4,0.5,0\n");
    CHECK(same_data(split, plain));
    CHECK(notes_of(split).find("left out as an index") != std::string::npos);
  }
  const auto words = load_half(",x,y2,label\nMazda,1,2.5,0\nFiat,2,300,1\nVolvo,3,-4,1\nBMW,4,0.5,0\n");
  CHECK(same_data(words, plain));
  // R's write.table has no name for the rows' names.
  const auto of_r = load_half("x,y2,label\na,1,2.5,0\nb,2,300,1\nc,3,-4,1\nd,4,0.5,0\n");
  CHECK(same_data(of_r, plain));
  CHECK(notes_of(of_r).find("a cell more than the header") != std::string::npos);
  const auto repeated = load_half("id,x,y2,label\n7,1,2.5,0\n7,2,300,1\n8,3,-4,1\n8,4,0.5,0\n");
  CHECK(repeated.train->features == 3); // no index: two rows share it
  CHECK(repeated.reading.notes.empty());
  std::string counted;
  for (int i = 0; i < 30; ++i)
    counted +=
        std::to_string(i + 1) + ',' + std::to_string(i % 5 / 10.0) + ',' + std::to_string(i % 2) + '\n';
  CHECK(load_half(counted).train->features == 1); // glass.data and its like
}

TEST_CASE("csv: a missing header is seen, and the first line is a sample") {
  const auto split = load_half("1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0\n");
  CHECK(same_data(split, load_half(plain_table)));
  CHECK(split.reading.format == "csv, no header");
  CHECK(split.reading.label == "column 3 of 3");
  const auto iris =
      load_half("5.1,3.5,Iris-setosa\n6.2,2.9,Iris-virginica\n5,3,Iris-setosa\n6,3,Iris-virginica\n");
  CHECK(iris.train->size() + iris.test->size() == 4);
  CHECK(iris.train->classes == 2);
  const auto pandas = load_half("0,1,2,3\n1,9,2.5,0\n2,9,300,1\n3,9,-4,1\n4,9,0.5,0\n");
  CHECK(pandas.train->size() + pandas.test->size() == 4);
  CHECK(notes_of(pandas).find("the first line counts the columns") != std::string::npos);
  CHECK(load_half("label,0,1,2\n1,9,2.5,0\n2,9,300,1\n2,9,-4,1\n").train->features == 3);
  CHECK(load_half("# x,y2,label\n1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0\n").reading.label ==
        "column 3 of 3, 'label'"); // numpy.savetxt
}

TEST_CASE("csv: separators, quotes and line ends of any program give the same") {
  const auto plain = load_half(plain_table);
  const auto semicolons = load_half(replaced(plain_table, ",", ";"));
  CHECK(same_data(semicolons, plain));
  CHECK(semicolons.reading.format == "csv, cells separated by ';'");
  const auto tabs = load_half(replaced(plain_table, ",", "\t"));
  CHECK(same_data(tabs, plain));
  CHECK(tabs.reading.format == "csv, cells separated by tabs");
  CHECK(same_data(load_half("sep=;\r\n" + replaced(plain_table, ",", ";")), plain));
  for (const auto* end : {"\r\n", "\r"})
    CHECK(same_data(load_half(replaced(plain_table, "\n", end)), plain));
  CHECK(same_data(
      load_half("\"x\",\"y, \"\"2\"\"\nand more\",\"label\"\n\"1\",\"2.5\",\"0\"\n2,300,1\r3, \"-4\" "
                ",1\n4,0.5,0\n"),
      plain));
  CHECK(same_data(load_half("x;\"a, b, c\";label\n1;2.5;0\n2;300;1\n3;-4;1\n4;0.5;0\n"), plain));
  CHECK(same_data(load_half("x,y2,label,\n1,2.5,0,\n2,300,1,\n3,-4,1,\n4,0.5,0,\n,,,\n"), plain));
  CHECK(same_data(load_half("x,y2,label,\n1,2.5,0\n2,300,1\n3,-4,1\n4,0.5,0\n"), plain));
  CHECK(same_data(load_half("x,y2,label\n1,2.5,0,\n2,300,1,\n3,-4,1,\n4,0.5,0,\n"), plain));
  CHECK(
      refusal_of([] { load_half("x;y2;label\n1,5;2,5;0\n3,5;4,5;1\n"); }).says("by commas or by semicolons"));
}

TEST_CASE("csv: a quoted cell that spans lines keeps the count of lines") {
  const auto refused = refusal_of([] { load_half("\"a\r\nb\rc\nd\",label\r\n1,0\r\ntwo,1\r\n"); });
  CHECK(refused.says("'two' is not a number"));
  CHECK(refused.says("line 6 column 1"));
}

TEST_CASE("csv: labels become classes from 0, which is said unless they were") {
  const auto with_labels = [](const std::vector<std::string>& labels) {
    std::string text = "x,label\n";
    for (int times = 0; times < 2; ++times)
      for (const auto& label : labels)
        text += "1," + label + '\n';
    return load_half(text);
  };
  const auto mapping = [&](const std::vector<std::string>& labels) {
    const auto split = with_labels(labels);
    return std::to_string(split.train->classes) + ' ' + notes_of(split);
  };
  CHECK(mapping({"0", "1", "2"}) == "3 ");
  CHECK(mapping({"0.0", "1", "2.0", "2"}) == "3 ");
  CHECK(mapping({"4", "1", "3", "2"}) == "4 labels 1 to 4 are classes 0 to 3\n");
  CHECK(mapping({"1", "-1"}) == "2 labels -1, 1 are classes 0 to 1\n");
  CHECK(mapping({"+1", "-1"}) == "2 labels -1, 1 are classes 0 to 1\n");
  CHECK(mapping({"7", "0", "3"}) == "3 labels 0, 3, 7 are classes 0 to 2\n");
  CHECK(mapping({"setosa", "virginica", "Zebra"}) ==
        "3 labels Zebra, setosa, virginica are classes 0 to 2\n");
  const auto split = load_half("x,label\n0,dog\n1,cat\n0,dog\n1,cat\n0,dog\n1,cat\n");
  for (const auto& part : {split.train, split.test})
    for (std::size_t row = 0; row < part->size(); ++row)
      CHECK(part->labels[row] == (floats_of(*part)[row] == 1.0F ? 0 : 1));
}

TEST_CASE("csv: what is no text is named, with how to make one of it") {
  using namespace std::string_literals;
  const temporary_directory directory;
  write_gzipped(directory.path() / "table.gz", bytes(plain_table.begin(), plain_table.end()));
  const auto zipped = read_file(directory.path() / "table.gz");
  std::string utf16 = "\xff\xfe"s;
  std::string unmarked;
  for (const auto c : plain_table) {
    utf16 += c + "\0"s;
    unmarked += c + "\0"s;
  }
  for (const auto& [text, what] :
       std::vector<std::pair<std::string, std::string>>{{{zipped.begin(), zipped.end()}, "gzip'ed data"},
                                                        {"\x93NUMPY\x01\0v\0"s, "NumPy array"},
                                                        {"PK\x03\x04\x14\0"s, "zip archive"},
                                                        {"BZh91AY&SY", "bzip2"},
                                                        {"\xfd"s + "7zXZ\0"s, "xz data"},
                                                        {"PAR1\x15", "Parquet"},
                                                        {"<!DOCTYPE html>\n<html>", "web page"},
                                                        {"\n <html><body>404</body></html>", "web page"},
                                                        {utf16, "UTF-16"},
                                                        {unmarked, "UTF-16"},
                                                        {"x,label\n1,\0\n"s, "binary data"}}) {
    CAPTURE(what);
    const auto refused = refusal_of([&, &text = text] { load_text(text); });
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(what));
    CHECK(std::all_of(refused.message.begin(), refused.message.end(),
                      [](char c) { return c >= 0x20 && c < 0x7f; })); // no bytes of the file
  }
}

TEST_CASE("csv: what was read is said: samples, features, classes, label and scaling") {
  CHECK(summary_text(summary_of(load_half(plain_table))) ==
        "csv: 2 training and 2 test samples, 2 features, 2 classes; label: column 3 of 3, 'label'; each "
        "feature "
        "scaled to [0,1] by its range in training");
}

TEST_CASE("csv: a table wider and longer than what is looked at first is read to its end") {
  std::string header = "label";
  std::string row;
  for (int i = 0; i < 5'000; ++i) {
    header += ",gene" + std::to_string(i);
    row += ',' + std::to_string(i * 0.37);
  }
  std::string text = header + '\n';
  for (int i = 0; i < 200; ++i)
    text += std::to_string(i % 2) + row + '\n';
  REQUIRE(text.size() > 6'000'000);
  const auto split = load_text(text);
  CHECK(split.train->size() == 150);
  CHECK(split.train->features == 5'000);
  CHECK(refusal_of([&] { load_text(text + "1,2\n"); }).says("line 202"));
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
