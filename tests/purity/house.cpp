#include "tests/purity/house.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace dybw::test {

namespace {

using strings = std::vector<std::string>;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// Its number in the house; none for what stands beside it.
std::optional<std::size_t> floor_of(const std::string& folder) {
  const auto found = std::ranges::find(floors(), folder);
  if (found == floors().end())
    return std::nullopt;
  return static_cast<std::size_t>(found - floors().begin());
}

/// The folders of the project's own headers that the file includes, but for generated ones.
std::set<std::string> included_folders(const source_file& file) {
  std::set<std::string> folders;
  for (const auto& line : lines_of(file.text))
    if (const auto header = included(line); header && !header->starts_with("<"))
      folders.insert(folder_of(*header));
  return folders;
}

/// The words behind USES in a call of `dybw_folder`.
std::set<std::string> uses_in(const std::string& list) {
  std::set<std::string> used;
  std::istringstream words(list);
  bool reading = false;
  for (std::string word; words >> word;) {
    const auto last = word.ends_with(")");
    if (last)
      word.pop_back();
    if (word == "USES")
      reading = true;
    else if (std::ranges::all_of(word, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }))
      reading = false;
    else if (reading)
      used.insert(word);
    if (last && reading)
      break;
  }
  return used;
}

} // namespace

const std::vector<std::string>& floors() {
  static const strings all = {
      "learning/base",
      "learning/api",
      "learning/graph",
      "learning/straggler",
      "learning/data",
      "learning/model",
      "learning/coding",
      "learning/run",
      "learning/checkpoint",
      "learning/consensus/policies",
      "learning/consensus",
      "learning/consensus/audit",
      "learning/consensus/reports",
      "learning/consensus/record",
      "learning/simulation",
      "learning/monitoring",
      "messages",
      "actors",
      "actors/system",
      "actors/transport",
      "actors/gateway",
      "actors/client",
      "actors/training",
      "actors/trainers",
      "actors/reporting",
      "actors/run",
      "actors/monitor",
      "actors/cluster",
      "actors/node",
      "apps/program",
      "apps/text",
      "apps/pages",
      "apps/results",
      "apps/comparison",
      "apps/web",
      "apps/terminal",
      "apps/options",
      "apps/commands",
      "apps",
  };
  return all;
}

std::vector<std::string> check_direction(const source_file& file) {
  strings breaches;
  const auto own = floor_of(folder_of(file.path));
  if (!own) {
    if (std::ranges::any_of(strings{"learning/", "messages/", "actors/", "apps/"},
                            [&](const std::string& top) { return file.path.starts_with(top); }))
      breaches.push_back(file.path + " is in a folder that is not of the house");
    return breaches;
  }
  for (const auto& folder : included_folders(file)) {
    const auto other = floor_of(folder);
    if (!other)
      breaches.push_back(file.path + " includes " + folder + "/, which is not of the house");
    else if (*other > *own)
      breaches.push_back(file.path + " may not include " + folder + "/, which is above it");
  }
  return breaches;
}

std::vector<std::string> check_uses(const std::vector<source_file>& sources,
                                    const std::vector<source_file>& lists) {
  std::map<std::string, std::set<std::string>> said;
  for (const auto& list : lists)
    if (list.text.find("dybw_folder(") != std::string::npos ||
        list.text.find("dybw_actors_folder(") != std::string::npos)
      said[folder_of(list.path)] = uses_in(list.text);
  strings breaches;
  std::map<std::string, std::set<std::string>> done;
  for (const auto& file : sources) {
    const auto folder = folder_of(file.path);
    if (!said.contains(folder))
      continue;
    for (const auto& other : included_folders(file))
      if (other != folder && done[folder].insert(other).second && !said[folder].contains(other))
        breaches.push_back(file.path + " includes " + other + "/, which " + folder +
                           "/CMakeLists.txt does not name");
  }
  for (const auto& [folder, used] : said)
    for (const auto& other : used)
      if (!done[folder].contains(other))
        breaches.push_back(folder + "/CMakeLists.txt names " + other + ", which no file there includes");
  return breaches;
}

std::vector<std::string> check_crowding(const std::vector<source_file>& sources) {
  std::map<std::string, std::size_t> files;
  for (const auto& file : sources)
    if (!file.path.ends_with(".hpp"))
      ++files[folder_of(file.path)];
  strings breaches;
  for (const auto& [folder, count] : files)
    if (count > code_files_max)
      breaches.push_back(folder + "/ has " + std::to_string(count) + " files with code");
  return breaches;
}

std::vector<std::string> check_file_lengths(const std::vector<source_file>& sources) {
  strings breaches;
  for (const auto& file : sources) {
    const auto lines = lines_of(file.text);
    const auto top = std::min<std::size_t>(lines.size(), 5);
    const auto said =
        std::any_of(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(top),
                    [](const std::string& line) { return line.find("Long: ") != std::string::npos; });
    if (lines.size() > file_lines_max && !said)
      breaches.push_back(file.path + " has " + std::to_string(lines.size()) + " lines and does not say why");
  }
  return breaches;
}

std::vector<std::string> check_page(const std::string& page) {
  strings breaches;
  const auto lines = lines_of(page);
  for (const auto& folder : floors())
    if (std::ranges::none_of(lines,
                             [&](const auto& line) { return line.starts_with("| `" + folder + "/` |"); }))
      breaches.push_back(folder + "/ has no line in docs/architecture.md");
  return breaches;
}

} // namespace dybw::test
