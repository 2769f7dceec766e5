#pragma once

#include "actors/actors.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// The links of one run as a gateway sees them: to which nodes, who dials and when, who has been silent for
/// too long, for whom a sign of life is due. Decides nothing by itself and reads no clock. Not thread-safe.
///
/// The node of lower number dials. After a failure it waits a quarter of a second, then twice as long as the
/// time before, at most a second.
class link_table {
public:
  using moment = std::chrono::steady_clock::time_point;

  static constexpr auto backoff_min = std::chrono::milliseconds{250};
  static constexpr auto backoff_max = std::chrono::milliseconds{1000};

  /// A message that may cross a link.
  struct pair {
    worker_id here{};
    worker_id there{};
  };

  struct link {
    node_index node{};
    endpoint where;
    bool dials = false; ///< we dial; otherwise it does
    bool dialling = false;
    bool up = false;
    std::string reason; ///< why it is not up
    std::vector<pair> pairs;
    moment next_dial{};
    nanoseconds backoff{backoff_min};
    moment heard{};                     ///< bytes came
    moment said{};                      ///< bytes went
    moment sign_of_life{};              ///< passed on to the workers here
    std::uint64_t owner = 0;            ///< the node's process by its incarnation; 0: not known
    bool owner_is_early = false;        ///< it took the place before we were told that the node has moved
    std::vector<std::uint64_t> retired; ///< processes that had the place before, at most `retired_max`
  };

  explicit link_table(join_run run);

  const join_run& run() const noexcept { return run_; }
  std::vector<link>& links() noexcept { return links_; }
  /// Null if no worker there is a neighbour of one here.
  link* find(node_index node);
  /// By which link a message gets there; null if the worker does not exist, lives here or is nobody's
  /// neighbour here.
  link* route(worker_id to);
  /// The handle of a worker here; null for others.
  const worker_actor* local(worker_id id) const;

  /// The most that may wait to be written to a link: two blocks per pair of neighbours, and a little.
  std::uint64_t backlog_max(const link& x) const;

  /// Nodes to be dialled now; they count as being dialled until `up` or `failed`.
  std::vector<node_index> due(moment now);
  void up(link& x, moment now);
  /// Down, or not to be had yet. Returns whether the reason is news.
  bool failed(link& x, moment now, const std::string& reason);
  /// It has a new process, at this address: dial at once. Returns whether the one that we know is retired:
  /// not so if it is the new one, or may be.
  bool moved(link& x, endpoint where, moment now);

  /// Whether this process had the place once and has it no more. It may not know: it was hung, or cut off.
  static bool is_retired(const link& x, std::uint64_t incarnation);
  /// This process is linked up. Another one that was is retired.
  static void owned_by(link& x, std::uint64_t incarnation);

  /// Links that are up and were not heard for twice `suspect_after`. To be asked every now and then: when it
  /// was not asked for longer than `suspect_after` itself, this process was stopped, and nobody is silent.
  std::vector<node_index> silent(moment now);
  /// Links on which nothing was said for a while, so that the other side must be told that we are there.
  std::vector<node_index> mute(moment now);
  /// Whether the workers here should be told that those at the other end live; if so, not again for a while.
  bool sign_of_life_due(link& x, moment now);

private:
  static void retire_owner(link& x);
  nanoseconds often() const { return run_.suspect_after / 6; }

  join_run run_;
  std::vector<link> links_;
  std::vector<std::size_t> link_of_; ///< [nodes], index into links_ or none
  std::optional<moment> asked_;
};

} // namespace dybw
