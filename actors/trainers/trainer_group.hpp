#pragma once

#include "actors/trainers/trainer_entrance.hpp"
#include "actors/trainers/trainer_link.hpp"
#include "learning/data/partition.hpp"
#include "learning/model/learner_group.hpp"

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
  std::uint32_t workers = 0;    ///< of the run
  std::vector<std::uint32_t> here; ///< those that have their trainers in this group, ascending, one at least
  std::uint64_t seed = 1;
  std::string data; ///< path that trainers are told; empty: none
  partition_spec partition;
  std::filesystem::path logs; ///< what they print goes below this directory; empty: nowhere
  bool append = false;        ///< what earlier processes printed there stays
  std::function<bool()> interrupted{};
};

/// The trainers of the workers of a run on this host: processes that this one starts and ends, or that come
/// by themselves.
class trainer_group final : public learner_group, public std::enable_shared_from_this<trainer_group> {
public:
  /// Starts them and waits until all are ready, which may take as long as they like. Throws `input_error`
  /// (configuration fault) if they do not fit each other, `learner_failed` if one ends before, and
  /// `std::system_error`. If it was interrupted it is not usable.
  explicit trainer_group(trainer_options options);
  ~trainer_group() override;
  trainer_group(const trainer_group&) = delete;
  trainer_group& operator=(const trainer_group&) = delete;

  /// Begins at the values of the trainer of the first worker here.
  const std::shared_ptr<const given_model>& model() const noexcept override { return model_; }
  /// What the trainers say of it.
  const std::vector<trainer_array>& arrays() const noexcept { return layout_.arrays; }
  bool waits() const noexcept override { return true; }
  std::unique_ptr<local_learner> learner_of(worker_id id) override;
  /// Nobody's parameters, and those of workers elsewhere, are scored by the first that answers.
  std::vector<named_score> scores_of(std::span<const float> parameters,
                                     std::optional<std::size_t> worker) override;
  bool is_occupied() const noexcept override { return occupied_ > 0; }
  std::vector<char> save(worker_id id) override;
  void load(worker_id id, std::span<const char> saved) override;
  /// Starts new processes for a second run. Throws as the constructor.
  bool begin_run() override;
  /// Ends all processes.
  void end() override;

private:
  friend class process_learner;
  struct member;

  void start();
  void launch(member& of);
  void accept_all(std::span<member* const> awaited);
  void introduce(int connection, std::span<member* const> awaited);
  void with_each(const std::function<void(member&)>& talk);
  void prepare_all();
  void check_layout(const member& of);
  member* member_of(std::size_t worker) const;
  std::shared_ptr<trainer_link> link_of(std::size_t worker) const;
  std::shared_ptr<trainer_link> restarted(worker_id id, const std::string& why);
  bool interrupted() const;

  trainer_options options_;
  std::unique_ptr<private_directory> place_;
  std::unique_ptr<trainer_entrance> entrance_;
  std::binary_semaphore free_{1}; ///< to start or end processes, one at a time
  std::atomic<bool> over_{false};
  std::atomic<int> occupied_{0};
  std::atomic<bool> no_scores_{false};           ///< one has failed in its evaluation
  std::vector<std::unique_ptr<member>> members_; ///< [workers here], ascending
  trainer_layout layout_;                        ///< of the first run's
  std::shared_ptr<const given_model> model_;
  bool fresh_ = true; ///< no run has begun with these processes
};

} // namespace dybw
