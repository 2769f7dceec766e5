#include "actors/run/checkpoints.hpp"

#include "actors/training/checkpointer.hpp"
#include "learning/base/error.hpp"
#include "learning/base/fnv1a.hpp"
#include "learning/base/random.hpp"
#include "learning/data/fingerprint.hpp"
#include "learning/data/mini_batch.hpp"
#include "learning/straggler/distribution.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

namespace dybw {

namespace {

namespace fs = std::filesystem;

class hasher {
public:
  void add(std::string_view text) {
    for (const auto c : text)
      hash_.add(static_cast<unsigned char>(c));
    hash_.add(0xff); // "a" and "bc" are not "ab" and "c"
  }
  void add(std::uint64_t x) {
    for (int i = 0; i < 8; ++i)
      hash_.add(static_cast<unsigned char>(x >> (8 * i)));
  }
  void add(double x) { add(std::bit_cast<std::uint64_t>(x)); }
  void add(std::span<const edge> edges) {
    add(static_cast<std::uint64_t>(edges.size()));
    for (const auto e : edges)
      add(std::uint64_t{static_cast<std::uint32_t>(e.a)} << 32U | static_cast<std::uint32_t>(e.b));
  }
  std::uint64_t value() const noexcept { return hash_.value(); }

private:
  fnv1a hash_;
};

/// Whether the corrections add up to 0: in rounds those of all workers after the same one.
bool are_of_one_cut(const std::map<worker_id, checkpoint>& all) {
  return std::ranges::all_of(all, [&first = all.begin()->second](const auto& x) {
    return x.second.round == first.round && x.second.correction_generation == first.correction_generation;
  });
}

} // namespace

std::uint64_t run_hash(const run_inputs& inputs, std::size_t policy) {
  const auto& config = inputs.config;
  hasher h;
  h.add(config.data.name);
  h.add(config.data.test_share);
  h.add(config.data.label);
  if (config.data.standardise) // else as it was before there was a choice
    h.add(std::string{"standard"});
  if (config.data.mirror)
    h.add(std::string{"mirror"});
  h.add(config.partition_text);
  h.add(config.model);
  if (inputs.learners)
    for (const auto& a : inputs.model->layout()) {
      h.add(a.name);
      for (auto extent : a.shape)
        h.add(extent);
    }
  h.add(std::uint64_t{config.workers});
  h.add(inputs.graph->edges());
  if (inputs.connecting)
    h.add(*inputs.connecting);
  h.add(inputs.policies[policy].text);
  h.add(static_cast<std::uint64_t>(config.on_miss));
  h.add(config.weights ? 1 + static_cast<std::uint64_t>(*config.weights) : std::uint64_t{0});
  h.add(static_cast<std::uint64_t>(config.start));
  h.add(static_cast<std::uint64_t>(config.exchange));
  h.add(std::uint64_t{config.batch});
  for (const double x :
       {config.sgd.step_size, config.sgd.step_decay, config.sgd.momentum, config.sgd.weight_decay})
    h.add(x);
  if (config.local_steps > 1) // the others, too, as it was before there was a choice
    h.add(std::uint64_t{config.local_steps});
  if (config.local_time_s)
    h.add(*config.local_time_s);
  if (config.send != block_format::float32)
    h.add(std::string{to_string(config.send)});
  if (config.outer.is_on())
    for (const double x : {config.outer.momentum, config.outer.step})
      h.add(x);
  if (config.correction > 0) {
    h.add(std::string{"correction"});
    h.add(config.correction);
  }
  h.add(config.step_time);
  h.add(config.straggler);
  h.add(config.link_latency);
  h.add(config.link_bandwidth.value_or(0));
  h.add(config.mix_time_s);
  h.add(config.seed);
  if (inputs.data.train)
    h.add(fingerprint(inputs.data)); // files may have changed under the same name
  h.add(trace_fingerprint(config.step_time));
  h.add(trace_fingerprint(config.link_latency));
  return h.value();
}

std::map<worker_id, checkpoint> read_checkpoints(const fs::path& directory, const run_inputs& inputs,
                                                 std::size_t policy, std::span<const worker_id> workers) {
  const auto& config = inputs.config;
  checkpoint_frame expected;
  expected.run_hash = run_hash(inputs, policy);
  expected.workers = static_cast<std::uint32_t>(config.workers);
  expected.parameters = inputs.model->parameter_count();
  expected.has_velocity = !inputs.learners && config.sgd.momentum > 0;
  expected.has_outer = config.outer.is_on();
  expected.has_correction = config.correction > 0;
  expected.has_learner = inputs.learners != nullptr;
  std::map<worker_id, checkpoint> all;
  for (const auto id : workers) {
    expected.worker = id;
    const auto file = checkpoint_file(directory, id);
    auto x = read_checkpoint(file, expected);
    if (inputs.learners) {
      all.emplace(id, std::move(x));
      continue;
    }
    // Of a damaged or foreign file that has the right hash at least the epochs must be those of this shard.
    const mini_batch_sampler sampler{inputs.rows[index_of(id)], config.batch, random_generator{}};
    if (x.epoch != (x.local_steps > 0 ? (x.local_steps - 1) / sampler.batches_per_epoch() : 0))
      throw input_error{input_fault::data,
                        "the checkpoint does not fit the data: its epochs have other lengths", file.string(),
                        "give the data of that run"};
    all.emplace(id, std::move(x));
  }
  if (inputs.policies[policy].averages_in_pairs() || all.size() < config.workers || !are_of_one_cut(all))
    for (auto& [id, x] : all)
      x.correction = {};
  return all;
}

fs::path virtual_checkpoint_file(const fs::path& directory) {
  return directory / "virtual.ckpt";
}

fs::path figure_file(const fs::path& directory) {
  return directory / "virtual-figures.ckpt";
}

virtual_checkpoint read_virtual_checkpoint(const fs::path& directory, const run_inputs& inputs,
                                           std::size_t policy) {
  virtual_checkpoint_frame expected;
  expected.run_hash = run_hash(inputs, policy);
  expected.workers = inputs.config.workers;
  expected.parameters = inputs.model->parameter_count();
  expected.has_velocity = !inputs.learners && inputs.config.sgd.momentum > 0;
  expected.has_outer = inputs.config.outer.is_on();
  expected.has_correction = inputs.config.correction > 0;
  expected.has_learner = inputs.learners != nullptr;
  return read_virtual_checkpoint(virtual_checkpoint_file(directory), expected);
}

std::optional<resumed_part> earlier_part(const std::map<worker_id, checkpoint>& resumed) {
  if (resumed.empty())
    return std::nullopt;
  resumed_part part;
  part.round = resumed.begin()->second.round;
  for (const auto& [id, x] : resumed) {
    part.round = std::min(part.round, x.round);
    part.duration_s = std::max(part.duration_s, to_seconds(x.elapsed));
  }
  return part;
}

} // namespace dybw
