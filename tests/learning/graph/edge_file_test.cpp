#include "learning/graph/topology.hpp"
#include "tests/learning/graph/support.hpp"

#include <doctest/doctest.h>

using namespace dybw;
using dybw::testing::refusal;
using dybw::testing::text_file;

TEST_CASE("edge_file: comments, blanks and line ends of any system are skipped") {
  const text_file file{"# comment\r\n\r\n  1 0   # an edge\r\n\t2\t \t1\n#3 4\n0 2"};
  CHECK(read_edge_file(file.path(), 3) == std::vector<edge>{{worker_at(0), worker_at(1)},
                                                            {worker_at(1), worker_at(2)},
                                                            {worker_at(0), worker_at(2)}});
}

TEST_CASE("edge_file: a malformed line is a data fault that names file and line") {
  const auto refused = [](const std::string& line) {
    const text_file file{"0 1\n# comment\n" + line + "\n1 2\n"};
    const auto message = refusal([&] { read_edge_file(file.path(), 4); });
    CAPTURE(line);
    CAPTURE(message);
    CHECK(message.starts_with("3 "));
    CHECK(message.find("in " + file.path() + ":3; ") != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    return message;
  };
  for (const auto* line : {"0", "0 1 2", "a b", "0 b", "0 1.0", "-1 2", "+1 2", "0 99999999999", "1e0 2",
                           "0,,1", "0,1,1", "source,target", "<node id='0'>"})
    CHECK(refused(line).find("an edge must be two worker numbers") != std::string::npos);
  CHECK(refused("0 4").find("worker numbers must be from 0 to 3") != std::string::npos);
  CHECK(refused("4 0").find("choose --workers 5") != std::string::npos);
  CHECK(refused("2 2").find("must join two different workers") != std::string::npos);
}

TEST_CASE("edge_file: lists of other tools are read: networkx, comma separated, comments of any kind") {
  const auto read = [](const std::string& text) {
    const text_file file{text};
    CAPTURE(text);
    return read_edge_file(file.path(), 3);
  };
  const std::vector<edge> path{{worker_at(0), worker_at(1)}, {worker_at(1), worker_at(2)}};
  for (const auto* text :
       {"0 1 {}\n1 2 {}\n", "#/usr/bin/python\n# GMT Fri\n#\n0 1 {}\n1 2 {}\n", "0,1\n1,2\n", "0, 1\n1 , 2\n",
        "0;1\n1; 2\n", "0\t1\n1\t2\r\n", "0,1,\n1,2,\n", "0 1;\n1 2;\n", "% comment\n0 1\n1 2 % more\n",
        "; comment\n0 1\n1 2 ; more\n", "0,1,{}\n1,2,{}\n"})
    CHECK(read(text) == path);
}

TEST_CASE("edge_file: edges that count from 1, weights and other formats are refused with how to mend it") {
  const auto refused = [](const std::string& text, std::size_t workers) {
    const text_file file{text};
    return refusal([&] { read_edge_file(file.path(), workers); });
  };
  const auto from_one = refused("# n\n1 2\n2 3\n3 4\n", 4);
  CHECK(from_one.find("seem to count from 1") != std::string::npos);
  CHECK(from_one.find(":4; subtract 1") != std::string::npos);
  CHECK(refused("0 1\n1 4\n", 4).find("choose --workers 5") != std::string::npos); // a 0 is there
  CHECK(refused("1 2\n2 5\n", 4).find("choose --workers 6") != std::string::npos); // too far for it
  CHECK(refused("1 2\n2 3\n", 4) == "accepted"); // a connected graph is more
  CHECK(refused("0 1 0.5\n", 4).find("without weights") != std::string::npos);
  CHECK(refused("0 1 {'weight': 2}\n", 4).find("edges carry no data") != std::string::npos);
  CHECK(refused("%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n1 2\n", 4).find("MatrixMarket") !=
        std::string::npos);
  CHECK(refused("<?xml version=\"1.0\"?>\n<graphml>", 4).find("markup") != std::string::npos);
  CHECK(refused("\x1f\x8b\x08 zipped", 4).find("the edge file is gzip'ed data") != std::string::npos);
}

TEST_CASE("edge_file: a file that cannot be read is a data fault that says why") {
  CHECK(refusal([] { read_edge_file("no/such/file.topology", 4); }) ==
        "3 cannot read the edge file \"no/such/file.topology\", there is no such file; name a text file that "
        "can be "
        "read");
  CHECK(refusal([] {
          read_edge_file(std::filesystem::temp_directory_path(), 4);
        }).find("it is a directory") != std::string::npos);
}

TEST_CASE("edge_file: an empty file has no edges") {
  const text_file file{""};
  CHECK(read_edge_file(file.path(), 4).empty());
}
