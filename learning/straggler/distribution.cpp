#include "learning/straggler/distribution.hpp"

#include "learning/base/option_text.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace dybw {

namespace {

class constant final : public duration_distribution {
public:
  explicit constant(double value) : value_(value) {}
  double draw(random_generator&) override { return value_; }
  double mean() const override { return value_; }

private:
  double value_;
};

class shifted_exponential final : public duration_distribution {
public:
  explicit shifted_exponential(double mean) : shifted_exponential(0, mean) {}
  shifted_exponential(double base, double mean) : base_(base), beyond_(1 / mean) {}
  double draw(random_generator& generator) override { return base_ + beyond_(generator); }
  double mean() const override { return base_ + 1 / beyond_.lambda(); }

private:
  double base_;
  std::exponential_distribution<double> beyond_;
};

class uniform final : public duration_distribution {
public:
  uniform(double from, double to) : within_(from, to) {}
  double draw(random_generator& generator) override { return within_(generator); }
  double mean() const override { return (within_.a() + within_.b()) / 2; }

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

private:
  double scale_;
  std::exponential_distribution<double> logarithm_;
};

class lognormal final : public duration_distribution {
public:
  lognormal(double mu, double sigma) : draw_(mu, sigma) {}
  double draw(random_generator& generator) override { return draw_(generator); }
  double mean() const override { return std::exp(draw_.m() + draw_.s() * draw_.s() / 2); }

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

std::vector<double> read_trace(const std::string& path) {
  std::vector<double> durations;
  for (const auto& line : read_lines(path, "trace file")) {
    const auto duration = parse_number<double>(line.text);
    if (!duration || *duration < 0 || *duration > seconds_max)
      throw input_error{input_fault::data, "a duration must be a number of seconds from 0 to 1e+09",
                        "found " + excerpt(line.text) + " in " + path + ':' + std::to_string(line.number),
                        "write one duration per line, for example 0.05"};
    durations.push_back(*duration);
  }
  if (durations.empty())
    throw input_error{input_fault::data, "a trace must have at least one duration", "found none in " + path,
                      "write one duration per line, for example 0.05"};
  return durations;
}

} // namespace

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
