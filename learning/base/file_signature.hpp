#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace dybw {

/// What stands in a place where a text file of lines or cells is wanted.
struct foreign_file {
  std::string what; ///< "gzip'ed data"
  std::string mend; ///< how to make a text file of it
};

/// Looks at the first bytes of a file (some hundred are enough). Knows archives, compressed files, the
/// containers of NumPy, Excel, Parquet and HDF5, markup, UTF-16, and takes other bytes that no text has for
/// what they are. Nothing for what may be a text.
std::optional<foreign_file> recognise_foreign(std::string_view head);

/// Refuses a regular file that `recognise_foreign` knows; what cannot be read or is no regular file passes.
/// `input_error`: data fault; `kind` says what sort of file it should be.
void refuse_foreign(const std::filesystem::path& path, const std::string& kind);

} // namespace dybw
