#include "actors/node/run_loader.hpp"

#include "actors/node/run_lifecycle.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/run_inputs.hpp"
#include "learning/base/error.hpp"
#include "learning/data/fingerprint.hpp"
#include "learning/straggler/distribution.hpp"
#include "messages/spec_hash.hpp"

#include <spdlog/spdlog.h>

namespace dybw {

namespace {

void discard(const node_writer& files, const std::shared_ptr<const run_place>& place) {
  if (!files.discard || !place || place->made.empty())
    return;
  try {
    files.discard(*place);
  } catch (const std::exception& error) {
    spdlog::warn("what was made for a run that does not begin stays: {}", error.what());
  }
}

run_prepared prepare(const preparation& x, const node_writer& files) {
  run_prepared done;
  done.run = x.spec.run;
  done.reply.config_hash = spec_hash(x.spec);
  const auto refuse = [&](const std::string& why, int exit_code) {
    discard(files, std::exchange(done.place, nullptr));
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
    done.reply.parameters = inputs->model->parameter_count();
    if (has_model(*inputs)) {
      done.reply.data_hash = fingerprint(inputs->data);
      const auto read = summary_of(inputs->data);
      spdlog::info("data read: {}", summary_text(read));
      for (const auto& note : read.reading.notes)
        spdlog::warn("data: {}", note);
      done.reply.training_samples = inputs->data.train->size();
    }
    // Named by a path of this machine, like the data.
    done.reply.data_hash ^= trace_fingerprint(spec.config.step_time);
    if (x.data_hash != 0 && done.reply.data_hash != x.data_hash)
      throw input_error{input_fault::configuration,
                        "its data, or the file of --step-time, are not those of the run", x.data.string(),
                        "give the same files as on the other nodes"};
    done.place = std::make_shared<const run_place>(files.open ? files.open(spec, x.how) : run_place{});
    // Who joins starts from a neighbour's estimate.
    if (x.how != run_start::joined && !done.place->resume.empty() && has_model(*inputs))
      done.resumed = read_checkpoints(done.place->resume, *inputs, 0, workers_here(spec));
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
  return done;
}

} // namespace

run_loader_actor::behavior_type run_loader(run_loader_actor::stateful_pointer<run_loader_state> self,
                                           const run_loader_client_actor& node, const node_writer& files) {
  return {
      [=](const std::shared_ptr<const preparation>& x) { self->send(node, prepare(*x, files)); },
      [=](const run_discarded& x) { discard(files, x.place); },
  };
}

} // namespace dybw
