#include "learning/simulation/virtual_run.hpp"

#include "learning/data/digits.hpp"
#include "learning/graph/topology.hpp"
#include "learning/model/make_model.hpp"
#include "learning/straggler/step_time.hpp"
#include "tests/support/contrary_crew.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

using namespace dybw;
using dybw::test::contrary_crew;
using namespace std::chrono_literals;

namespace {

virtual_run_options options_for(const std::string& policy, const std::string& graph, std::size_t workers) {
  virtual_run_options o;
  auto g = std::make_shared<const topology>(make_topology(graph, workers, 1));
  o.machine.policy = parse_policy(policy, g->smallest_degree(), worker_id{});
  o.machine.graph = std::move(g);
  o.machine.seed = 1;
  o.times.step_time = "shifted-exp:0.5,0.5";
  o.times.straggler = "slow:1:3";
  return o;
}

void give_model(virtual_run_options& o) {
  static const auto data = generate_digits(1);
  const auto learner = std::shared_ptr<const classifier>(make_model("softmax", data.train->shape()));
  o.training = std::make_shared<const training_setup>(
      training_setup{learner,
                     data.train,
                     std::make_shared<const sign_projection>(1, learner->parameter_count()),
                     {.step_size = 0.05, .momentum = 0.5},
                     16});
  auto start = std::make_shared<float_buffer>(learner->parameter_count());
  learner->initialise(1, start->values());
  const auto workers = o.machine.graph->workers();
  o.initial.assign(workers, parameter_block{std::shared_ptr<const float_buffer>{std::move(start)}});
  o.rows.resize(workers);
  for (std::uint32_t i = 0; i < 600; ++i)
    o.rows[i % workers].push_back(i);
  o.times.block_bytes = learner->parameter_count() * sizeof(float);
}

void code_as(virtual_run_options& o, block_format send) {
  const auto count = o.training->model->parameter_count();
  o.times.send = send;
  o.times.block_bytes = coded_words(send, count, false) * sizeof(float);
  o.times.change_bytes = coded_words(send, count, true) * sizeof(float);
}

/// Takes steps at random and adds up those that count.
struct wanderer final : local_learner {
  explicit wanderer(std::vector<double>& counted, std::uint64_t seed) : sum(counted), generator(seed) {}
  learner_output step(const learner_input& at, std::span<const float> w, std::span<float> next) override {
    if (!at.goes_on)
      newest.assign(w.size(), 0);
    std::uniform_real_distribution<float> by{-1, 1};
    for (std::size_t k = 0; k < w.size(); ++k) {
      next[k] = w[k] + by(generator);
      newest[k] += static_cast<double>(next[k]) - static_cast<double>(w[k]);
    }
    return {0, 1};
  }
  void keep() override {
    for (std::size_t k = 0; k < newest.size(); ++k)
      sum[k] += newest[k];
  }
  std::vector<double>& sum;
  std::mt19937_64 generator;
  std::vector<double> newest;
};

struct outcome {
  std::vector<double> told; ///< of every report, in order: worker, round, loss, projection
  std::vector<float> finals;
  run_result result;
};

outcome play(virtual_run_options o, work_crew& crew, nanoseconds slice) {
  outcome x;
  virtual_run run{std::move(o), crew, [&](const round_report& r) {
                    x.told.insert(x.told.end(), {static_cast<double>(index_of(r.mixed.worker)),
                                                 static_cast<double>(r.mixed.round), r.loss,
                                                 r.mixed.projection_after, to_seconds(r.done)});
                  }};
  for (auto t = slice; !run.run_until(t, {}); t += slice)
    REQUIRE(t < 1h);
  for (const auto& e : run.estimates())
    x.finals.insert(x.finals.end(), e.values().begin(), e.values().end());
  run.audit().fill(x.result);
  return x;
}

/// Checks that neither the crew nor the slices change a bit.
outcome play_with_any_crew(const virtual_run_options& o) {
  lone_crew one;
  contrary_crew three;
  auto a = play(o, one, 1s);
  const auto b = play(o, three, 7s);
  CHECK(a.told == b.told);
  CHECK(a.finals == b.finals);
  CHECK(a.result.mixing.clean());
  return a;
}

} // namespace

TEST_CASE("virtual_run: the same bits whatever the crew and the slices") {
  for (const auto* policy : {"full", "dtur", "static:1", "adpsgd", "adaptive"}) {
    CAPTURE(policy);
    auto o = options_for(policy, "circulant:1,2", 6);
    o.times.link_latency = "exp:0.05";
    o.machine.last_round = 12;
    give_model(o);
    const auto x = play_with_any_crew(o);
    CHECK(x.result.mixing.rounds_audited > 10);
    CHECK(x.result.mixing.edges_lost == 0);
  }
}

TEST_CASE("virtual_run: full averages with everybody in every round, as a hand calculation says") {
  auto o = options_for("full", "ring", 3);
  o.times.step_time = "const:1";
  o.times.straggler = "none";
  o.machine.last_round = 5;
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK(run.run_until(1h, {}));
  CHECK(run.ended() == 5s);
  CHECK(run.local_steps() == 15);
  run_result result;
  run.audit().fill(result);
  CHECK(result.mean_active_share == 1);
}

TEST_CASE("virtual_run: averaging takes its time, one neighbour after the other") {
  auto o = options_for("full", "ring", 3);
  o.times.step_time = "const:1";
  o.times.straggler = "none";
  o.times.mix_s = 0.25;
  o.machine.last_round = 5;
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK(run.run_until(1h, {}));
  CHECK(run.ended() == 5s + 4 * 2 * 250ms);
}

TEST_CASE("virtual_run: adaptive averages as often as a share of its time pays for, and leaves nobody out") {
  const auto play_with = [](double mix_s) {
    auto o = options_for("adaptive", "ring", 6);
    o.times.step_time = "exp:1";
    o.times.straggler = "none";
    o.times.mix_s = mix_s;
    o.machine.last_round = 300;
    lone_crew crew;
    virtual_run run{o, crew, {}};
    CHECK(run.run_until(10h, {}));
    run_result result;
    run.audit().fill(result);
    CHECK(result.mixing.clean());
    return std::pair{to_seconds(run.ended()), result};
  };
  const auto [free_s, all] = play_with(0);
  for (const double mix_s : {0.05, 0.3, 1.0}) {
    CAPTURE(mix_s);
    const auto [dear_s, some] = play_with(mix_s);
    CHECK(dear_s < 1.25 * free_s); // with all neighbours after every step: 1.2, 2.2 and 5
    CHECK(some.mixing.rounds_audited < all.mixing.rounds_audited);
    CHECK(some.per_edge.size() == 6);
    for (const auto& e : some.per_edge)
      CHECK(e.active_share > 0);
  }
}

TEST_CASE("virtual_run: adaptive averages more where the data differs, the same with any crew") {
  const auto averaged = [](bool sorted) {
    auto o = options_for("adaptive", "ring", 6);
    o.times.step_time = "exp:1";
    o.times.straggler = "none";
    o.times.mix_s = 0.3;
    o.machine.last_round = 400;
    give_model(o);
    if (sorted) {
      std::vector<std::uint32_t> rows(600);
      std::iota(rows.begin(), rows.end(), 0U);
      std::ranges::stable_sort(rows, {}, [&](std::uint32_t i) { return o.training->data->labels[i]; });
      for (std::size_t i = 0; i < 6; ++i)
        o.rows[i].assign(rows.begin() + static_cast<std::ptrdiff_t>(100 * i),
                         rows.begin() + static_cast<std::ptrdiff_t>(100 * (i + 1)));
    }
    return static_cast<double>(play_with_any_crew(o).result.mixing.rounds_audited);
  };
  const auto alike = averaged(false);
  CHECK(averaged(true) > 1.25 * alike);
}

TEST_CASE("virtual_run: the step size decays with the rounds of all, however unequal the shards") {
  const auto finals = [](double decay, round_number rounds) {
    auto o = options_for("full", "path", 2);
    o.machine.last_round = rounds;
    give_model(o);
    o.rows[0].assign({0, 1, 2, 3}); // a pass over this shard takes a round, one over the other 38
    o.rows[1].resize(596);
    std::iota(o.rows[1].begin(), o.rows[1].end(), 4U);
    auto setup = *o.training;
    setup.sgd.step_decay = decay;
    setup.rounds_per_pass = rounds_per_pass(600, 2, 16);
    o.training = std::make_shared<const training_setup>(setup);
    lone_crew crew;
    return play(o, crew, 1s).finals;
  };
  CHECK(finals(0.1, 19) == finals(1, 19)); // still the first pass
  CHECK(finals(0.1, 20) != finals(1, 20));
}

TEST_CASE("virtual_run: a time limit stops all workers then") {
  for (const auto* policy : {"full", "dtur", "adaptive"}) {
    auto o = options_for(policy, "ring", 4);
    o.time_limit = 20s;
    lone_crew crew;
    virtual_run run{o, crew, {}};
    REQUIRE(run.run_until(1h, {}));
    CHECK(run.ended() >= 20s);
    CHECK(run.ended() < 25s);
  }
}

TEST_CASE("virtual_run: latency and bandwidth slow an exchange as they should") {
  const auto ended = [](const std::string& latency, std::optional<double> bytes_per_s) {
    auto o = options_for("full", "ring", 2);
    o.times.step_time = "const:1";
    o.times.straggler = "none";
    o.times.link_latency = latency;
    o.times.bytes_per_s = bytes_per_s;
    o.times.block_bytes = 1000;
    o.machine.last_round = 1;
    lone_crew crew;
    virtual_run run{o, crew, {}};
    run.run_until(1h, {});
    return run.ended();
  };
  CHECK(ended("", {}) == 1s);
  CHECK(ended("const:0.1", {}) == 1200ms); // the estimate's way and the answer's
  CHECK(ended("", 10'000) == 1100ms);      // only the estimate carries parameters
  CHECK(ended("const:0.1", 10'000) == 1300ms);
}

TEST_CASE(
    "virtual_run: adaptive and adpsgd keep the mean and agree, without a step size, whatever the latency") {
  for (const auto* policy : {"adpsgd", "adaptive"})
    for (const auto* latency : {"const:0", "exp:0.3", "const:2.5"}) {
      CAPTURE(policy);
      CAPTURE(latency);
      auto o = options_for(policy, "torus:3x4", 12);
      o.times.link_latency = latency;
      o.machine.last_round = 150;
      give_model(o);
      auto setup = *o.training;
      setup.sgd.step_size = 0;
      o.training = std::make_shared<const training_setup>(setup);
      const auto count = setup.model->parameter_count();
      for (std::size_t i = 0; i < o.initial.size(); ++i) { // each its own number
        auto start = std::make_shared<float_buffer>(count);
        std::fill(start->values().begin(), start->values().end(), static_cast<float>(i));
        o.initial[i] = parameter_block{std::move(start)};
      }
      lone_crew crew;
      const auto x = play(o, crew, 1min);
      const auto [least, most] = std::minmax_element(x.finals.begin(), x.finals.end());
      const auto mean =
          std::accumulate(x.finals.begin(), x.finals.end(), 0.0) / static_cast<double>(x.finals.size());
      CHECK(mean == doctest::Approx(5.5).epsilon(1e-5));
      CHECK(*most - *least < 0.05);
      CHECK(x.result.mixing.clean());
      CHECK(x.result.mixing.rounds_unaudited == 0);
    }
}

TEST_CASE("virtual_run: time that stands still is noticed") {
  auto o = options_for("full", "ring", 4);
  o.times.step_time = "const:0";
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK_FALSE(run.run_until(1h, {}));
  REQUIRE(run.failure());
  CHECK(*run.failure() == "virtual time stands still at 0 s; choose a --step-time that is not 0");
  CHECK_FALSE(run.next_at());
  CHECK_FALSE(run.run_until(2h, {})); // and does not begin again
}

TEST_CASE("virtual_run: steps of no time are no harm if the run ends") {
  auto o = options_for("full", "ring", 4);
  o.times.step_time = "const:0";
  o.machine.last_round = 1000;
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK(run.run_until(1h, {}));
  CHECK_FALSE(run.failure());
}

TEST_CASE("virtual_run: if nothing is left to happen and workers are not done, it says who waits for whom") {
  auto o = options_for("adaptive", "path", 2);
  o.machine.last_round = 5;
  o.faults = {{1s, crash_fault{worker_at(1)}}}; // nobody tells the other, which must wait to the end
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK_FALSE(run.run_until(1000h, {}));
  CHECK_FALSE(run.next_at());
  REQUIRE(run.failure());
  CHECK(run.failure()->starts_with("nothing is left to happen, but the run is not done: worker 0 "));
}

TEST_CASE("virtual_run: with a model somebody is asked for a pause after a small portion of work") {
  auto o = options_for("full", "ring", 2);
  o.machine.last_round = 400;
  give_model(o);
  auto asked = 0;
  lone_crew crew;
  virtual_run run{o, crew, {}};
  CHECK(run.run_until(10h, [&] {
    ++asked;
    return false;
  }));
  CHECK(asked > 10);
}

// Of one step after the other, z = w + E B / (1 - B) m moves by E / (1 - B) (bar - phi). Averaging adds
// nothing to the sum of bar - phi, so the sum of z is that of one central optimiser, also where workers miss
// rounds.
TEST_CASE(
    "virtual_run: with an outer step the mean follows the steps that count, whatever edges are committed") {
  constexpr std::size_t parameters = 6;
  for (const std::string policy : {"full", "static:1", "dtur", "hop:1:2", "adpsgd"})
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      CAPTURE(policy);
      CAPTURE(seed);
      auto o = options_for(policy, seed % 2 == 0 ? "random:3" : "ring", 8);
      o.machine.last_round = 60;
      o.machine.seed = o.seed = seed;
      o.machine.on_miss = seed % 3 == 0 ? miss_rule::discard : miss_rule::carry;
      o.times.step_time = "exp:1";
      o.times.straggler = "random:0.2:6";
      o.times.link_latency = "exp:0.3";
      if (seed % 4 == 3)
        o.times.strides.time = 3s;
      else
        o.times.strides.gradients = static_cast<std::uint32_t>(1 + seed % 4);
      std::vector<std::vector<double>> counted(8, std::vector<double>(parameters));
      training_setup setup;
      setup.model = make_model("softmax", {2, 2});
      REQUIRE(setup.model->parameter_count() == parameters);
      setup.projection = std::make_shared<const sign_projection>(1, parameters);
      setup.batch = 1;
      setup.outer = {.momentum = 0.1 * static_cast<double>(seed), .step = 0.7};
      setup.learners = [&](worker_id id) {
        return std::make_unique<wanderer>(counted[index_of(id)], 100 * seed + index_of(id));
      };
      o.training = std::make_shared<const training_setup>(std::move(setup));
      std::vector<double> expected(parameters);
      for (std::size_t i = 0; i < 8; ++i) {
        auto start = std::make_shared<float_buffer>(parameters);
        for (std::size_t k = 0; k < parameters; ++k)
          expected[k] += start->values()[k] = static_cast<float>(i * k) / 8;
        o.initial.emplace_back(std::move(start));
      }
      o.remembers = true;
      const auto outer = o.training->outer;
      lone_crew crew;
      std::uint64_t backups = 0;
      virtual_run run{std::move(o), crew, [&](const round_report& r) { backups += r.backup_workers(); }};
      REQUIRE(run.run_until(1h, {}));
      CHECK((policy == "full" || backups > 0));
      run_result audited;
      run.audit().fill(audited);
      CHECK(audited.mixing.clean());
      std::vector<double> figures;
      const auto end = run.remember(figures);
      for (std::size_t k = 0; k < parameters; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < 8; ++i) {
          const auto& m = end.training.learners[i].state.outer.values();
          expected[k] += outer.step / (1 - outer.momentum) * counted[i][k];
          sum += static_cast<double>(run.estimates()[i].values()[k]) +
                 outer.step * outer.momentum / (1 - outer.momentum) * static_cast<double>(m[k]);
        }
        CHECK(sum == doctest::Approx(expected[k]).epsilon(1e-4).scale(10));
      }
    }
}

TEST_CASE("virtual_run: the corrections add up to nothing, and grow until unlike data pulls nobody aside") {
  for (const std::string policy : {"full", "static:1", "dtur", "hop:1:2", "barrier", "adpsgd", "adaptive"})
    for (const auto send : {block_format::float32, block_format::int8}) {
      CAPTURE(policy);
      CAPTURE(to_string(send));
      auto o = options_for(policy, "circulant:1,2", 6);
      give_model(o);
      auto setup = *o.training;
      setup.correction = 0.1;
      setup.sgd = {.step_size = 0.05};
      o.training = std::make_shared<const training_setup>(setup);
      o.remembers = o.machine.corrects = true;
      o.machine.last_round = 150;
      o.times.link_latency = "exp:0.05";
      o.rows.assign(6, {}); // each worker has its own labels
      for (std::uint32_t i = 0; i < 600; ++i)
        o.rows[static_cast<std::size_t>(setup.data->labels[i]) % 6].push_back(i);
      code_as(o, send);
      lone_crew crew;
      virtual_run run{std::move(o), crew, {}};
      REQUIRE(run.run_until(1h, {}));
      CHECK(run.audit().violations().empty());
      std::vector<double> figures;
      std::vector<double> sum(setup.model->parameter_count());
      double largest = 0;
      for (const auto& l : run.remember(figures).training.learners)
        for (std::size_t k = 0; k < sum.size(); ++k) {
          sum[k] += static_cast<double>(l.state.correction.values()[k]);
          largest = std::max(largest, std::abs(static_cast<double>(l.state.correction.values()[k])));
        }
      CHECK(largest > 1e-3);
      CHECK(std::ranges::all_of(sum, [&](double x) { return std::abs(x) < 1e-5 * largest; }));
    }
}

TEST_CASE("virtual_run: coded estimates leave the mean where it is, and int8 agrees as closely as float32") {
  for (const auto* policy : {"full", "dtur", "adpsgd", "adaptive"}) {
    double exact = 0;
    for (const auto send :
         {block_format::float32, block_format::float16, block_format::bfloat16, block_format::int8}) {
      CAPTURE(policy);
      CAPTURE(to_string(send));
      auto o = options_for(policy, "ring", 6);
      give_model(o);
      auto setup = *o.training;
      setup.sgd = {.step_size = 0};
      o.training = std::make_shared<const training_setup>(setup);
      const auto size = setup.model->parameter_count();
      std::vector<double> mean(size);
      for (std::size_t w = 0; w < 6; ++w) {
        auto start = std::make_shared<float_buffer>(size);
        setup.model->initialise(w + 1, start->values());
        for (std::size_t k = 0; k < size; ++k) {
          start->values()[k] += static_cast<float>(split_mix(w * size + k) % 1000) / 1000;
          mean[k] += static_cast<double>(start->values()[k]) / 6;
        }
        o.initial[w] = parameter_block{std::move(start)};
      }
      code_as(o, send);
      o.machine.last_round = 250;
      const auto end = play_with_any_crew(o);
      double drift = 0;
      double apart = 0;
      for (std::size_t k = 0; k < size; ++k) {
        double sum = 0;
        for (std::size_t w = 0; w < 6; ++w)
          sum += static_cast<double>(end.finals[w * size + k]);
        drift = std::max(drift, std::abs(sum / 6 - mean[k]));
        for (std::size_t w = 0; w < 6; ++w)
          apart = std::max(apart, std::abs(static_cast<double>(end.finals[w * size + k]) - sum / 6));
      }
      CHECK(drift < 1e-5);
      if (send == block_format::float32)
        exact = apart;
      const auto bound = send == block_format::float16    ? 2e-3
                         : send == block_format::bfloat16 ? 2e-2
                                                          : 10 * std::max(exact, 1e-7);
      CHECK(apart <= bound);
    }
  }
}

TEST_CASE("virtual_run: on links that take longer than a step changes travel, not whole blocks") {
  for (const auto* policy : {"full", "dtur", "static:1", "adaptive"})
    for (const double blocks_per_step : {0.3, 1.0, 10.0}) {
      CAPTURE(policy);
      CAPTURE(blocks_per_step);
      auto o = options_for(policy, "complete", 4);
      give_model(o);
      code_as(o, block_format::int8);
      o.times.bytes_per_s = blocks_per_step * static_cast<double>(o.times.block_bytes);
      o.machine.last_round = 60;
      lone_crew crew;
      virtual_run run{o, crew, {}};
      REQUIRE(run.run_until(24h, {}));
      run_result sent;
      run.audit().fill(sent);
      CHECK(sent.mixing.clean());
      run.statistics().fill(sent, run.ended());
      CHECK(static_cast<double>(sent.bytes_sent) <
            0.45 * static_cast<double>(sent.estimates_sent * o.times.block_bytes));
    }
}
