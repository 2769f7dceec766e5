#pragma once

#include "learning/data/dataset.hpp"
#include "learning/model/model.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/run/run_config.hpp"
#include "learning/run/run_result.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What the subcommands of bench_runs share.
namespace dybw::bench {

/// Runs of one configuration by real actors, its data, graph and starting points prepared once.
class prepared_runs {
public:
  /// Throws `input_error`.
  explicit prepared_runs(const run_config& config);
  ~prepared_runs();
  prepared_runs(const prepared_runs&) = delete;
  prepared_runs& operator=(const prepared_runs&) = delete;

  /// Limits, `exchange` and the like may be changed between runs; what shapes data, graph or model may not.
  run_config& config();
  const data_split& data() const;
  std::shared_ptr<const classifier> model() const;
  std::span<const std::vector<std::uint32_t>> rows() const; ///< [workers]

  struct controls {
    std::filesystem::path rounds_file;          ///< empty for none
    std::function<void(double elapsed_s)> tick; ///< called about ten times a second
  };
  struct outcome {
    run_result result;
    parameter_block average; ///< none with `--model none`
  };
  /// Runs the policy with this index in `config().policies`. Throws `std::runtime_error` if the run fails.
  outcome run(std::size_t policy, const controls& how);
  outcome run(std::size_t policy = 0) { return run(policy, {}); }

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

/// REQUIRES: at least one value.
double median(std::vector<double> values);

/// Prints "NAME VALUE UNIT".
void print(std::string_view name, double value, std::string_view unit);

enum class bound { at_most, at_least };
/// Prints the value, then what is expected of it and "pass" or "falls short".
void judge(std::string_view name, double value, std::string_view unit, bound direction, double limit);

/// A subcommand's arguments by position, with defaults. Throws `std::runtime_error` for what is not a number
/// above 0.
double number_at(std::span<const std::string> arguments, std::size_t index, double otherwise);

/// The subcommands, each in a file of its name.
void actor_path(std::span<const std::string> arguments);
void audit_cost(std::span<const std::string> arguments);
void throughput(std::span<const std::string> arguments);
void policies(std::span<const std::string> arguments);
void stragglers(std::span<const std::string> arguments);
void responsiveness(std::span<const std::string> arguments);
void soak(std::span<const std::string> arguments);
void monitor_cost(std::span<const std::string> arguments);
void virtual_time(std::span<const std::string> arguments);
void unlike_data(std::span<const std::string> arguments);

/// The directory of MNIST, the first argument; nothing, having said so, if it is missing.
bool has_mnist(std::span<const std::string> arguments);

} // namespace dybw::bench
