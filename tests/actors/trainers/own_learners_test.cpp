#include "actors/trainers/own_learners.hpp"

#include "learning/base/error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace dybw::test {

namespace {

/// Adds one to every value; throws, or breaks values, when it is told to.
struct scripted final : learner {
  explicit scripted(dybw::layout of) : arrays(std::move(of)) {}

  dybw::layout layout() const override { return arrays; }
  void initialise(std::uint64_t seed, std::span<float> w) override {
    std::iota(w.begin(), w.end(), static_cast<float>(seed));
  }
  step_result step(const step_context& at, std::span<const float> w, std::span<float> next) override {
    if (throws)
      throw std::runtime_error{"no more data"};
    std::ranges::transform(w, next.begin(), [](float x) { return x + 1; });
    if (breaks)
      next[0] = std::numeric_limits<float>::infinity();
    steps = at.round + 1;
    return {0.5, 8};
  }
  std::optional<score> evaluate(std::span<const float> w) override {
    if (throws)
      throw std::runtime_error{"no more data"};
    return score{{"first", w[0]}, {"loss", w[1]}, {"error", 3, better::smaller}};
  }
  void save(writer& out) const override { out.write(steps); }
  void load(reader& in) override { steps = in.read<std::uint64_t>(); }

  dybw::layout arrays;
  std::uint64_t steps = 0;
  bool throws = false;
  bool breaks = false;
};

const layout two{{"w", {2, 2}}, {"b", {}}};
const layout mixed{
    {"mask", {2}, state_class::frozen}, {"w", {2}}, {"mean", {}, state_class::local}, {"b", {}}};

struct group_of_two {
  explicit group_of_two(const layout& of = two)
      : group(std::make_shared<own_learners>(
            [this, of](const place& p) {
              auto one = std::make_unique<scripted>(of);
              made.push_back(one.get());
              places.push_back(p);
              return one;
            },
            own_learner_options{2, 10, "here", {}})) {}
  std::unique_ptr<local_learner> first() {
    group->begin_run();
    return group->learner_of(worker_id{0});
  }

  std::vector<scripted*> made; ///< the one that scores, then those of the workers
  std::vector<place> places;
  std::shared_ptr<own_learners> group;
};

std::string refusal_of(const layout& of) {
  try {
    group_of_two x{of};
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

} // namespace

TEST_CASE("own_learners: the model is that of the first learner, and each knows its place") {
  group_of_two x;
  CHECK(x.group->model()->name() == "learner");
  CHECK(x.group->model()->layout() == parameter_layout{{"w", {2, 2}, 0}, {"b", {}, 4}});
  std::vector<float> start(5);
  x.group->model()->initialise(1, start);
  CHECK(start == std::vector<float>{10, 11, 12, 13, 14});
  CHECK_FALSE(x.group->waits());
  x.group->begin_run();
  REQUIRE(x.places.size() == 3);
  CHECK(x.places[2].worker == 1);
  CHECK(x.places[2].workers == 2);
  CHECK(x.places[2].seed == 10);
  CHECK(x.places[2].data == "here");
  auto all = x.places[1].rows(7);
  const auto others = x.places[2].rows(7);
  all.insert(all.end(), others.begin(), others.end());
  std::ranges::sort(all);
  CHECK(all == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK_THROWS_AS(x.places[1].rows(0), input_error);
}

TEST_CASE("own_learners: a step is the learner's own, on the memory of the run where all is averaged") {
  group_of_two x;
  const auto one = x.first();
  const std::vector<float> w{1, 2, 3, 4, 5};
  std::vector<float> next(5);
  const auto done = one->step({{}, 6, nullptr}, w, next);
  CHECK(done.loss == 0.5);
  CHECK(done.samples == 8);
  CHECK(next == std::vector<float>{2, 3, 4, 5, 6});
  CHECK(x.made[1]->steps == 7);
}

TEST_CASE("own_learners: local arrays stay with their worker, frozen ones as they began") {
  group_of_two x{mixed};
  CHECK(x.group->model()->layout() == parameter_layout{{"w", {2}, 0}, {"b", {}, 2}});
  auto one = x.first();
  std::vector<float> next(3);
  one->step({}, std::vector<float>{1, 2, 3}, next); // sees 10 11 | 1 2 | 14 | 3
  CHECK(next == std::vector<float>{2, 3, 4});
  one->step({}, next, next);
  const auto saved = one->save(); // the local value was 14 and is 16
  x.group->load(worker_id{1}, saved);
  x.group->begin_run();
  const auto another = x.group->learner_of(worker_id{1});
  CHECK(another->save() == saved);
  float kept = 0;
  std::memcpy(&kept, saved.data() + sizeof(std::uint64_t), sizeof kept);
  CHECK(kept == 16);
  // Scores are by a learner whose local values are as they began.
  CHECK(x.group->scores_of(std::vector<float>{7, 8, 9}, {})[0].value == 10);
}

TEST_CASE("own_learners: scores keep their names, of losses less is better") {
  group_of_two x;
  const auto scores = x.group->scores_of(std::vector<float>{4, 3, 2, 1, 0}, {});
  CHECK(scores == std::vector<named_score>{{"first", 4, false}, {"loss", 3, true}, {"error", 3, true}});
  x.made[0]->throws = true;
  CHECK(x.group->scores_of(std::vector<float>(5), {}).empty());
  x.made[0]->throws = false;
  CHECK(x.group->scores_of(std::vector<float>(5), {}).empty()); // it is not asked again
}

TEST_CASE("own_learners: what a learner throws ends its worker") {
  group_of_two x;
  const auto one = x.first();
  x.made[1]->throws = true;
  std::vector<float> next(5);
  CHECK_THROWS_WITH_AS(one->step({}, std::vector<float>(5), next), "its learner's step threw: no more data",
                       learner_failed);
}

TEST_CASE("own_learners: a step that is not finite does not count, the third in a row ends the worker") {
  group_of_two x;
  const auto one = x.first();
  x.made[1]->breaks = true;
  const std::vector<float> w{1, 2, 3, 4, 5};
  std::vector<float> next(5);
  for (auto i = 0; i < 2; ++i) {
    one->step({}, w, next);
    CHECK(next == w);
  }
  CHECK_THROWS_WITH_AS(one->step({}, w, next), "its learner's steps were not finite 3 times in a row, in w",
                       learner_failed);
}

TEST_CASE("own_learners: a layout that cannot be is refused, with what is wrong") {
  CHECK(refusal_of({}).find("no parameters to average") != std::string::npos);
  CHECK(refusal_of({{"w", {2}}, {"w", {3}}}).find("two arrays named \"w\"") != std::string::npos);
  CHECK(refusal_of({{"w", {2, 0}}}).find("is empty") != std::string::npos);
  CHECK(refusal_of({{"w", {1U << 20U, 1U << 20U}}}).find("too large") != std::string::npos);
  CHECK(refusal_of({{"../w", {2}}}).find("no file can have its name") != std::string::npos);
}

TEST_CASE("reader: gives back what a writer took, and nothing beyond it") {
  std::vector<char> bytes;
  writer out{bytes};
  out.write(7);
  out.write("two words");
  out.write(std::vector{1.5, 2.5});
  reader in{bytes};
  CHECK(in.read<int>() == 7);
  CHECK(in.read_text() == "two words");
  CHECK_FALSE(in.at_end());
  CHECK(in.read_values<double>() == std::vector{1.5, 2.5});
  CHECK(in.at_end());
  CHECK_THROWS_AS(in.read<char>(), std::runtime_error);
  reader cut{std::span{bytes}.first(8)};
  cut.read<int>();
  CHECK_THROWS_AS(cut.read_text(), std::runtime_error);
}

} // namespace dybw::test
