#include "learning/data/idx.hpp"

#include "learning/base/error.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iomanip>
#include <sstream>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t labels_magic = 0x0801;
constexpr std::uint32_t images_magic = 0x0803;
constexpr std::size_t classes = 10;
constexpr std::uint32_t side_max = 4'096; // pixels
constexpr std::size_t chunk_bytes = 1U << 20U;
constexpr std::uint64_t deflate_ratio_max = 1'032; // zlib's documentation: deflate cannot do better
constexpr std::uint64_t deflate_slack_bytes = 1'024;

constexpr auto originals = "get the four MNIST files from yann.lecun.com/exdb/mnist (see docs/data.md)";
constexpr auto fetch_again = "get the original file again (see docs/data.md)";

[[noreturn]] void refuse(const std::string& what, const fs::path& file,
                         const std::string& mend = fetch_again) {
  throw input_error{input_fault::data, what, file.string(), mend};
}

std::string hex(std::uint32_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << std::setw(8) << std::setfill('0') << value;
  return text.str();
}

/// One IDX file, plain or gzipped, read from front to end.
class idx_file {
public:
  idx_file(fs::path path, std::uint32_t magic, std::size_t dimensions) : path_(std::move(path)) {
    std::error_code fault;
    if (!fs::is_regular_file(path_, fault))
      refuse("not a readable file", path_, originals);
    file_bytes_ = fs::file_size(path_, fault);
    if (fault)
      refuse("the size cannot be read: " + fault.message(), path_, originals);
    errno = 0;
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_)
      refuse(std::string{"the file cannot be opened: "} + std::strerror(errno), path_,
             "check its permissions");
    gzbuffer(file_.get(), static_cast<unsigned>(chunk_bytes));
    read_header(magic, dimensions);
  }

  const fs::path& path() const noexcept { return path_; }
  const std::vector<std::uint32_t>& sizes() const noexcept { return sizes_; }

  /// The values behind the header: exactly as many as it announced, and nothing after them.
  std::vector<std::uint8_t> values() {
    std::vector<std::uint8_t> all;
    while (all.size() < value_count_) { // grows with what is there, not with what was announced
      const auto have = all.size();
      all.resize(have + static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, value_count_ - have)));
      read({all.data() + have, all.size() - have});
    }
    std::uint8_t beyond{};
    const auto got = gzread(file_.get(), &beyond, 1);
    if (got > 0)
      refuse("more bytes than the header announces", path_);
    check_stream(); // the checksum is behind the values
    return all;
  }

private:
  struct closer {
    void operator()(gzFile file) const noexcept { gzclose(file); }
  };

  void read_header(std::uint32_t magic, std::size_t dimensions) {
    if (const auto found = read_number(); found != magic)
      refuse("magic number " + hex(found) + " instead of " + hex(magic), path_,
             "this is not an IDX file of " + std::string{dimensions == 1 ? "labels" : "images"});
    for (std::size_t i = 0; i < dimensions; ++i)
      sizes_.push_back(read_number());
    if (sizes_[0] == 0)
      refuse("the file holds no samples", path_);
    value_count_ = sizes_[0];
    for (std::size_t i = 1; i < dimensions; ++i) {
      if (sizes_[i] == 0 || sizes_[i] > side_max)
        refuse("images of " + std::to_string(sizes_[1]) + " x " + std::to_string(sizes_[2]) + " pixels",
               path_, "a side must have 1 to " + std::to_string(side_max) + " pixels");
      value_count_ *= sizes_[i];
    }
    check_length(4 + 4 * dimensions + value_count_);
  }

  /// Before anything is allocated: can the file hold `announced` bytes?
  void check_length(std::uint64_t announced) const {
    const auto fits = gzdirect(file_.get()) != 0
                          ? announced == file_bytes_
                          : announced <= file_bytes_ * deflate_ratio_max + deflate_slack_bytes;
    if (!fits)
      refuse("the header announces " + std::to_string(announced) + " bytes but the file has " +
                 std::to_string(file_bytes_) + (gzdirect(file_.get()) != 0 ? "" : " compressed"),
             path_);
  }

  std::uint32_t read_number() {
    std::array<std::uint8_t, 4> bytes{};
    read(bytes);
    std::uint32_t value = 0;
    for (const auto byte : bytes)
      value = value << 8U | byte;
    return value;
  }

  void read(std::span<std::uint8_t> to) {
    const auto got = gzread(file_.get(), to.data(), static_cast<unsigned>(to.size()));
    if (got == static_cast<int>(to.size()))
      return;
    check_stream();
    refuse("the file is truncated", path_);
  }

  void check_stream() {
    int code = Z_OK;
    const std::string message = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR)
      refuse("the file is truncated", path_);
    if (code == Z_ERRNO)
      refuse(std::string{"the file cannot be read: "} + std::strerror(errno), path_, "check the disk");
    if (code != Z_OK && code != Z_STREAM_END)
      refuse("the compressed data is damaged: " + message.substr(message.rfind(": ") + 1), path_);
  }

  fs::path path_;
  std::uint64_t file_bytes_ = 0;
  std::unique_ptr<gzFile_s, closer> file_;
  std::vector<std::uint32_t> sizes_; // samples, rows, columns
  std::uint64_t value_count_ = 0;
};

fs::path find_file(const fs::path& directory, const std::string& stem, const std::string& kind) {
  for (const auto* separator : {"-", "."})
    for (const auto* suffix : {"", ".gz"}) {
      auto path = directory / (stem + separator + kind + suffix);
      std::error_code fault;
      if (fs::exists(path, fault))
        return path;
    }
  refuse("'" + stem + "-" + kind + "' or '" + stem + "-" + kind + ".gz' is missing", directory, originals);
}

std::shared_ptr<const dataset> load_part(const fs::path& directory, const std::string& part) {
  idx_file images{find_file(directory, part + "-images", "idx3-ubyte"), images_magic, 3};
  idx_file labels{find_file(directory, part + "-labels", "idx1-ubyte"), labels_magic, 1};
  if (images.sizes()[0] != labels.sizes()[0])
    refuse(std::to_string(labels.sizes()[0]) + " labels for " + std::to_string(images.sizes()[0]) + " images",
           labels.path(), "the files do not belong together");

  auto data = std::make_shared<dataset>();
  data->features = std::size_t{images.sizes()[1]} * images.sizes()[2];
  data->classes = classes;
  const auto label_bytes = labels.values();
  const auto wrong =
      std::find_if(label_bytes.begin(), label_bytes.end(), [](std::uint8_t x) { return x >= classes; });
  if (wrong != label_bytes.end())
    refuse("label " + std::to_string(*wrong) + " of sample " +
               std::to_string(wrong - label_bytes.begin() + 1) + " is not one of 0 to 9",
           labels.path());
  data->labels.assign(label_bytes.begin(), label_bytes.end());
  data->values = images.values();
  return data;
}

} // namespace

data_split load_mnist(const fs::path& directory) {
  std::error_code fault;
  if (!fs::is_directory(directory, fault))
    refuse("no such directory", directory, "give --data the directory of the MNIST files");
  data_split split{"mnist", load_part(directory, "train"), load_part(directory, "t10k")};
  if (split.train->features != split.test->features)
    refuse("test images of " + std::to_string(split.test->features) + " pixels, training images of " +
               std::to_string(split.train->features),
           directory, "the files do not belong together");
  return split;
}

} // namespace dybw
