#include "apps/run_directory.hpp"

#include "apps/output.hpp"
#include "learning/consensus/policy.hpp"
#include "learning/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <functional>
#include <system_error>

#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::array run_files = {"run.json", "report.html"};
constexpr std::array policy_files = {"rounds.jsonl", "evals.jsonl", "model.npy"};
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

} // namespace

run_directory::run_directory(fs::path directory, std::span<const std::string> policies, bool force)
    : directory_(std::move(directory)) {
  const auto option = "--out=" + directory_.string();
  try {
    if (fs::exists(directory_) && !fs::is_directory(directory_))
      throw input_error{input_fault::configuration, option + " is no directory", "", "give another --out"};
    fs::create_directories(directory_);
    const auto found = find_leftovers(directory_);
    if (!found.files.empty() && !force)
      throw input_error{input_fault::configuration,
                        option + " holds another run (" + found.files.front().string() + ")", "",
                        "give another --out, or --force to replace that run"};
    if (access(directory_.c_str(), W_OK | X_OK) != 0)
      throw fs::filesystem_error{"", std::error_code{errno, std::generic_category()}};
    remove_run(found);
    for (const auto& policy : policies)
      fs::create_directories(directory_ / directory_name(policy));
    for (const auto& policy : policies)
      if (access((directory_ / directory_name(policy)).c_str(), W_OK | X_OK) != 0)
        throw fs::filesystem_error{"", std::error_code{errno, std::generic_category()}};
  } catch (const fs::filesystem_error& error) {
    throw input_error{input_fault::configuration, option + " cannot be written: " + error.code().message(),
                      "", "give another --out"};
  }
}

fs::path run_directory::rounds_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "rounds.jsonl";
}

fs::path run_directory::evals_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "evals.jsonl";
}

fs::path run_directory::model_file(const std::string& policy) const {
  return directory_ / directory_name(policy) / "model.npy";
}

void run_directory::write_run(const nlohmann::ordered_json& document) const {
  write_whole(run_file(), [&](std::ostream& out) { out << document.dump(2) << '\n'; });
}

void run_directory::write_report(const std::string& html) const {
  write_whole(report_file(), [&](std::ostream& out) { out << html; });
}

void run_directory::write_evals(const std::string& policy,
                                std::span<const nlohmann::ordered_json> lines) const {
  write_whole(evals_file(policy), [&](std::ostream& out) {
    for (const auto& line : lines)
      out << line.dump() << '\n';
  });
}

void run_directory::write_model(const std::string& policy, std::span<const float> parameters) const {
  write_whole(model_file(policy), [&](std::ostream& out) { write_npy(out, parameters); });
}

} // namespace dybw
