#include "learning/base/option_text.hpp"
#include "learning/graph/topology.hpp"

namespace dybw {

namespace {

/// The words of a trimmed line, separated by any number of spaces and tabs.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t start = 0; start != std::string_view::npos;) {
    const auto end = line.find_first_of(" \t", start);
    words.push_back(line.substr(start, end - start));
    start = line.find_first_not_of(" \t", end);
  }
  return words;
}

} // namespace

std::vector<edge> read_edge_file(const std::filesystem::path& path, std::size_t workers) {
  std::vector<edge> edges;
  for (const auto& line : read_lines(path, "edge file")) {
    const auto refuse = [&](const std::string& constraint, const std::string& mend) {
      throw input_error{
          input_fault::data, constraint,
          "found " + excerpt(line.text) + " in " + path.string() + ':' + std::to_string(line.number), mend};
    };
    const auto words = words_of(line.text);
    const auto x = parse_number<std::uint32_t>(words.front());
    const auto y = parse_number<std::uint32_t>(words.back());
    if (words.size() != 2 || !x || !y)
      refuse("an edge must be two worker numbers", "write one edge per line, for example 0 1");
    if (*x >= workers || *y >= workers)
      refuse("worker numbers must be from 0 to " + std::to_string(workers - 1),
             "correct the line or choose --workers " + std::to_string(std::size_t{std::max(*x, *y)} + 1));
    if (*x == *y)
      refuse("an edge must join two different workers", "remove the line");
    if (edges.size() == edges_max)
      refuse("an edge file must have at most " + std::to_string(edges_max) + " edges", "remove edges");
    edges.push_back(make_edge(worker_id{*x}, worker_id{*y}));
  }
  return edges;
}

} // namespace dybw
