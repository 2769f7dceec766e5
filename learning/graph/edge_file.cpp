#include "learning/base/file_signature.hpp"
#include "learning/base/list_text.hpp"
#include "learning/base/option_text.hpp"
#include "learning/graph/topology.hpp"

#include <algorithm>

namespace dybw {

namespace {

constexpr std::string_view blanks = " \t";

std::string place_of(const std::filesystem::path& path, const text_line& line) {
  return "found " + excerpt(line.text) + " in " + path.string() + ':' + std::to_string(line.number);
}

/// The words of an entry: separated by blanks, or by a comma or semicolon with any blanks round it.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \t,;"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    if (!text.empty() && (text[0] == ',' || text[0] == ';')) {
      text.remove_prefix(1);
      text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    }
  }
  return words;
}

/// What edges of other tools carry besides their ends. networkx writes `{}` for nothing.
struct edge_text {
  std::string_view ends;
  std::string_view data;
};

edge_text split_data(std::string_view entry) {
  const auto brace = entry.find('{');
  if (brace == std::string_view::npos)
    return {entry, {}};
  const auto ends = entry.substr(0, brace);
  const auto last = ends.find_last_not_of(" \t,;");
  return {ends.substr(0, last == std::string_view::npos ? 0 : last + 1), entry.substr(brace)};
}

class edge_reader {
public:
  edge_reader(const std::filesystem::path& path, std::size_t workers) : path_(path), workers_(workers) {}

  std::vector<edge> read() {
    refuse_foreign(path_, "edge file");
    auto edges = std::vector<edge>{};
    const auto lines = read_lines(path_, "edge file");
    find_base(lines);
    for (const auto& line : lines) {
      if (line.text.starts_with("%%MatrixMarket"))
        refuse(line, "a MatrixMarket file has a line of sizes and counts from 1",
               "write its edges alone, from 0: networkx.write_edgelist(.., data=False)");
      const auto entry = list_entry(line.text);
      if (entry.empty())
        continue;
      if (edges.size() == edges_max)
        refuse(line, "an edge file must have at most " + std::to_string(edges_max) + " edges",
               "remove edges");
      edges.push_back(read_edge(line, entry));
    }
    return edges;
  }

private:
  struct ends {
    std::uint32_t x;
    std::uint32_t y;
  };

  [[noreturn]] void refuse(const text_line& line, const std::string& constraint,
                           const std::string& mend) const {
    throw input_error{input_fault::data, constraint, place_of(path_, line), mend};
  }

  static std::optional<ends> ends_of(std::string_view entry) {
    const auto words = words_of(split_data(entry).ends);
    if (words.size() != 2)
      return std::nullopt;
    const auto x = parse_number<std::uint32_t>(words[0]);
    const auto y = parse_number<std::uint32_t>(words[1]);
    if (!x || !y)
      return std::nullopt;
    return ends{*x, *y};
  }

  /// Whether the edges count from 1: none has a 0, and some have the number of workers.
  void find_base(const std::vector<text_line>& lines) {
    std::uint32_t largest = 0;
    for (const auto& line : lines)
      if (const auto found = ends_of(list_entry(line.text))) {
        if (found->x == 0 || found->y == 0)
          return;
        largest = std::max({largest, found->x, found->y});
      }
    from_one_ = largest == workers_;
  }

  edge read_edge(const text_line& line, std::string_view entry) const {
    const auto data = split_data(entry).data;
    if (!data.empty() && data != "{}")
      refuse(line, "edges carry no data", "write them without: networkx.write_edgelist(.., data=False)");
    const auto found = ends_of(entry);
    if (!found) {
      const auto words = words_of(entry);
      if (words.size() > 2 && parse_number<double>(words[2]))
        refuse(line, "an edge must be two worker numbers, without weights",
               "leave the other columns out: cut -d' ' -f1,2 FILE > NEW");
      refuse(line, "an edge must be two worker numbers", "write one edge per line, for example 0 1");
    }
    const auto [x, y] = *found;
    if (std::max(x, y) >= workers_ && from_one_)
      refuse(line, "workers count from 0, the edges in this file seem to count from 1",
             "subtract 1, if each line has two numbers: awk '{print $1-1, $2-1}' FILE > NEW");
    if (std::max(x, y) >= workers_)
      refuse(line, "worker numbers must be from 0 to " + std::to_string(workers_ - 1),
             "correct the line or choose --workers " + std::to_string(std::size_t{std::max(x, y)} + 1));
    if (x == y)
      refuse(line, "an edge must join two different workers", "remove the line");
    return make_edge(worker_id{x}, worker_id{y});
  }

  const std::filesystem::path& path_;
  std::size_t workers_;
  bool from_one_ = false;
};

} // namespace

std::vector<edge> read_edge_file(const std::filesystem::path& path, std::size_t workers) {
  return edge_reader{path, workers}.read();
}

} // namespace dybw
