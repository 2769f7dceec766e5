#include "learning/data/idx.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace dybw;
using namespace dybw::test;

namespace {

void append_number(bytes& to, std::uint32_t value) {
  for (const auto shift : {24U, 16U, 8U, 0U})
    to.push_back(static_cast<std::uint8_t>(value >> shift));
}

bytes idx_labels(const bytes& labels) {
  bytes file;
  append_number(file, 0x801);
  append_number(file, static_cast<std::uint32_t>(labels.size()));
  file.insert(file.end(), labels.begin(), labels.end());
  return file;
}

bytes idx_images(std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
  bytes file;
  append_number(file, 0x803);
  append_number(file, count);
  append_number(file, rows);
  append_number(file, columns);
  for (std::uint32_t i = 0; i < count * rows * columns; ++i)
    file.push_back(static_cast<std::uint8_t>(i * 37));
  return file;
}

constexpr auto train_images = "train-images-idx3-ubyte";
constexpr auto train_labels = "train-labels-idx1-ubyte";
constexpr auto test_images = "t10k-images-idx3-ubyte";
constexpr auto test_labels = "t10k-labels-idx1-ubyte";

/// Three training and two test images of 2 x 3 pixels.
void write_good_files(const std::filesystem::path& directory) {
  write_file(directory / train_images, idx_images(3, 2, 3));
  write_file(directory / train_labels, idx_labels({5, 0, 9}));
  write_file(directory / test_images, idx_images(2, 2, 3));
  write_file(directory / test_labels, idx_labels({7, 2}));
}

bytes without_last(bytes content, std::size_t count) {
  content.resize(content.size() - count);
  return content;
}

bytes with_number(bytes content, std::size_t at, std::uint32_t value) {
  bytes number;
  append_number(number, value);
  std::copy(number.begin(), number.end(), content.begin() + static_cast<std::ptrdiff_t>(at));
  return content;
}

} // namespace

TEST_CASE("idx: plain files give bytes, labels and sizes as they stand") {
  const temporary_directory directory;
  write_good_files(directory.path());
  const auto split = load_mnist(directory.path());
  CHECK(split.name == "mnist");
  CHECK(split.train->features == 6);
  CHECK(split.train->classes == 10);
  CHECK(split.train->labels == std::vector<std::int32_t>{5, 0, 9});
  CHECK(split.test->labels == std::vector<std::int32_t>{7, 2});
  const auto file = idx_images(3, 2, 3);
  CHECK(bytes_of(*split.train) == bytes(file.begin() + 16, file.end()));
}

TEST_CASE("idx: gzipped files and the spelling with a dot give the same") {
  const temporary_directory directory;
  write_gzipped(directory.path() / "train-images-idx3-ubyte.gz", idx_images(3, 2, 3));
  write_gzipped(directory.path() / "train-labels.idx1-ubyte.gz", idx_labels({5, 0, 9}));
  write_file(directory.path() / "t10k-images.idx3-ubyte", idx_images(2, 2, 3));
  write_gzipped(directory.path() / "t10k-labels-idx1-ubyte.gz", idx_labels({7, 2}));
  const auto split = load_mnist(directory.path());
  const auto file = idx_images(3, 2, 3);
  CHECK(bytes_of(*split.train) == bytes(file.begin() + 16, file.end()));
  CHECK(split.train->labels == std::vector<std::int32_t>{5, 0, 9});
  CHECK(split.test->labels == std::vector<std::int32_t>{7, 2});
}

TEST_CASE("idx: files larger than one chunk come through gzip whole") {
  const temporary_directory directory;
  write_good_files(directory.path());
  std::filesystem::remove(directory.path() / train_images);
  const auto file = idx_images(3, 1'000, 900); // 2.7 MB
  write_gzipped(directory.path() / "train-images-idx3-ubyte.gz", file);
  write_file(directory.path() / test_images, idx_images(2, 1'000, 900));
  CHECK(bytes_of(*load_mnist(directory.path()).train) == bytes(file.begin() + 16, file.end()));
}

TEST_CASE("idx: a malformed file is a data fault that names the file and what is wrong with it") {
  struct malformed {
    const char* file;
    bytes content;
    const char* complaint;
  };
  const auto images = idx_images(3, 2, 3);
  const auto labels = idx_labels({5, 0, 9});
  auto trailing = images;
  trailing.push_back(0);
  const std::vector<malformed> cases = {
      {train_images, {}, "truncated"},
      {train_images, bytes{0, 0, 8}, "truncated"},
      {train_images, without_last(images, 30), "truncated"},
      {train_images, without_last(images, 1), "announces 34 bytes but the file has 33"},
      {train_images, trailing, "announces 34 bytes but the file has 35"},
      {train_images, labels, "magic number 0x00000801 instead of 0x00000803"},
      {train_labels, images, "magic number 0x00000803 instead of 0x00000801"},
      {train_images, with_number(images, 0, 0x0d03), "magic number 0x00000d03"},
      {train_images, with_number(images, 4, 0), "no samples"},
      {train_images, with_number(images, 4, 0xffffffff), "announces"},
      {train_images, with_number(images, 8, 0), "images of 0 x 3 pixels"},
      {train_images, with_number(images, 12, 0xffffffff), "images of 2 x 4294967295 pixels"},
      {train_labels, idx_labels({5, 10, 9}), "label 5 of sample 1 behind no label 1"},
      {test_labels, idx_labels({255, 1}), "label 255 of sample 1 is none of training"},
      {train_labels, idx_labels({5, 0}), "2 labels for 3 images"},
      {test_labels, idx_labels({5, 0, 1}), "3 labels for 2 images"},
  };
  for (const auto& wrong : cases) {
    CAPTURE(wrong.complaint);
    const temporary_directory directory;
    write_good_files(directory.path());
    write_file(directory.path() / wrong.file, wrong.content);
    const auto refused = refusal_of([&] { load_mnist(directory.path()); });
    CAPTURE(refused.message);
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(wrong.complaint));
    CHECK(refused.says((directory.path() / wrong.file).string()));
  }
}

TEST_CASE("idx: a malformed gzipped file is a data fault that names the file and what is wrong with it") {
  const auto images = idx_images(3, 200, 300);
  const temporary_directory scratch;
  write_gzipped(scratch.path() / "good.gz", images);
  const auto good = read_file(scratch.path() / "good.gz");
  auto flipped_checksum = good;
  flipped_checksum[good.size() - 8] ^= 1;
  auto damaged = good;
  damaged[12] ^= 0xff; // the block's header and code lengths
  damaged[13] ^= 0xff;
  auto more = images;
  more.push_back(0);
  write_gzipped(scratch.path() / "more.gz", more);
  write_gzipped(scratch.path() / "short.gz", without_last(images, 1));
  write_gzipped(scratch.path() / "huge.gz", with_number(images, 4, 0xffffffff));

  struct malformed {
    bytes content;
    const char* complaint;
  };
  const std::vector<malformed> cases = {
      {without_last(good, good.size() / 2), "truncated"},
      {without_last(good, 1), "truncated"},
      {flipped_checksum, "damaged"},
      {damaged, "damaged"},
      {read_file(scratch.path() / "more.gz"), "more bytes than the header announces"},
      {read_file(scratch.path() / "short.gz"), "truncated"},
      {read_file(scratch.path() / "huge.gz"), "compressed"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    const temporary_directory directory;
    write_good_files(directory.path());
    std::filesystem::remove(directory.path() / train_images);
    const auto file = directory.path() / "train-images-idx3-ubyte.gz";
    write_file(file, cases[i].content);
    const auto refused = refusal_of([&] { load_mnist(directory.path()); });
    CAPTURE(refused.message);
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(cases[i].complaint));
    CHECK(refused.says(file.string()));
  }
}

TEST_CASE("idx: labels that count from 1, as those of EMNIST's letters, become classes from 0") {
  const temporary_directory directory;
  const auto letters = [&](std::uint8_t first, std::uint8_t last) {
    bytes labels;
    for (int i = first; i <= last; ++i)
      labels.push_back(static_cast<std::uint8_t>(i));
    write_file(directory.path() / train_images, idx_images(static_cast<std::uint32_t>(labels.size()), 2, 3));
    write_file(directory.path() / train_labels, idx_labels(labels));
    write_file(directory.path() / test_images, idx_images(2, 2, 3));
    write_file(directory.path() / test_labels, idx_labels({26, 3}));
    return load_mnist(directory.path());
  };
  const auto split = letters(1, 26);
  CHECK(split.train->classes == 26);
  CHECK(split.test->classes == 26);
  CHECK(split.train->labels.front() == 0);
  CHECK(split.train->labels.back() == 25);
  CHECK(split.test->labels == std::vector<std::int32_t>{25, 2});
  CHECK(split.reading.notes == std::vector<std::string>{"labels 1 to 26 are classes 0 to 25"});
  const auto balanced = letters(0, 46);
  CHECK(balanced.train->classes == 47);
  CHECK(balanced.test->labels == std::vector<std::int32_t>{26, 3});
  CHECK(balanced.reading.notes.empty());
  CHECK(refusal_of([&] { letters(0, 20); }).says("label 26 of sample 1 is none of training"));
  const auto refused = refusal_of([&] { letters(2, 30); });
  CHECK(refused.says("count from 0 or 1 without a gap"));
  CHECK_FALSE(refused.says("original"));
}

TEST_CASE("idx: the files are found where torchvision puts them, and under EMNIST's names") {
  const temporary_directory directory;
  const auto root = directory.path();
  std::filesystem::create_directories(root / "MNIST" / "raw");
  write_good_files(root / "MNIST" / "raw");
  const auto split = load_mnist(root);
  CHECK(split.train->size() == 3);
  REQUIRE(split.reading.notes.size() == 1);
  CHECK(split.reading.notes[0].find("MNIST/raw") != std::string::npos);
  CHECK(load_mnist(root / "MNIST").train->size() == 3);
  std::filesystem::create_directories(root / "FashionMNIST" / "raw");
  write_good_files(root / "FashionMNIST" / "raw");
  const auto refused = refusal_of([&] { load_mnist(root); });
  CHECK(refused.says("several sets of images"));
  CHECK(refused.says("FashionMNIST/raw"));
  CHECK(refused.says("/MNIST/raw"));

  const auto emnist = root / "emnist";
  std::filesystem::create_directories(emnist);
  const auto write_set = [&](const std::string& set) {
    write_gzipped(emnist / (set + "-train-images-idx3-ubyte.gz"), idx_images(3, 2, 3));
    write_gzipped(emnist / (set + "-train-labels-idx1-ubyte.gz"), idx_labels({1, 0, 2}));
    write_file(emnist / (set + "-test-images-idx3-ubyte"), idx_images(2, 2, 3));
    write_file(emnist / (set + "-test-labels-idx1-ubyte"), idx_labels({1, 0}));
  };
  write_set("emnist-digits");
  CHECK(load_mnist(emnist).train->labels == std::vector<std::int32_t>{1, 0, 2});
  write_set("emnist-letters");
  CHECK(refusal_of([&] { load_mnist(emnist); }).says("emnist-digits-*, "));
}

TEST_CASE("idx: an archive in the place of a file is named") {
  const temporary_directory directory;
  write_good_files(directory.path());
  write_file(directory.path() / train_labels, std::string{"PK\x03\x04 and so on"});
  CHECK(refusal_of([&] { load_mnist(directory.path()); }).says("zip archive"));
}

TEST_CASE("idx: a missing file is named, with both spellings and the way to the originals") {
  for (const auto* missing : {train_images, train_labels, test_images, test_labels}) {
    const temporary_directory directory;
    write_good_files(directory.path());
    std::filesystem::remove(directory.path() / missing);
    const auto refused = refusal_of([&] { load_mnist(directory.path()); });
    CAPTURE(refused.message);
    CHECK(refused.fault == input_fault::data);
    CHECK(refused.says(std::string{"'"} + missing + "'"));
    CHECK(refused.says(std::string{"'"} + missing + ".gz'"));
    CHECK(refused.says("docs/data.md"));
  }
}

TEST_CASE("idx: a directory in a file's place, and a path that is no directory, are data faults") {
  const temporary_directory directory;
  write_good_files(directory.path());
  CHECK(refusal_of([&] { load_mnist(directory.path() / "none"); }).says("no such directory"));
  CHECK(refusal_of([&] { load_mnist(directory.path() / train_labels); }).says("instead of a directory"));
  std::filesystem::remove(directory.path() / train_labels);
  std::filesystem::create_directory(directory.path() / train_labels);
  const auto refused = refusal_of([&] { load_mnist(directory.path()); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("not a readable file"));
}

TEST_CASE("idx: training and test images of different sizes do not belong together") {
  const temporary_directory directory;
  write_good_files(directory.path());
  write_file(directory.path() / test_images, idx_images(2, 3, 3));
  const auto refused = refusal_of([&] { load_mnist(directory.path()); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("test images of 9 pixels, training images of 6"));
}

TEST_CASE("idx: the original MNIST has 60,000 training and 10,000 test images") {
  const auto directory = real_data("mnist");
  if (!directory)
    return;
  const auto split = load_mnist(*directory);
  CHECK(split.train->size() == 60'000);
  CHECK(split.test->size() == 10'000);
  CHECK(split.train->features == 784);
  CHECK(split.test->features == 784);
  CHECK(bytes_of(*split.train).size() == 60'000 * 784);
  CHECK(split.train->labels[0] == 5);
  CHECK(split.test->labels[0] == 7);
}
