#pragma once

// A model of your own, trained by dybw: derive from `learner`, and give `run_main` what makes one.
//
//     struct my_learner final : dybw::learner { .. };
//     std::unique_ptr<dybw::learner> make(const dybw::place& p) { return std::make_unique<my_learner>(p); }
//     int main(int count, char** words) { return dybw::run_main(count, words, make); }
//
// docs/bring-your-own-model.md is the tutorial, examples/learner a whole project.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace dybw {

/// A worker's place in a run.
struct place {
  std::uint32_t worker = 0;  ///< its number, from 0
  std::uint32_t workers = 1; ///< how many the run has
  std::uint64_t seed = 1;    ///< of the run, the same for all
  std::string data;          ///< the path that --data named; empty: none

  /// Which of so many samples are this worker's, as --partition says. Other partitions than iid need a class
  /// for each sample, from 0 on, in `labels`. Throws `std::runtime_error`.
  std::vector<std::uint32_t> rows(std::uint64_t samples, std::span<const std::int32_t> labels = {}) const {
    return deal(samples, labels);
  }
  /// What `rows` asks; any thread may.
  std::function<std::vector<std::uint32_t>(std::uint64_t samples, std::span<const std::int32_t> labels)> deal;
};

enum class state_class {
  average, ///< mixed with the neighbours' values
  local,   ///< stays with its worker, and goes into its checkpoints
  frozen   ///< stays as `initialise` made it, the same in all workers
};

struct array_layout {
  std::string name;
  std::vector<std::size_t> shape; ///< none of 0; no dimensions: a single value
  state_class kept = state_class::average;
};

/// What the parameters consist of: these arrays, one behind the other, the last index moving quickest. Names
/// are not empty and there is none twice; at least one array is averaged.
using layout = std::vector<array_layout>;

struct step_context {
  std::uint64_t round = 0; ///< completed before the step
};

struct step_result {
  double loss = 0;           ///< mean over the mini-batch, before the step
  std::uint64_t samples = 0; ///< in it
};

enum class better { larger, smaller };

struct score_value {
  std::string name; ///< "accuracy" (0 to 1) and "loss" are those that reports and progress know
  double value = 0;
  better when = better::larger; ///< of "loss" always smaller
};
using score = std::vector<score_value>;

/// A number, or a struct of numbers: what its bytes are all of.
template <class T>
concept plain_value = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::ranges::range<T>;
template <class R>
concept plain_values =
    std::ranges::contiguous_range<R> && !std::is_array_v<R> && plain_value<std::ranges::range_value_t<R>>;

/// Takes what `learner::save` wants kept.
class writer {
public:
  explicit writer(std::vector<char>& out) : out_(out) {}

  template <plain_value T>
  void write(const T& x) {
    bytes(&x, sizeof x);
  }
  /// A vector, span or string of them; how many stands before.
  template <plain_values Values>
  void write(const Values& values) {
    write(std::uint64_t{std::ranges::size(values)});
    bytes(std::ranges::data(values), std::ranges::size(values) * sizeof(std::ranges::range_value_t<Values>));
  }
  void write(const char* text) { write(std::string_view{text}); }

private:
  void bytes(const void* from, std::size_t count);

  std::vector<char>& out_;
};

/// Gives back what a `writer` took, in the same order. Throws `std::runtime_error` where there is no more.
class reader {
public:
  explicit reader(std::span<const char> in) : in_(in) {}

  template <plain_value T>
  T read() {
    T x;
    bytes(&x, sizeof x);
    return x;
  }
  template <plain_value T>
  std::vector<T> read_values() {
    const auto count = read<std::uint64_t>();
    check(count, sizeof(T));
    std::vector<T> values(static_cast<std::size_t>(count));
    bytes(values.data(), values.size() * sizeof(T));
    return values;
  }
  std::string read_text() {
    const auto text = read_values<char>();
    return {text.begin(), text.end()};
  }
  bool at_end() const noexcept { return in_.empty(); }

private:
  void bytes(void* to, std::size_t count);
  void check(std::uint64_t count, std::size_t size) const;

  std::span<const char> in_;
};

/// One worker's model, data and way of learning: parameters in, parameters out. What is not averaged (an
/// optimiser, a generator, a place in the data) are its members. One thread at a time uses it, not always the
/// same. What it throws ends its worker, the others go on.
class learner {
public:
  virtual ~learner() = default;

  /// What it learns. Asked once, first; the same for all workers.
  virtual dybw::layout layout() const = 0;
  /// Writes the parameters to start from, [all arrays of the layout]. All workers start from those of worker
  /// 0, but for what is local.
  virtual void initialise(std::uint64_t seed, std::span<float> w) = 0;
  /// Writes the parameters after a gradient step from `w` to `next`; both [all arrays of the layout]. `next`
  /// has unspecified values before.
  virtual step_result step(const step_context& at, std::span<const float> w, std::span<float> next) = 0;

  /// How good parameters are; nothing: it cannot say. Asked of a learner of its own, which makes no steps
  /// and whose local arrays are as they began.
  virtual std::optional<score> evaluate(std::span<const float> /*w*/) { return std::nullopt; }
  /// All that it needs to go on from w, and the reverse in a new process.
  virtual void save(writer&) const {}
  virtual void load(reader&) {}
};

/// Makes the learner of a place, and one more for evaluations, in the place of worker 0.
using learner_maker = std::function<std::unique_ptr<learner>(const place&)>;

/// The whole of a program that trains `make`'s learners: takes the options of `dybw run` (--help shows them),
/// but those that belong to built-in models and data. Returns the exit code. To be called once.
int run_main(int count, char** words, const learner_maker& make);

} // namespace dybw
