#include "actors/node/run_lifecycle.hpp"

#include "learning/base/error.hpp"

#include <spdlog/fmt/fmt.h>

namespace dybw {

namespace {

constexpr auto exit_configuration = static_cast<int>(input_fault::configuration);
constexpr auto exit_network = static_cast<int>(input_fault::network);

} // namespace

std::vector<worker_id> workers_here(const run_spec& spec) {
  std::vector<worker_id> here;
  for (std::size_t i = 0; i < spec.placement.size(); ++i)
    if (spec.placement[i] == spec.self)
      here.push_back(worker_at(i));
  return here;
}

std::optional<refusal_text> run_lifecycle::prepare(const run_spec& spec, std::optional<connection_id> owner,
                                                   const std::string& now) {
  if (phase_ != phase::idle)
    return refusal_text{fmt::format("it is busy with run {} since {}; wait for its end, or stop it with "
                                    "`dybw stop {}` and the options by which you reach it",
                                    spec_.name, since_, here_),
                        exit_network};
  const auto here = dybw::workers_here(spec).size();
  if (here == 0)
    return refusal_text{"the run places no worker on it; take it out of --nodes, or raise --workers",
                        exit_configuration};
  if (slots_ > 0 && here > slots_)
    return refusal_text{fmt::format("it is to take {} workers and has {} slots; lower --workers, add nodes, "
                                    "or start it with more --slots",
                                    here, slots_),
                        exit_configuration};
  if (spec.config.policies.size() != 1)
    return refusal_text{
        fmt::format("the run has {} policies where one is needed; use the same version of dybw "
                    "everywhere",
                    spec.config.policies.size()),
        exit_configuration};
  if (spec.run == 0)
    return refusal_text{"the run has no number; use the same version of dybw everywhere", exit_configuration};
  phase_ = phase::preparing;
  spec_ = spec;
  owner_ = owner;
  since_ = now;
  stopping_ = false;
  return std::nullopt;
}

refusal_text run_lifecycle::not_this_run(run_id run, const std::string& what) const {
  const auto which = serves(run) ? fmt::format("run {}, which is {}", spec_.name, state_text())
                                 : "a run that it does not have (any more)";
  return {fmt::format("it cannot {} {}; launch the run again", what, which), exit_network};
}

std::optional<refusal_text> run_lifecycle::connect(run_id run) {
  if (!serves(run) || phase_ != phase::prepared)
    return not_this_run(run, "connect");
  phase_ = phase::linking;
  return std::nullopt;
}

std::optional<refusal_text> run_lifecycle::begin(run_id run) {
  if (!serves(run) || phase_ != phase::linked)
    return not_this_run(run, "begin");
  running();
  return std::nullopt;
}

run_lifecycle::stop_verdict run_lifecycle::stop(run_id run) {
  if (phase_ == phase::idle || (run != 0 && !serves(run)))
    return stop_verdict::no_run;
  if (!has_begun())
    return stop_verdict::let_go;
  if (stopping_ || phase_ == phase::finishing)
    return stop_verdict::nothing;
  stopping_ = true;
  return stop_verdict::stop;
}

std::string run_lifecycle::no_run_text(run_id run) const {
  if (phase_ == phase::idle)
    return fmt::format("no run to stop at {}: it is idle", here_);
  return fmt::format("no run {:016x} to stop at {}: it is busy with run {}", run, here_, spec_.name);
}

bool run_lifecycle::abandon(run_id run) {
  return serves(run) && !has_begun();
}

bool run_lifecycle::closed(connection_id connection) {
  return phase_ != phase::idle && owner_ == connection;
}

bool run_lifecycle::prepared(run_id run) {
  if (!serves(run) || phase_ != phase::preparing)
    return false;
  phase_ = phase::prepared;
  return true;
}

void run_lifecycle::linked() {
  if (phase_ == phase::linking)
    phase_ = phase::linked;
}

void run_lifecycle::running() {
  phase_ = phase::running;
  owner_.reset();
}

void run_lifecycle::finishing() {
  if (phase_ == phase::running)
    phase_ = phase::finishing;
}

void run_lifecycle::let_go() {
  phase_ = phase::idle;
  run_spec none;
  spec_ = std::move(none);
  owner_.reset();
  stopping_ = false;
}

std::string run_lifecycle::state_text() const {
  if (phase_ == phase::idle)
    return "idle";
  if (!has_begun())
    return "preparing";
  return phase_ == phase::running ? "running" : "finishing";
}

} // namespace dybw
