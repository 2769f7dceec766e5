#include "learning/checkpoint/checkpoint.hpp"
#include "tests/learning/data/files.hpp"

#include <algorithm>
#include <numeric>

using namespace dybw;
using namespace dybw::test;

namespace {

parameter_block block(std::size_t count, float first) {
  auto buffer = std::make_shared<float_buffer>(count);
  std::iota(buffer->values().begin(), buffer->values().end(), first);
  return parameter_block{std::move(buffer)};
}

checkpoint sample(bool with_velocity = true) {
  checkpoint x;
  x.run_hash = 0x0123456789abcdef;
  x.worker = worker_id{3};
  x.workers = 8;
  x.round = 1'000'000'000'007;
  x.local_steps = 999;
  x.epoch = 12;
  x.delays = 1001;
  x.elapsed = nanoseconds{123'456'789'012};
  x.parameters = block(1000, 0.5F);
  if (with_velocity)
    x.velocity = block(1000, -7);
  return x;
}

checkpoint_frame frame_of(const checkpoint& x) {
  return {x.run_hash,       x.worker,      x.workers,     x.parameters.values().size(),
          bool{x.velocity}, x.has_learner, bool{x.outer}, bool{x.correction}};
}

bytes encoded(const checkpoint& x) {
  bytes all;
  encode(x, [&](std::span<const std::byte> piece) {
    for (auto b : piece)
      all.push_back(static_cast<std::uint8_t>(b));
  });
  return all;
}

bool equal(const parameter_block& a, const parameter_block& b) {
  return std::ranges::equal(a.values(), b.values());
}

/// What reading a file of these bytes says.
refusal refusal_of_bytes(const bytes& content, const checkpoint_frame& expected = frame_of(sample())) {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  write_file(file, content);
  auto said = refusal_of([&] { read_checkpoint(file, expected); });
  CHECK(said.fault == input_fault::data);
  CHECK(said.says(file.string()));
  return said;
}

} // namespace

TEST_CASE("checkpoint: what is written is read back, with velocity and without") {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  for (const auto with_velocity : {true, false}) {
    const auto x = sample(with_velocity);
    write_file(file, encoded(x));
    const auto y = read_checkpoint(file, frame_of(x));
    CHECK(y.run_hash == x.run_hash);
    CHECK(y.worker == x.worker);
    CHECK(y.workers == x.workers);
    CHECK(y.round == x.round);
    CHECK(y.local_steps == x.local_steps);
    CHECK(y.epoch == x.epoch);
    CHECK(y.delays == x.delays);
    CHECK(y.elapsed == x.elapsed);
    CHECK(equal(y.parameters, x.parameters));
    CHECK(equal(y.velocity, x.velocity));
    CHECK(static_cast<bool>(y.velocity) == with_velocity);
  }
}

TEST_CASE("checkpoint: the correction is read back, with the generation that it belongs to") {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  for (const auto has_learner : {false, true}) {
    auto x = sample(!has_learner);
    x.correction = block(1000, 50);
    x.correction_generation = 0xfedcba9876543210;
    x.outer = has_learner ? block(1000, 99) : parameter_block{};
    x.has_learner = has_learner;
    if (has_learner)
      x.learner = {'a', '\0', 'b'};
    write_file(file, encoded(x));
    const auto y = read_checkpoint(file, frame_of(x));
    CHECK(equal(y.parameters, x.parameters));
    CHECK(equal(y.outer, x.outer));
    CHECK(equal(y.correction, x.correction));
    CHECK(y.correction_generation == x.correction_generation);
    CHECK(y.learner == x.learner);
    auto without = frame_of(x);
    without.has_correction = false;
    CHECK(refusal_of_bytes(encoded(x), without).says("version"));
    auto cut = encoded(x);
    cut.resize(cut.size() - 8);
    CHECK(refusal_of_bytes(cut, frame_of(x)).says("cut short"));
  }
}

TEST_CASE("checkpoint: the outer step's momentum is read back, beside what else a learner needs") {
  const temporary_directory place;
  const auto file = place.path() / "worker-3.ckpt";
  for (const auto has_learner : {false, true}) {
    auto x = sample(!has_learner);
    x.outer = block(1000, 99);
    if (has_learner) {
      x.has_learner = true;
      x.learner = {'a', '\0', 'b'};
    }
    write_file(file, encoded(x));
    const auto y = read_checkpoint(file, frame_of(x));
    CHECK(equal(y.parameters, x.parameters));
    CHECK(equal(y.velocity, x.velocity));
    CHECK(equal(y.outer, x.outer));
    CHECK(y.learner == x.learner);
    auto without = frame_of(x);
    without.has_outer = false;
    CHECK(refusal_of_bytes(encoded(x), without).says("version"));
  }
}

TEST_CASE("checkpoint: the values are written where they are, without a copy") {
  const auto x = sample();
  auto seen = false;
  encode(x, [&](std::span<const std::byte> piece) {
    seen = seen || piece.data() == std::as_bytes(x.parameters.values()).data();
  });
  CHECK(seen);
}

TEST_CASE("checkpoint: a file that is cut short anywhere is refused") {
  const auto whole = encoded(sample());
  for (std::size_t length : {0UL, 5UL, 8UL, 11UL, 12UL, 40UL, 95UL, 96UL, 97UL, 5000UL, whole.size() - 1}) {
    const auto said =
        refusal_of_bytes(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    CHECK(said.says(length < 8 ? "this is no checkpoint of dybw" : "cut short: " + std::to_string(length)));
  }
}

TEST_CASE("checkpoint: a file with any byte changed, or more of them, is refused") {
  const auto whole = encoded(sample());
  for (std::size_t at = 0; at < whole.size(); at += at < 100 || at + 8 > whole.size() ? 1 : 37) {
    auto damaged = whole;
    damaged[at] ^= 0x10;
    CAPTURE(at);
    const auto said = refusal_of_bytes(damaged);
    CHECK(said.says(at < 8 ? "this is no checkpoint" : at < 12 ? "version" : "is damaged"));
  }
  auto longer = whole;
  longer.push_back(0);
  CHECK(refusal_of_bytes(longer).says("1 bytes too many"));
}

TEST_CASE("checkpoint: sizes that a file only claims allocate nothing") {
  auto x = sample();
  x.parameters = block(3, 0);
  x.velocity = {};
  auto expected = frame_of(x);
  expected.parameters = std::size_t{1} << 60U; // would not fit anywhere
  CHECK(refusal_of_bytes(encoded(x), expected).says("has 3 parameters"));
}

TEST_CASE("checkpoint: that of another run, worker or model is refused, saying which") {
  const auto whole = encoded(sample());
  auto other = frame_of(sample());
  ++other.run_hash;
  CHECK(refusal_of_bytes(whole, other).says("of a run with other options"));
  other = frame_of(sample());
  other.worker = worker_id{4};
  CHECK(refusal_of_bytes(whole, other).says("that of worker 3, not of worker 4"));
  other = frame_of(sample());
  other.parameters = 1001;
  CHECK(refusal_of_bytes(whole, other).says("1000 parameters, the model 1001"));
}

TEST_CASE("checkpoint: a missing file, and what is no file, are named") {
  const temporary_directory place;
  const auto said = refusal_of([&] { read_checkpoint(place.path() / "worker-1.ckpt", frame_of(sample())); });
  CHECK(said.says("there is no checkpoint"));
  CHECK(said.says("worker-1.ckpt"));
  CHECK(refusal_of([&] { read_checkpoint(place.path(), frame_of(sample())); }).fault == input_fault::data);
}
