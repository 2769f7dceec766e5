#pragma once

#include <string_view>

namespace dybw {

/// What is left of a trimmed line of a list that another tool wrote: without a comment behind `%` or `;` at
/// its start or behind a blank, and without commas and semicolons at its end. May be empty.
inline std::string_view list_entry(std::string_view line) {
  constexpr std::string_view blanks = " \t";
  for (std::size_t at = 0; at < line.size(); ++at)
    if ((line[at] == '%' || line[at] == ';') && (at == 0 || blanks.find(line[at - 1]) != blanks.npos)) {
      line = line.substr(0, at);
      break;
    }
  const auto last = line.find_last_not_of(" \t,;");
  return line.substr(0, last == line.npos ? 0 : last + 1);
}

} // namespace dybw
