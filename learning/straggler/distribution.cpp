#include "learning/straggler/distribution.hpp"

#include "learning/base/file_signature.hpp"
#include "learning/base/fnv1a.hpp"
#include "learning/base/list_text.hpp"
#include "learning/base/option_text.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace dybw {

namespace {

/// Mean of f over [0,1), for f of a quantile.
template <class F>
double mean_of_quantiles(F f) {
  constexpr int pieces = 500;
  double sum = 0;
  for (int i = 0; i < pieces; ++i)
    sum += f((i + 0.5) / pieces);
  return sum / pieces;
}

class constant final : public duration_distribution {
public:
  explicit constant(double value) : value_(value) {}
  double draw(random_generator&) override { return value_; }
  double mean() const override { return value_; }
  double outlasted_by(double rate) const override { return std::exp(-rate * value_); }

private:
  double value_;
};

class shifted_exponential final : public duration_distribution {
public:
  explicit shifted_exponential(double mean) : shifted_exponential(0, mean) {}
  shifted_exponential(double base, double mean) : base_(base), beyond_(1 / mean) {}
  double draw(random_generator& generator) override { return base_ + beyond_(generator); }
  double mean() const override { return base_ + 1 / beyond_.lambda(); }
  double outlasted_by(double rate) const override {
    return std::exp(-rate * base_) / (1 + rate / beyond_.lambda());
  }

private:
  double base_;
  std::exponential_distribution<double> beyond_;
};

class uniform final : public duration_distribution {
public:
  uniform(double from, double to) : within_(from, to) {}
  double draw(random_generator& generator) override { return within_(generator); }
  double mean() const override { return (within_.a() + within_.b()) / 2; }
  double outlasted_by(double rate) const override {
    const auto width = rate * (within_.b() - within_.a());
    const auto share = width > 0 ? -std::expm1(-width) / width : 1; // (1 - exp(-width)) / width
    return std::exp(-rate * within_.a()) * share;
  }

private:
  std::uniform_real_distribution<double> within_;
};

/// P(X > x) = (scale / x)^shape for x >= scale; the logarithm of X / scale is exponential of rate `shape`.
class pareto final : public duration_distribution {
public:
  pareto(double scale, double shape) : scale_(scale), logarithm_(shape) {}
  double draw(random_generator& generator) override { return scale_ * std::exp(logarithm_(generator)); }
  double mean() const override {
    const auto shape = logarithm_.lambda();
    return shape > 1 ? scale_ * shape / (shape - 1) : std::numeric_limits<double>::infinity();
  }
  double outlasted_by(double rate) const override {
    return mean_of_quantiles(
        [&](double u) { return std::exp(-rate * scale_ * std::pow(1 - u, -1 / logarithm_.lambda())); });
  }

private:
  double scale_;
  std::exponential_distribution<double> logarithm_;
};

class lognormal final : public duration_distribution {
public:
  lognormal(double mu, double sigma) : draw_(mu, sigma) {}
  double draw(random_generator& generator) override { return draw_(generator); }
  double mean() const override { return std::exp(draw_.m() + draw_.s() * draw_.s() / 2); }
  double outlasted_by(double rate) const override {
    constexpr double reach = 8; // standard deviations; the midpoint rule is exact for so smooth a bell
    constexpr int pieces = 400;
    double sum = 0;
    double all = 0;
    for (int i = 0; i < pieces; ++i) {
      const auto z = reach * ((2 * i + 1.0) / pieces - 1);
      const auto weight = std::exp(-z * z / 2);
      sum += weight * std::exp(-rate * std::exp(draw_.m() + draw_.s() * z));
      all += weight;
    }
    return sum / all;
  }

private:
  std::lognormal_distribution<double> draw_;
};

class trace final : public duration_distribution {
public:
  /// REQUIRES: durations is not empty.
  trace(std::shared_ptr<const std::vector<double>> durations, std::size_t first)
      : durations_(std::move(durations)), next_(first % durations_->size()) {}
  double draw(random_generator&) override {
    const auto duration = (*durations_)[next_];
    next_ = (next_ + 1) % durations_->size();
    return duration;
  }
  double mean() const override {
    return std::accumulate(durations_->begin(), durations_->end(), 0.0) /
           static_cast<double>(durations_->size());
  }
  double outlasted_by(double rate) const override {
    double sum = 0;
    for (const auto x : *durations_)
      sum += std::exp(-rate * x);
    return sum / static_cast<double>(durations_->size());
  }

private:
  std::shared_ptr<const std::vector<double>> durations_;
  std::size_t next_;
};

constexpr double seconds_max = 1e9;  // 32 years
constexpr double seconds_min = 1e-9; // the clock's resolution

struct parameter {
  std::string_view name;
  double min;
  double max;
};

template <class Distribution, std::size_t... Parameter>
std::unique_ptr<duration_distribution> make(const std::vector<double>& parameters) {
  return std::make_unique<Distribution>(parameters[Parameter]...);
}

/// A form of the option and how to make it of parameters that are in their ranges.
struct distribution_form {
  std::string_view spelling;
  std::string_view example;
  std::vector<parameter> parameters;
  std::unique_ptr<duration_distribution> (*make)(const std::vector<double>&);
};

// The ranges of SHAPE, MU and SIGMA keep draws and means (where they exist) far from overflow.
const std::vector<distribution_form>& forms() {
  static const std::vector<distribution_form> all{
      {"const:T", "const:0.05", {{"T", 0, seconds_max}}, make<constant, 0>},
      {"exp:MEAN", "exp:0.05", {{"MEAN", seconds_min, seconds_max}}, make<shifted_exponential, 0>},
      {"shifted-exp:BASE,MEAN",
       "shifted-exp:0.04,0.01",
       {{"BASE", 0, seconds_max}, {"MEAN", seconds_min, seconds_max}},
       make<shifted_exponential, 0, 1>},
      {"uniform:A,B",
       "uniform:0.04,0.06",
       {{"A", 0, seconds_max}, {"B", 0, seconds_max}},
       make<uniform, 0, 1>},
      {"pareto:SCALE,SHAPE",
       "pareto:0.04,2.5",
       {{"SCALE", seconds_min, seconds_max}, {"SHAPE", 0.1, 1000}},
       make<pareto, 0, 1>},
      {"lognormal:MU,SIGMA",
       "lognormal:-3,0.5",
       {{"MU", -100, 100}, {"SIGMA", 0.001, 10}},
       make<lognormal, 0, 1>},
  };
  return all;
}

std::string all_spellings() {
  std::string list;
  for (const auto& form : forms())
    list += std::string{form.spelling} + ", ";
  return list + "or trace:FILE";
}

distribution_maker parse_form(const option_text& text, const distribution_form& form,
                              std::string_view parameters) {
  const auto mend = "choose for example " + text.option + ' ' + std::string{form.example};
  const auto words = split(parameters, ',');
  if (words.size() != form.parameters.size())
    text.refuse("be " + std::string{form.spelling}, "found " + excerpt(parameters), mend);
  std::vector<double> values;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& expected = form.parameters[i];
    values.push_back(text.number<double>(words[i], expected.name, expected.min, expected.max, mend));
  }
  if (form.spelling == "uniform:A,B" && values[0] > values[1])
    text.refuse("have A at most B", std::string{words[0]} + " above " + std::string{words[1]},
                "choose " + text.option + " uniform:" + std::string{words[1]} + ',' + std::string{words[0]});
  return [make = form.make, values](std::size_t) { return make(values); };
}

/// What may be wrong with a line that is no duration.
std::string mend_duration(std::string_view entry) {
  if (entry.find_first_of(",; \t") != std::string_view::npos)
    return "write one duration per line, with a point for decimals, for example 0.05";
  if (entry.ends_with('s'))
    return "write seconds without their unit, for example 0.05";
  return "write one duration per line, for example 0.05";
}

std::vector<double> read_trace(const std::string& path) {
  refuse_foreign(path, "trace file");
  std::vector<double> durations;
  for (const auto& line : read_lines(path, "trace file")) {
    const auto entry = list_entry(line.text);
    if (entry.empty())
      continue;
    const auto duration = parse_number<double>(entry.starts_with('+') ? entry.substr(1) : entry);
    if (!duration || *duration < 0 || *duration > seconds_max)
      throw input_error{input_fault::data, "a duration must be a number of seconds from 0 to 1e+09",
                        "found " + excerpt(line.text) + " in " + path + ':' + std::to_string(line.number),
                        mend_duration(entry)};
    durations.push_back(*duration);
  }
  if (durations.empty())
    throw input_error{input_fault::data, "a trace must have at least one duration", "found none in " + path,
                      "write one duration per line, for example 0.05"};
  return durations;
}

} // namespace

std::uint64_t trace_fingerprint(const std::string& text) {
  constexpr std::string_view prefix = "trace:";
  if (!text.starts_with(prefix))
    return 0;
  fnv1a hash;
  for (const auto duration : read_trace(text.substr(prefix.size()))) {
    const auto bits = std::bit_cast<std::uint64_t>(duration);
    for (int shift = 0; shift < 64; shift += 8)
      hash.add(static_cast<unsigned char>(bits >> shift));
  }
  return hash.value();
}

distribution_maker read_distribution(const std::string& text, const std::string& option) {
  const option_text value{option, text};
  const auto [name, parameters] = split_form(text);
  if (name == "trace" && parameters && !parameters->empty())
    return [durations = std::make_shared<const std::vector<double>>(read_trace(std::string{*parameters}))](
               std::size_t first_line) { return std::make_unique<trace>(durations, first_line); };
  for (const auto& form : forms())
    if (name == split_form(form.spelling).name)
      return parse_form(value, form, parameters.value_or(""));
  value.refuse("be " + all_spellings(), "found " + excerpt(text),
               "choose for example " + option + " exp:0.05");
}

std::unique_ptr<duration_distribution> parse_distribution(const std::string& text, const std::string& option,
                                                          std::size_t first_line) {
  return read_distribution(text, option)(first_line);
}

} // namespace dybw
