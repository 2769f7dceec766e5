#pragma once

#include "actors/gateway/gateway_options.hpp"
#include "actors/local_messages.hpp"
#include "actors/run/finished_run.hpp"
#include "actors/system/durable_file.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// How a node comes to a run.
enum class run_start {
  afresh,  ///< a launcher prepared it
  resumed, ///< likewise, from checkpoints (`run_spec::resume`)
  joined,  ///< `--join`: the run was going on already; files of an earlier process of this place stay
};

/// Where a run writes on this node. Empty paths: not at all.
struct run_place {
  std::filesystem::path rounds_file;  ///< rounds.jsonl of the workers here; joined: appended to
  std::filesystem::path checkpoints;  ///< directory of worker-N.ckpt
  std::filesystem::path resume;       ///< directory of the worker-N.ckpt to go on from
  std::filesystem::path evals_file{}; ///< evals.jsonl, for the node that leads
  std::filesystem::path trainers{};   ///< directory of what trainers print; empty: nowhere
  std::filesystem::path made{};       ///< directory that was made for the run; empty: none was
  std::string policy{};               ///< to which its directory below that belongs
  path_claim claim{};                 ///< nobody else writes there as long as the run does
};

/// What a node does to files. Their formats live in apps/, so the program gives these functions. Each is
/// called from a thread of its own that may block, one call at a time; the end of a run may be written while
/// the next one is opened.
struct node_writer {
  /// Makes the directories of a run below --out. What it throws is the refusal that the launcher gets.
  std::function<run_place(const run_spec&, run_start)> open;
  /// Takes away what `open` made for a run that does not begin.
  std::function<void(const run_place&)> discard;
  /// How a run stands that this node leads; what it throws is logged.
  std::function<void(const run_spec&, const run_progress&)> renew;
  /// Lines of the options of the run of this name, to go on with it. Reads one small file, from the node's
  /// own thread. What it throws is the refusal.
  std::function<std::vector<std::string>(const std::string& name)> saved_options;
  /// The measured end of the run, or of the part of the network that this node leads. What it throws is
  /// logged.
  std::function<void(const run_spec&, const finished_run&)> write;
};

/// A run that an earlier process of this node took part in.
struct earlier_run {
  run_id run = 0;
  std::string name;
  std::vector<endpoint> nodes; ///< as far as was known then; this one among them
};

struct node_options {
  gateway_options gateway;    ///< with `listen`; `acceptor` is not needed
  std::string version;        ///< the program's, for `dybw status`
  std::filesystem::path data; ///< --data; empty: only data that is built in
  std::size_t threads = 0;    ///< --threads, of every run here; 0: as many as the run asks for
  std::uint32_t slots = 0;    ///< --slots, most workers; 0: no limit
  /// --trainer NAME=COMMAND: what runs may have started here, by the name that they ask for.
  std::map<std::string, std::string> trainers;
  std::optional<endpoint> join; ///< --join: take a free place in the live run of this node
  bool join_state = false;      ///< --join-state: a joiner's trainers begin with what a neighbour's keep
  /// --rejoin: to be joined again if any of its nodes says that it goes on. Until then, and else, the node is
  /// idle as any other.
  std::optional<earlier_run> rejoin;
  /// So long its nodes are asked again if not all of them answer: after a reboot the network may come late.
  nanoseconds rejoin_patience{std::chrono::seconds{60}};
  /// A launcher that says nothing for so long before its run begins is gone, whatever its connection seems.
  nanoseconds owner_patience{std::chrono::seconds{30}};
  node_writer files;
};

} // namespace dybw
