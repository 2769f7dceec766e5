#include "actors/system/line_file.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <system_error>

namespace dybw {

line_file::line_file(const std::filesystem::path& file, bool append, std::uint64_t bytes_max)
    : name_(file.string()), bytes_max_(bytes_max) {
  errno = 0;
  out_.open(file, std::ios::binary | (append ? std::ios::app : std::ios::trunc));
  check();
  std::error_code none;
  if (const auto before = std::filesystem::file_size(file, none); append && !none)
    bytes_ = before;
}

void line_file::add(std::string_view lines) {
  if (is_full_)
    return;
  if (bytes_max_ > 0 && bytes_ + lines.size() > bytes_max_) {
    is_full_ = true;
    spdlog::warn("{} ends here: it has reached the size of --log-max", name_);
    return;
  }
  errno = 0;
  out_ << lines;
  bytes_ += lines.size();
  check();
}

bool line_file::flush() {
  errno = 0;
  out_.flush();
  check();
  return error_ == 0;
}

void line_file::check() {
  if (!out_ && error_ == 0)
    error_ = errno != 0 ? errno : EIO;
}

std::string line_file::failure() const {
  return error_ == 0 ? std::string{}
                     : "cannot write " + name_ + ": " + std::generic_category().message(error_);
}

} // namespace dybw
