#include "learning/model/conv_network.hpp"
#include "learning/model/make_model.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/model/sgd.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace {

struct labelled_batch {
  std::vector<float> features;
  std::vector<std::int32_t> labels;
  dybw::batch_view view() const { return {features, labels}; }
};

labelled_batch random_batch(std::size_t samples, std::size_t features, std::size_t classes,
                            std::mt19937_64& generator) {
  std::uniform_real_distribution<float> feature(0.0F, 1.0F);
  std::uniform_int_distribution<std::int32_t> label(0, static_cast<std::int32_t>(classes) - 1);
  labelled_batch batch{std::vector<float>(samples * features), std::vector<std::int32_t>(samples)};
  for (auto& x : batch.features)
    x = feature(generator);
  for (auto& y : batch.labels)
    y = label(generator);
  return batch;
}

std::vector<float> random_parameters(std::size_t count, std::mt19937_64& generator) {
  std::normal_distribution<float> normal(0.0F, 0.5F);
  std::vector<float> parameters(count);
  for (auto& w : parameters)
    w = normal(generator);
  return parameters;
}

/// The network written down plainly, in double precision; `widths` are features, hidden layers, classes.
class plain_network {
public:
  explicit plain_network(std::vector<std::size_t> widths) : widths_(std::move(widths)) {}

  template <class Feature>
  std::vector<double> logits(const std::vector<double>& parameters, const Feature* features) const {
    std::vector<double> a(features, features + widths_.front());
    const auto* p = parameters.data();
    for (std::size_t l = 1; l < widths_.size(); ++l) {
      std::vector<double> z(widths_[l]);
      for (auto& value : z)
        for (const auto x : a)
          value += *p++ * x;
      for (auto& value : z)
        value += *p++;
      if (l + 1 < widths_.size())
        for (auto& value : z)
          value = value > 0 ? value : 0;
      a = z;
    }
    return a;
  }

  std::size_t features() const { return widths_.front(); }

private:
  std::vector<std::size_t> widths_;
};

/// Convolutions ({filters, kernel, padding, pool} each) and then a plain network, in double precision.
class plain_conv_network {
public:
  plain_conv_network(dybw::image_shape image, std::vector<dybw::conv_layer> layers,
                     std::vector<std::size_t> widths)
      : image_(image), layers_(std::move(layers)), head_(std::move(widths)) {}

  std::size_t features() const { return image_.size(); }

  std::vector<double> logits(const std::vector<double>& parameters, const float* features) const {
    std::vector<double> a(features, features + image_.size());
    auto in = image_;
    auto p = parameters.begin();
    for (const auto& l : layers_) {
      const auto b = p + static_cast<std::ptrdiff_t>(l.filters * in.channels * l.kernel * l.kernel);
      const auto out = dybw::conv_network::shape_after(in, l);
      std::vector<double> pooled;
      for (std::size_t f = 0; f < l.filters; ++f)
        for (std::size_t y = 0; y < out.rows; ++y)
          for (std::size_t x = 0; x < out.columns; ++x) {
            auto largest = 0.0; // ReLU
            for (std::size_t i = 0; i < l.pool * l.pool; ++i)
              largest =
                  std::max(largest, b[static_cast<std::ptrdiff_t>(f)] +
                                        at(a, in, l, p, f, y * l.pool + i / l.pool, x * l.pool + i % l.pool));
            pooled.push_back(largest);
          }
      p = b + static_cast<std::ptrdiff_t>(l.filters);
      a = pooled;
      in = out;
    }
    return head_.logits({p, parameters.end()}, a.data());
  }

private:
  /// The filter on the pixels from (y, x) on.
  static double at(const std::vector<double>& a, const dybw::image_shape& in, const dybw::conv_layer& l,
                   std::vector<double>::const_iterator w, std::size_t filter, std::size_t y, std::size_t x) {
    double sum = 0;
    w += static_cast<std::ptrdiff_t>(filter * in.channels * l.kernel * l.kernel);
    for (std::size_t c = 0; c < in.channels; ++c)
      for (std::size_t ky = 0; ky < l.kernel; ++ky)
        for (std::size_t kx = 0; kx < l.kernel; ++kx, ++w)
          if (y + ky >= l.padding && y + ky < in.rows + l.padding && x + kx >= l.padding &&
              x + kx < in.columns + l.padding)
            sum += *w * a[(c * in.rows + y + ky - l.padding) * in.columns + x + kx - l.padding];
    return sum;
  }

  dybw::image_shape image_;
  std::vector<dybw::conv_layer> layers_;
  plain_network head_;
};

template <class Network>
double sample_loss(const Network& net, const std::vector<double>& parameters, const labelled_batch& batch,
                   std::size_t i) {
  const auto z = net.logits(parameters, batch.features.data() + i * net.features());
  double sum = 0;
  for (const auto value : z)
    sum += std::exp(value);
  return std::log(sum) - z[static_cast<std::size_t>(batch.labels[i])];
}

template <class Network>
double mean_loss(const Network& net, const std::vector<double>& parameters, const labelled_batch& batch) {
  double sum = 0;
  for (std::size_t i = 0; i < batch.labels.size(); ++i)
    sum += sample_loss(net, parameters, batch, i);
  return sum / static_cast<double>(batch.labels.size());
}

template <class Network>
std::uint64_t hits(const Network& net, const std::vector<double>& parameters, const labelled_batch& batch) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < batch.labels.size(); ++i) {
    const auto z = net.logits(parameters, batch.features.data() + i * net.features());
    count += std::max_element(z.begin(), z.end()) - z.begin() == batch.labels[i] ? 1U : 0U;
  }
  return count;
}

/// Compares loss, gradient and score with the plain network; the gradient by central differences at up to
/// `checks_max` parameters.
template <class Network>
void check_against(const Network& plain, const dybw::classifier& model, std::size_t classes,
                   std::size_t samples, std::size_t checks_max = std::numeric_limits<std::size_t>::max()) {
  CAPTURE(model.name());
  CAPTURE(samples);
  std::mt19937_64 generator(samples);
  const auto batch = random_batch(samples, plain.features(), classes, generator);
  auto parameters = random_parameters(model.parameter_count(), generator);
  if (parameters.size() > 1000) // keep the logits of wide layers moderate
    model.initialise(1, parameters);
  const std::vector<double> exact(parameters.begin(), parameters.end());

  const auto workspace = model.make_workspace(samples);
  std::vector<float> gradient(parameters.size(), 123.0F); // to be overwritten
  const auto loss = model.loss_and_gradient(parameters, batch.view(), gradient, *workspace);
  CHECK(loss == doctest::Approx(mean_loss(plain, exact, batch)).epsilon(1e-5));

  std::vector<std::size_t> checked(parameters.size());
  std::iota(checked.begin(), checked.end(), std::size_t{0});
  std::ranges::shuffle(checked, generator);
  checked.resize(std::min(checked.size(), checks_max));
  constexpr double h = 1e-5; // the truncation error is of order h^2, rounding 1e-16/h: both far below 1e-6
  double largest_error = 0;
  for (const auto k : checked) {
    auto above = exact, below = exact;
    above[k] += h;
    below[k] -= h;
    const auto difference = (mean_loss(plain, above, batch) - mean_loss(plain, below, batch)) / (2 * h);
    largest_error = std::max(largest_error, std::abs(difference - static_cast<double>(gradient[k])));
  }
  CHECK(largest_error < 2e-6);

  const auto score = model.score(parameters, batch.view(), *workspace);
  CHECK(score.loss_sum / static_cast<double>(samples) == doctest::Approx(loss).epsilon(1e-6));
  CHECK(score.correct == hits(plain, exact, batch));
}

void check_against_plain(const std::string& name, const std::vector<std::size_t>& widths, std::size_t samples,
                         std::size_t checks_max = std::numeric_limits<std::size_t>::max()) {
  check_against(plain_network(widths), *dybw::make_model(name, {widths.front(), widths.back()}),
                widths.back(), samples, checks_max);
}

} // namespace

TEST_CASE("model: softmax gradients agree with central differences") {
  check_against_plain("softmax", {7, 3}, 5);
  check_against_plain("softmax", {1, 2}, 1);
  check_against_plain("softmax", {20, 10}, 33);
}

TEST_CASE("model: mlp gradients agree with central differences, with one and two hidden layers") {
  check_against_plain("mlp:5", {4, 5, 3}, 6);
  check_against_plain("mlp:5,4", {6, 5, 4, 3}, 7);
  check_against_plain("mlp:1", {3, 1, 2}, 1);
  check_against_plain("mlp:9,1,8", {3, 9, 1, 8, 4}, 12);
}

TEST_CASE("model: gradients of convolutions agree with central differences") {
  const auto check = [](const std::string& name, dybw::image_shape image,
                        std::vector<dybw::conv_layer> layers, std::vector<std::size_t> widths,
                        std::size_t samples, std::size_t checks_max) {
    const auto classes = widths.back();
    check_against(plain_conv_network(image, std::move(layers), std::move(widths)),
                  *dybw::make_model(name, {image.size(), classes, image}), classes, samples, checks_max);
  };
  check("cnn:2x3", {1, 5, 4}, {{2, 3}}, {2 * 3 * 2, 3}, 5, 1000);
  check("cnn:3x1,4", {2, 3, 3}, {{3, 1}}, {27, 4, 2}, 3, 1000);
  check("cnn:3x3+1,pool2,2x2,5", {2, 6, 7}, {{3, 3, 1, 2}, {2, 2}}, {2 * 2 * 2, 5, 4}, 6, 1000);
  check("cnn:2x2+1,pool3", {1, 7, 5}, {{2, 2, 1, 3}}, {2 * 2 * 2, 3}, 4,
        1000); // rows and columns are left out
  check("cnn:2x5+4,2x3", {1, 2, 1}, {{2, 5, 4}, {2, 3}}, {2 * 4 * 3, 2}, 2, 1000); // larger than the image
  check("cnn:4x3,pool2,3x3,pool2,6", {3, 12, 10}, {{4, 3, 0, 2}, {3, 3, 0, 2}}, {3, 6, 3}, 70,
        60); // two tiles
}

TEST_CASE("model: batches of several tiles, the last one not full, give the same mean gradient") {
  check_against_plain("softmax", {4, 3}, 256);
  check_against_plain("softmax", {4, 3}, 257);
  check_against_plain("mlp:3", {2, 3, 3}, 600);
}

TEST_CASE("model: layers wider than one panel agree with central differences") {
  check_against_plain("softmax", {900, 10}, 4, 60);
  check_against_plain("mlp:451,421", {11, 451, 421, 3}, 3, 60);
}

TEST_CASE("model: the loss at zero parameters is the logarithm of the number of classes") {
  std::mt19937_64 generator(1);
  for (const auto* name : {"softmax", "mlp:6,5"}) {
    const auto model = dybw::make_model(name, {8, 10});
    const auto batch = random_batch(300, 8, 10, generator);
    const std::vector<float> zero(model->parameter_count());
    std::vector<float> gradient(zero.size());
    const auto workspace = model->make_workspace(300);
    CHECK(model->loss_and_gradient(zero, batch.view(), gradient, *workspace) ==
          doctest::Approx(std::log(10.0)).epsilon(1e-6));
    CHECK(model->score(zero, batch.view(), *workspace).loss_sum ==
          doctest::Approx(300 * std::log(10.0)).epsilon(1e-6));
  }
}

TEST_CASE("model: scores of parts of a test set add up to the score of the whole") {
  std::mt19937_64 generator(2);
  const auto model = dybw::make_model("mlp:7", {5, 4});
  const auto batch = random_batch(500, 5, 4, generator);
  const auto parameters = random_parameters(model->parameter_count(), generator);
  const auto workspace = model->make_workspace(500);
  const auto whole = model->score(parameters, batch.view(), *workspace);
  dybw::batch_score sum;
  for (std::size_t first = 0; first < 500; first += 100) {
    const auto part = model->score(parameters,
                                   {std::span(batch.features).subspan(first * 5, std::size_t{100} * 5),
                                    std::span(batch.labels).subspan(first, 100)},
                                   *workspace);
    sum.loss_sum += part.loss_sum;
    sum.correct += part.correct;
  }
  CHECK(sum.loss_sum == doctest::Approx(whole.loss_sum).epsilon(1e-6));
  CHECK(sum.correct == whole.correct);
  CHECK(model->score(parameters, {}, *workspace).loss_sum == 0);
}

TEST_CASE("model: of tied classes the first is the answer") {
  const auto model = dybw::make_model("softmax", {1, 3});
  const std::vector<float> zero(model->parameter_count()), features{0.5F, 0.5F, 0.5F};
  const std::vector<std::int32_t> labels{0, 1, 2};
  const auto workspace = model->make_workspace(3);
  CHECK(model->score(zero, {features, labels}, *workspace).correct == 1);
}

TEST_CASE("model: huge logits neither overflow nor lose the gradient") {
  const auto model = dybw::make_model("softmax", {1, 2});
  const std::vector<float> parameters{1e4F, -1e4F, 0.0F, 0.0F}, features{1.0F, 1.0F};
  const std::vector<std::int32_t> labels{0, 1};
  std::vector<float> gradient(4);
  const auto workspace = model->make_workspace(2);
  const auto loss = model->loss_and_gradient(parameters, {features, labels}, gradient, *workspace);
  CHECK(loss == doctest::Approx(1e4)); // 0 for the first sample, 2e4 for the second
  CHECK(gradient[0] == doctest::Approx(0.5));
  CHECK(gradient[1] == doctest::Approx(-0.5));
}

TEST_CASE("model: a parameter that is not a number shows in the loss and is never a hit") {
  std::mt19937_64 generator(3);
  for (const auto* name : {"softmax", "mlp:9,9"}) {
    const auto model = dybw::make_model(name, {12, 10});
    const auto batch = random_batch(40, 12, 10, generator);
    auto parameters = random_parameters(model->parameter_count(), generator);
    std::vector<float> gradient(parameters.size());
    const auto workspace = model->make_workspace(40);
    for (const auto bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::ranges::fill(std::span(parameters).first(12), bad); // the first unit of the first layer
      CHECK_FALSE(std::isfinite(model->loss_and_gradient(parameters, batch.view(), gradient, *workspace)));
    }
    std::ranges::fill(parameters, std::numeric_limits<float>::quiet_NaN());
    CHECK(model->score(parameters, batch.view(), *workspace).correct == 0);
    CHECK(std::isnan(model->score(parameters, batch.view(), *workspace).loss_sum));
  }
}

TEST_CASE("model: a used workspace changes nothing in the next result") {
  std::mt19937_64 generator(4);
  const auto model = dybw::make_model("mlp:6,5", {9, 4});
  const auto first = random_batch(300, 9, 4, generator), other = random_batch(77, 9, 4, generator);
  const auto parameters = random_parameters(model->parameter_count(), generator);
  std::vector<float> fresh(parameters.size()), reused(parameters.size());
  const auto workspace = model->make_workspace(300);
  const auto loss = model->loss_and_gradient(parameters, first.view(), fresh, *workspace);
  model->loss_and_gradient(parameters, other.view(), reused, *workspace);
  CHECK(reused != fresh);
  CHECK(model->loss_and_gradient(parameters, first.view(), reused, *workspace) == loss);
  CHECK(reused == fresh);
}

namespace {

/// Hits after full-batch training.
std::uint64_t hits_after_training(const std::string& name, const labelled_batch& batch, std::size_t features,
                                  std::size_t classes) {
  const auto model = dybw::make_model(name, {features, classes});
  const dybw::sgd_options options{.step_size = 0.5, .momentum = 0.9};
  std::vector<float> w(model->parameter_count()), w_next(w.size()), gradient(w.size()), velocity(w.size());
  model->initialise(1, w);
  const auto workspace = model->make_workspace(batch.labels.size());
  for (std::uint64_t step = 0; step < 400; ++step) {
    model->loss_and_gradient(w, batch.view(), gradient, *workspace);
    dybw::sgd_step(options, dybw::step_size_at(options, 0, 1), w, gradient, velocity, velocity, w_next);
    w.swap(w_next);
  }
  return model->score(w, batch.view(), *workspace).correct;
}

} // namespace

TEST_CASE("model: softmax and mlp learn a separable problem without a mistake") {
  std::mt19937_64 generator(5);
  std::normal_distribution<float> noise(0.0F, 0.05F);
  const float centres[3][2] = {{0.2F, 0.2F}, {0.8F, 0.2F}, {0.5F, 0.9F}};
  labelled_batch batch;
  for (std::int32_t i = 0; i < 90; ++i) {
    for (const auto coordinate : centres[i % 3])
      batch.features.push_back(coordinate + noise(generator));
    batch.labels.push_back(i % 3);
  }
  CHECK(hits_after_training("softmax", batch, 2, 3) == 90);
  CHECK(hits_after_training("mlp:8", batch, 2, 3) == 90);
}

TEST_CASE("model: mlp learns the exclusive or, which softmax cannot") {
  const labelled_batch batch{{0, 0, 0, 1, 1, 0, 1, 1}, {0, 1, 1, 0}};
  CHECK(hits_after_training("softmax", batch, 2, 2) < 4);
  CHECK(hits_after_training("mlp:16", batch, 2, 2) == 4);
}

namespace {

/// A gradient in memory that is aligned as the training's is: how Eigen adds up depends on that as well.
struct aligned_gradient {
  explicit aligned_gradient(const dybw::classifier& model) : buffer(model.parameter_count()) {}
  std::vector<float> values() const { return {buffer.values().begin(), buffer.values().end()}; }
  dybw::float_buffer buffer;
};

} // namespace

TEST_CASE("model: the same bits on a processor with other caches") {
  // Eigen cuts its products by the sizes of the caches, and so the sums are rounded otherwise.
  std::mt19937_64 generator{5};
  const auto batch = random_batch(64, 784, 10, generator);
  for (const auto* text : {"softmax", "mlp:256,256", "cnn:8x5,pool2,16x5,pool2,64"}) {
    CAPTURE(std::string{text});
    std::vector<std::vector<float>> gradients;
    std::vector<double> losses;
    for (const std::ptrdiff_t l1 : {16 * 1024, 32 * 1024, 48 * 1024, 64 * 1024}) {
      Eigen::setCpuCacheSizes(l1, 40 * l1, 0);
      const auto model = dybw::make_model(text, {784, 10, {1, 28, 28}});
      dybw::float_buffer parameters(model->parameter_count());
      model->initialise(1, parameters.values());
      const auto workspace = model->make_workspace(64);
      aligned_gradient gradient{*model};
      losses.push_back(
          model->loss_and_gradient(parameters.values(), batch.view(), gradient.buffer.values(), *workspace));
      losses.push_back(model->score(parameters.values(), batch.view(), *workspace).loss_sum);
      gradients.push_back(gradient.values());
      CHECK((gradients.back() == gradients.front()));
      CHECK(losses[losses.size() - 2] == losses[0]);
      CHECK(losses.back() == losses[1]);
    }
  }
}

TEST_CASE("model: a workspace that is made after somebody told Eigen of other caches gives the same bits") {
  std::mt19937_64 generator{6};
  const auto batch = random_batch(64, 784, 10, generator);
  const auto model = dybw::make_model("softmax", {784, 10});
  dybw::float_buffer parameters(model->parameter_count());
  model->initialise(1, parameters.values());
  std::vector<std::vector<float>> gradients;
  for (const std::ptrdiff_t l1 : {16 * 1024, 48 * 1024}) {
    Eigen::setCpuCacheSizes(l1, 40 * l1, 0);
    const auto workspace = model->make_workspace(64);
    aligned_gradient gradient{*model};
    model->loss_and_gradient(parameters.values(), batch.view(), gradient.buffer.values(), *workspace);
    gradients.push_back(gradient.values());
  }
  CHECK((gradients[0] == gradients[1]));
}
