#include "apps/results/line_reader.hpp"

#include "learning/base/error.hpp"

namespace dybw {

bool line_reader::next() {
  line_.clear();
  ++number_;
  auto* const buffer = in_.rdbuf();
  for (auto c = buffer->sbumpc(); c != std::char_traits<char>::eof(); c = buffer->sbumpc()) {
    if (c == '\n')
      return true;
    if (line_.size() == length_max)
      throw input_error{input_fault::data, place() + " has no end", "", "name a file that dybw wrote"};
    line_ += static_cast<char>(c);
  }
  return false;
}

std::string line_reader::place() const {
  return "line " + std::to_string(number_) + " of " + file_.string();
}

} // namespace dybw
