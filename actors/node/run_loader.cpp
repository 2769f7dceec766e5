#include "actors/node/run_loader.hpp"

#include "actors/run/checkpoints.hpp"
#include "actors/run/run_end.hpp"
#include "learning/base/error.hpp"
#include "learning/data/fingerprint.hpp"
#include "messages/spec_hash.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

struct run_loader_state::collection {
  std::shared_ptr<const measurement> what;
  run_outcome_ptr outcome;
  std::size_t missing = 0;         ///< answers
  std::uint64_t fetched_bytes = 0; ///< from other nodes
};

void run_loader_state::start(const run_loader_client_actor& node, node_writer files) {
  node_ = node;
  files_ = std::move(files);
}

// --- Before a run ---

void run_loader_state::prepare(const preparation& x) {
  run_prepared done;
  done.run = x.spec.run;
  done.reply.config_hash = spec_hash(x.spec);
  const auto refuse = [&](const std::string& why, int exit_code) {
    done.reply.refusal = why;
    done.reply.exit_code = exit_code;
  };
  try {
    auto spec = x.spec;
    spec.config.data.path = x.data;
    if (x.threads > 0)
      spec.config.threads = x.threads;
    auto inputs = std::make_shared<run_inputs>(plan_run(spec));
    load_inputs(*inputs, [&](worker_id id) { return spec.placement[index_of(id)] == spec.self; });
    done.reply.parameters = inputs->learner->parameter_count();
    if (has_model(*inputs)) {
      done.reply.data_hash = fingerprint(inputs->data);
      done.reply.training_samples = inputs->data.train->size();
    }
    if (x.data_hash != 0 && done.reply.data_hash != x.data_hash)
      throw input_error{input_fault::configuration, "its data are not those of the run", x.data.string(),
                        "give the same --data as on the other nodes"};
    done.place = std::make_shared<const run_place>(files_.open ? files_.open(spec, x.how) : run_place{});
    if (!done.place->resume.empty() && has_model(*inputs)) {
      std::vector<worker_id> here;
      for (std::size_t i = 0; i < spec.placement.size(); ++i)
        if (spec.placement[i] == spec.self)
          here.push_back(worker_at(i));
      done.resumed = read_checkpoints(done.place->resume, *inputs, 0, here);
    }
    done.inputs = std::move(inputs);
  } catch (const input_error& e) {
    // For who launches, data that one node lacks is a matter of configuration.
    refuse(e.what(),
           e.fault() == input_fault::data ? static_cast<int>(input_fault::configuration) : e.exit_code());
  } catch (const std::bad_alloc&) {
    refuse("out of memory; take fewer workers or a smaller --model", 2);
  } catch (const std::exception& e) {
    refuse(e.what(), 2);
  }
  self_->send(node_, std::move(done));
}

// --- After a run ---

void run_loader_state::measure(const std::shared_ptr<const measurement>& x) {
  auto c = std::make_shared<collection>();
  c->what = x;
  self_->request(x->reports, local_patience, outcome_wanted{})
      .then(
          [this, c](const run_outcome_ptr& outcome) {
            c->outcome = outcome;
            collect(c);
          },
          [this, c](const caf::error& e) {
            spdlog::error("the reporter failed: {}", caf::to_string(e));
            self_->send(node_, run_measured{c->what->spec.run, nullptr});
          });
}

void run_loader_state::collect(const std::shared_ptr<collection>& c) {
  if (!has_model(*c->what->inputs)) {
    finish(*c);
    return;
  }
  const auto workers = c->what->inputs->config.workers;
  c->missing = workers;
  const auto arrived = [this, c] {
    if (--c->missing == 0)
      finish(*c);
  };
  for (std::size_t i = 0; i < workers; ++i) {
    const auto take = [c, i, arrived](const snapshot& x) {
      c->outcome->finals[i] = x.parameters;
      if (!c->what->here[i])
        c->fetched_bytes += x.parameters.values().size_bytes();
      arrived();
    };
    const auto give_up = [arrived](const caf::error&) { arrived(); }; // it is lost
    if (const auto& worker = c->what->here[i])
      self_->request(worker, local_patience, snapshot_wanted{}).then(take, give_up);
    else
      self_->request(c->what->client, remote_patience, worker_at(i), snapshot_wanted{}).then(take, give_up);
  }
}

void run_loader_state::finish(collection& c) {
  const auto& x = *c.what;
  finished_run run;
  run.result.failed = x.known.failed;
  run.result.failure = x.known.failure;
  run.result.interrupted = x.hurry;
  conclude(run, *x.inputs, x.inputs->policies.front(), *c.outcome, {});
  note_earlier(run.result, x.known.resumed);
  auto& result = run.result;
  result.interrupted = x.known.interrupted;
  result.nodes = x.known.nodes;
  result.link_bytes_sent = x.known.link_bytes_sent;
  result.eval_bytes_sent = x.known.eval_bytes_sent + c.fetched_bytes;
  result.host_cpu_s = x.known.host_cpu_s;
  result.peak_rss_bytes = x.known.peak_rss_bytes;
  try {
    if (files_.write)
      files_.write(x.spec, run);
  } catch (const std::exception& e) {
    spdlog::error("{}", e.what());
    fail(result, e.what());
  }
  auto reply = std::make_shared<result_reply>();
  reply->ready = reply->leads = true;
  reply->result = result;
  reply->average = run.average;
  self_->send(node_, run_measured{x.spec.run, std::move(reply)});
}

run_loader_actor::behavior_type run_loader(run_loader_actor::stateful_pointer<run_loader_state> self,
                                           const run_loader_client_actor& node, const node_writer& files) {
  self->state.start(node, files);
  return {
      [self](const std::shared_ptr<const preparation>& x) { self->state.prepare(*x); },
      [self](const std::shared_ptr<const measurement>& x) { self->state.measure(x); },
  };
}

} // namespace dybw
