#include "apps/options/node_options.hpp"

#include "apps/options/option_group.hpp"
#include "learning/base/option_text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace po = boost::program_options;

namespace dybw {

namespace {

struct tls_option {
  const char* name;
  const char* variable; ///< of the environment, for who has many commands to give
};
constexpr std::array tls_options = {
    tls_option{"tls-cert", "DYBW_TLS_CERT"}, tls_option{"tls-key", "DYBW_TLS_KEY"},
    tls_option{"tls-ca", "DYBW_TLS_CA"}, tls_option{"tls-crl", "DYBW_TLS_CRL"}};
constexpr std::size_t tls_needed = 3; ///< the first of them; a revocation list need not be

std::filesystem::path from_environment(const tls_option& option) {
  const auto* value = std::getenv(option.variable);
  return value != nullptr ? value : "";
}

void add_node(std::vector<endpoint>& nodes, const endpoint& node, const std::string& where) {
  if (node.port == 0)
    throw input_error{input_fault::configuration, "the address \"" + to_string(node) + "\" has port 0", where,
                      "give the port that the node listens on"};
  if (std::find(nodes.begin(), nodes.end(), node) != nodes.end())
    throw input_error{input_fault::configuration, "node " + to_string(node) + " is named twice", where,
                      "name each node once"};
  nodes.push_back(node);
}

/// A line of a list of nodes, or of a host file as MPI's launchers and Slurm's tools have it, with `slots=`:
/// how many workers a machine takes is for its `dybw node --slots` to say.
std::string address_of(const std::string& line) {
  const auto end = line.find_first_of(" \t,");
  const auto rest =
      end == std::string::npos ? std::string_view{} : trimmed(std::string_view{line}.substr(end));
  if (rest.empty() || rest == ",")
    return line.substr(0, end);
  if (rest.starts_with("slots=") || rest.starts_with("max_slots=") || rest.starts_with("max-slots="))
    throw input_error{input_fault::configuration, "slots are not read from here", "",
                      "give one HOST:PORT per line, and the number of workers to dybw node --slots"};
  throw input_error{input_fault::configuration, excerpt(rest) + " follows the address", "",
                    "give one HOST:PORT per line"};
}

} // namespace

po::options_description tls_option_group() {
  auto list = option_group("Security: TLS between all machines (PEM, see scripts/make-certs; or "
                           "DYBW_TLS_CERT, _KEY, _CA, _CRL)");
  list.add_options()("tls-cert", text_value("FILE"),
                     "certificate that this machine shows")("tls-key", text_value("FILE"), "its private key")(
      "tls-ca", text_value("FILE"), "certificate of the authority that must have signed the others'")(
      "tls-crl", text_value("FILE"), "the authority's list of revoked certificates, if it has one");
  return list;
}

std::optional<tls_files> read_tls(const option_values& given) {
  std::array<std::filesystem::path, tls_options.size()> files;
  for (std::size_t i = 0; i < files.size(); ++i)
    files[i] = given.given(tls_options[i].name) ? std::filesystem::path{given.text(tls_options[i].name)}
                                                : from_environment(tls_options[i]);
  if (std::all_of(files.begin(), files.end(), [](const auto& file) { return file.empty(); }))
    return std::nullopt;
  for (std::size_t i = 0; i < tls_needed; ++i)
    if (files[i].empty())
      throw input_error{
          input_fault::configuration, "--" + std::string{tls_options[i].name} + " is not given", "",
          "TLS needs --tls-cert, --tls-key and --tls-ca (or DYBW_TLS_CERT, DYBW_TLS_KEY and DYBW_TLS_CA); "
          "scripts/make-certs makes such files"};
  tls_files all{files[0], files[1], files[2], files[3]};
  check_tls(all);
  return all;
}

void check_role(const std::optional<tls_files>& files, std::initializer_list<peer_role> roles,
                const std::string& needed) {
  if (!files)
    return;
  const auto own = check_tls(*files);
  if (std::ranges::any_of(roles, [&](peer_role role) { return own->is(role); }))
    return;
  throw input_error{
      input_fault::configuration,
      "the certificate of " + own->name + " names " + roles_text(*own) + ", this needs " + needed,
      "--tls-cert=" + files->certificate.string(), "make one with that role (scripts/make-certs --role)"};
}

std::string tls_words(const std::optional<tls_files>& files) {
  std::string words;
  if (!files)
    return words;
  const std::array paths = {&files->certificate, &files->key, &files->authority, &files->revoked};
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (from_environment(tls_options[i]) != *paths[i])
      words += " --" + std::string{tls_options[i].name} + " " + shell_word(paths[i]->string());
  return words;
}

std::vector<endpoint> parse_nodes(const std::string& list) {
  std::vector<endpoint> nodes;
  const auto words = split(list, ',');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto word = trimmed(words[i]);
    if (word.empty() && i + 1 == words.size() && i > 0)
      break; // a list that ends with a comma is whole
    if (word.empty())
      throw input_error{input_fault::configuration,
                        "--nodes=" + list + " names no node at place " + std::to_string(i + 1), "",
                        "give HOST:PORT, separated by commas"};
    add_node(nodes, parse_endpoint(std::string{word}), "--nodes=" + list);
  }
  return nodes;
}

std::vector<endpoint> read_nodes_file(const std::filesystem::path& file) {
  std::vector<endpoint> nodes;
  for (const auto& line : read_lines(file, "list of nodes")) {
    const auto where = file.string() + ":" + std::to_string(line.number);
    endpoint node;
    try {
      node = parse_endpoint(address_of(line.text));
    } catch (const input_error& error) {
      throw input_error{error.fault(), where + ": " + error.what(), "", ""};
    }
    add_node(nodes, node, where);
  }
  if (nodes.empty())
    throw input_error{input_fault::configuration, "--nodes-file=" + file.string() + " names no node", "",
                      "give one HOST:PORT per line"};
  return nodes;
}

endpoint read_node(const option_values& given, const std::string& command) {
  if (given.words().empty())
    throw input_error{input_fault::configuration, "no node is given", "",
                      "give its address: " + command + " HOST:PORT"};
  std::vector<endpoint> one;
  add_node(one, parse_endpoint(given.words().front()), "");
  return one.front();
}

} // namespace dybw
