#include "learning/data/partition.hpp"

#include "tests/learning/data/files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace dybw;
using namespace dybw::test;

namespace {

using parts = std::vector<std::vector<std::uint32_t>>;

/// `size` samples without features; labels 0, 1, .. classes-1, 0, 1, ..
dataset labelled(std::size_t size, std::size_t classes) {
  dataset data;
  data.classes = classes;
  for (std::size_t i = 0; i < size; ++i)
    data.labels.push_back(static_cast<std::int32_t>(i % classes));
  return data;
}

bool deals_each_row_once(const parts& dealt, std::size_t size) {
  std::vector<std::uint32_t> all;
  for (const auto& rows : dealt)
    all.insert(all.end(), rows.begin(), rows.end());
  std::sort(all.begin(), all.end());
  if (all.size() != size)
    return false;
  for (std::size_t i = 0; i < size; ++i)
    if (all[i] != i)
      return false;
  return true;
}

std::size_t classes_of(const dataset& data, const std::vector<std::uint32_t>& rows) {
  std::set<std::int32_t> labels;
  for (const auto row : rows)
    labels.insert(data.labels[row]);
  return labels.size();
}

/// Mean over the workers of the share of a worker's most frequent class.
double mean_dominance(const dataset& data, const parts& dealt) {
  double sum = 0;
  for (const auto& rows : dealt) {
    std::vector<std::size_t> count(data.classes);
    for (const auto row : rows)
      ++count[static_cast<std::size_t>(data.labels[row])];
    sum +=
        static_cast<double>(*std::max_element(count.begin(), count.end())) / static_cast<double>(rows.size());
  }
  return sum / static_cast<double>(dealt.size());
}

} // namespace

TEST_CASE("parse_partition: reads iid, shards:S and dirichlet:A") {
  CHECK(parse_partition("iid").how == partition_spec::kind::iid);
  const auto shards = parse_partition("shards:3");
  CHECK(shards.how == partition_spec::kind::shards);
  CHECK(shards.shards_per_worker == 3);
  const auto dirichlet = parse_partition("dirichlet:0.25");
  CHECK(dirichlet.how == partition_spec::kind::dirichlet);
  CHECK(dirichlet.concentration == 0.25);
  CHECK(parse_partition("dirichlet:1e-3").concentration == 1e-3);
  const auto equal = parse_partition("dirichlet-equal:0.75");
  CHECK(equal.how == partition_spec::kind::dirichlet_equal);
  CHECK(equal.concentration == 0.75);
}

TEST_CASE("parse_partition: refuses everything else as a configuration fault and shows how it is written") {
  for (const auto* text : {"",
                           "IID",
                           "iid:",
                           "iid:2",
                           "shards",
                           "shards:",
                           "shards:0",
                           "shards:-1",
                           "shards:2.5",
                           "shards:2x",
                           "shards:99999999999999999999999",
                           "dirichlet",
                           "dirichlet:",
                           "dirichlet:0",
                           "dirichlet:-1",
                           "dirichlet:nan",
                           "dirichlet:inf",
                           "dirichlet:1,5",
                           "dirichlet:1e999",
                           "dirichlet-equal",
                           "dirichlet-equal:0",
                           "dirichlet-equal:x",
                           "random:2"}) {
    CAPTURE(text);
    const auto refused = refusal_of([&] { parse_partition(text); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("--partition"));
    CHECK(refused.says(std::string{"'"} + text + "'"));
  }
  CHECK(refusal_of([] {
          parse_partition("random:2");
        }).says("iid, shards:S, dirichlet:A or dirichlet-equal:A"));
}

TEST_CASE("partition: every sample goes to exactly one worker and nobody goes without") {
  for (const auto* text : {"iid", "shards:1", "shards:2", "shards:5", "dirichlet:0.3", "dirichlet:100",
                           "dirichlet-equal:0.1", "dirichlet-equal:100", "dirichlet-equal:1e-300"})
    for (const std::size_t workers : {1, 2, 3, 7, 16})
      for (const std::size_t size : {200, 1'001})
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
          CAPTURE(text);
          CAPTURE(workers);
          CAPTURE(seed);
          const auto data = labelled(size, 10);
          const auto dealt = partition_rows(data, workers, parse_partition(text), seed);
          REQUIRE(dealt.size() == workers);
          CHECK(deals_each_row_once(dealt, size));
          CHECK(std::none_of(dealt.begin(), dealt.end(), [](const auto& rows) { return rows.empty(); }));
        }
}

TEST_CASE("partition: the same seed deals the same, another seed differently") {
  const auto data = labelled(500, 10);
  for (const auto* text : {"iid", "shards:2", "dirichlet:0.5", "dirichlet-equal:0.5"}) {
    const auto spec = parse_partition(text);
    CHECK(partition_rows(data, 5, spec, 1) == partition_rows(data, 5, spec, 1));
    CHECK(partition_rows(data, 5, spec, 1) != partition_rows(data, 5, spec, 2));
  }
}

TEST_CASE("partition: iid parts differ by one sample at most and mix the classes") {
  const auto data = labelled(1'003, 10);
  const auto dealt = partition_rows(data, 8, parse_partition("iid"), 1);
  for (const auto& rows : dealt) {
    CHECK(rows.size() >= 125);
    CHECK(rows.size() <= 126);
    CHECK(classes_of(data, rows) == 10);
  }
}

TEST_CASE("partition: shards:S gives a worker S runs, so 2 S classes at most") {
  const auto data = labelled(1'000, 10);
  for (const std::size_t shards : {1, 2, 3}) {
    const auto dealt = partition_rows(data, 10, parse_partition("shards:" + std::to_string(shards)), 1);
    for (const auto& rows : dealt) {
      CHECK(rows.size() >= 1'000 / 10 - shards);
      CHECK(rows.size() <= 1'000 / 10 + shards);
      CHECK(classes_of(data, rows) <= 2 * shards);
    }
  }
  // 20 runs of 50 cut classes of 100 exactly in two: a run holds one class.
  for (const auto& rows : partition_rows(data, 10, parse_partition("shards:2"), 1))
    CHECK(classes_of(data, rows) <= 2);
}

TEST_CASE("partition: the smaller dirichlet's A, the more one class dominates a worker") {
  const auto data = labelled(5'000, 10);
  const auto dominance = [&](const std::string& concentration) {
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed)
      sum +=
          mean_dominance(data, partition_rows(data, 8, parse_partition("dirichlet:" + concentration), seed));
    return sum / 10;
  };
  const auto even = dominance("1000");
  const auto middling = dominance("0.5");
  const auto skewed = dominance("0.05");
  CHECK(even < 0.15); // 0.1 if perfectly even
  CHECK(middling > 0.25);
  CHECK(skewed > middling + 0.1);
}

TEST_CASE("partition: dirichlet-equal gives everybody as many samples, of a mix of classes of its own") {
  const auto data = labelled(5'003, 10);
  const auto dominance = [&](const std::string& concentration) {
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto dealt = partition_rows(data, 8, parse_partition("dirichlet-equal:" + concentration), seed);
      for (const auto& rows : dealt) {
        CHECK(rows.size() >= 625);
        CHECK(rows.size() <= 626);
      }
      sum += mean_dominance(data, dealt);
    }
    return sum / 10;
  };
  const auto even = dominance("10000");
  const auto middling = dominance("5");
  const auto skewed = dominance("0.3");
  CHECK(even < 0.15);
  CHECK(middling > even + 0.1);
  CHECK(skewed > middling + 0.1);
}

TEST_CASE("partition: dirichlet-equal draws its mixes around the classes' shares, A their concentration") {
  // One worker in a thousand draws alone, as it were: nothing has run out when it takes its few samples.
  dataset data;
  data.classes = 2;
  for (int i = 0; i < 40'000; ++i)
    data.labels.push_back(i % 4 == 0 ? 1 : 0); // a quarter
  double sum = 0;
  double squares = 0;
  constexpr double concentration = 3;
  const auto dealt = partition_rows(data, 400, parse_partition("dirichlet-equal:3"), 1);
  for (const auto& rows : dealt) {
    const std::vector<std::uint32_t> first(rows.begin(), rows.begin() + 30);
    double ones = 0;
    for (const auto row : first)
      ones += data.labels[row];
    sum += ones / 30;
    squares += ones / 30 * ones / 30;
  }
  const auto mean = sum / 400;
  const auto variance = squares / 400 - mean * mean;
  // Beta-binomial of 30 draws: p (1 - p) / n (1 + (n - 1) / (A + 1)).
  const auto expected = 0.25 * 0.75 / 30 * (1 + 29 / (concentration + 1));
  CHECK(mean * 4 == doctest::Approx(1).epsilon(0.15));
  CHECK(variance / expected == doctest::Approx(1).epsilon(0.25));
}

TEST_CASE("partition: dirichlet shares have the mean 1/N and the variance of the distribution") {
  // One class: a worker's part is its share itself, Beta(A, (N-1) A) distributed.
  const auto data = labelled(10'000, 1);
  constexpr double concentration = 2;
  constexpr double workers = 4;
  double sum = 0;
  double squares = 0;
  constexpr int draws = 2'000;
  for (int seed = 0; seed < draws; ++seed) {
    const auto dealt =
        partition_rows(data, 4, parse_partition("dirichlet:2"), static_cast<std::uint64_t>(seed));
    const auto share = static_cast<double>(dealt[1].size()) / 10'000;
    sum += share;
    squares += share * share;
  }
  const auto mean = sum / draws;
  const auto variance = squares / draws - mean * mean;
  const auto expected_variance = (1 / workers) * (1 - 1 / workers) / (workers * concentration + 1);
  // Ratios, because doctest's tolerance is absolute for small numbers.
  CHECK(mean * workers == doctest::Approx(1).epsilon(0.02));
  CHECK(variance / expected_variance == doctest::Approx(1).epsilon(0.05));
}

TEST_CASE(
    "partition: a dirichlet so skewed that somebody must go without is refused, not searched for ever") {
  const auto data = labelled(1'000, 10);
  const auto refused = refusal_of([&] { partition_rows(data, 50, parse_partition("dirichlet:1e-300"), 1); });
  CHECK(refused.fault == input_fault::configuration);
  CHECK(refused.says("larger A"));
}

TEST_CASE("partition: classes that are too few for a draw are redrawn until everybody has a sample") {
  const auto data = labelled(100, 10);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto dealt = partition_rows(data, 6, parse_partition("dirichlet:0.05"), seed);
    CHECK(deals_each_row_once(dealt, 100));
    CHECK(std::none_of(dealt.begin(), dealt.end(), [](const auto& rows) { return rows.empty(); }));
  }
}

TEST_CASE("partition: fewer samples than workers, or than runs to deal, is a configuration fault") {
  const auto data = labelled(10, 2);
  for (const auto* text : {"iid", "shards:1", "dirichlet:1"}) {
    const auto refused = refusal_of([&] { partition_rows(data, 11, parse_partition(text), 1); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("11 workers"));
  }
  CHECK(partition_rows(data, 10, parse_partition("iid"), 1).size() == 10);
  CHECK(partition_rows(data, 5, parse_partition("shards:2"), 1).size() == 5);
  for (const auto* text : {"shards:3", "shards:18446744073709551615"}) {
    const auto refused = refusal_of([&] { partition_rows(data, 5, parse_partition(text), 1); });
    CHECK(refused.fault == input_fault::configuration);
    CHECK(refused.says("--partition"));
  }
}
