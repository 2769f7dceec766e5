#include "actors/reporting/rounds_file.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace dybw {

namespace {

constexpr std::size_t chunk_bytes = 1024 * 1024;

/// Of a line; 0 if it has none.
round_number round_of(std::string_view line) {
  constexpr std::string_view label = R"(,"round":)"; // stands behind the worker, which no line is without
  std::uint64_t round = 0;
  if (const auto at = line.find(label); at != std::string_view::npos)
    std::from_chars(line.data() + at + label.size(), line.data() + line.size(), round);
  return round;
}

[[noreturn]] void fail(const char* task, const std::filesystem::path& file) {
  throw std::system_error{errno != 0 ? errno : EIO, std::generic_category(), task + file.string()};
}

/// Without a buffer of its own; closed when it goes out of scope.
class unbuffered_file {
public:
  unbuffered_file(const std::filesystem::path& path, const char* mode)
      : file_(std::fopen(path.c_str(), mode)) {
    if (file_ != nullptr)
      std::setvbuf(file_, nullptr, _IONBF, 0);
  }
  ~unbuffered_file() { close(); }
  unbuffered_file(const unbuffered_file&) = delete;
  unbuffered_file& operator=(const unbuffered_file&) = delete;

  bool is_open() const { return file_ != nullptr; }
  bool failed() const { return std::ferror(file_) != 0; }
  std::size_t read(std::span<char> to) { return std::fread(to.data(), 1, to.size(), file_); }
  bool write(std::string_view text) { return std::fwrite(text.data(), 1, text.size(), file_) == text.size(); }
  bool close() {
    auto* file = std::exchange(file_, nullptr);
    return file == nullptr || std::fclose(file) == 0;
  }

private:
  std::FILE* file_;
};

/// Copies the lines whose round `every` divides; half a line at the end is dropped.
void copy_rounds(const std::filesystem::path& file, const std::filesystem::path& to, round_number every) {
  unbuffered_file in{file, "rbe"};
  if (!in.is_open())
    fail("cannot read ", file);
  unbuffered_file out{to, "wbxe"}; // a new one, at the end of no link
  std::vector<char> chunk(chunk_bytes);
  std::string kept;
  const auto write = [&] {
    if (!out.is_open() || !out.write(kept))
      fail("cannot write ", file);
    kept.clear();
  };
  std::size_t begun = 0; // bytes of a line that goes on in the next chunk
  while (const auto count = in.read(std::span{chunk}.subspan(begun))) {
    std::string_view rest{chunk.data(), begun + count};
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      const auto line = rest.substr(0, end + 1);
      rest.remove_prefix(line.size());
      if (const auto round = round_of(line); round > 0 && round % every == 0)
        kept += line;
    }
    if (kept.size() >= chunk_bytes)
      write();
    begun = rest.size();
    std::memmove(chunk.data(), rest.data(), begun);
    if (begun == chunk.size())
      chunk.resize(2 * begun);
  }
  if (in.failed())
    fail("cannot read ", file);
  write();
  if (!out.close())
    fail("cannot write ", file);
}

/// Writes out again what is kept, beside the file, and puts it in its place.
void keep_every(const std::filesystem::path& file, round_number every) {
  const auto part = std::filesystem::path{file}.concat(".part");
  errno = 0;
  std::remove(part.c_str()); // of a killed process, or planted there
  try {
    copy_rounds(file, part, every);
    if (std::rename(part.c_str(), file.c_str()) != 0)
      fail("cannot write ", file);
  } catch (...) {
    std::remove(part.c_str());
    throw;
  }
}

} // namespace

rounds_file::rounds_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max)
    : place_(file), bytes_max_(bytes_max) {
  file_.emplace(file, append);
}

/// To at most half of the size, so that it is long until the next time. The disk is not waited for: that may
/// take longer than others wait for a sign of life, and a power cut costs the newest lines of a file that
/// grows in any case.
void rounds_file::thin() {
  if (!flush())
    return;
  try {
    while (file_->bytes() > bytes_max_ / 2) {
      every_ *= 2;
      keep_every(place_, every_);
      const auto before = file_->bytes();
      file_.emplace(place_, true);
      if (file_->bytes() == before)
        break; // a line alone is longer
    }
    spdlog::info("{} keeps one round in {} from now on", place_.string(), every_);
  } catch (const std::system_error& error) {
    failure_ = error.what();
  }
}

void rounds_file::add(const round_report& r) {
  if (r.mixed.round % every_ != 0)
    return;
  line_.clear();
  auto out = std::back_inserter(line_);
  fmt::format_to(
      out, R"({{"worker":{},"round":{},"start_s":{:.6f},"compute_s":{:.6f},"wait_s":{:.6f},"accepted":{},)",
      to_string(r.mixed.worker), r.mixed.round, to_seconds(r.started), to_seconds(r.compute),
      to_seconds(r.done - r.joined), r.accepted);
  line_ += R"("committed":[)";
  for (const auto& t : r.mixed.committed)
    fmt::format_to(out, "{}[{},{}]", &t == r.mixed.committed.data() ? "" : ",", to_string(t.neighbour),
                   t.weight);
  fmt::format_to(out, R"(],"backup_workers":{},"loss":)", r.backup_workers());
  if (std::isfinite(r.loss))
    fmt::format_to(out, "{:.6g}", r.loss);
  else
    line_ += "null";
  line_ += r.timed_out ? R"(,"timeout":true})"
                         "\n"
                       : R"(,"timeout":false})"
                         "\n";
  file_->add(line_);
  if (bytes_max_ > 0 && file_->bytes() > bytes_max_ && failure_.empty())
    thin();
}

} // namespace dybw
