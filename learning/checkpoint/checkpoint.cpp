#include "learning/checkpoint/checkpoint.hpp"

#include "learning/checkpoint/checked_bytes.hpp"

namespace dybw {

namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> magic = {'D', 'Y', 'B', 'W', 'C', 'K', 'P', 'T'};
/// With a learner, the size of its bytes stands where that of the velocity does.
constexpr std::uint32_t version_of(bool has_learner, bool has_outer, bool has_correction) {
  return 1U + (has_learner ? 1U : 0U) + (has_outer ? 2U : 0U) + (has_correction ? 4U : 0U);
}
constexpr std::size_t head_bytes = 96;

using head = std::array<std::byte, head_bytes>;

head encode_head(const checkpoint& x) {
  head h{};
  std::copy(magic.begin(), magic.end(), reinterpret_cast<char*>(h.data()));
  put(h, 8, version_of(x.has_learner, bool{x.outer}, bool{x.correction}));
  put(h, 12, static_cast<std::uint32_t>(head_bytes));
  put(h, 16, x.run_hash);
  put(h, 24, static_cast<std::uint32_t>(x.worker));
  put(h, 28, x.workers);
  put(h, 32, x.round);
  put(h, 40, x.local_steps);
  put(h, 48, x.epoch);
  put(h, 56, x.delays);
  put(h, 64, static_cast<std::int64_t>(x.elapsed.count()));
  put(h, 72, static_cast<std::uint64_t>(x.parameters.values().size()));
  put(h, 80, static_cast<std::uint64_t>(x.has_learner ? x.learner.size() : x.velocity.values().size()));
  seal_head(h);
  return h;
}

void check_fit(const head& h, const checkpoint_frame& expected, const checkpoint_reader& in) {
  const auto worker = get<std::uint32_t>(h, 24);
  const auto workers = get<std::uint32_t>(h, 28);
  const auto parameters = get<std::uint64_t>(h, 72);
  const auto velocity = get<std::uint64_t>(h, 80);
  if (get<std::uint64_t>(h, 16) != expected.run_hash || workers != expected.workers)
    in.refuse("the checkpoint is of a run with other options or other data",
              "give the options and the data of that run");
  if (worker != static_cast<std::uint32_t>(expected.worker))
    in.refuse("the checkpoint is that of worker " + std::to_string(worker) + ", not of worker " +
                  to_string(expected.worker),
              "give the files their own names");
  const auto fits = expected.has_learner || velocity == (expected.has_velocity ? expected.parameters : 0);
  if (parameters != expected.parameters || !fits)
    in.refuse("the checkpoint has " + std::to_string(parameters) + " parameters, the model " +
                  std::to_string(expected.parameters),
              "give the options and the data of that run");
}

} // namespace

void encode(const checkpoint& x, const std::function<void(std::span<const std::byte>)>& write) {
  const auto h = encode_head(x);
  checksum sum;
  const auto generation = std::as_bytes(std::span{&x.correction_generation, x.correction ? 1U : 0U});
  for (const auto piece :
       {std::span<const std::byte>{h}, std::as_bytes(x.parameters.values()),
        std::as_bytes(x.velocity.values()), std::as_bytes(x.outer.values()),
        std::as_bytes(x.correction.values()), generation, std::as_bytes(std::span{x.learner})}) {
    sum.add(piece);
    write(piece);
  }
  std::array<std::byte, checkpoint_tail_bytes> tail{};
  put(tail, 0, sum.value());
  write(tail);
}

checkpoint read_checkpoint(const fs::path& file, const checkpoint_frame& expected) {
  checkpoint_reader in{file};
  const auto h = in.read_head<head_bytes>(
      magic, version_of(expected.has_learner, expected.has_outer, expected.has_correction));
  check_fit(h, expected, in);
  checkpoint x;
  const auto learner_bytes = expected.has_learner ? get<std::uint64_t>(h, 80) : 0;
  if (learner_bytes > in.bytes())
    in.refuse("the checkpoint is damaged: it says more bytes than it has",
              checkpoint_reader::from_another_copy);
  const auto blocks =
      1 + (expected.has_velocity ? 1 : 0) + (expected.has_outer ? 1 : 0) + (expected.has_correction ? 1 : 0);
  in.expect_bytes(head_bytes + expected.parameters * static_cast<std::size_t>(blocks) * sizeof(float) +
                  (expected.has_correction ? sizeof x.correction_generation : 0) + learner_bytes +
                  checkpoint_tail_bytes);
  x.run_hash = expected.run_hash;
  x.worker = expected.worker;
  x.workers = expected.workers;
  x.round = get<std::uint64_t>(h, 32);
  x.local_steps = get<std::uint64_t>(h, 40);
  x.epoch = get<std::uint64_t>(h, 48);
  x.delays = get<std::uint64_t>(h, 56);
  x.elapsed = nanoseconds{get<std::int64_t>(h, 64)};
  x.parameters = in.values(expected.parameters);
  if (expected.has_velocity)
    x.velocity = in.values(expected.parameters);
  if (expected.has_outer)
    x.outer = in.values(expected.parameters);
  if (expected.has_correction) {
    x.correction = in.values(expected.parameters);
    x.correction_generation = in.number<std::uint64_t>();
  }
  x.has_learner = expected.has_learner;
  x.learner.resize(static_cast<std::size_t>(learner_bytes));
  in.read(std::as_writable_bytes(std::span{x.learner}));
  in.check_sum();
  return x;
}

} // namespace dybw
