// A worker's gradient step (loss_and_gradient, then sgd_step) beside the bare Eigen products of the same
// shapes. Both run alternately in every iteration, so that a noisy machine disturbs both alike and
// `of_eigen`, the speed of the step as a share of the products' speed, stays meaningful. The time of an
// iteration is the processor time of the step alone.

#include "learning/model/make_model.hpp"
#include "learning/model/sgd.hpp"

#include <benchmark/benchmark.h>

#include <Eigen/Core>

#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace {

using weights_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t classes = 10;

/// A convolution as products: [outputs x inputs] times [inputs x pixels], for each sample.
struct convolution {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::size_t pixels = 0;
};

struct bench_case {
  std::string model;
  std::vector<std::size_t> hidden; ///< the same dense layers as `model`
  dybw::image_shape image;
  std::vector<convolution> convolutions = {}; ///< ahead of them
  std::size_t flat = 0;                       ///< .. and how many values they give
};

/// Processor time of this thread, which other work on the machine disturbs less than the wall clock.
double thread_seconds() {
  std::timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Function>
double seconds_of(const Function& function) {
  const auto start = thread_seconds();
  function();
  return thread_seconds() - start;
}

/// One layer's operands for the bare products.
struct layer_products {
  std::size_t times = 1;
  weights_matrix w, w_gradient;       ///< [outputs x inputs]
  Eigen::MatrixXf z, delta;           ///< [outputs x samples]
  Eigen::MatrixXf input, input_delta; ///< [inputs x samples]

  layer_products(std::size_t inputs_size, std::size_t outputs_size, std::size_t samples_size) {
    const auto inputs = static_cast<Eigen::Index>(inputs_size);
    const auto outputs = static_cast<Eigen::Index>(outputs_size);
    const auto samples = static_cast<Eigen::Index>(samples_size);
    w = weights_matrix::Random(outputs, inputs);
    w_gradient = weights_matrix::Zero(outputs, inputs);
    z = Eigen::MatrixXf::Zero(outputs, samples);
    delta = Eigen::MatrixXf::Random(outputs, samples);
    input = Eigen::MatrixXf::Random(inputs, samples);
    input_delta = Eigen::MatrixXf::Zero(inputs, samples);
  }
};

class bare_products {
public:
  bare_products(const bench_case& shape, std::size_t samples) {
    auto inputs = shape.image.size();
    for (const auto& c : shape.convolutions) {
      const auto product_flop = 2.0 * static_cast<double>(c.inputs * c.outputs * c.pixels * samples);
      flop_ += (layers_.empty() ? 2 : 3) * product_flop;
      layers_.emplace_back(c.inputs, c.outputs, c.pixels);
      layers_.back().times = samples;
      inputs = shape.flat;
    }
    auto widths = shape.hidden;
    widths.push_back(classes);
    for (const auto outputs : widths) {
      const auto product_flop = 2.0 * static_cast<double>(inputs * outputs * samples);
      flop_ += (layers_.empty() ? 2 : 3) * product_flop; // the features need no gradient
      layers_.emplace_back(inputs, outputs, samples);
      inputs = outputs;
    }
  }

  void run() {
    for (auto& layer : layers_)
      for (std::size_t i = 0; i < layer.times; ++i)
        layer.z.noalias() = layer.w * layer.input;
    for (auto l = layers_.size(); l-- > 0;) {
      auto& layer = layers_[l];
      for (std::size_t i = 0; i < layer.times; ++i) {
        layer.w_gradient.noalias() = layer.delta * layer.input.transpose();
        if (l > 0)
          layer.input_delta.noalias() = layer.w.transpose() * layer.delta;
      }
    }
    benchmark::ClobberMemory();
  }

  double flop() const { return flop_; }

private:
  std::vector<layer_products> layers_;
  double flop_ = 0;
};

void gradient_step(benchmark::State& state, const bench_case& shape) {
  const auto samples = static_cast<std::size_t>(state.range(0));
  const auto model = dybw::make_model(shape.model, {shape.image.size(), classes, shape.image});
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<float> feature(0.0F, 1.0F);
  std::uniform_int_distribution<std::int32_t> label(0, classes - 1);
  std::vector<float> features(samples * shape.image.size());
  std::vector<std::int32_t> labels(samples);
  for (auto& x : features)
    x = feature(generator);
  for (auto& y : labels)
    y = label(generator);

  std::vector<float> w(model->parameter_count()), w_next(w.size()), gradient(w.size());
  model->initialise(1, w);
  const auto workspace = model->make_workspace(samples);
  const dybw::sgd_options options{.step_size = 0.01, .weight_decay = 1e-4};
  const auto step = [&] {
    const auto loss = model->loss_and_gradient(w, {features, labels}, gradient, *workspace);
    benchmark::DoNotOptimize(loss);
    dybw::sgd_step(options, options.step_size, w, gradient, {}, {}, w_next);
    w.swap(w_next);
  };
  bare_products products(shape, samples);
  step();
  products.run();

  double step_s = 0;
  double products_s = 0;
  for (auto _ : state) {
    const auto duration = seconds_of(step);
    state.SetIterationTime(duration);
    step_s += duration;
    products_s += seconds_of([&] { products.run(); });
  }
  const auto steps = static_cast<double>(state.iterations());
  state.counters["samples/s"] = steps * static_cast<double>(samples) / step_s;
  state.counters["GFLOP/s"] = steps * products.flop() * 1e-9 / step_s;
  state.counters["eigen_GFLOP/s"] = steps * products.flop() * 1e-9 / products_s;
  state.counters["of_eigen"] = products_s / step_s;
}

} // namespace

int main(int argc, char** argv) {
  const bench_case cases[] = {
      {"softmax", {}, {1, 28, 28}},
      {"mlp:256,256", {256, 256}, {1, 28, 28}},
      {"softmax", {}, {3, 32, 32}},
      {"mlp:256,256", {256, 256}, {3, 32, 32}},
      {"cnn:16x5,pool2,32x5,pool2,64", {64}, {3, 32, 32}, {{75, 16, 784}, {400, 32, 100}}, 800},
  };
  for (const auto& shape : cases) {
    const auto name = "gradient_step/" + shape.model + "/features:" + std::to_string(shape.image.size());
    benchmark::RegisterBenchmark(name.c_str(),
                                 [shape](benchmark::State& state) { gradient_step(state, shape); })
        ->ArgName("batch")
        ->Arg(64)
        ->Arg(256)
        ->Arg(1024)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
