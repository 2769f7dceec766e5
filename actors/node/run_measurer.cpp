#include "actors/node/run_measurer.hpp"

#include "actors/run/run_end.hpp"
#include "actors/thrown.hpp"

#include <spdlog/spdlog.h>

#include <exception>

namespace dybw {

namespace {

constexpr nanoseconds local_patience{std::chrono::seconds{10}};
constexpr nanoseconds remote_patience{std::chrono::seconds{65}};

/// One run that is measured, as the answers come.
struct ending {
  run_measurer_actor::pointer self;
  run_measurer_client_actor node;
  decltype(node_writer::write) write;
  std::shared_ptr<const measurement> what;
  run_outcome_ptr outcome{};
  std::size_t missing = 0;         ///< answers
  std::uint64_t fetched_bytes = 0; ///< from other nodes
  std::string failure{};           ///< why the end cannot be measured; empty: it can
};

std::string unmeasured_text(const std::string& why) {
  return "its end cannot be measured: " + why;
}

/// Of an end that cannot be measured: what is known all the same.
finished_run unmeasured(const ending& e) {
  const auto& x = *e.what;
  spdlog::error("run {}: {}", x.spec.name, e.failure);
  finished_run run;
  if (e.outcome) {
    run.result = e.outcome->result;
    run.series = e.outcome->series;
    run.bin_width_s = e.outcome->bin_width_s;
  }
  describe(run.result, *x.inputs, x.inputs->policies.front());
  if (x.known.failed)
    fail(run.result, x.known.failure);
  fail(run.result, e.failure);
  return run;
}

/// What goes wrong in it is this run's failure: the node goes on.
finished_run concluded(ending& e) {
  const auto& x = *e.what;
  if (e.failure.empty())
    try {
      finished_run run;
      run.result = x.known;
      run.result.interrupted = x.hurry;
      conclude(run, *x.inputs, x.inputs->policies.front(), *e.outcome, {});
      return run;
    } catch (...) {
      e.failure = unmeasured_text(thrown_text(std::current_exception()));
    }
  return unmeasured(e);
}

void finish(ending& e) {
  const auto& x = *e.what;
  auto run = concluded(e);
  note_earlier(run.result, x.known.resumed);
  auto& result = run.result;
  result.interrupted = x.known.interrupted;
  result.nodes = x.known.nodes;
  result.link_bytes_sent = x.known.link_bytes_sent;
  result.eval_bytes_sent = x.known.eval_bytes_sent + e.fetched_bytes;
  result.host_cpu_s = x.known.host_cpu_s;
  result.peak_rss_bytes = x.known.peak_rss_bytes;
  try {
    if (e.write)
      e.write(x.spec, run);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
    result.not_written.emplace_back(error.what());
  }
  auto reply = std::make_shared<result_reply>();
  reply->ready = reply->leads = true;
  reply->result = result;
  reply->average = run.average;
  e.self->send(e.node, run_measured{x.spec.run, std::move(reply), e.failure});
}

/// Does what belongs to the end of this run. If not even its failure can be put together the node is told no
/// more than that.
template <class Work>
void attempt(const run_measurer_actor::pointer& self, const run_measurer_client_actor& node,
             const run_spec& spec, Work work) {
  try {
    work();
  } catch (...) {
    const auto why = unmeasured_text(thrown_text(std::current_exception()));
    spdlog::error("run {}: {}", spec.name, why);
    self->send(node, run_measured{spec.run, nullptr, why});
  }
}

void collect(const std::shared_ptr<ending>& e) {
  const auto& x = *e->what;
  if (!has_model(*x.inputs))
    return finish(*e);
  e->missing = x.here.size();
  const auto arrived = [e] {
    if (--e->missing == 0)
      attempt(e->self, e->node, e->what->spec, [&] { finish(*e); });
  };
  for (std::size_t i = 0; i < x.here.size(); ++i) {
    const auto take = [e, i, arrived](const snapshot& s) {
      e->outcome->finals[i] = s.parameters;
      if (!e->what->here[i])
        e->fetched_bytes += s.parameters.values().size_bytes();
      arrived();
    };
    const auto give_up = [arrived](const caf::error&) { arrived(); }; // it is lost
    if (const auto& worker = x.here[i])
      e->self->request(worker, local_patience, snapshot_wanted{}).then(take, give_up);
    else
      e->self->request(x.client, remote_patience, worker_at(i), snapshot_wanted{}).then(take, give_up);
  }
}

} // namespace

run_measurer_actor::behavior_type run_measurer(run_measurer_actor::stateful_pointer<run_measurer_state> self,
                                               const run_measurer_client_actor& node,
                                               const node_writer& files) {
  return {[=, write = files.write](const std::shared_ptr<const measurement>& x) {
            self->state.newest_measured = x->spec.run;
            attempt(self, node, x->spec, [&] {
              const auto e = std::make_shared<ending>(ending{self, node, write, x});
              self->request(x->reports, local_patience, outcome_wanted{})
                  .then(
                      [e](const run_outcome_ptr& outcome) {
                        e->outcome = outcome;
                        attempt(e->self, e->node, e->what->spec, [&] { collect(e); });
                      },
                      [e](const caf::error& error) {
                        e->failure = "the reporter failed: " + caf::to_string(error);
                        attempt(e->self, e->node, e->what->spec, [&] { finish(*e); });
                      });
            });
          },
          [=, renew = files.renew](const run_standing& x) {
            try {
              if (renew && self->state.newest_measured != x.run)
                renew(*x.spec, x.progress);
            } catch (const std::exception& error) {
              spdlog::debug("{}", error.what()); // its end will be tried again
            }
          }};
}

} // namespace dybw
