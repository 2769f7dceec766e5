#include "learning/base/error.hpp"

namespace dybw {

namespace {

std::string sentence(const std::string& what, const std::string& where, const std::string& mend) {
  auto line = what;
  if (!where.empty())
    line += ", " + where;
  if (!mend.empty())
    line += "; " + mend;
  for (auto& c : line) // one line, whatever the input held
    if (static_cast<unsigned char>(c) < 0x20)
      c = ' ';
  return line;
}

} // namespace

input_error::input_error(input_fault fault, const std::string& what, const std::string& where,
                         const std::string& mend)
    : std::runtime_error(sentence(what, where, mend)), fault_(fault) {}

} // namespace dybw
