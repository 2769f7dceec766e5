#include "learning/data/cifar10.hpp"

#include "learning/base/error.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t classes = 10;
constexpr image_shape image{3, 32, 32};
constexpr std::size_t pixel_bytes = image.size();
constexpr std::size_t row_bytes = 1 + pixel_bytes;
constexpr int training_batches_max = 5;

constexpr auto originals =
    "get https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz and unpack it (see docs/data.md)";
constexpr auto fetch_again = "get the original file again (see docs/data.md)";

[[noreturn]] void refuse(const std::string& what, const fs::path& file, const std::string& mend) {
  throw input_error{input_fault::data, what, file.string(), mend};
}

std::size_t rows_in(const fs::path& file) {
  std::error_code fault;
  const auto bytes = fs::file_size(file, fault);
  if (fault)
    refuse("not a readable file: " + fault.message(), file, originals);
  if (bytes == 0 || bytes % row_bytes != 0)
    refuse("the length of " + std::to_string(bytes) + " bytes is not a whole number of rows of " +
               std::to_string(row_bytes),
           file, fetch_again);
  return bytes / row_bytes;
}

void read_rows(const fs::path& file, std::size_t rows, dataset& data, std::uint8_t* to) {
  errno = 0;
  std::ifstream in{file, std::ios::binary};
  if (!in)
    refuse(std::string{"the file cannot be opened: "} + std::strerror(errno), file, "check its permissions");
  for (std::size_t row = 0; row < rows; ++row, to += pixel_bytes) {
    const auto label = in.get();
    in.read(reinterpret_cast<char*>(to), pixel_bytes);
    if (!in)
      refuse("row " + std::to_string(row + 1) + " cannot be read", file, fetch_again);
    if (label >= static_cast<int>(classes))
      refuse("label " + std::to_string(label) + " of row " + std::to_string(row + 1) +
                 " is not one of 0 to 9",
             file, fetch_again);
    data.labels.push_back(label);
  }
}

std::shared_ptr<const dataset> load_files(const std::vector<fs::path>& files) {
  std::vector<std::size_t> rows;
  std::size_t total = 0;
  for (const auto& file : files)
    total += rows.emplace_back(rows_in(file));

  auto data = std::make_shared<dataset>();
  data->features = pixel_bytes;
  data->image = image;
  data->classes = classes;
  data->labels.reserve(total);
  std::vector<std::uint8_t> pixels(total * pixel_bytes);
  for (std::size_t i = 0; i < files.size(); ++i)
    read_rows(files[i], rows[i], *data, pixels.data() + data->size() * pixel_bytes);
  data->values = std::move(pixels);
  return data;
}

std::vector<fs::path> training_files(const fs::path& directory) {
  std::error_code fault;
  std::vector<fs::path> training;
  for (int i = 1; i <= training_batches_max; ++i)
    if (auto file = directory / ("data_batch_" + std::to_string(i) + ".bin"); fs::exists(file, fault))
      training.push_back(std::move(file));
  return training;
}

bool has_any(const fs::path& directory) {
  std::error_code fault;
  return !training_files(directory).empty() || fs::exists(directory / "test_batch.bin", fault);
}

/// What may lie there in place of the files.
[[noreturn]] void refuse_missing(const fs::path& directory) {
  std::error_code fault;
  for (const auto* python : {"data_batch_1", "cifar-10-batches-py"})
    if (fs::exists(directory / python, fault))
      refuse("this is the Python version of CIFAR-10, its binary version is needed", directory / python,
             originals);
  for (const auto* archive : {"cifar-10-binary.tar.gz", "cifar-10-binary.tar"})
    if (fs::exists(directory / archive, fault))
      refuse("the archive is not unpacked", directory / archive, std::string{"unpack it: tar xf "} + archive);
  refuse("none of 'data_batch_1.bin' to 'data_batch_5.bin' is there", directory, originals);
}

fs::path find_directory(const fs::path& directory) {
  std::error_code fault;
  if (!fs::is_directory(directory, fault)) {
    if (fs::exists(directory, fault))
      refuse("a file instead of a directory", directory,
             "unpack it if it is the archive, and give --data the directory of the .bin files");
    refuse("no such directory", directory, "give --data the directory of the CIFAR-10 .bin files");
  }
  const auto below = directory / "cifar-10-batches-bin";
  return !has_any(directory) && has_any(below) ? below : directory;
}

} // namespace

data_split load_cifar10(const fs::path& directory) {
  const auto place = find_directory(directory);
  const auto training = training_files(place);
  if (training.empty())
    refuse_missing(place);
  const auto testing = place / "test_batch.bin";
  std::error_code fault;
  if (!fs::exists(testing, fault))
    refuse("'test_batch.bin' is missing", place, originals);
  data_split split{"cifar10", load_files(training), load_files({testing})};
  split.reading.format = "cifar10";
  split.reading.scaling = "bytes divided by 255";
  if (place != directory)
    split.reading.notes.push_back("the files are in " + place.string());
  return split;
}

} // namespace dybw
