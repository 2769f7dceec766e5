#include "learning/base/file_signature.hpp"

#include "learning/base/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

namespace dybw {

namespace {

using namespace std::string_view_literals;

struct signature {
  std::string_view bytes;
  std::string_view what;
  std::string_view mend;
};

// From the formats' descriptions; of two that begin alike the longer comes first.
constexpr std::array signatures = {
    signature{"\x1f\x8b"sv, "gzip'ed data", "unpack it: gunzip -k FILE.gz"},
    signature{"BZh"sv, "bzip2'ed data", "unpack it: bunzip2 -k FILE.bz2"},
    signature{"\xfd\x37zXZ\0"sv, "xz data", "unpack it: unxz -k FILE.xz"},
    signature{"\x28\xb5\x2f\xfd"sv, "Zstandard data", "unpack it: unzstd FILE.zst"},
    signature{"\x93NUMPY"sv, "a NumPy array (.npy)", "write it as text: numpy.savetxt"},
    signature{"PK\x03\x04"sv, "a zip archive (also .xlsx, .ods and .npz are)",
              "unpack it; from a spreadsheet save as CSV, from .npz use numpy.savetxt"},
    signature{"PK\x05\x06"sv, "an empty zip archive", "get the file again"},
    signature{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "an Excel workbook (.xls)",
              "save the sheet as CSV in the spreadsheet program"},
    signature{"PAR1"sv, "a Parquet file", "write it as text: pandas.read_parquet(..).to_csv(..)"},
    signature{"ARROW1"sv, "an Arrow file", "write it as text: pandas.read_feather(..).to_csv(..)"},
    signature{"\x89HDF\r\n\x1a\n"sv, "an HDF5 file", "write its table as text"},
    signature{"MATLAB 5.0"sv, "a MATLAB file", "write it as text: writematrix"},
    signature{"\x80\x02"sv, "pickled Python objects", "write them as text: to_csv or numpy.savetxt"},
    signature{"\x80\x03"sv, "pickled Python objects", "write them as text: to_csv or numpy.savetxt"},
    signature{"\x80\x04"sv, "pickled Python objects", "write them as text: to_csv or numpy.savetxt"},
    signature{"\x80\x05"sv, "pickled Python objects", "write them as text: to_csv or numpy.savetxt"},
    signature{"\x89PNG"sv, "an image", "give a text file"},
    signature{"\xff\xd8\xff"sv, "an image", "give a text file"},
    signature{"%PDF"sv, "a PDF document", "give a text file"},
    signature{"SQLite format 3"sv, "an SQLite data base", "export the table as CSV"},
    signature{"\xff\xfe"sv, "text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"},
    signature{"\xfe\xff"sv, "text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"},
};

constexpr signature web_page = {"<", "markup (HTML or XML): perhaps a web page instead of the file",
                                "get the file itself, or write it as plain text"};

bool begins_with_markup(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF"))
    head.remove_prefix(3);
  const auto first = head.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && first + 1 < head.size() && head[first] == '<' &&
         (std::isalpha(static_cast<unsigned char>(head[first + 1])) != 0 || head[first + 1] == '!' ||
          head[first + 1] == '?');
}

/// Whether zero bytes stand on every second place only, as in western text in UTF-16 without a mark.
bool is_unmarked_utf16(std::string_view head) {
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < head.size(); ++i)
    zeros[i % 2] += head[i] == '\0' ? 1 : 0;
  const auto most = std::max(zeros[0], zeros[1]);
  return std::min(zeros[0], zeros[1]) == 0 && most * 20 >= head.size() * 9 && most > 0;
}

foreign_file to_foreign(const signature& x) {
  return {std::string{x.what}, std::string{x.mend}};
}

} // namespace

std::optional<foreign_file> recognise_foreign(std::string_view head) {
  const auto* const found = std::find_if(signatures.begin(), signatures.end(),
                                         [&](const signature& x) { return head.starts_with(x.bytes); });
  if (found != signatures.end())
    return to_foreign(*found);
  if (begins_with_markup(head))
    return to_foreign(web_page);
  constexpr std::size_t tar_mark = 257;
  if (head.size() > tar_mark + 5 && head.substr(tar_mark, 5) == "ustar")
    return foreign_file{"a tar archive", "unpack it: tar xf FILE"};
  if (is_unmarked_utf16(head))
    return foreign_file{"text in UTF-16", "convert it: iconv -f UTF-16LE -t UTF-8 FILE > NEW"};
  if (head.find('\0') != std::string_view::npos)
    return foreign_file{"binary data, no text", "give a text file"};
  return std::nullopt;
}

void refuse_foreign(const std::filesystem::path& path, const std::string& kind) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    return;
  std::ifstream in{path, std::ios::binary};
  std::array<char, 1024> head; // NOLINT(cppcoreguidelines-pro-type-member-init): read below
  in.read(head.data(), head.size());
  if (const auto found = recognise_foreign({head.data(), static_cast<std::size_t>(in.gcount())}))
    throw input_error{input_fault::data, "the " + kind + " is " + found->what, path.string(), found->mend};
}

} // namespace dybw
