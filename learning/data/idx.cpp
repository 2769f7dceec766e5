#include "learning/data/idx.hpp"

#include "learning/base/error.hpp"
#include "learning/base/file_signature.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iomanip>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t labels_magic = 0x0801;
constexpr std::uint32_t images_magic = 0x0803;
constexpr std::size_t classes_min = 10;   // as many digits and clothes
constexpr std::uint32_t side_max = 4'096; // pixels
constexpr std::size_t chunk_bytes = 1U << 20U;
constexpr std::uint64_t deflate_ratio_max = 1'032; // zlib's documentation: deflate cannot do better
constexpr std::uint64_t deflate_slack_bytes = 1'024;

constexpr auto originals =
    "get the four MNIST files from https://ossci-datasets.s3.amazonaws.com/mnist/ (see docs/data.md)";
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

std::string big_endian_text(std::uint32_t x) {
  std::string text;
  for (const auto shift : {24U, 16U, 8U, 0U})
    text += static_cast<char>(x >> shift & 0xffU);
  return text;
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
    const auto found = read_number();
    if (const auto foreign = recognise_foreign(big_endian_text(found)); foreign && found >> 16U != 0)
      refuse("this is " + foreign->what, path_, "give the IDX file itself, plain or gzipped");
    if (found != magic)
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

/// How the files of one set are called: PREFIXtrain-images-idx3-ubyte.
struct naming {
  fs::path directory;
  std::string prefix; ///< "emnist-letters-" or nothing
};

/// The file of a part, or nothing. For testing `t10k` and `test` are both in use.
std::optional<fs::path> find_file(const naming& set, const std::string& part, const std::string& kind) {
  for (const std::string& name : {part, std::string{part == "t10k" ? "test" : part}})
    for (const auto* separator : {"-", "."})
      for (const auto* suffix : {"", ".gz"}) {
        const auto* type = kind == "images" ? "idx3-ubyte" : "idx1-ubyte";
        auto path = set.directory / (set.prefix + name + '-' + kind + separator + type + suffix);
        std::error_code fault;
        if (fs::exists(path, fault))
          return path;
      }
  return std::nullopt;
}

fs::path wanted_file(const naming& set, const std::string& part, const std::string& kind) {
  if (auto found = find_file(set, part, kind))
    return *found;
  const auto name = set.prefix + part + '-' + kind + (kind == "images" ? "-idx3-ubyte" : "-idx1-ubyte");
  refuse("'" + name + "' or '" + name + ".gz' is missing", set.directory, originals);
}

bool has_any(const naming& set) {
  return find_file(set, "train", "images") || find_file(set, "train", "labels") ||
         find_file(set, "t10k", "images") || find_file(set, "t10k", "labels");
}

/// What stands ahead of "train-images-idx3-ubyte" in the directory's files, in order.
std::set<std::string> prefixes_in(const fs::path& directory) {
  std::set<std::string> found;
  std::error_code fault;
  for (fs::directory_iterator file{directory, fault}, end; !fault && file != end; file.increment(fault)) {
    const auto name = file->path().filename().string();
    const auto at = name.find("-train-images-idx3-ubyte");
    if (at != std::string::npos)
      found.insert(name.substr(0, at + 1));
  }
  return found;
}

std::string list_of(const std::vector<naming>& sets) {
  std::string list;
  for (const auto& each : sets)
    list += (list.empty() ? "" : ", ") + (each.directory / each.prefix).string() +
            (each.prefix.empty() ? "" : "*");
  return list;
}

/// Files in the directory itself, else below it.
naming find_set(const fs::path& directory) {
  if (has_any({directory, ""}))
    return {directory, ""};
  std::vector<naming> found;
  const auto look_in = [&](const fs::path& place) {
    if (has_any({place, ""}))
      found.push_back({place, ""});
    for (const auto& prefix : prefixes_in(place))
      found.push_back({place, prefix});
  };
  look_in(directory);
  look_in(directory / "raw");
  std::error_code fault;
  for (fs::directory_iterator below{directory, fault}, end; !fault && below != end; below.increment(fault))
    look_in(below->path() / "raw");
  std::sort(found.begin(), found.end(), [](const naming& a, const naming& b) {
    return std::tie(a.directory, a.prefix) < std::tie(b.directory, b.prefix);
  });
  if (found.size() > 1)
    refuse("several sets of images, " + list_of(found), directory,
           found.front().directory == found.back().directory
               ? "put the one to train on in a directory of its own"
               : "give --data the directory of one");
  return found.empty() ? naming{directory, ""} : found.front();
}

struct part {
  std::shared_ptr<dataset> data;
  fs::path label_file;
};

part load_part(const naming& set, const std::string& name) {
  idx_file images{wanted_file(set, name, "images"), images_magic, 3};
  idx_file labels{wanted_file(set, name, "labels"), labels_magic, 1};
  if (images.sizes()[0] != labels.sizes()[0])
    refuse(std::to_string(labels.sizes()[0]) + " labels for " + std::to_string(images.sizes()[0]) + " images",
           labels.path(), "the files do not belong together");
  auto data = std::make_shared<dataset>();
  data->image = {1, images.sizes()[1], images.sizes()[2]};
  data->features = data->image.size();
  const auto label_bytes = labels.values();
  data->labels.assign(label_bytes.begin(), label_bytes.end());
  data->values = images.values();
  return {std::move(data), labels.path()};
}

[[noreturn]] void refuse_label(const part& where, std::int32_t label, const std::string& why) {
  const auto& all = where.data->labels;
  const auto sample = std::find(all.begin(), all.end(), label) - all.begin() + 1;
  refuse("label " + std::to_string(label) + " of sample " + std::to_string(sample) + why, where.label_file,
         "the labels of training count from 0 or 1 without a gap; if they should, the file is damaged");
}

/// Turns labels into classes and returns what became of them, or nothing if they were classes.
std::string make_classes(const part& train, const part& test) {
  const std::set<std::int32_t> labels{train.data->labels.begin(), train.data->labels.end()};
  const std::set<std::int32_t> tested{test.data->labels.begin(), test.data->labels.end()};
  auto classes = classes_min;
  std::int32_t first = 0;
  const auto largest = std::max(*labels.rbegin(), *tested.rbegin());
  if (largest >= static_cast<std::int32_t>(classes_min)) {
    const auto refuse_untrained = [&](std::int32_t from) {
      for (auto label = tested.lower_bound(from); label != tested.end(); ++label)
        if (!labels.contains(*label))
          refuse_label(test, *label, " is none of training");
    };
    refuse_untrained(static_cast<std::int32_t>(classes_min)); // rather than a gap below it
    first = *labels.begin() == 0 ? 0 : 1;
    auto expected = first;
    for (const auto label : labels)
      if (label != expected++)
        refuse_label(train, label, " behind no label " + std::to_string(expected - 1));
    refuse_untrained(0);
    classes = labels.size();
  }
  for (const auto& each : {train, test}) {
    each.data->classes = classes;
    for (auto& label : each.data->labels)
      label -= first;
  }
  return first == 0
             ? ""
             : "labels 1 to " + std::to_string(classes) + " are classes 0 to " + std::to_string(classes - 1);
}

/// A directory, or why it is none.
void check_directory(const fs::path& directory) {
  std::error_code fault;
  if (fs::is_directory(directory, fault))
    return;
  if (fs::exists(directory, fault))
    refuse("a file instead of a directory", directory,
           "unpack it if it is an archive, and give --data the directory of the four MNIST files");
  refuse("no such directory", directory, "give --data the directory of the MNIST files");
}

} // namespace

data_split load_mnist(const fs::path& directory) {
  check_directory(directory);
  const auto set = find_set(directory);
  const auto train = load_part(set, "train");
  const auto test = load_part(set, "t10k");
  if (train.data->features != test.data->features)
    refuse("test images of " + std::to_string(test.data->features) + " pixels, training images of " +
               std::to_string(train.data->features),
           set.directory, "the files do not belong together");
  const auto mapping = make_classes(train, test);
  data_split split{"mnist", train.data, test.data};
  split.reading.format = "mnist";
  split.reading.scaling = "bytes divided by 255";
  if (!set.prefix.empty())
    split.reading.notes.push_back("the files are " + (set.directory / set.prefix).string() + '*');
  else if (set.directory != directory)
    split.reading.notes.push_back("the files are in " + set.directory.string());
  if (!mapping.empty())
    split.reading.notes.push_back(mapping);
  return split;
}

} // namespace dybw
