// The passes over whole parameter vectors of a round, at the size of mlp:256,256 on 784 features.

#include "learning/model/vector_ops.hpp"
#include "learning/model/sgd.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

namespace {

constexpr std::size_t parameter_count = 269'322;

std::vector<float> random_vector(std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(parameter_count);
  for (auto& value : x)
    value = normal(generator);
  return x;
}

void count_parameters(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(parameter_count));
}

void sgd_step(benchmark::State& state) {
  const dybw::sgd_options options{.momentum = static_cast<double>(state.range(0)) / 100,
                                  .weight_decay = 1e-4};
  const auto w = random_vector(1), gradient = random_vector(2);
  std::vector<float> velocity(parameter_count), w_next(parameter_count);
  for (auto _ : state) {
    dybw::sgd_step(options, 0.01, w, gradient, velocity, velocity, w_next);
    benchmark::ClobberMemory();
  }
  count_parameters(state);
}
BENCHMARK(sgd_step)->ArgName("momentum_percent")->Arg(0)->Arg(90)->Unit(benchmark::kMicrosecond);

/// Mixes as many estimates as the argument says.
template <class Mix>
void time_mixing(benchmark::State& state, Mix mix) {
  const auto own = random_vector(0);
  std::vector<std::vector<float>> estimates;
  std::vector<dybw::mix_input> neighbours;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    estimates.push_back(random_vector(static_cast<std::uint64_t>(i) + 1));
  for (const auto& estimate : estimates)
    neighbours.push_back({estimate, 1.0 / static_cast<double>(estimates.size() + 1)});
  std::vector<float> out(parameter_count);
  for (auto _ : state) {
    mix(own, neighbours, out);
    benchmark::ClobberMemory();
  }
  count_parameters(state);
}

void mix_estimates(benchmark::State& state) {
  time_mixing(state, [](const auto& own, const auto& neighbours, auto& out) {
    dybw::mix_estimates(own, neighbours, out);
  });
}
BENCHMARK(mix_estimates)
    ->ArgName("neighbours")
    ->RangeMultiplier(2)
    ->Range(1, 8)
    ->Unit(benchmark::kMicrosecond);

void mix_with_witness(benchmark::State& state) {
  const dybw::sign_projection project(1, parameter_count);
  time_mixing(state, [&](const auto& own, const auto& neighbours, auto& out) {
    benchmark::DoNotOptimize(dybw::mix_with_witness(own, neighbours, out, project));
  });
}
BENCHMARK(mix_with_witness)
    ->ArgName("neighbours")
    ->RangeMultiplier(2)
    ->Range(1, 8)
    ->Unit(benchmark::kMicrosecond);

/// One end's half of an exchange in pairs: what `--mix-time` stands for.
void exchange_half(benchmark::State& state) {
  const dybw::sign_projection project(1, parameter_count);
  const auto own = random_vector(1);
  const auto theirs = random_vector(2);
  const auto mine = random_vector(3);
  std::vector<float> out(parameter_count);
  for (auto _ : state)
    benchmark::DoNotOptimize(dybw::add_difference_with_witness(own, theirs, mine, 0.25, out, project));
  count_parameters(state);
}
BENCHMARK(exchange_half)->Unit(benchmark::kMicrosecond);

void sign_projection(benchmark::State& state) {
  const dybw::sign_projection project(1, parameter_count);
  const auto x = random_vector(1);
  for (auto _ : state)
    benchmark::DoNotOptimize(project(x));
  count_parameters(state);
}
BENCHMARK(sign_projection)->Unit(benchmark::kMicrosecond);

void norm(benchmark::State& state) {
  const auto x = random_vector(1);
  for (auto _ : state)
    benchmark::DoNotOptimize(dybw::norm(x));
  count_parameters(state);
}
BENCHMARK(norm)->Unit(benchmark::kMicrosecond);

void average_and_consensus_distance(benchmark::State& state) {
  std::vector<std::vector<float>> estimates;
  std::vector<std::span<const float>> views;
  for (std::int64_t i = 0; i < state.range(0); ++i)
    estimates.push_back(random_vector(static_cast<std::uint64_t>(i)));
  for (const auto& estimate : estimates)
    views.emplace_back(estimate);
  std::vector<float> mean(parameter_count);
  for (auto _ : state)
    benchmark::DoNotOptimize(dybw::average_and_consensus_distance(views, mean));
  count_parameters(state);
}
BENCHMARK(average_and_consensus_distance)->ArgName("vectors")->Arg(8)->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
