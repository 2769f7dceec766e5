#include "tests/purity/source_rules.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <sstream>

namespace dybw::test {

namespace {

using strings = std::vector<std::string>;

std::string place(const source_file& file, std::size_t index) {
  return file.path + ":" + std::to_string(index + 1) + ": ";
}

/// The line without a `//` comment and without what stands in quotes.
std::string code_of(const std::string& line) {
  std::string code;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = line[i];
    if (quote != 0) {
      if (c == '\\')
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (c == '"') {
      quote = c;
    } else if (c == '/' && i + 1 < line.size() && line[i + 1] == '/') {
      break;
    } else {
      code += c;
    }
  }
  return code;
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

bool starts_with_any(const std::string& text, const strings& prefixes) {
  return std::ranges::any_of(prefixes, [&](const std::string& p) { return text.starts_with(p); });
}

/// What a folder may not do; an empty list forbids nothing.
struct layer {
  std::string folder;
  strings own;       ///< beginnings of the project's headers that it may include
  strings forbidden; ///< beginnings of other headers that it may not
  strings words;     ///< what its code may not say
};

const std::vector<layer>& layers() {
  static const strings sockets = {"<sys/",   "<netinet/", "<arpa/",  "<netdb",  "<poll",
                                  "<unistd", "<fcntl",    "<signal", "<csignal"};
  static const auto with = [](strings x, const strings& more) {
    x.insert(x.end(), more.begin(), more.end());
    return x;
  };
  static const std::vector<layer> all = {
      {"learning",
       {"learning/"},
       with({"<caf/", "<spdlog", "<fmt/", "<boost/", "<nlohmann/", "<thread", "<stop_token", "<mutex",
             "<shared_mutex", "<condition_variable", "<future", "<semaphore", "<latch", "<barrier",
             "<iostream", "<ctime", "<time.h"},
            sockets),
       {"::now(", "std::cout", "std::cerr", "printf(", "sleep_for", "random_device", "std::rand",
        "std::thread", "std::time("}},
      {"messages",
       {"learning/", "messages/"},
       with({"<spdlog", "<fmt/", "<boost/", "<nlohmann/", "<thread", "<mutex", "<iostream", "<zlib"},
            sockets),
       {"::now(", "std::cout", "std::cerr", "sleep_for"}},
      {"actors",
       {"learning/", "messages/", "actors/"},
       {"<boost/", "<nlohmann/", "<iostream", "<zlib", "<mutex", "<condition_variable", "<future"},
       {"std::cout", "std::cerr", "sleep_for", "sleep_until"}},
      {"apps", {"learning/", "messages/", "actors/", "apps/"}, {}, {"sleep_for", "sleep_until"}},
      {"bench",
       {"learning/", "messages/", "actors/", "apps/options/run_options.hpp", "bench/", "tests/support/"},
       {},
       {}},
  };
  return all;
}

const layer* layer_of(const std::string& path) {
  const auto found = std::ranges::find(layers(), folder_of(path), &layer::folder);
  return found == layers().end() ? nullptr : &*found;
}

void check_include(const source_file& file, const layer& rules, std::size_t index, const std::string& header,
                   strings& breaches) {
  const auto say = [&](const std::string& what) { breaches.push_back(place(file, index) + what); };
  if (header.starts_with("<")) {
    const auto zlib_misplaced = rules.folder == "learning" && header.starts_with("<zlib") &&
                                !starts_with_any(file.path, {"learning/data/", "learning/checkpoint/"});
    if (starts_with_any(header, rules.forbidden) || zlib_misplaced)
      say(rules.folder + "/ may not include " + header);
    return;
  }
  if (!starts_with_any(header, rules.own))
    say(rules.folder + "/ may not include \"" + header + "\"");
}

bool is_header(const std::string& path) {
  return path.ends_with(".hpp");
}

/// Whether `name` stands in `text` as a file name of its own.
bool names(const std::string& text, const std::string& name) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
  };
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const auto end = at + name.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end])))
      return true;
  }
  return false;
}

/// Whether a CMakeLists.txt names the source, or makes its name from a list of stems.
bool lists_source(const std::string& list, const std::string& path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto stem = name.substr(0, name.rfind('.'));
  return names(list, name) || (list.find("${name}.cpp") != std::string::npos && names(list, stem));
}

} // namespace

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  strings lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

std::optional<std::string> included(const std::string& line) {
  const auto hash = line.find_first_not_of(" \t");
  if (hash == std::string::npos || line[hash] != '#')
    return std::nullopt;
  const auto word = line.find("include", hash);
  if (word == std::string::npos)
    return std::nullopt;
  const auto open = line.find_first_of("<\"", word);
  const auto close = line.find_first_of(">\"", open + 1);
  if (open == std::string::npos || close == std::string::npos)
    return std::nullopt;
  return line[open] == '<' ? line.substr(open, close - open + 1) : line.substr(open + 1, close - open - 1);
}

std::vector<std::string> check_layers(const source_file& file) {
  strings breaches;
  const auto* rules = layer_of(file.path);
  if (rules == nullptr)
    return breaches;
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (const auto header = included(lines[i])) {
      check_include(file, *rules, i, *header, breaches);
      continue;
    }
    const auto code = code_of(lines[i]);
    for (const auto& word : rules->words)
      if (code.find(word) != std::string::npos)
        breaches.push_back(place(file, i) + rules->folder + "/ may not use " + word);
  }
  return breaches;
}

std::vector<std::string> check_lengths(const source_file& file) {
  strings breaches;
  const auto lines = lines_of(file.text);
  std::size_t begin = 0; // of what stands at the margin: a function's first line, its name or its return type
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    const auto columns =
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; });
    if (static_cast<std::size_t>(columns) > line_columns_max)
      breaches.push_back(place(file, i) + "a line of " + std::to_string(columns) + " columns");
    if (line.empty())
      continue;
    // The formatter puts the end of a function, and only that, as a lone brace at the margin.
    if (line == "}" && i - begin + 1 > function_lines_max)
      breaches.push_back(place(file, begin) + "a function of " + std::to_string(i - begin + 1) + " lines");
    if (line.front() != ' ' && line.front() != '}')
      begin = i;
  }
  return breaches;
}

std::vector<std::string> check_words(const source_file& file) {
  static const strings unwanted = {std::string{"TO"} + "DO", std::string{"FIX"} + "ME",
                                   std::string{"X"} + "XX", std::string{"HA"} + "CK"};
  strings breaches;
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const auto& word : unwanted)
      if (names(lines[i], word))
        breaches.push_back(place(file, i) + "says " + word);
    for (const std::string root : {"/home/", "/root/"})
      if (lines[i].find(root) != std::string::npos && !file.path.ends_with("source_rules.cpp") &&
          !file.path.ends_with("source_rules_test.cpp"))
        breaches.push_back(place(file, i) + "names a place on one machine");
  }
  return breaches;
}

std::vector<std::string> check_test_names(const source_file& file) {
  strings breaches;
  const std::string macro = std::string{"TEST"} + "_CASE(";
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with(macro))
      continue;
    // A long name continues on the next lines, up to the one that opens the body.
    std::string name;
    for (auto j = i; j < lines.size(); ++j) {
      const auto end = lines[j].find(") {");
      name += lines[j].substr(0, end);
      if (end != std::string::npos)
        break;
    }
    if (name.find(';') != std::string::npos)
      breaches.push_back(place(file, i) + "a test's name with a semicolon");
  }
  return breaches;
}

std::vector<std::string> check_dead_files(const std::vector<source_file>& sources,
                                          const std::vector<source_file>& lists) {
  std::set<std::string> used;
  for (const auto& file : sources)
    for (const auto& line : lines_of(file.text))
      if (const auto header = included(line)) {
        for (const auto& path : {*header, file.path.substr(0, file.path.rfind('/') + 1) + *header})
          if (path != file.path)
            used.insert(path);
      }
  strings breaches;
  for (const auto& file : sources) {
    if (is_header(file.path)) {
      if (!used.contains(file.path))
        breaches.push_back(file.path + " is included by nobody");
      continue;
    }
    const auto listed = std::ranges::any_of(lists, [&](const source_file& list) {
      return folder_of(list.path) == folder_of(file.path) && lists_source(list.text, file.path);
    });
    if (!listed)
      breaches.push_back(file.path + " is named in no CMakeLists.txt of its folder");
  }
  return breaches;
}

} // namespace dybw::test
