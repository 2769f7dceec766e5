#include "learning/straggler/straggler.hpp"

#include "learning/base/option_text.hpp"
#include "learning/base/random.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace dybw {

namespace {

class constant_factor final : public straggler_model {
public:
  explicit constant_factor(double factor) : factor_(factor) {}
  double factor(nanoseconds) override { return factor_; }
  double mean_factor(const duration_distribution&) const override { return factor_; }

private:
  double factor_;
};

class random_steps final : public straggler_model {
public:
  random_steps(double probability, double factor, random_generator generator)
      : slow_(probability), factor_(factor), generator_(generator) {}
  double factor(nanoseconds) override { return slow_(generator_) ? factor_ : 1; }
  double mean_factor(const duration_distribution&) const override { return 1 + slow_.p() * (factor_ - 1); }

private:
  std::bernoulli_distribution slow_;
  double factor_;
  random_generator generator_;
};

class bursts final : public straggler_model {
public:
  bursts(double mean_on_s, double mean_off_s, double factor, random_generator generator)
      : mean_on_s_(mean_on_s), mean_off_s_(mean_off_s), factor_(factor), generator_(generator) {
    start(0);
  }

  double factor(nanoseconds now) override {
    const auto now_s = to_seconds(now);
    // After so long a pause the state no longer depends on the last one, and drawing all that lies between
    // could take for ever.
    if (now_s - until_s_ > 1000 * (mean_on_s_ + mean_off_s_))
      start(now_s);
    while (until_s_ <= now_s) {
      on_ = !on_;
      until_s_ += time_left_s();
    }
    return on_ ? factor_ : 1;
  }

  /// Whether a burst is on when a step starts is a Markov chain: after a time t the chance to be on is
  /// share + (1 or 0 - share) exp(-t / memory). Its stationary state weighs the factors.
  double mean_factor(const duration_distribution& base) const override {
    const auto share = mean_on_s_ / (mean_on_s_ + mean_off_s_);
    const auto rate = 1 / mean_on_s_ + 1 / mean_off_s_;
    const auto begins = share * (1 - base.outlasted_by(rate));               // during a step of none
    const auto ends = (1 - share) * (1 - base.outlasted_by(rate * factor_)); // during a slow one
    const auto on = begins + ends > 0 ? begins / (begins + ends) : share;
    return 1 + on * (factor_ - 1);
  }

private:
  /// Draws the stationary state. An exponential time has no memory, so what is left of it is drawn as if new.
  void start(double now_s) {
    on_ = std::bernoulli_distribution{mean_on_s_ / (mean_on_s_ + mean_off_s_)}(generator_);
    until_s_ = now_s + time_left_s();
  }

  double time_left_s() {
    return std::exponential_distribution<double>{1 / (on_ ? mean_on_s_ : mean_off_s_)}(generator_);
  }

  double mean_on_s_;
  double mean_off_s_;
  double factor_;
  random_generator generator_;
  bool on_ = false;
  double until_s_ = 0; ///< when the present state ends
};

/// The first of a permutation that all workers of a run share. [workers]
std::vector<bool> first_of(std::size_t workers, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(workers);
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The workers' own streams are 0 .. N-1, so N is free for what they share.
  auto generator = make_generator(seed, random_stream::straggler, workers);
  std::shuffle(order.begin(), order.end(), generator);
  std::vector<bool> is_first(workers);
  for (std::size_t i = 0; i < count; ++i)
    is_first[order[i]] = true;
  return is_first;
}

random_generator generator_of(worker_id id, std::uint64_t seed) {
  return make_generator(seed, random_stream::straggler, index_of(id));
}

constexpr std::string_view computed = "computed:";

straggler_maker parse_straggler(const std::string& value_text, std::size_t workers, std::uint64_t seed) {
  const auto text = straggles_by_computing(value_text) ? value_text.substr(computed.size()) : value_text;
  const option_text value{"--straggler", value_text};
  const auto example = [&](const std::string& form) { return "choose for example --straggler " + form; };
  if (text == "none")
    return [](worker_id) { return std::make_unique<constant_factor>(1); };
  const auto [name, parameters] = split_form(text);
  const auto words = split(parameters.value_or(""), ':');
  const auto read_factor = [&](const std::string& mend) {
    return value.number<double>(words[1], "FACTOR", 1, 1e9, mend);
  };

  if (name == "slow") {
    const auto mend = example("slow:1:5");
    if (words.size() != 2)
      value.refuse("be slow:COUNT:FACTOR", "found " + excerpt(text), mend);
    const auto count = value.number<std::size_t>(
        words[0], "COUNT for " + std::to_string(workers) + " workers", 0, workers, mend);
    const auto slow = std::make_shared<const std::vector<bool>>(first_of(workers, count, seed));
    return [=, factor = read_factor(mend)](worker_id id) {
      return std::make_unique<constant_factor>((*slow)[index_of(id)] ? factor : 1);
    };
  }
  if (name == "random") {
    const auto mend = example("random:0.1:5");
    if (words.size() != 2)
      value.refuse("be random:PROBABILITY:FACTOR", "found " + excerpt(text), mend);
    const auto probability = value.number<double>(words[0], "PROBABILITY", 0, 1, mend);
    return [=, factor = read_factor(mend)](worker_id id) {
      return std::make_unique<random_steps>(probability, factor, generator_of(id, seed));
    };
  }
  if (name == "bursts") {
    const auto mend = example("bursts:2,8:5");
    const auto means = split(words[0], ',');
    if (words.size() != 2 || means.size() != 2)
      value.refuse("be bursts:ON,OFF:FACTOR", "found " + excerpt(text), mend);
    const auto on_s = value.number<double>(means[0], "ON in seconds", 1e-6, 1e9, mend);
    const auto off_s = value.number<double>(means[1], "OFF in seconds", 1e-6, 1e9, mend);
    return [=, factor = read_factor(mend)](worker_id id) {
      return std::make_unique<bursts>(on_s, off_s, factor, generator_of(id, seed));
    };
  }
  value.refuse("be none, slow:COUNT:FACTOR, random:PROBABILITY:FACTOR or bursts:ON,OFF:FACTOR",
               "found " + excerpt(text), example("slow:1:5"));
}

} // namespace

bool straggles_by_computing(const std::string& text) {
  return text.starts_with(computed);
}

straggler_maker make_stragglers(const std::string& text, std::size_t workers, std::uint64_t seed) {
  return parse_straggler(text, workers, seed);
}

std::unique_ptr<straggler_model> make_straggler(const std::string& text, std::size_t workers, worker_id id,
                                                std::uint64_t seed) {
  return parse_straggler(text, workers, seed)(id);
}

void check_straggler(const std::string& text, std::size_t workers) {
  parse_straggler(text, workers, 0);
}

} // namespace dybw
