#include "learning/data/cifar10.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace dybw;
using namespace dybw::test;

namespace {

/// One row per label; the pixels of a row all have the value `pixel` plus the row's index.
bytes batch(const bytes& labels, std::uint8_t pixel) {
  bytes file;
  for (const auto label : labels) {
    file.push_back(label);
    file.insert(file.end(), 3'072, pixel++);
  }
  return file;
}

} // namespace

TEST_CASE("cifar10: all training batches that are there are read, in the order of their numbers") {
  const temporary_directory directory;
  write_file(directory.path() / "data_batch_5.bin", batch({9}, 50));
  write_file(directory.path() / "data_batch_2.bin", batch({1, 2}, 20));
  write_file(directory.path() / "test_batch.bin", batch({3}, 90));
  const auto split = load_cifar10(directory.path());
  CHECK(split.name == "cifar10");
  CHECK(split.train->features == 3'072);
  CHECK(split.train->classes == 10);
  CHECK(split.train->labels == std::vector<std::int32_t>{1, 2, 9});
  CHECK(split.test->labels == std::vector<std::int32_t>{3});
  const auto& pixels = bytes_of(*split.train);
  REQUIRE(pixels.size() == 3 * 3'072);
  CHECK(pixels[0] == 20);
  CHECK(pixels[3'071] == 20);
  CHECK(pixels[3'072] == 21);
  CHECK(pixels[2 * 3'072] == 50);
  CHECK(pixels.back() == 50);
}

TEST_CASE("cifar10: the files are found in the directory that the archive makes, other versions are named") {
  const temporary_directory directory;
  const auto below = directory.path() / "cifar-10-batches-bin";
  std::filesystem::create_directory(below);
  CHECK(refusal_of([&] { load_cifar10(directory.path()); }).says("'data_batch_1.bin'"));
  write_file(directory.path() / "cifar-10-binary.tar.gz", std::string{"archive"});
  CHECK(refusal_of([&] { load_cifar10(directory.path()); }).says("unpack it: tar xf cifar-10-binary.tar.gz"));
  CHECK(refusal_of([&] { load_cifar10(directory.path() / "cifar-10-binary.tar.gz"); }).says("unpack it"));
  write_file(directory.path() / "data_batch_1", std::string{"pickled"});
  CHECK(refusal_of([&] { load_cifar10(directory.path()); }).says("the Python version"));
  write_file(below / "data_batch_1.bin", batch({1, 2}, 20));
  write_file(below / "test_batch.bin", batch({3}, 90));
  const auto split = load_cifar10(directory.path());
  CHECK(split.train->labels == std::vector<std::int32_t>{1, 2});
  REQUIRE(split.reading.notes.size() == 1);
  CHECK(split.reading.notes[0] == "the files are in " + below.string());
}

TEST_CASE("cifar10: a malformed batch is a data fault that names the file") {
  auto one_short = batch({1, 2}, 0);
  one_short.pop_back();
  auto one_more = batch({1, 2}, 0);
  one_more.push_back(0);
  struct malformed {
    bytes content;
    const char* complaint;
  };
  const std::vector<malformed> cases = {
      {{}, "length of 0 bytes"},
      {one_short, "length of 6145 bytes is not a whole number of rows of 3073"},
      {one_more, "length of 6147 bytes is not a whole number of rows of 3073"},
      {batch({1, 10}, 0), "label 10 of row 2"},
      {batch({255}, 0), "label 255 of row 1"},
  };
  for (const auto* file : {"data_batch_1.bin", "test_batch.bin"})
    for (const auto& wrong : cases) {
      CAPTURE(wrong.complaint);
      const temporary_directory directory;
      write_file(directory.path() / "data_batch_1.bin", batch({1}, 0));
      write_file(directory.path() / "test_batch.bin", batch({1}, 0));
      write_file(directory.path() / file, wrong.content);
      const auto refused = refusal_of([&] { load_cifar10(directory.path()); });
      CAPTURE(refused.message);
      CHECK(refused.fault == input_fault::data);
      CHECK(refused.says(wrong.complaint));
      CHECK(refused.says((directory.path() / file).string()));
    }
}

TEST_CASE("cifar10: missing files are named, with the way to the originals") {
  const temporary_directory directory;
  CHECK(refusal_of([&] { load_cifar10(directory.path() / "nowhere"); }).says("no such directory"));
  auto refused = refusal_of([&] { load_cifar10(directory.path()); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("'data_batch_1.bin'"));
  CHECK(refused.says("docs/data.md"));
  write_file(directory.path() / "data_batch_1.bin", batch({1}, 0));
  refused = refusal_of([&] { load_cifar10(directory.path()); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("'test_batch.bin' is missing"));
  std::filesystem::create_directory(directory.path() / "test_batch.bin");
  refused = refusal_of([&] { load_cifar10(directory.path()); });
  CHECK(refused.fault == input_fault::data);
  CHECK(refused.says("not a readable file"));
}

TEST_CASE("cifar10: the original batches hold 10,000 images each") {
  const auto directory = real_data("cifar-10");
  if (!directory)
    return;
  const auto batches =
      std::count_if(std::filesystem::directory_iterator{*directory}, {}, [](const auto& entry) {
        return entry.path().filename().string().starts_with("data_batch_");
      });
  const auto split = load_cifar10(*directory);
  CHECK(batches >= 1);
  CHECK(split.train->size() == static_cast<std::size_t>(batches) * 10'000);
  CHECK(split.test->size() == 10'000);
  for (std::int32_t digit = 0; digit < 10; ++digit)
    CHECK(std::count(split.test->labels.begin(), split.test->labels.end(), digit) == 1'000);
}
