#include "learning/base/file_signature.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace dybw;
using namespace std::string_literals;

TEST_CASE("file_signature: text of any language and shape is no foreign file") {
  for (const auto& text : {""s, "a,b\n1,2\n"s, "\xEF\xBB\xBF"s + "a,b\n", "0 1\n1 2\n"s, "caf\xe9,1\n"s,
                           "gr\xc3\xbc\xc3\x9f"s + "e;1\n", "x<y,z\n"s, "< 3,4\n"s, "PK,weight\n"s, "%,x\n"s,
                           "# comment\n"s, "0.5\r1\r"s, "\x1b[1m"s})
    CHECK_FALSE(recognise_foreign(text));
}

TEST_CASE("file_signature: archives, compressed and binary files say what they are and how to mend it") {
  const auto what = [](const std::string& head) {
    const auto found = recognise_foreign(head);
    if (found)
      CHECK_FALSE(found->mend.empty());
    return found ? found->what : "nothing";
  };
  CHECK(what("\x1f\x8b\x08"s) == "gzip'ed data");
  CHECK(what("\x28\xb5\x2f\xfd\x04"s) == "Zstandard data");
  CHECK(what("\x89HDF\r\n\x1a\n"s) == "an HDF5 file");
  CHECK(what("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"s) == "an Excel workbook (.xls)");
  CHECK(what(std::string(257, 'a') + "ustar\x30\x30") == "a tar archive");
  CHECK(what("\xEF\xBB\xBF"s + " <?xml version='1.0'?>").starts_with("markup"));
  CHECK(what("\xfe\xff\0a"s) == "text in UTF-16");
  CHECK(what("a\0,\0b\0\n\0"s) == "text in UTF-16");
  CHECK(what("ab\0\1"s) == "binary data, no text");
}
