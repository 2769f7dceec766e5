#include "apps/results/run_directory.hpp"

#include "actors/system/durable_file.hpp"
#include "apps/results/npz_file.hpp"
#include "apps/results/run_json.hpp"
#include "apps/text/json_text.hpp"
#include "learning/base/error.hpp"
#include "learning/base/option_text.hpp"
#include "learning/consensus/policies/make_policy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <optional>
#include <system_error>

#include <unistd.h>

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::array run_files = {"run.json", "report.html", saved_options_name};
constexpr std::array policy_files = {"rounds.jsonl", "evals.jsonl", "model.npy",
                                     "model.npz",    "model.json",  "events.log"};
constexpr auto* checkpoints_name = "checkpoints";
constexpr auto* trainers_name = "trainers";
const std::string seed_prefix = "seed-";

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

/// Files whose names are `ours` once they are finished.
template <class Ours>
void take(const fs::path& directory, Ours ours, leftovers& found) {
  for (const auto& entry : fs::directory_iterator(directory))
    if (ours(finished_name(entry.path().filename().string())) && fs::is_regular_file(entry.symlink_status()))
      found.files.push_back(entry.path());
}

void take_checkpoints(const fs::path& directory, leftovers& found) {
  if (!fs::is_directory(fs::symlink_status(directory)))
    return;
  const auto ours = [](const std::string& name) {
    return name.ends_with(".ckpt") && (name.starts_with("worker-") || name.starts_with("virtual"));
  };
  take(directory, ours, found);
  found.directories.push_back(directory);
}

bool is_trainer_log(const fs::path& file) {
  const auto name = file.filename().string();
  return file.parent_path().filename() == trainers_name && name.starts_with("worker-") &&
         (name.ends_with(".out") || name.ends_with(".err"));
}

void take_trainer_logs(const fs::path& directory, leftovers& found) {
  if (!fs::is_directory(fs::symlink_status(directory)))
    return;
  const auto before = found.files.size();
  take(
      directory, [&](const std::string& name) { return is_trainer_log(directory / name); }, found);
  if (found.files.size() > before)
    found.directories.push_back(directory);
}

leftovers find_leftovers(const fs::path& directory) {
  leftovers found;
  take_trainer_logs(directory / trainers_name, found);
  const auto take_named = [&](const fs::path& where, std::span<const char* const> names) {
    for (const std::string_view name : names)
      take(
          where, [&](const std::string& other) { return other == name; }, found);
  };
  take_named(directory, run_files);
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!fs::is_directory(entry.symlink_status()) || !is_policy_directory(entry.path().filename()))
      continue;
    const auto before = found.files.size();
    take_checkpoints(entry.path() / checkpoints_name, found);
    take_named(entry.path(), policy_files);
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

nlohmann::json read_document(const fs::path& run_file) {
  std::ifstream in(run_file, std::ios::binary);
  return nlohmann::json::parse(in, nullptr, false);
}

/// Whether it says so: the program was killed.
bool is_unfinished(const fs::path& run_file) {
  const auto document = read_document(run_file);
  return document.is_object() && document.value("state", nlohmann::json{}) == "running";
}

/// Whether a run of this program wrote there, and not somebody whose files have names like ours.
bool is_surely_ours(const fs::path& directory, const leftovers& found) {
  const auto has_rounds = std::ranges::any_of(
      found.files, [](const fs::path& file) { return file.filename() == policy_files.front(); });
  const auto run_file = directory / run_files.front();
  const auto has_trainers = std::ranges::any_of(found.files, is_trainer_log);
  const auto has_run = std::ranges::find(found.files, run_file) != found.files.end();
  return has_rounds || has_trainers || (has_run && read_document(run_file).contains("dybw"));
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
    made_ = !fs::exists(directory_);
    create_directories_durably(directory_);
    claim();
    const auto found = find_leftovers(directory_);
    if (!found.files.empty() && !force)
      throw input_error{
          input_fault::configuration,
          "--out=" + directory_.string() + " holds another run (" +
              (is_unfinished(run_file()) ? "that has not come to its end" : found.files.front().string()) +
              ")",
          "", "give another --out, or --force to replace that run"};
    check_writable(directory_);
    remove_run(found); // nothing is removed where nothing can be written
    make_directories(policies);
  });
}

void run_directory::claim() {
  claim_ = path_claim{directory_};
  if (!claim_)
    throw input_error{input_fault::configuration,
                      "--out=" + directory_.string() + " is written by another run that goes on", "",
                      "wait for its end, or give another --out; each node needs one of its own"};
}

run_directory run_directory::create_new(const fs::path& directory, std::span<const std::string> policies) {
  auto created = run_directory{make_new_directory(directory), policies, false};
  created.made_ = true;
  return created;
}

run_directory run_directory::resume(fs::path directory, std::span<const std::string> policies) {
  auto opened = reopen(std::move(directory), policies);
  opened.claim();
  return opened;
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
  write_durably(run_file(), json_text(document, 2) + '\n');
}

void run_directory::write_report(const std::string& html) const {
  write_durably(report_file(), html);
}

void run_directory::write_options(const std::string& text) const {
  write_durably(directory_ / saved_options_name, text);
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
  write_durably(file, [&](const byte_sink& write) {
    for (std::string line; std::getline(in, line);)
      if (stays(line))
        write(std::as_bytes(std::span{line += '\n'}));
  });
}

void run_directory::complete_evals(const std::string& policy, std::span<const std::string> lines) const {
  const auto file = evals_file(policy);
  drop_torn_line(file);
  std::string last;
  if (std::ifstream in{file, std::ios::binary})
    for (std::string line; std::getline(in, line);)
      last = line;
  auto known = std::find(lines.begin(), lines.end(), last);
  std::string text;
  for (auto line = known == lines.end() ? lines.begin() : std::next(known); line != lines.end(); ++line)
    text += *line + '\n';
  append_durably(file, fs::exists(file) ? fs::file_size(file) : 0, std::as_bytes(std::span{text}));
}

void run_directory::trim_evals(const std::string& policy, double until_s) const {
  const auto file = evals_file(policy);
  drop_torn_line(file);
  std::ifstream in(file, std::ios::binary);
  std::string text;
  double newest_s = 0;
  for (std::string line; std::getline(in, line);) {
    const auto e = nlohmann::json::parse(line, nullptr, false);
    if (!e.is_object() || e.value("at_end", false) || e.value("time_s", 0.0) < newest_s)
      return; // ended in good order, or went on before: its times count from elsewhere
    newest_s = e.value("time_s", 0.0);
    if (newest_s <= until_s)
      text += line + '\n';
  }
  if (newest_s > until_s)
    write_durably(file, text);
}

fs::path run_directory::trainers() const {
  return directory_ / trainers_name;
}

void run_directory::discard(std::span<const std::string> policies) const {
  leftovers found = find_leftovers(directory_);
  // What a trainer said before it failed is why it did.
  std::erase_if(found.files,
                [](const fs::path& each) { return is_trainer_log(each) && !fs::is_empty(each); });
  std::erase_if(found.directories, [&](const fs::path& each) {
    return std::none_of(policies.begin(), policies.end(), [&](const std::string& policy) {
      return each == directory_ / directory_name(policy) || each == checkpoints(policy) || each == trainers();
    });
  });
  remove_run(found);
  for (const auto& policy : policies)
    if (const auto own = directory_ / directory_name(policy); fs::is_directory(own) && fs::is_empty(own))
      fs::remove(own);
  if (made_ && fs::is_empty(directory_))
    fs::remove(directory_);
}

void run_directory::write_model(const std::string& policy, std::span<const float> parameters,
                                const parameter_layout& layout) const {
  const auto file = model_file(policy);
  write_durably(file, [&](const byte_sink& write) {
    const auto header = npy_header(std::array<std::uint64_t, 1>{parameters.size()});
    write(std::as_bytes(std::span{header}));
    write(std::as_bytes(parameters));
  });
  const nlohmann::ordered_json arrays{
      {"file", file.filename().string()}, {"dtype", "<f4"}, {"arrays", to_json(layout)}};
  write_durably(fs::path{file}.replace_extension("json"), json_text(arrays, 2) + '\n');
  if (!layout.empty() && is_sound(layout, parameters.size()) && fits_npz(layout))
    write_durably(fs::path{file}.replace_extension("npz"),
                  [&](const byte_sink& write) { write_npz(layout, parameters, write); });
}

fs::path make_new_directory(const fs::path& directory) {
  auto name = directory;
  refusing_failures(directory, [&] {
    if (directory.has_parent_path())
      create_directories_durably(directory.parent_path());
    for (int i = 2; !fs::create_directory(name); ++i)
      name = fs::path{directory}.concat("-").concat(std::to_string(i));
  });
  return name;
}

fs::path seed_directory(const fs::path& directory, std::uint64_t seed) {
  return directory / (seed_prefix + std::to_string(seed));
}

std::vector<fs::path> seed_directories(const fs::path& directory) {
  std::map<std::uint64_t, fs::path> found;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(directory, unreadable)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(seed_prefix) || !entry.is_directory())
      continue;
    if (const auto seed = parse_number<std::uint64_t>(name.substr(seed_prefix.size())))
      found.emplace(*seed, entry.path());
  }
  std::vector<fs::path> directories;
  for (auto& [seed, path] : found)
    directories.push_back(std::move(path));
  return directories;
}

namespace {

struct old_run {
  fs::file_time_type written;
  fs::path directory;
  leftovers files;
};

/// Nothing for what is no run, or cannot be read: it may be anybody's.
std::optional<old_run> find_old_run(const fs::directory_entry& entry) {
  try {
    if (!fs::is_directory(entry.symlink_status()))
      return std::nullopt;
    old_run found{fs::file_time_type::min(), entry.path(), find_leftovers(entry.path())};
    if (!is_surely_ours(found.directory, found.files))
      return std::nullopt;
    for (const auto& file : found.files.files)
      found.written = std::max(found.written, fs::last_write_time(file));
    return found;
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

} // namespace

void forget_oldest_runs(const fs::path& parent, std::size_t keep, std::span<const std::string> needed) {
  std::vector<old_run> runs;
  for (const auto& entry : fs::directory_iterator(parent))
    if (auto found = find_old_run(entry))
      runs.push_back(std::move(*found));
  std::ranges::sort(runs, std::ranges::greater{}, &old_run::written);
  std::exception_ptr failure;
  for (std::size_t i = keep; i < runs.size(); ++i) {
    if (std::ranges::find(needed, runs[i].directory.filename().string()) != needed.end())
      continue;
    try {
      const path_claim claim{runs[i].directory};
      if (!claim)
        continue; // it is being written
      remove_run(runs[i].files);
      if (fs::is_empty(runs[i].directory))
        fs::remove(runs[i].directory);
    } catch (const std::system_error&) { // the others go all the same
      if (!failure)
        failure = std::current_exception();
    }
  }
  if (failure)
    std::rethrow_exception(failure);
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
