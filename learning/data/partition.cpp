#include "learning/data/partition.hpp"

#include "learning/base/option_text.hpp"
#include "learning/base/random.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <random>

namespace dybw {

namespace {

using row_list = std::vector<std::uint32_t>;

[[noreturn]] void refuse(const std::string& what, const std::string& mend) {
  throw input_error{input_fault::configuration, what, "--partition", mend};
}

row_list all_rows_shuffled(std::size_t size, random_generator& generator) {
  row_list rows(size);
  std::iota(rows.begin(), rows.end(), 0U);
  std::shuffle(rows.begin(), rows.end(), generator);
  return rows;
}

/// Where part `i` of `parts` begins when `size` samples are cut evenly: sizes differ by at most one.
std::size_t cut(std::size_t size, std::size_t parts, std::size_t i) {
  return i * (size / parts) + std::min(i, size % parts);
}

void append(row_list& to, const row_list& from, std::size_t begin, std::size_t end) {
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(end));
}

std::vector<row_list> deal_iid(std::size_t size, std::size_t workers, random_generator& generator) {
  const auto rows = all_rows_shuffled(size, generator);
  std::vector<row_list> dealt(workers);
  for (std::size_t w = 0; w < workers; ++w)
    append(dealt[w], rows, cut(size, workers, w), cut(size, workers, w + 1));
  return dealt;
}

std::vector<row_list> deal_shards(const dataset& data, std::size_t workers, std::size_t shards_per_worker,
                                  random_generator& generator) {
  if (shards_per_worker > data.size() / workers)
    refuse("shards:" + std::to_string(shards_per_worker) + " for " + std::to_string(workers) +
               " workers needs more than the " + std::to_string(data.size()) + " training samples there are",
           "take fewer shards or workers");
  auto rows = all_rows_shuffled(data.size(), generator);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](std::uint32_t x, std::uint32_t y) { return data.labels[x] < data.labels[y]; });
  const auto runs = workers * shards_per_worker;
  const auto order = all_rows_shuffled(runs, generator);
  std::vector<row_list> dealt(workers);
  for (std::size_t i = 0; i < runs; ++i)
    append(dealt[i / shards_per_worker], rows, cut(data.size(), runs, order[i]),
           cut(data.size(), runs, order[i] + 1));
  return dealt;
}

/// A draw from the Dirichlet distribution of these parameters: gamma draws, divided by their sum. The draws
/// are kept as logarithms, by Gamma(a) = Gamma(a + 1) * U^(1/a), because for small `a` all of them would
/// underflow to zero.
std::vector<double> draw_shares(const std::vector<double>& parameters, random_generator& generator) {
  std::gamma_distribution<double> gamma;
  std::exponential_distribution<double> minus_log_uniform{1.0};
  std::vector<double> shares;
  for (const auto a : parameters) {
    const auto log_gamma = std::log(gamma(generator, decltype(gamma)::param_type{a + 1, 1.0}));
    shares.push_back(log_gamma - minus_log_uniform(generator) / a);
  }
  const auto largest = *std::max_element(shares.begin(), shares.end());
  for (auto& share : shares)
    share = std::exp(share - largest);
  const auto sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (auto& share : shares)
    share /= sum;
  return shares;
}

/// The rows of each class that has any, in random order.
std::vector<row_list> rows_by_class(const dataset& data, random_generator& generator) {
  std::vector<row_list> of_class(data.classes);
  for (const auto row : all_rows_shuffled(data.size(), generator))
    of_class[static_cast<std::size_t>(data.labels[row])].push_back(row);
  std::erase_if(of_class, [](const row_list& rows) { return rows.empty(); });
  return of_class;
}

/// Ends of the workers' parts of a class of `size` samples, in proportion to `shares`.
std::vector<std::size_t> part_ends(std::size_t size, const std::vector<double>& shares) {
  std::vector<std::size_t> ends(shares.size());
  double sum = 0;
  for (std::size_t w = 0; w < shares.size(); ++w) {
    sum += shares[w];
    ends[w] = std::min(size, static_cast<std::size_t>(std::llround(sum * static_cast<double>(size))));
  }
  ends.back() = size; // whatever the rounding of the sum
  return ends;
}

std::vector<row_list> deal_dirichlet(const dataset& data, std::size_t workers, double concentration,
                                     random_generator& generator) {
  const auto of_class = rows_by_class(data, generator);
  const std::vector<double> parameters(workers, concentration);
  constexpr int draws_max = 1'000;
  for (int draw = 0; draw < draws_max; ++draw) {
    std::vector<row_list> dealt(workers);
    for (const auto& rows : of_class) {
      const auto ends = part_ends(rows.size(), draw_shares(parameters, generator));
      for (std::size_t w = 0; w < workers; ++w)
        append(dealt[w], rows, w == 0 ? 0 : ends[w - 1], ends[w]);
    }
    if (std::none_of(dealt.begin(), dealt.end(), [](const row_list& rows) { return rows.empty(); }))
      return dealt;
  }
  refuse("a Dirichlet partition that gives each of " + std::to_string(workers) +
             " workers a sample was not found in " + std::to_string(draws_max) + " draws",
         "take a larger A in dirichlet:A, or fewer workers");
}

/// A class drawn by the worker's mix among those that have samples left; if the mix has none of them, by how
/// many are left.
std::size_t draw_class(const std::vector<double>& mix, const std::vector<row_list>& left,
                       random_generator& generator) {
  const auto weight = [&](std::size_t c) { return left[c].empty() ? 0.0 : mix[c]; };
  double sum = 0;
  for (std::size_t c = 0; c < left.size(); ++c)
    sum += weight(c);
  const auto by_mix = sum > 0;
  for (std::size_t c = 0; !by_mix && c < left.size(); ++c)
    sum += static_cast<double>(left[c].size());
  auto at = std::uniform_real_distribution<double>{0, sum}(generator);
  auto last = left.size();
  for (std::size_t c = 0; c < left.size(); ++c) {
    const auto w = by_mix ? weight(c) : static_cast<double>(left[c].size());
    if (w <= 0)
      continue;
    last = c;
    if (at < w)
      break;
    at -= w;
  }
  return last; // also where rounding leaves something of `at`
}

std::vector<row_list> deal_dirichlet_equal(const dataset& data, std::size_t workers, double concentration,
                                           random_generator& generator) {
  auto left = rows_by_class(data, generator);
  std::vector<double> parameters;
  for (const auto& rows : left)
    parameters.push_back(concentration * static_cast<double>(rows.size()) / static_cast<double>(data.size()));
  std::vector<std::vector<double>> mixes(workers);
  for (auto& mix : mixes)
    mix = draw_shares(parameters, generator);
  std::vector<row_list> dealt(workers);
  for (std::size_t i = 0; i < data.size(); ++i) {
    auto& rows = left[draw_class(mixes[i % workers], left, generator)];
    dealt[i % workers].push_back(rows.back());
    rows.pop_back();
  }
  return dealt;
}

} // namespace

partition_spec parse_partition(const std::string& text) {
  partition_spec spec;
  const auto [name, parameters] = split_form(text);
  const auto value = parameters.value_or("");
  if (name == "iid" && !parameters)
    return spec;
  if (name == "shards") {
    const auto shards = parse_number<std::size_t>(value);
    if (!shards || *shards < 1)
      refuse("'" + text + "' is not shards:S with a whole number S of at least 1", "for example shards:2");
    spec.how = partition_spec::kind::shards;
    spec.shards_per_worker = *shards;
    return spec;
  }
  if (name == "dirichlet" || name == "dirichlet-equal") {
    const auto form = std::string{name};
    const auto concentration = parse_number<double>(value);
    if (!concentration || *concentration <= 0)
      refuse("'" + text + "' is not " + form + ":A with a number A above 0", "for example " + form + ":0.5");
    spec.how = name == "dirichlet" ? partition_spec::kind::dirichlet : partition_spec::kind::dirichlet_equal;
    spec.concentration = *concentration;
    return spec;
  }
  refuse("unknown partition '" + text + "'", "choose iid, shards:S, dirichlet:A or dirichlet-equal:A");
}

std::vector<std::vector<std::uint32_t>> partition_rows(const dataset& data, std::size_t workers,
                                                       const partition_spec& spec, std::uint64_t seed) {
  assert(workers >= 1);
  if (data.size() < workers)
    throw input_error{input_fault::configuration,
                      std::to_string(workers) + " workers cannot share " + std::to_string(data.size()) +
                          " training samples",
                      "--workers", "take at most one worker per sample"};
  auto generator = make_generator(seed, random_stream::partition);
  if (spec.how == partition_spec::kind::shards)
    return deal_shards(data, workers, spec.shards_per_worker, generator);
  if (spec.how == partition_spec::kind::dirichlet)
    return deal_dirichlet(data, workers, spec.concentration, generator);
  if (spec.how == partition_spec::kind::dirichlet_equal)
    return deal_dirichlet_equal(data, workers, spec.concentration, generator);
  return deal_iid(data.size(), workers, generator);
}

std::vector<std::uint32_t> deal_rows(std::uint64_t samples, std::span<const std::int32_t> labels,
                                     std::size_t workers, const partition_spec& spec, std::uint64_t seed,
                                     std::size_t worker) {
  constexpr std::uint64_t samples_max = std::uint64_t{1} << 31U;
  constexpr std::int32_t classes_max = 1'000'000;
  const auto refuse = [](const std::string& what, const std::string& mend) {
    throw input_error{input_fault::configuration, what, "", mend};
  };
  if (samples == 0 || samples >= samples_max)
    refuse("there are " + std::to_string(samples) + " samples to deal out",
           "have at least 1, and fewer than " + std::to_string(samples_max));
  if (!labels.empty() && labels.size() != samples)
    refuse("there are " + std::to_string(labels.size()) + " labels for " + std::to_string(samples) +
               " samples to deal out",
           "give one for each, or none");
  if (labels.empty() && spec.how != partition_spec::kind::iid)
    refuse("the samples have no labels, by which --partition would deal them out",
           "give labels with the samples, or leave --partition out");
  dataset data;
  data.labels.assign(labels.begin(), labels.end());
  if (labels.empty())
    data.labels.assign(static_cast<std::size_t>(samples), 0);
  const auto [least, most] = std::ranges::minmax(data.labels);
  if (least < 0 || most >= classes_max)
    refuse("there are labels below 0 or above 999999", "number the classes from 0 on");
  data.classes = static_cast<std::size_t>(most) + 1;
  return std::move(partition_rows(data, workers, spec, seed)[worker]);
}

} // namespace dybw
