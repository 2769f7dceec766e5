#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace dybw {

/// Where one `dybw run` writes: DIR/run.json, DIR/report.html and, per policy, DIR/POLICY/ with rounds.jsonl,
/// evals.jsonl and model.npy. POLICY has '-' for ':' ("static-1"). Files of a finished write are complete or
/// absent: they are written beside their place and moved there. Writing throws `std::system_error`.
class run_directory {
public:
  /// Creates `directory` and its policies' directories. Throws `input_error` (configuration fault) if it
  /// cannot be written to, or holds another run; that run's files, and nothing else, are removed with
  /// `force`.
  run_directory(std::filesystem::path directory, std::span<const std::string> policies, bool force);

  const std::filesystem::path& path() const noexcept { return directory_; }
  std::filesystem::path run_file() const { return directory_ / "run.json"; }
  std::filesystem::path report_file() const { return directory_ / "report.html"; }
  std::filesystem::path rounds_file(const std::string& policy) const;
  std::filesystem::path evals_file(const std::string& policy) const;
  std::filesystem::path model_file(const std::string& policy) const;

  void write_run(const nlohmann::ordered_json& document) const;
  void write_report(const std::string& html) const;
  /// One line per value.
  void write_evals(const std::string& policy, std::span<const nlohmann::ordered_json> lines) const;
  void write_model(const std::string& policy, std::span<const float> parameters) const;

private:
  std::filesystem::path directory_;
};

} // namespace dybw
