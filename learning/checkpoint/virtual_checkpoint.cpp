#include "learning/checkpoint/virtual_checkpoint.hpp"

#include "learning/checkpoint/checked_bytes.hpp"

#include <concepts>

namespace dybw {

namespace {

constexpr std::array<char, 8> magic = {'D', 'Y', 'B', 'W', 'V', 'C', 'K', 'P'};
constexpr std::uint32_t version = 3;
constexpr std::size_t head_bytes = 96;

using head = std::array<std::byte, head_bytes>;

/// How many of everything a file holds.
struct sizes {
  std::uint64_t workers = 0;
  std::uint64_t parameters = 0;
  std::uint64_t estimates = 0;
  std::uint64_t blocks = 0; ///< those of the learners
  std::uint64_t evaluations = 0;

  static constexpr std::uint64_t learner_bytes = (1 + 7 + training_memory::strides_lag) * 8;
  static constexpr std::uint64_t evaluation_bytes = 8 * 8;

  bool fits_into(std::uint64_t file_bytes) const {
    return workers <= file_bytes && parameters <= file_bytes && estimates <= file_bytes &&
           blocks <= 3 * workers && evaluations <= file_bytes &&
           (parameters == 0 || estimates + blocks <= file_bytes / parameters);
  }
  std::uint64_t file_bytes() const {
    return head_bytes + 8 + workers * learner_bytes + estimates * 8 + evaluations * evaluation_bytes +
           (estimates + blocks) * parameters * sizeof(float) + checkpoint_tail_bytes;
  }
};

/// Which of its blocks a learner has.
constexpr std::uint64_t has_current = 1;
constexpr std::uint64_t has_stepped = 2;
constexpr std::uint64_t has_velocity = 4;

std::uint64_t blocks_of(const training_state& x) {
  return (x.current ? has_current : 0U) | (x.stepped ? has_stepped : 0U) | (x.velocity ? has_velocity : 0U);
}

/// Writes numbers and blocks, and sums them up.
class sealing_writer {
public:
  explicit sealing_writer(const std::function<void(std::span<const std::byte>)>& write) : write_(write) {}

  void bytes(std::span<const std::byte> piece) {
    flush();
    pass(piece);
  }
  template <class Number>
  void number(Number x) {
    const auto piece = std::as_bytes(std::span{&x, 1});
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    if (buffer_.size() > buffer_max)
      flush();
  }
  void seal() {
    flush();
    number(sum_.value());
    write_(buffer_);
  }

private:
  static constexpr std::size_t buffer_max = std::size_t{1} << 16U;

  void flush() {
    pass(buffer_);
    buffer_.clear();
  }
  void pass(std::span<const std::byte> piece) {
    sum_.add(piece);
    write_(piece);
  }

  const std::function<void(std::span<const std::byte>)>& write_;
  std::vector<std::byte> buffer_;
  checksum sum_;
};

template <class Use>
void for_each_figure(evaluation& e, Use use) {
  auto accuracy = e.test_accuracy.value_or(0); // always there: runs with trainers have no such checkpoints
  auto loss = e.test_loss.value_or(0);
  for (auto* x : {&e.time_s, &accuracy, &loss, &e.consensus_distance, &e.cpu_s})
    use(*x);
  e.test_accuracy = accuracy;
  e.test_loss = loss;
}

template <class Learner, class Use> // const or not
requires std::same_as<std::remove_const_t<Learner>, training_memory::learner>
void for_each_figure(Learner& l, Use use) {
  for (auto* x : {&l.loss, &l.projection_before, &l.norm_before, &l.projection_after, &l.agreement,
                  &l.step_length, &l.apart})
    use(*x);
  for (auto& x : l.apart_after)
    use(x);
}

/// In place of the worst worker's accuracy: none was scored.
constexpr double none = -1;

} // namespace

void encode(const virtual_checkpoint& x, std::size_t parameters,
            const std::function<void(std::span<const std::byte>)>& write) {
  const auto& training = x.training;
  std::uint64_t blocks = 0;
  for (const auto& l : training.learners)
    blocks += static_cast<std::uint64_t>(std::popcount(blocks_of(l.state)));
  head h{};
  std::copy(magic.begin(), magic.end(), reinterpret_cast<char*>(h.data()));
  put(h, 8, version);
  put(h, 12, static_cast<std::uint32_t>(head_bytes));
  auto at = std::size_t{16};
  for (const auto number :
       {x.run_hash, x.events, training.estimates_made, std::uint64_t{training.learners.size()},
        std::uint64_t{parameters}, std::uint64_t{training.estimates.size()}, blocks, x.figures,
        std::uint64_t{x.evaluations.size()}}) {
    put(h, at, number);
    at += sizeof number;
  }
  seal_head(h);
  sealing_writer out{write};
  out.bytes(h);
  out.number(std::uint64_t{x.figures_sum});
  for (const auto& l : training.learners) {
    out.number(blocks_of(l.state));
    for_each_figure(l, [&](double figure) { out.number(figure); });
  }
  for (const auto& e : training.estimates)
    out.number(e.number);
  for (auto e : x.evaluations) {
    out.number(e.local_steps);
    out.number(e.scored_workers);
    out.number(e.scored_samples);
    out.number(e.worst_worker_accuracy.value_or(none));
    for_each_figure(e, [&](double figure) { out.number(figure); });
  }
  for (const auto& l : training.learners)
    for (const auto& block : {l.state.current, l.state.stepped, l.state.velocity})
      if (block)
        out.bytes(std::as_bytes(block.values()));
  for (const auto& e : training.estimates)
    out.bytes(std::as_bytes(e.block.values()));
  out.seal();
}

virtual_checkpoint read_virtual_checkpoint(const std::filesystem::path& file,
                                           const virtual_checkpoint_frame& expected) {
  checkpoint_reader in{file};
  const auto h = in.read_head<head_bytes>(magic, version);
  const auto number = [&h](std::size_t i) { return get<std::uint64_t>(h, 16 + 8 * i); };
  virtual_checkpoint x;
  x.run_hash = number(0);
  x.events = number(1);
  x.training.estimates_made = number(2);
  x.figures = number(7);
  const sizes size{number(3), number(4), number(5), number(6), number(8)};
  if (x.run_hash != expected.run_hash || size.workers != expected.workers ||
      size.parameters != expected.parameters)
    in.refuse("the checkpoint is of a run with other options or other data",
              "give the options and the data of that run");
  if (!size.fits_into(in.bytes()))
    in.refuse("the checkpoint is cut short", checkpoint_reader::from_another_copy);
  in.expect_bytes(size.file_bytes());

  x.figures_sum = static_cast<std::uint32_t>(in.number<std::uint64_t>());
  std::vector<std::uint64_t> kinds;
  std::uint64_t blocks = 0;
  x.training.learners.resize(size.workers);
  for (auto& l : x.training.learners) {
    const auto kind = kinds.emplace_back(in.number<std::uint64_t>());
    blocks += static_cast<std::uint64_t>(std::popcount(kind));
    if (kind > (has_current | has_stepped | has_velocity) ||
        (kind & has_velocity) != (expected.has_velocity ? has_velocity : 0U))
      in.refuse("the checkpoint is damaged: a worker holds what it cannot",
                checkpoint_reader::from_another_copy);
    for_each_figure(l, [&](double& figure) { figure = in.number<double>(); });
  }
  if (blocks != size.blocks)
    in.refuse("the checkpoint is damaged: its blocks do not add up", checkpoint_reader::from_another_copy);
  x.training.estimates.resize(size.estimates);
  for (auto& e : x.training.estimates)
    e.number = in.number<std::uint64_t>();
  x.evaluations.resize(size.evaluations);
  for (auto& e : x.evaluations) {
    e.local_steps = in.number<std::uint64_t>();
    e.scored_workers = in.number<std::uint32_t>();
    e.scored_samples = in.number<std::uint32_t>();
    if (const auto worst = in.number<double>(); worst != none)
      e.worst_worker_accuracy = worst;
    for_each_figure(e, [&](double& figure) { figure = in.number<double>(); });
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    auto& state = x.training.learners[i].state;
    if ((kinds[i] & has_current) != 0)
      state.current = in.values(size.parameters);
    if ((kinds[i] & has_stepped) != 0)
      state.stepped = in.values(size.parameters);
    if ((kinds[i] & has_velocity) != 0)
      state.velocity = in.values(size.parameters);
  }
  for (auto& e : x.training.estimates)
    e.block = in.values(size.parameters);
  in.check_sum();
  return x;
}

} // namespace dybw
