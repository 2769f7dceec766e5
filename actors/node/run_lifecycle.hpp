#pragma once

#include "actors/actors.hpp"

#include <optional>
#include <string>

namespace dybw {

/// Why a node does not do what it is asked for.
struct refusal_text {
  std::string line; ///< what, where; how to mend it
  int exit_code = 0;
};

/// Those of the node `spec.self`, ascending.
std::vector<worker_id> workers_here(const run_spec& spec);

/// Which run a node serves, how far that is, and what may be asked of the node now. Pure: a client's requests
/// and what became of them in, verdicts out.
///
///     idle -> preparing -> prepared -> linking -> linked -> running -> finishing -> idle
///
/// Before `running` the run belongs to the connection that prepared it: when that closes, the run is let go.
/// From then on it belongs to nobody. A joined run goes from `preparing` to `running`. Not thread-safe.
class run_lifecycle {
public:
  enum class phase { idle, preparing, prepared, linking, linked, running, finishing };

  /// `slots`: most workers at a time, 0: no limit.
  explicit run_lifecycle(std::uint32_t slots) : slots_(slots) {}
  /// Where clients reach this node, for messages.
  void advertise(const endpoint& here) { here_ = to_string(here); }

  // --- Requests: a refusal, or nothing if it is to be done ---

  /// `now`: the time of day, as text. A joiner has no `owner`.
  std::optional<refusal_text> prepare(const run_spec& spec, std::optional<connection_id> owner,
                                      const std::string& now);
  std::optional<refusal_text> connect(run_id run);
  std::optional<refusal_text> begin(run_id run);

  enum class stop_verdict {
    stop,    ///< the workers are to stop, the other nodes to be told
    let_go,  ///< it has not begun: as if it were abandoned
    nothing, ///< it is ending already
    no_run,  ///< `no_run_text` says so
  };
  /// `run` 0: whichever there is.
  stop_verdict stop(run_id run);
  std::string no_run_text(run_id run) const;

  /// Whether the run is to be let go now.
  bool abandon(run_id run);
  bool closed(connection_id connection);

  // --- What became of them ---

  /// The data is there. False: nobody wants it any more.
  bool prepared(run_id run);
  void linked();
  void running();
  /// Every worker here is done.
  void finishing();
  void let_go();

  phase now() const noexcept { return phase_; }
  bool serves(run_id run) const noexcept { return phase_ != phase::idle && run == spec_.run; }
  bool has_begun() const noexcept { return phase_ >= phase::running; }
  bool stopping() const noexcept { return stopping_; }
  const run_spec& spec() const noexcept { return spec_; } ///< REQUIRES: not idle
  run_spec& spec() noexcept { return spec_; }
  std::optional<connection_id> owner() const noexcept { return owner_; }
  std::vector<worker_id> workers_here() const { return dybw::workers_here(spec_); }
  /// As `node_status` says it.
  std::string state_text() const;

private:
  refusal_text not_this_run(run_id run, const std::string& what) const;

  std::uint32_t slots_;
  std::string here_;
  phase phase_ = phase::idle;
  run_spec spec_;
  std::optional<connection_id> owner_;
  std::string since_;
  bool stopping_ = false;
};

} // namespace dybw
