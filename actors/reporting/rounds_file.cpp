#include "actors/reporting/rounds_file.hpp"

#include "actors/system/durable_file.hpp"

#include <spdlog/fmt/compile.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <span>
#include <string_view>
#include <system_error>
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

/// Passes the lines on whose round `every` divides, many at a time; half a line at the end is dropped.
void copy_rounds(const std::filesystem::path& file, round_number every, const byte_sink& write) {
  std::ifstream in(file, std::ios::binary);
  std::vector<char> chunk(chunk_bytes);
  std::string kept;
  std::size_t begun = 0; // bytes of a line that goes on in the next chunk
  while (in.read(chunk.data() + begun, static_cast<std::streamsize>(chunk.size() - begun)), in.gcount() > 0) {
    std::string_view rest{chunk.data(), begun + static_cast<std::size_t>(in.gcount())};
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      const auto line = rest.substr(0, end + 1);
      rest.remove_prefix(line.size());
      if (const auto round = round_of(line); round > 0 && round % every == 0)
        kept += line;
    }
    write(std::as_bytes(std::span{kept}));
    kept.clear();
    begun = rest.size();
    std::memmove(chunk.data(), rest.data(), begun);
    if (begun == chunk.size())
      chunk.resize(2 * begun);
  }
  if (!in.eof())
    throw std::system_error{EIO, std::generic_category(), "cannot read " + file.string()};
}

} // namespace

rounds_file::rounds_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max)
    : place_(file), bytes_max_(bytes_max) {
  file_.emplace(file, append);
}

/// To at most half of the size, so that it is long until the next time.
void rounds_file::thin() {
  if (!flush())
    return;
  try {
    while (file_->bytes() > bytes_max_ / 2) {
      every_ *= 2;
      write_whole(place_, [this](const byte_sink& write) { copy_rounds(place_, every_, write); });
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
      out,
      FMT_COMPILE(
          R"({{"worker":{},"round":{},"start_s":{:.6f},"compute_s":{:.6f},"wait_s":{:.6f},"accepted":{},)"),
      to_string(r.mixed.worker), r.mixed.round, to_seconds(r.started), to_seconds(r.compute),
      to_seconds(r.done - r.joined), r.accepted);
  line_ += R"("committed":[)";
  for (const auto& t : r.mixed.committed)
    fmt::format_to(out, FMT_COMPILE("{}[{},{}]"), &t == r.mixed.committed.data() ? "" : ",",
                   to_string(t.neighbour), t.weight);
  fmt::format_to(out, FMT_COMPILE(R"(],"backup_workers":{},"loss":)"), r.backup_workers());
  if (std::isfinite(r.loss))
    fmt::format_to(out, FMT_COMPILE("{:.6g}"), r.loss);
  else
    line_ += "null";
  fmt::format_to(std::back_inserter(line_), FMT_COMPILE(R"(,"gradients":{})"), r.gradients);
  line_ += r.timed_out ? R"(,"timeout":true})"
                         "\n"
                       : R"(,"timeout":false})"
                         "\n";
  file_->add(line_);
  if (bytes_max_ > 0 && file_->bytes() > bytes_max_ && failure_.empty())
    thin();
}

} // namespace dybw
