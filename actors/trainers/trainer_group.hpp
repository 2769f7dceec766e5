#pragma once

#include "actors/trainers/trainer_entrance.hpp"
#include "actors/trainers/trainer_link.hpp"
#include "learning/data/partition.hpp"
#include "learning/model/model.hpp"
#include "learning/model/test_bench.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

namespace dybw {

struct trainer_options {
  std::string command;          ///< for a shell, one process per worker; empty: somebody else starts them ..
  std::filesystem::path attach; ///< .. and they come to this socket
  std::uint32_t restarts = 0;   ///< how often a process that fails is started again, for each worker
  std::uint32_t workers = 0;
  std::uint64_t seed = 1;
  std::string data; ///< path that trainers are told; empty: none
  partition_spec partition;
  std::filesystem::path logs; ///< what they print goes below this directory; empty: nowhere
  std::function<bool()> interrupted{};
};

/// The trainers of all workers of a run on this host: processes that this one starts and ends, or that come
/// by themselves. After it is made any thread may use it. Held by a `shared_ptr`, as learners need it.
class trainer_group : public std::enable_shared_from_this<trainer_group> {
public:
  /// Starts them and waits until all are ready, which may take as long as they like. Throws `input_error`
  /// (configuration fault) if they do not fit each other, `learner_failed` if one ends before, and
  /// `std::system_error`. If it was interrupted it is not usable.
  explicit trainer_group(trainer_options options);
  ~trainer_group();
  trainer_group(const trainer_group&) = delete;
  trainer_group& operator=(const trainer_group&) = delete;

  /// What they learn. Begins at the values of the trainer of worker 0.
  const std::shared_ptr<const dybw::model>& model() const noexcept { return model_; }
  /// The learner of a worker. Once for each and run.
  std::unique_ptr<learner> learner_of(worker_id id);
  /// See `estimate_scorer`. Those that are asked for nobody's parameters are asked in turn, until one
  /// answers.
  std::vector<named_score> scores_of(std::span<const float> parameters, std::optional<std::size_t> worker);

  /// The trainer of this worker goes on where an earlier one was that gave these bytes; empty: it begins
  /// afresh. Before a run begins. Throws `learner_failed`.
  void load(worker_id id, std::span<const char> saved);
  /// A run begins: of the second on with new processes, which know nothing of the one before. Throws as the
  /// constructor. Whether it can: false if it was interrupted meanwhile.
  bool begin_run();
  /// Ends all processes. Who waits for one fails. A second time does nothing.
  void end();

private:
  friend class process_learner;
  struct member;

  void start();
  void launch(member& of);
  void accept_all(std::span<member* const> awaited);
  void introduce(int connection, std::span<member* const> awaited);
  void prepare_all();
  void check_layout(const member& of);
  std::shared_ptr<trainer_link> link_of(std::size_t worker) const;
  std::shared_ptr<trainer_link> restarted(worker_id id, const std::string& why);
  bool interrupted() const;
  std::vector<std::uint32_t> rows_of(std::uint32_t worker, std::uint64_t samples,
                                     std::span<const std::int32_t> labels) const;

  trainer_options options_;
  std::unique_ptr<private_directory> place_;
  std::unique_ptr<trainer_entrance> entrance_;
  std::binary_semaphore free_{1}; ///< to start or end processes, one at a time
  std::atomic<bool> over_{false};
  std::atomic<bool> no_scores_{false};           ///< one has failed in its evaluation
  std::vector<std::unique_ptr<member>> members_; ///< [workers]
  trainer_layout layout_;                        ///< of the first run's
  std::shared_ptr<const dybw::model> model_;
  bool fresh_ = true; ///< no run has begun with these processes
};

} // namespace dybw
