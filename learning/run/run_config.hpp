#pragma once

#include "learning/coding/block_format.hpp"
#include "learning/data/load.hpp"
#include "learning/data/partition.hpp"
#include "learning/graph/mixing.hpp"
#include "learning/model/evaluation.hpp"
#include "learning/model/outer_step.hpp"
#include "learning/model/sgd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// DTUR, for a worker whose step was unfinished when the round closed.
enum class miss_rule {
  carry,   ///< the step goes on and joins the round that is then current (default)
  discard, ///< the step is dropped and a new one starts (the paper's redraw per round)
};

/// Where the workers start.
enum class start_rule {
  same,   ///< all at the model's seeded starting parameters (default)
  random, ///< each at its own; for consensus-only runs with step size 0
};

enum class clock_kind {
  real,    ///< actors run and wait in real time (default)
  virtual_ ///< a simulation computes when everything would happen
};

/// 256 MiB.
constexpr std::uint64_t log_bytes_standard = std::uint64_t{1} << 28;

/// Everything a run needs to know, checked: the options of `dybw run` in plain values. Times in seconds.
struct run_config {
  data_options data;
  partition_spec partition;
  std::string partition_text = "iid";
  std::string model = "softmax";
  /// Command of the processes that train, one per worker; empty: `model` is trained here. With it, model,
  /// batch and step size are theirs, and `data.path` is only passed on.
  std::string trainer;
  std::string attach;                 ///< .. or the socket that trainers come to which others start
  std::uint32_t trainer_restarts = 0; ///< how often one that failed is started again, for each worker
  bool own_learner = false;           ///< .. or the learners are those of the user's program
  /// Model, data and steps are the user's, not built in.
  bool has_own_model() const noexcept { return own_learner || !trainer.empty() || !attach.empty(); }
  std::size_t workers = 8;
  std::string topology = "ring";
  std::string connect = "tree";
  std::vector<std::string> policies = {"dtur"};
  miss_rule on_miss = miss_rule::carry;
  std::optional<weight_rule> weights; ///< unset: the policy's default
  start_rule start = start_rule::same;

  std::optional<std::uint64_t> rounds; ///< K: no worker joins a round after this one
  std::optional<double> time_limit_s;
  std::optional<double> target_accuracy; ///< of the average model on the test set, in (0,1]
  std::optional<score_target> target;    ///< of what a trainer says of it

  std::size_t batch = 64;
  sgd_options sgd;
  std::uint32_t local_steps = 1;      ///< gradient steps of a worker between two exchanges
  std::optional<double> local_time_s; ///< .. or how long it takes such steps
  outer_options outer;
  double correction = 0;                     ///< rho in [0,1], see `dybw::correction`; 0: off
  block_format send = block_format::float32; ///< how estimates travel between processes, or in virtual time

  clock_kind clock = clock_kind::real;
  std::string step_time; ///< DIST, empty for none; virtual time needs one
  std::string straggler = "none";
  std::string link_latency;              ///< virtual time: DIST, empty for none
  std::optional<double> link_bandwidth;  ///< virtual time: bytes per second; unset: no limit
  double mix_time_s = 0;                 ///< virtual time: of averaging with one neighbour
  std::optional<double> round_timeout_s; ///< unset: learned ("auto")
  double suspect_after_s = 3;
  std::size_t threads = 0; ///< trainer threads; 0: one per processor
  std::uint64_t seed = 1;
  double eval_every_s = 0.5;
  std::optional<double> checkpoint_every_s;
  /// Most that rounds.jsonl may hold before it is thinned, events.log and a trace before they end; 0: no
  /// limit.
  std::uint64_t log_bytes_max = log_bytes_standard;
  bool exchange = true; ///< false: sends and mixes nothing; only to measure what the exchange costs
};

} // namespace dybw
