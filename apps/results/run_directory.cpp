#include "apps/results/run_directory.hpp"

#include "actors/system/durable_file.hpp"
#include "apps/results/run_json.hpp"
#include "apps/text/json_text.hpp"
#include "learning/base/error.hpp"
#include "learning/consensus/policies/policy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <functional>
#include <system_error>

#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::array run_files = {"run.json", "report.html", saved_options_name};
constexpr std::array policy_files = {"rounds.jsonl", "evals.jsonl", "model.npy", "events.log"};
constexpr auto* checkpoints_name = "checkpoints";
constexpr auto* unfinished = ".part"; ///< behind a name: the file while it is written

std::string directory_name(std::string policy) {
  std::replace(policy.begin(), policy.end(), ':', '-');
  return policy;
}

/// Whether a policy of this program may have written there; a user's directory of another name is not ours.
bool is_policy_directory(const std::string& name) {
  const auto kind = name.substr(0, name.find('-'));
  const auto usages = policy_names();
  const auto known = std::any_of(usages.begin(), usages.end(), [&](const std::string& usage) {
    return usage.substr(0, usage.find(':')) == kind;
  });
  return known && name.find_first_not_of("-0123456789", kind.size()) == std::string::npos;
}

/// What earlier runs wrote below `directory`: their files, and the directories of their policies.
struct leftovers {
  std::vector<fs::path> files;
  std::vector<fs::path> directories;
};

void take_checkpoints(const fs::path& directory, leftovers& found) {
  if (!fs::is_directory(fs::symlink_status(directory)))
    return;
  for (const auto& entry : fs::directory_iterator(directory)) {
    auto name = entry.path().filename().string();
    if (name.ends_with(unfinished))
      name.resize(name.size() - std::string_view{unfinished}.size());
    const auto ours = name.ends_with(".ckpt") && (name.starts_with("worker-") || name == "virtual.ckpt");
    if (ours && fs::is_regular_file(entry.symlink_status()))
      found.files.push_back(entry.path());
  }
  found.directories.push_back(directory);
}

leftovers find_leftovers(const fs::path& directory) {
  leftovers found;
  const auto take = [&](const fs::path& where, std::span<const char* const> names) {
    for (const std::string name : names)
      for (const auto& file : {where / name, where / (name + unfinished)})
        if (fs::is_regular_file(fs::symlink_status(file)))
          found.files.push_back(file);
  };
  take(directory, run_files);
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!fs::is_directory(entry.symlink_status()) || !is_policy_directory(entry.path().filename()))
      continue;
    const auto before = found.files.size();
    take_checkpoints(entry.path() / checkpoints_name, found);
    take(entry.path(), policy_files);
    if (found.files.size() > before)
      found.directories.push_back(entry.path());
  }
  return found;
}

void remove_run(const leftovers& found) {
  for (const auto& file : found.files)
    fs::remove(file);
  for (const auto& directory : found.directories)
    if (fs::is_empty(directory))
      fs::remove(directory);
}

void write_whole(const fs::path& file, const std::function<void(std::ostream&)>& write) {
  const auto part = fs::path{file}.concat(unfinished);
  errno = 0;
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  if (out)
    write(out);
  out.close();
  if (!out) {
    const auto error = errno != 0 ? errno : EIO;
    std::error_code ignored; // the first failure is the one to report
    fs::remove(part, ignored);
    throw std::system_error{error, std::generic_category(), "cannot write " + file.string()};
  }
  fs::rename(part, file);
}

void check_writable(const fs::path& directory) {
  if (access(directory.c_str(), W_OK | X_OK) != 0)
    throw fs::filesystem_error{"", std::error_code{errno, std::generic_category()}};
}

/// What the file system refuses becomes a refusal of `--out`.
void refusing_failures(const fs::path& directory, const std::function<void()>& act) {
  const auto option = "--out=" + directory.string();
  try {
    if (fs::exists(directory) && !fs::is_directory(directory))
      throw input_error{input_fault::configuration, option + " is no directory", "", "give another --out"};
    act();
  } catch (const std::system_error& error) {
    throw input_error{input_fault::configuration, option + " cannot be written: " + error.code().message(),
                      "", "give another --out"};
  }
}

} // namespace

run_directory::run_directory(fs::path directory, std::span<const std::string> policies, bool force)
    : run_directory(std::move(directory)) {
  refusing_failures(directory_, [&] {
    create_directories_durably(directory_);
    const auto found = find_leftovers(directory_);
    if (!found.files.empty() && !force)
      throw input_error{input_fault::configuration,
                        "--out=" + directory_.string() + " holds another run (" +
                            found.files.front().string() + ")",
                        "", "give another --out, or --force to replace that run"};
    check_writable(directory_);
    remove_run(found); // nothing is removed where nothing can be written
    make_directories(policies);
  });
}

run_directory run_directory::reopen(fs::path directory, std::span<const std::string> policies) {
  run_directory opened{std::move(directory)};
  refusing_failures(opened.directory_, [&] { opened.make_directories(policies); });
  return opened;
}

void run_directory::make_directories(std::span<const std::string> policies) const {
  create_directories_durably(directory_);
  check_writable(directory_);
  for (const auto& policy : policies)
    create_directories_durably(directory_ / directory_name(policy));
  for (const auto& policy : policies)
    check_writable(directory_ / directory_name(policy));
}

fs::path run_directory::rounds_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "rounds.jsonl";
}

fs::path run_directory::events_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "events.log";
}

fs::path run_directory::evals_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "evals.jsonl";
}

fs::path run_directory::model_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "model.npy";
}

fs::path run_directory::checkpoints(const std::string& policy) const {
  return directory_ / directory_name(policy) / checkpoints_name;
}

void run_directory::write_run(const nlohmann::ordered_json& document) const {
  write_whole(run_file(), [&](std::ostream& out) { out << json_text(document, 2) << '\n'; });
}

void run_directory::write_report(const std::string& html) const {
  write_whole(report_file(), [&](std::ostream& out) { out << html; });
}

std::string run_directory::read_evals(const std::string& policy) const {
  std::ifstream in(evals_file(policy), std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

void run_directory::write_options(const std::string& text) const {
  write_durably(directory_ / saved_options_name,
                [&](const byte_sink& write) { write(std::as_bytes(std::span{text})); });
}

void run_directory::trim_rounds(const std::string& policy,
                                const std::map<worker_id, round_number>& last) const {
  const auto file = rounds_file(policy);
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return;
  const auto stays = [&](const std::string& line) {
    std::uint32_t worker = 0;
    std::uint64_t round = 0;
    if (std::sscanf(line.c_str(), R"({"worker":%)" SCNu32 R"(,"round":%)" SCNu64, &worker, &round) != 2 ||
        !line.ends_with('}'))
      return false;
    const auto found = last.find(worker_id{worker});
    return found != last.end() && round <= found->second;
  };
  write_whole(file, [&](std::ostream& out) {
    for (std::string line; std::getline(in, line);)
      if (stays(line))
        out << line << '\n';
  });
}

void run_directory::write_evals(const std::string& policy, std::span<const nlohmann::ordered_json> lines,
                                const std::string& earlier) const {
  write_whole(evals_file(policy), [&](std::ostream& out) {
    out << earlier;
    for (const auto& line : lines)
      out << json_text(line) << '\n';
  });
}

void run_directory::write_model(const std::string& policy, std::span<const float> parameters) const {
  write_whole(model_file(policy), [&](std::ostream& out) { write_npy(out, parameters); });
}

void drop_torn_line(const fs::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in)
    return; // nothing was written there
  const auto size = static_cast<std::uintmax_t>(in.tellg());
  auto whole = size;
  for (char last = 0; whole > 0; --whole) {
    in.seekg(static_cast<std::streamoff>(whole - 1));
    if (!in.get(last) || last == '\n')
      break;
  }
  in.close();
  if (whole < size)
    fs::resize_file(file, whole);
}

} // namespace dybw
