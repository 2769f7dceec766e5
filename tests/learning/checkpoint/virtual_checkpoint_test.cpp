#include "learning/checkpoint/virtual_checkpoint.hpp"

#include "learning/checkpoint/figure_file.hpp"
#include "tests/learning/data/files.hpp"

#include <algorithm>
#include <numeric>

using namespace dybw;
using namespace dybw::test;

namespace {

constexpr std::size_t parameters = 300;

parameter_block block(float first) {
  auto buffer = std::make_shared<float_buffer>(parameters);
  std::iota(buffer->values().begin(), buffer->values().end(), first);
  return parameter_block{std::move(buffer)};
}

virtual_checkpoint sample() {
  virtual_checkpoint x;
  x.run_hash = 0x0123456789abcdef;
  x.events = 987'654'321'000;
  x.training.estimates_made = 77;
  x.training.learners = {{{block(1), {}, block(2)}, 0.25, 1, 2, 3, 0.5, 0.125, 7, {1, 2, 3, 4, 5, 6, 7, 8}},
                         {{{}, block(3), block(4)}, -1, 4, 5, 6, -0.5, 0.25, 9, {8, 7, 6, 5, 4, 3, 2, 1}}};
  x.training.estimates = {{12, block(5)}, {70, block(6)}, {76, block(7)}};
  x.figures = 20'000;
  x.figures_sum = 0xdeadbeef;
  evaluation e;
  e.time_s = 2.5;
  e.local_steps = 99;
  e.test_accuracy = 0.5;
  e.test_loss = 1.5;
  e.worst_worker_accuracy = 0.25;
  e.consensus_distance = 7;
  e.cpu_s = 0.125;
  e.scored_workers = 2;
  e.scored_samples = 500;
  x.evaluations = {e, evaluation{}};
  return x;
}

/// Of learners that are not built in: what they saved, of which one has nothing to save, and their scores.
virtual_checkpoint sample_of_learners() {
  auto x = sample();
  for (auto& l : x.training.learners) {
    l.state.velocity = {};
    l.samples = 64;
  }
  x.training.learners[1].state.learner = {'a', '\0', 'b'};
  x.evaluations[0].scores = {{"accuracy", 0.5, false}, {"perplexity", 12.5, true}};
  x.evaluations[1].test_loss = std::nullopt;
  x.evaluations[1].scores = {{"", -1, false}};
  return x;
}

const virtual_checkpoint_frame fitting{0x0123456789abcdef, 2, parameters, true};
const virtual_checkpoint_frame fitting_learners{fitting.run_hash, 2, parameters, false, true};

bytes encoded(const virtual_checkpoint& x) {
  bytes all;
  encode(x, parameters, [&](std::span<const std::byte> piece) {
    for (auto b : piece)
      all.push_back(static_cast<std::uint8_t>(b));
  });
  return all;
}

bool equal(const parameter_block& a, const parameter_block& b) {
  return std::ranges::equal(a.values(), b.values());
}

/// Makes the head's checksum right.
void seal(bytes& head) {
  const auto sum = static_cast<std::uint32_t>(crc32(crc32(0, nullptr, 0), head.data(), 96));
  for (std::size_t i = 0; i < 4; ++i)
    head[96 + i] = static_cast<std::uint8_t>(sum >> (8 * i));
}

virtual_checkpoint read_back(const virtual_checkpoint& x, const virtual_checkpoint_frame& expected) {
  const temporary_directory place;
  const auto file = place.path() / "virtual.ckpt";
  write_file(file, encoded(x));
  return read_virtual_checkpoint(file, expected);
}

refusal refusal_of_bytes(const bytes& content, const virtual_checkpoint_frame& expected = fitting) {
  const temporary_directory place;
  const auto file = place.path() / "virtual.ckpt";
  write_file(file, content);
  auto said = refusal_of([&] { read_virtual_checkpoint(file, expected); });
  CHECK(said.fault == input_fault::data);
  CHECK(said.says(file.string()));
  return said;
}

} // namespace

TEST_CASE("virtual_checkpoint: the outer steps' momenta are read back, and missed where they should be") {
  auto was = sample();
  auto expected = fitting;
  expected.has_outer = true;
  CHECK(refusal_of_bytes(encoded(was), expected).says("a worker holds what it cannot"));
  for (std::size_t i = 0; i < 2; ++i) {
    auto& state = was.training.learners[i].state;
    state.current = block(20);
    state.stepped = i == 0 ? parameter_block{} : block(21);
    state.outer = block(22 + static_cast<float>(i));
  }
  const auto x = read_back(was, expected);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& a = x.training.learners[i].state;
    const auto& b = was.training.learners[i].state;
    CHECK(equal(a.current, b.current));
    CHECK(equal(a.stepped, b.stepped));
    CHECK(equal(a.velocity, b.velocity));
    CHECK(equal(a.outer, b.outer));
  }
  CHECK(refusal_of_bytes(encoded(was)).says("a worker holds what it cannot"));
}

TEST_CASE(
    "virtual_checkpoint: corrections are read back with their generations, and missed where they should be") {
  auto was = sample();
  auto expected = fitting;
  expected.has_correction = true;
  CHECK(refusal_of_bytes(encoded(was), expected).says("a worker holds what it cannot"));
  for (std::size_t i = 0; i < 2; ++i) {
    auto& l = was.training.learners[i];
    l.state.correction = block(30 + static_cast<float>(i));
    l.state.correction_generation = 0xfedcba9876543210 + i;
    l.correction = {0.5 + static_cast<double>(i), 2};
  }
  const auto x = read_back(was, expected);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& a = x.training.learners[i];
    const auto& b = was.training.learners[i];
    CHECK(equal(a.state.correction, b.state.correction));
    CHECK(a.state.correction_generation == b.state.correction_generation);
    CHECK(a.correction.projection == b.correction.projection);
    CHECK(a.correction.norm == b.correction.norm);
  }
  CHECK(refusal_of_bytes(encoded(was)).says("a worker holds what it cannot"));
}

TEST_CASE("virtual_checkpoint: what is read is what was written") {
  const auto was = sample();
  const auto x = read_back(was, fitting);
  CHECK(x.run_hash == was.run_hash);
  CHECK(x.events == was.events);
  CHECK(x.training.estimates_made == 77);
  REQUIRE(x.training.learners.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& a = x.training.learners[i];
    const auto& b = was.training.learners[i];
    CHECK(static_cast<bool>(a.state.current) == static_cast<bool>(b.state.current));
    CHECK(equal(a.state.current, b.state.current));
    CHECK(equal(a.state.stepped, b.state.stepped));
    CHECK(equal(a.state.velocity, b.state.velocity));
    CHECK(a.loss == b.loss);
    CHECK(a.projection_before == b.projection_before);
    CHECK(a.norm_before == b.norm_before);
    CHECK(a.projection_after == b.projection_after);
    CHECK(a.agreement == b.agreement);
    CHECK(a.step_length == b.step_length);
    CHECK(a.apart == b.apart);
    CHECK(a.apart_after == b.apart_after);
  }
  REQUIRE(x.training.estimates.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(x.training.estimates[i].number == was.training.estimates[i].number);
    CHECK(equal(x.training.estimates[i].block, was.training.estimates[i].block));
  }
  CHECK(x.figures == 20'000);
  CHECK(x.figures_sum == 0xdeadbeef);
  REQUIRE(x.evaluations.size() == 2);
  CHECK(x.evaluations[0].local_steps == 99);
  CHECK(x.evaluations[0].time_s == 2.5);
  CHECK(x.evaluations[0].consensus_distance == 7);
  CHECK(x.evaluations[0].cpu_s == 0.125);
  CHECK(x.evaluations[0].worst_worker_accuracy == 0.25);
  CHECK(x.evaluations[0].scored_workers == 2);
  CHECK(x.evaluations[0].scored_samples == 500);
  CHECK_FALSE(x.evaluations[1].worst_worker_accuracy);
}

TEST_CASE("virtual_checkpoint: what learners saved and how they scored is read as it was written") {
  const auto was = sample_of_learners();
  const auto x = read_back(was, fitting_learners);
  REQUIRE(x.training.learners.size() == 2);
  CHECK(x.training.learners[0].state.learner.empty());
  CHECK((x.training.learners[1].state.learner == std::vector{'a', '\0', 'b'}));
  CHECK(x.training.learners[1].samples == 64);
  REQUIRE(x.evaluations.size() == 2);
  CHECK(x.evaluations[0].scores == was.evaluations[0].scores);
  CHECK(x.evaluations[0].test_loss == 1.5);
  CHECK(x.evaluations[1].scores == was.evaluations[1].scores);
  CHECK_FALSE(x.evaluations[1].test_accuracy);
  CHECK_FALSE(x.evaluations[1].test_loss);
}

TEST_CASE("virtual_checkpoint: a file of another run, cut short or damaged is refused, wherever that is") {
  const auto whole = encoded(sample());
  const auto of_learners = encoded(sample_of_learners());
  CHECK(refusal_of_bytes(of_learners, {fitting.run_hash, 2, parameters, false}).says("do not add up"));
  for (std::size_t at = 0; at < of_learners.size(); at += 1 + at / 11) {
    auto damaged = of_learners;
    damaged[at] ^= 0x10;
    refusal_of_bytes(damaged, fitting_learners);
  }
  for (const auto& other : {virtual_checkpoint_frame{1, 2, parameters, true},
                            virtual_checkpoint_frame{fitting.run_hash, 3, parameters, true},
                            virtual_checkpoint_frame{fitting.run_hash, 2, parameters + 1, true}})
    CHECK(refusal_of_bytes(whole, other).says("of a run with other options"));
  CHECK(refusal_of_bytes(whole, {fitting.run_hash, 2, parameters, false}).says("holds what it cannot"));
  CHECK(refusal_of_bytes({}).says("no checkpoint of dybw"));
  for (std::size_t length = 1; length < whole.size(); length += 1 + length / 7)
    refusal_of_bytes(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
  auto longer = whole;
  longer.push_back(0);
  CHECK(refusal_of_bytes(longer).says("1 bytes too many"));
  for (std::size_t at = 0; at < whole.size(); at += 1 + at / 11) {
    auto damaged = whole;
    damaged[at] ^= 0x10;
    refusal_of_bytes(damaged);
  }
  const temporary_directory place;
  CHECK(refusal_of([&] {
          read_virtual_checkpoint(place.path() / "none", fitting);
        }).says("there is no checkpoint"));
}

TEST_CASE("virtual_checkpoint: sizes that a head makes up are not believed") {
  auto x = sample();
  const auto whole = encoded(x);
  for (std::size_t field : {3, 4, 5, 6, 8, 9}) // behind hash, events and estimates made; 7 is of another file
    for (const std::uint64_t size : {~std::uint64_t{0}, std::uint64_t{1} << 62U, std::uint64_t{1} << 40U}) {
      auto head = bytes(whole.begin(), whole.begin() + 104);
      for (std::size_t i = 0; i < 8; ++i)
        head[16 + 8 * field + i] = static_cast<std::uint8_t>(size >> (8 * i));
      auto forged = head;
      seal(forged);
      forged.insert(forged.end(), whole.begin() + 104, whole.end());
      refusal_of_bytes(forged);
    }
}

TEST_CASE("figure_file: the figures of a checkpoint are read in their order, whatever stands behind them") {
  const temporary_directory place;
  const auto file = place.path() / "figures";
  std::vector<double> all(200'000);
  std::iota(all.begin(), all.end(), 0.5);
  const auto bytes_of = [&](std::size_t count) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(all.data());
    return bytes(first, first + count * sizeof(double));
  };
  write_file(file, bytes_of(all.size()));
  const auto sum = checksum_of(std::as_bytes(std::span{all}.first(150'000)));
  figure_reader in{file, 150'000, sum};
  std::vector<double> read(150'000);
  for (std::size_t at = 0; at < read.size(); at += 3)
    in.next(std::span{read}.subspan(at, 3));
  CHECK(in.left() == 0);
  CHECK(std::equal(read.begin(), read.end(), all.begin()));

  CHECK(refusal_of([&] { figure_reader{file, 200'001, sum}; }).says("cut short"));
  CHECK(refusal_of([&] { figure_reader{file, ~std::uint64_t{0}, sum}; }).says("cut short"));
  figure_reader other{file, 150'000, sum + 1};
  CHECK(refusal_of([&] { other.next(read); }).says("damaged"));
  CHECK(refusal_of([&] { figure_reader{place.path() / "none", 1, sum}; }).says("there is no checkpoint"));
}
