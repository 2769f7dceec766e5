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
  for (const auto* line :
       {"0", "0 1 2", "0,1", "a b", "0 b", "0 1.0", "-1 2", "+1 2", "0 99999999999", "0 1;", "1e0 2"})
    CHECK(refused(line).find("an edge must be two worker numbers") != std::string::npos);
  CHECK(refused("0 4").find("worker numbers must be from 0 to 3") != std::string::npos);
  CHECK(refused("4 0").find("choose --workers 5") != std::string::npos);
  CHECK(refused("2 2").find("must join two different workers") != std::string::npos);
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
