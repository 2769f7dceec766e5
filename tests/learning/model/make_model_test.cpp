#include "learning/base/error.hpp"
#include "learning/model/make_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

TEST_CASE("make_model: names and parameter counts are those of the documentation") {
  CHECK(dybw::make_model("softmax", {784, 10})->parameter_count() == 7'850);
  CHECK(dybw::make_model("mlp:256,256", {784, 10})->parameter_count() == 269'322);
  CHECK(dybw::make_model("mlp:3", {2, 2})->parameter_count() == 2 * 3 + 3 + 3 * 2 + 2);
  const auto cifar10 = dybw::data_shape{3072, 10, {3, 32, 32}};
  const auto cnn = dybw::make_model("cnn:16x5,pool2,32x5,pool2,64", cifar10);
  CHECK(cnn->parameter_count() == 65'962);
  CHECK(cnn->multiplications() == 75 * 16 * 784 + 400 * 32 * 100 + 51'264 + 650);
  for (const std::string name :
       {"softmax", "mlp:256,256", "mlp:1", "none", "cnn:2x3", "cnn:2x3+1,pool2,5x2,7"})
    CHECK(dybw::make_model(name, {16, 3, {1, 4, 4}})->name() == name);
}

TEST_CASE("make_model: whatever is not a model is refused in one line that names the option") {
  for (const std::string text : {"",
                                 "soft",
                                 "Softmax",
                                 "softmax:",
                                 "softmax:3",
                                 "none:1",
                                 "mlp",
                                 "mlp:",
                                 "mlp:0",
                                 "mlp:,",
                                 "mlp:3,",
                                 "mlp:,3",
                                 "mlp:3,,4",
                                 "mlp:-3",
                                 "mlp:3x",
                                 "mlp: 3",
                                 "mlp:3.5",
                                 "mlp:65537",
                                 "mlp:99999999999999999999",
                                 "mlp:256;256",
                                 "none,none",
                                 "cnn",
                                 "cnn:",
                                 "cnn:64",
                                 "cnn:pool2",
                                 "cnn:16x5,",
                                 "cnn:16x0",
                                 "cnn:0x5",
                                 "cnn:16x",
                                 "cnn:x5",
                                 "cnn:16x5x5",
                                 "cnn:16x5+5",
                                 "cnn:16x5+",
                                 "cnn:16x5,pool1",
                                 "cnn:16x5,pool",
                                 "cnn:16x5,pool2,pool2",
                                 "cnn:16x5,64,pool2",
                                 "cnn:16x5,64,16x5",
                                 "cnn:16x29",
                                 "cnn:16x5,pool25",
                                 "cnn:4097x5",
                                 ":",
                                 "mlp\n:3"}) {
    CAPTURE(text);
    try {
      dybw::make_model(text, {784, 10, {1, 28, 28}});
      FAIL_CHECK("accepted");
    } catch (const dybw::input_error& error) {
      const std::string line = error.what();
      CHECK(error.fault() == dybw::input_fault::configuration);
      CHECK(line.find("--model") != std::string::npos);
      CHECK(line.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("make_model: a convolution wants images") {
  CHECK_THROWS_WITH_AS(dybw::make_model("cnn:16x5", {784, 10}), doctest::Contains("this data has none"),
                       dybw::input_error);
}

TEST_CASE("make_model: what suits no data at all is found before there is any") {
  for (const auto* text : {"softmax", "mlp:3", "none", "cnn:16x5,pool2,32x5,pool2,64", "cnn:16x31,pool31"})
    CHECK_NOTHROW(dybw::check_model(text));
  for (const auto* text : {"cnn:16", "mlp:x", "other"})
    CHECK_THROWS_AS(dybw::check_model(text), dybw::input_error);
}

TEST_CASE("make_model: none has no parameters, no loss and no hits") {
  const auto model = dybw::make_model("none", {3, 2});
  const std::vector<float> features(6);
  const std::vector<std::int32_t> labels(2);
  const auto workspace = model->make_workspace(2);
  CHECK(model->parameter_count() == 0);
  model->initialise(1, {});
  CHECK(model->loss_and_gradient({}, {features, labels}, {}, *workspace) == 0);
  const auto score = model->score({}, {features, labels}, *workspace);
  CHECK(score.loss_sum == 0);
  CHECK(score.correct == 0);
}

TEST_CASE("model: starting parameters depend on the seed alone") {
  for (const auto* name : {"softmax", "mlp:20,10", "cnn:3x2,8"}) {
    const auto shape = dybw::data_shape{30, 10, {1, 5, 6}};
    const auto model = dybw::make_model(name, shape);
    std::vector<float> first(model->parameter_count(), 9.0F), again(first), other(first);
    model->initialise(1, first);
    dybw::make_model(name, shape)->initialise(1, again);
    model->initialise(2, other);
    CHECK(first == again);
    CHECK(first != other);
  }
}

TEST_CASE("model: mlp starts with the spread of He and biases of zero") {
  constexpr std::size_t features = 300, hidden = 200;
  const auto model = dybw::make_model("mlp:200", {features, 10});
  std::vector<float> parameters(model->parameter_count(), 9.0F);
  model->initialise(7, parameters);
  const std::span all(parameters);
  const auto deviation = [](std::span<const float> weights) {
    double sum = 0, squares = 0;
    for (const auto w : weights) {
      sum += static_cast<double>(w);
      squares += static_cast<double>(w) * static_cast<double>(w);
    }
    const auto mean = sum / static_cast<double>(weights.size());
    CHECK(std::abs(mean) < 0.01);
    return std::sqrt(squares / static_cast<double>(weights.size()) - mean * mean);
  };
  const auto is_zero = [](float x) { return x == 0.0F; };
  CHECK(deviation(all.first(features * hidden)) == doctest::Approx(std::sqrt(2.0 / features)).epsilon(0.02));
  CHECK(std::ranges::all_of(all.subspan(features * hidden, hidden), is_zero));
  CHECK(deviation(all.subspan((features + 1) * hidden, hidden * 10)) ==
        doctest::Approx(std::sqrt(2.0 / hidden)).epsilon(0.1));
  CHECK(std::ranges::all_of(all.last(10), is_zero));
}

TEST_CASE("model: softmax starts close to the loss of a guess") {
  const auto model = dybw::make_model("softmax", {784, 10});
  std::vector<float> parameters(model->parameter_count());
  model->initialise(1, parameters);
  const std::vector<float> features(784 * 50, 0.5F);
  std::vector<std::int32_t> labels;
  for (std::int32_t i = 0; i < 50; ++i)
    labels.push_back(i % 10);
  const auto workspace = model->make_workspace(50);
  const auto score = model->score(parameters, {features, labels}, *workspace);
  CHECK(score.loss_sum / 50 == doctest::Approx(std::log(10.0)).epsilon(0.05));
}

TEST_CASE("model: the layout names every parameter once, in order") {
  for (const auto* text : {"softmax", "mlp:5", "mlp:7,4,3", "none", "cnn:2x2", "cnn:4x1+0,5x2,6"}) {
    CAPTURE(text);
    const auto model = dybw::make_model(text, {6, 3, {1, 2, 3}});
    std::uint64_t at = 0;
    for (const auto& a : model->layout()) {
      CHECK(a.offset == at);
      at += a.size();
    }
    CHECK(at == model->parameter_count());
  }
  const auto layout = dybw::make_model("mlp:5", {6, 3})->layout();
  REQUIRE(layout.size() == 4);
  CHECK(layout[0] == dybw::parameter_array{"layers.0.weight", {5, 6}, 0});
  CHECK(layout[1] == dybw::parameter_array{"layers.0.bias", {5}, 30});
  CHECK(layout[2] == dybw::parameter_array{"layers.1.weight", {3, 5}, 35});
  CHECK(layout[3] == dybw::parameter_array{"layers.1.bias", {3}, 50});
}

TEST_CASE("model: the layout of convolutions and dense layers is PyTorch's") {
  const auto layout = dybw::make_model("cnn:4x3,pool2,6", {64, 3, {1, 8, 8}})->layout();
  REQUIRE(layout.size() == 6);
  CHECK(layout[0] == dybw::parameter_array{"layers.0.weight", {4, 1, 3, 3}, 0});
  CHECK(layout[1] == dybw::parameter_array{"layers.0.bias", {4}, 36});
  CHECK(layout[2] == dybw::parameter_array{"layers.1.weight", {6, 36}, 40});
  CHECK(layout[3] == dybw::parameter_array{"layers.1.bias", {6}, 256});
  CHECK(layout[4] == dybw::parameter_array{"layers.2.weight", {3, 6}, 262});
  CHECK(layout[5] == dybw::parameter_array{"layers.2.bias", {3}, 280});
}
