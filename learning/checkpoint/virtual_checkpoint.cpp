#include "learning/checkpoint/virtual_checkpoint.hpp"

#include "learning/checkpoint/checked_bytes.hpp"

#include <concepts>

namespace dybw {

namespace {

constexpr std::array<char, 8> magic = {'D', 'Y', 'B', 'W', 'V', 'C', 'K', 'P'};
constexpr std::uint32_t version = 5;
constexpr std::size_t head_bytes = 104;

using head = std::array<std::byte, head_bytes>;

/// How many of everything a file holds.
struct sizes {
  std::uint64_t workers = 0;
  std::uint64_t parameters = 0;
  std::uint64_t estimates = 0;
  std::uint64_t blocks = 0; ///< those of the learners
  std::uint64_t evaluations = 0;
  std::uint64_t own_bytes = 0; ///< scores, and what learners saved

  static constexpr std::uint64_t learner_bytes = (4 + 9 + training_memory::strides_lag) * 8;
  static constexpr std::uint64_t evaluation_bytes = 10 * 8;

  bool fits_into(std::uint64_t file_bytes) const {
    return workers <= file_bytes && parameters <= file_bytes && estimates <= file_bytes &&
           blocks <= 5 * workers && evaluations <= file_bytes && own_bytes <= file_bytes &&
           (parameters == 0 || estimates + blocks <= file_bytes / parameters);
  }
  std::uint64_t file_bytes() const {
    return head_bytes + 8 + workers * learner_bytes + estimates * 8 + evaluations * evaluation_bytes +
           (estimates + blocks) * parameters * sizeof(float) + own_bytes + checkpoint_tail_bytes;
  }
};

constexpr std::size_t score_head_bytes = 24;

/// Which of its blocks a learner has.
constexpr std::uint64_t has_current = 1;
constexpr std::uint64_t has_stepped = 2;
constexpr std::uint64_t has_velocity = 4;
constexpr std::uint64_t has_outer = 8;
constexpr std::uint64_t has_correction = 16;
constexpr std::uint64_t has_all = 31;

std::uint64_t blocks_of(const training_state& x) {
  return (x.current ? has_current : 0U) | (x.stepped ? has_stepped : 0U) | (x.velocity ? has_velocity : 0U) |
         (x.outer ? has_outer : 0U) | (x.correction ? has_correction : 0U);
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

/// Which of these an evaluation has.
std::array<std::optional<double>*, 3> optional_figures(evaluation& e) {
  return {&e.test_accuracy, &e.test_loss, &e.worst_worker_accuracy};
}

/// Scores as bytes: for each its name's length, its value, whether smaller is better, its name.
std::vector<std::byte> bytes_of(const std::vector<named_score>& scores) {
  std::vector<std::byte> all;
  const auto add = [&all](std::span<const std::byte> piece) {
    all.insert(all.end(), piece.begin(), piece.end());
  };
  for (const auto& s : scores) {
    std::array<std::byte, score_head_bytes> h{};
    put(h, 0, std::uint64_t{s.name.size()});
    put(h, 8, s.value);
    put(h, 16, std::uint64_t{s.smaller_is_better});
    add(h);
    add(std::as_bytes(std::span{s.name}));
  }
  return all;
}

/// None if they are no such bytes.
std::optional<std::vector<named_score>> scores_in(std::span<const std::byte> bytes) {
  std::vector<named_score> all;
  while (!bytes.empty()) {
    if (bytes.size() < score_head_bytes)
      return std::nullopt;
    named_score s;
    const auto length = get<std::uint64_t>(bytes, 0);
    s.value = get<double>(bytes, 8);
    s.smaller_is_better = get<std::uint64_t>(bytes, 16) != 0;
    bytes = bytes.subspan(score_head_bytes);
    if (length > bytes.size())
      return std::nullopt;
    s.name.assign(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    all.push_back(std::move(s));
  }
  return all;
}

template <class Learner, class Use> // const or not
requires std::same_as<std::remove_const_t<Learner>, training_memory::learner>
void for_each_figure(Learner& l, Use use) {
  for (auto* x : {&l.loss, &l.projection_before, &l.norm_before, &l.projection_after, &l.agreement,
                  &l.step_length, &l.apart, &l.correction.projection, &l.correction.norm})
    use(*x);
  for (auto& x : l.apart_after)
    use(x);
}

} // namespace

void encode(const virtual_checkpoint& x, std::size_t parameters,
            const std::function<void(std::span<const std::byte>)>& write) {
  const auto& training = x.training;
  std::uint64_t blocks = 0;
  std::uint64_t own_bytes = 0;
  for (const auto& l : training.learners) {
    blocks += static_cast<std::uint64_t>(std::popcount(blocks_of(l.state)));
    own_bytes += l.state.learner.size();
  }
  std::vector<std::vector<std::byte>> scores;
  for (const auto& e : x.evaluations)
    own_bytes += scores.emplace_back(bytes_of(e.scores)).size();
  head h{};
  std::copy(magic.begin(), magic.end(), reinterpret_cast<char*>(h.data()));
  put(h, 8, version);
  put(h, 12, static_cast<std::uint32_t>(head_bytes));
  auto at = std::size_t{16};
  for (const auto number :
       {x.run_hash, x.events, training.estimates_made, std::uint64_t{training.learners.size()},
        std::uint64_t{parameters}, std::uint64_t{training.estimates.size()}, blocks, x.figures,
        std::uint64_t{x.evaluations.size()}, own_bytes}) {
    put(h, at, number);
    at += sizeof number;
  }
  seal_head(h);
  sealing_writer out{write};
  out.bytes(h);
  out.number(std::uint64_t{x.figures_sum});
  for (const auto& l : training.learners) {
    out.number(blocks_of(l.state));
    out.number(l.state.correction_generation);
    out.number(std::uint64_t{l.samples});
    out.number(std::uint64_t{l.state.learner.size()});
    for_each_figure(l, [&](double figure) { out.number(figure); });
  }
  for (const auto& e : training.estimates)
    out.number(e.number);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    auto e = x.evaluations[i];
    std::uint64_t has = 0;
    for (const auto* figure : optional_figures(e))
      has = 2 * has + (*figure ? 1 : 0);
    out.number(has);
    for (const auto* figure : optional_figures(e))
      out.number(figure->value_or(0));
    for (const auto figure : {e.time_s, e.consensus_distance, e.cpu_s})
      out.number(figure);
    out.number(e.local_steps);
    out.number(e.scored_workers);
    out.number(e.scored_samples);
    out.number(std::uint64_t{scores[i].size()});
  }
  for (const auto& l : training.learners)
    for (const auto& block :
         {l.state.current, l.state.stepped, l.state.velocity, l.state.outer, l.state.correction})
      if (block)
        out.bytes(std::as_bytes(block.values()));
  for (const auto& e : training.estimates)
    out.bytes(std::as_bytes(e.block.values()));
  for (const auto& l : training.learners)
    out.bytes(std::as_bytes(std::span{l.state.learner}));
  for (const auto& s : scores)
    out.bytes(s);
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
  const sizes size{number(3), number(4), number(5), number(6), number(8), number(9)};
  if (x.run_hash != expected.run_hash || size.workers != expected.workers ||
      size.parameters != expected.parameters)
    in.refuse("the checkpoint is of a run with other options or other data",
              "give the options and the data of that run");
  if (!size.fits_into(in.bytes()))
    in.refuse("the checkpoint is cut short", checkpoint_reader::from_another_copy);
  in.expect_bytes(size.file_bytes());

  x.figures_sum = static_cast<std::uint32_t>(in.number<std::uint64_t>());
  std::vector<std::uint64_t> kinds;
  std::vector<std::uint64_t> learner_bytes;
  std::vector<std::uint64_t> score_bytes;
  std::uint64_t blocks = 0;
  auto own_left = size.own_bytes;
  const auto own_size = [&](std::vector<std::uint64_t>& sizes, bool may_be) {
    const auto bytes = sizes.emplace_back(in.number<std::uint64_t>());
    if (bytes > (may_be ? own_left : 0))
      in.refuse("the checkpoint is damaged: its learners' bytes do not add up",
                checkpoint_reader::from_another_copy);
    own_left -= bytes;
  };
  x.training.learners.resize(size.workers);
  for (auto& l : x.training.learners) {
    const auto kind = kinds.emplace_back(in.number<std::uint64_t>());
    blocks += static_cast<std::uint64_t>(std::popcount(kind));
    if (kind > has_all || (kind & has_velocity) != (expected.has_velocity ? has_velocity : 0U) ||
        (kind & has_outer) != (expected.has_outer ? has_outer : 0U) ||
        (kind & has_correction) != (expected.has_correction ? has_correction : 0U))
      in.refuse("the checkpoint is damaged: a worker holds what it cannot",
                checkpoint_reader::from_another_copy);
    l.state.correction_generation = in.number<std::uint64_t>();
    l.samples = static_cast<std::uint32_t>(in.number<std::uint64_t>());
    own_size(learner_bytes, expected.has_learner);
    for_each_figure(l, [&](double& figure) { figure = in.number<double>(); });
  }
  if (blocks != size.blocks)
    in.refuse("the checkpoint is damaged: its blocks do not add up", checkpoint_reader::from_another_copy);
  x.training.estimates.resize(size.estimates);
  for (auto& e : x.training.estimates)
    e.number = in.number<std::uint64_t>();
  x.evaluations.resize(size.evaluations);
  for (auto& e : x.evaluations) {
    const auto has = in.number<std::uint64_t>();
    auto bit = std::uint64_t{4};
    for (auto* figure : optional_figures(e)) {
      if (const auto value = in.number<double>(); (has & bit) != 0)
        *figure = value;
      bit /= 2;
    }
    for (auto* figure : {&e.time_s, &e.consensus_distance, &e.cpu_s})
      *figure = in.number<double>();
    e.local_steps = in.number<std::uint64_t>();
    e.scored_workers = in.number<std::uint32_t>();
    e.scored_samples = in.number<std::uint32_t>();
    own_size(score_bytes, true);
  }
  if (own_left != 0)
    in.refuse("the checkpoint is damaged: its own bytes do not add up", checkpoint_reader::from_another_copy);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    auto& state = x.training.learners[i].state;
    for (const auto& [kind, block] :
         {std::pair{has_current, &state.current}, std::pair{has_stepped, &state.stepped},
          std::pair{has_velocity, &state.velocity}, std::pair{has_outer, &state.outer},
          std::pair{has_correction, &state.correction}})
      if ((kinds[i] & kind) != 0)
        *block = in.values(size.parameters);
  }
  for (auto& e : x.training.estimates)
    e.block = in.values(size.parameters);
  for (std::size_t i = 0; i < learner_bytes.size(); ++i) {
    auto& saved = x.training.learners[i].state.learner;
    saved.resize(learner_bytes[i]);
    in.read(std::as_writable_bytes(std::span{saved}));
  }
  for (std::size_t i = 0; i < score_bytes.size(); ++i) {
    std::vector<std::byte> bytes(score_bytes[i]);
    in.read(bytes);
    auto scores = scores_in(bytes);
    if (!scores)
      in.refuse("the checkpoint is damaged: it has no scores where it should",
                checkpoint_reader::from_another_copy);
    x.evaluations[i].scores = std::move(*scores);
  }
  in.check_sum();
  return x;
}

} // namespace dybw
