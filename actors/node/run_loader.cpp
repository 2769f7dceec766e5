#include "actors/node/run_loader.hpp"

#include "actors/node/run_lifecycle.hpp"
#include "actors/run/checkpoints.hpp"
#include "actors/run/run_inputs.hpp"
#include "learning/base/error.hpp"
#include "learning/data/fingerprint.hpp"
#include "learning/model/learner_group.hpp"
#include "learning/straggler/distribution.hpp"
#include "messages/limits.hpp"
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

/// What this node starts for a run that asks for a trainer by its name. Throws `input_error`.
const std::string& command_for(const preparation& x) {
  const auto& name = x.spec.config.trainer;
  if (const auto found = x.trainers.find(name); found != x.trainers.end())
    return found->second;
  std::string offered;
  for (const auto& [each, command] : x.trainers)
    offered += (offered.empty() ? "" : ", ") + each;
  throw input_error{input_fault::configuration, "it offers no trainer \"" + name + '"',
                    offered.empty() ? "it offers none" : "it offers: " + offered,
                    "start it with --trainer " + name + "=COMMAND"};
}

/// Loads the data or starts the trainers of the workers here. False: nobody waits for it any more.
bool load(run_inputs& inputs, const preparation& x, run_prepared& done) {
  const auto& spec = x.spec;
  if (spec.config.trainer.empty()) {
    load_inputs(inputs, [&](worker_id id) { return spec.placement[index_of(id)] == spec.self; });
    done.reply.parameters = inputs.model->parameter_count();
    if (!has_model(inputs))
      return true;
    done.reply.data_hash = fingerprint(inputs.data);
    done.reply.training_samples = inputs.data.train->size();
    const auto read = summary_of(inputs.data);
    spdlog::info("data read: {}", summary_text(read));
    for (const auto& note : read.reading.notes)
      spdlog::warn("data: {}", note);
    return true;
  }
  auto here = workers_here(spec);
  if (here.size() > trainers_max)
    throw input_error{input_fault::configuration,
                      "it is to start " + std::to_string(here.size()) + " trainers and starts " +
                          std::to_string(trainers_max) + " at most",
                      "", "take more nodes, or fewer --workers"};
  const auto& command = command_for(x);
  spdlog::info("run {}: starts {} of its trainer {}", spec.name, here.size(), spec.config.trainer);
  done.reply.arrays =
      start_trainers(inputs, {command, std::move(here), done.place->trainers, x.how != run_start::afresh,
                              [unwanted = x.unwanted] { return unwanted->load(); }});
  if (*x.unwanted)
    return false;
  done.reply.parameters = inputs.model->parameter_count();
  done.reply.data_hash = layout_hash(done.reply.arrays);
  return true;
}

/// The learners of workers that go on.
void load_learners(const run_inputs& inputs, const std::map<worker_id, checkpoint>& from) {
  if (inputs.learners)
    for (const auto& [id, x] : from)
      inputs.learners->load(id, x.learner);
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
    const auto open = [&] {
      done.place = std::make_shared<const run_place>(files.open ? files.open(spec, x.how) : run_place{});
    };
    if (inputs->config.has_own_model()) // trainers write there
      open();
    if (!load(*inputs, x, done))
      throw input_error{input_fault::network, "the run was let go", "", "launch it again"};
    // Named by a path of this machine, like the data.
    done.reply.data_hash ^= trace_fingerprint(spec.config.step_time);
    if (x.data_hash != 0 && done.reply.data_hash != x.data_hash)
      throw input_error{input_fault::configuration,
                        inputs->learners ? "the model of its trainer " + spec.config.trainer +
                                               ", or the file of --step-time, is not that of the run"
                                         : "its data, or the file of --step-time, are not those of the run",
                        x.data.string(), "give the same as on the other nodes"};
    if (!done.place)
      open();
    // Who joins starts from a neighbour's estimate.
    if (x.how != run_start::joined && !done.place->resume.empty() && has_model(*inputs))
      done.resumed = read_checkpoints(done.place->resume, *inputs, 0, workers_here(spec));
    load_learners(*inputs, done.resumed);
    done.inputs = std::move(inputs);
  } catch (const input_error& e) {
    // For who launches, data that one node lacks is a matter of configuration.
    refuse(e.what(),
           e.fault() == input_fault::data ? static_cast<int>(input_fault::configuration) : e.exit_code());
  } catch (const learner_failed& e) {
    refuse(e.what(), 1);
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
      [=](const run_discarded& x) {
        if (x.learners)
          x.learners->end();
        discard(files, x.place);
        return run_is_gone{};
      },
  };
}

} // namespace dybw
