#include "learning/model/make_model.hpp"
#include "learning/model/sgd.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <cstdlib>
#include <new>
#include <vector>

namespace {

std::size_t allocations = 0;

void* counted_allocation(std::size_t size) {
  ++allocations;
  if (auto* memory = std::malloc(size == 0 ? 1 : size))
    return memory;
  throw std::bad_alloc();
}

} // namespace

void* operator new(std::size_t size) {
  return counted_allocation(size);
}
void* operator new[](std::size_t size) {
  return counted_allocation(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

TEST_CASE("model: neither a gradient step nor a score allocates") {
  struct shape {
    const char* model;
    std::size_t features;
    std::size_t samples;
    dybw::image_shape image = {};
  };
  for (const auto& s : {shape{"softmax", 784, 300}, shape{"softmax", 3072, 1}, shape{"mlp:256,256", 784, 256},
                        shape{"mlp:1500", 3072, 256}, shape{"mlp:2000,900", 50, 70}, shape{"none", 784, 10},
                        shape{"cnn:16x5,pool2,32x5,pool2,64", 3072, 70, {3, 32, 32}},
                        shape{"cnn:70x9+4", 784, 3, {1, 28, 28}}}) {
    CAPTURE(s.model);
    const auto model = dybw::make_model(s.model, {s.features, 10, s.image});
    const std::vector<float> features(s.samples * s.features, 0.5F);
    const std::vector<std::int32_t> labels(s.samples, 3);
    std::vector<float> w(model->parameter_count()), w_next(w), gradient(w), velocity(w);
    model->initialise(1, w);
    const auto workspace = model->make_workspace(s.samples);

    const auto allocations_before = allocations;
    Eigen::internal::set_is_malloc_allowed(false); // from here on Eigen aborts where it would allocate
    model->loss_and_gradient(w, {features, labels}, gradient, *workspace);
    dybw::sgd_step({.momentum = 0.9}, 0.1, w, gradient, velocity, velocity, w_next);
    model->score(w_next, {features, labels}, *workspace);
    Eigen::internal::set_is_malloc_allowed(true);
    CHECK(allocations == allocations_before);
  }
}
