#include "learning/data/cifar10.hpp"

#include "learning/base/error.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t classes = 10;
constexpr std::size_t pixel_bytes = std::size_t{3} * 32 * 32;
constexpr std::size_t row_bytes = 1 + pixel_bytes;
constexpr int training_batches_max = 5;

constexpr auto originals =
    "get the binary version of CIFAR-10 from www.cs.toronto.edu/~kriz/cifar.html (see docs/data.md)";
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
  data->classes = classes;
  data->labels.reserve(total);
  std::vector<std::uint8_t> pixels(total * pixel_bytes);
  for (std::size_t i = 0; i < files.size(); ++i)
    read_rows(files[i], rows[i], *data, pixels.data() + data->size() * pixel_bytes);
  data->values = std::move(pixels);
  return data;
}

} // namespace

data_split load_cifar10(const fs::path& directory) {
  std::error_code fault;
  if (!fs::is_directory(directory, fault))
    refuse("no such directory", directory, "give --data the directory of the CIFAR-10 .bin files");
  std::vector<fs::path> training;
  for (int i = 1; i <= training_batches_max; ++i)
    if (auto file = directory / ("data_batch_" + std::to_string(i) + ".bin"); fs::exists(file, fault))
      training.push_back(std::move(file));
  if (training.empty())
    refuse("none of 'data_batch_1.bin' to 'data_batch_5.bin' is there", directory, originals);
  const auto testing = directory / "test_batch.bin";
  if (!fs::exists(testing, fault))
    refuse("'test_batch.bin' is missing", directory, originals);
  return {"cifar10", load_files(training), load_files({testing})};
}

} // namespace dybw
