#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dybw {

/// What the columns of a table of separated values are, as far as its beginning shows.
struct csv_layout {
  char separator = ',';
  bool header = false;
  std::size_t skipped_lines = 0;    ///< ahead of the header or first sample: "sep=;"
  std::vector<std::string> names;   ///< of the columns; empty ones without a header
  std::size_t label = 0;            ///< column from 0
  bool label_is_sure = false;       ///< named by the user or by its header, not taken for it as the last one
  std::optional<std::size_t> index; ///< a column without a name ahead of the others, left out
  bool empty_last = false;          ///< cells behind the last column, all empty: separators end the lines
  bool short_rows = false;          ///< the header ends with a separator, the rows do not
  std::vector<std::string> notes;   ///< as in `data_reading`
};

/// Works it out from the first rows, whole or cut off at the end (`cut`). `label`: the user's, or empty.
/// Throws `input_error`: data fault for what is doubtful, configuration fault for a label that is no column.
csv_layout find_csv_layout(std::string_view head, bool cut, const std::string& label,
                           const std::filesystem::path& file);

/// "column 5 of 5, 'species'".
std::string column_text(const csv_layout& layout, std::size_t column);

} // namespace dybw
