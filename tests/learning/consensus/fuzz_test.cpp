#include "fuzz.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace {

using namespace dybw;
using namespace dybw::test;

const fuzz_family full{"full", "full"};
const fuzz_family fixed{"static", "static"};
const fuzz_family carry{"dtur carry", "dtur"};
const fuzz_family discard{"dtur discard", "dtur", miss_rule::discard};

void fuzz(const fuzz_family& family, std::uint64_t first) {
  auto count = std::uint64_t{5000};
  if (const auto* text = std::getenv("DYBW_FUZZ_SCHEDULES"))
    count = std::strtoull(text, nullptr, 10);
  const auto* only = std::getenv("DYBW_FUZZ_SEED");
  if (only != nullptr) {
    first = std::strtoull(only, nullptr, 10);
    count = 1;
  }
  fuzz_result worst;
  std::uint64_t events = 0, lost = 0, rounds = 0, bad = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    INFO("replay: DYBW_FUZZ_SEED=", seed, " test_fuzz -tc=\"fuzz: ", std::string{family.name}, "*\"");
    const auto result =
        run_schedule(family, seed, only != nullptr && std::getenv("DYBW_FUZZ_TRACE") != nullptr);
    INFO(result.description);
    for (const auto& f : result.failures)
      FAIL_CHECK(f);
    bad += result.failures.empty() ? 0 : 1;
    if (bad > 10)
      break;
    events += result.events;
    lost += result.edges_lost;
    rounds += result.rounds;
    worst.messages_under_way = std::max(worst.messages_under_way, result.messages_under_way);
    worst.connect_stretch = std::max(worst.connect_stretch, result.connect_stretch);
    worst.alone_stretch = std::max(worst.alone_stretch, result.alone_stretch);
  }
  MESSAGE(std::string{family.name}, ": ", events, " events, ", rounds, " rounds, lost ", lost, " bad ", bad,
          " msgs ", worst.messages_under_way, " connect ", worst.connect_stretch, " alone ",
          worst.alone_stretch);
}

} // namespace

TEST_CASE("fuzz: full") {
  fuzz(full, 0);
}
TEST_CASE("fuzz: static") {
  fuzz(fixed, 0);
}
TEST_CASE("fuzz: dtur carry") {
  fuzz(carry, 0);
}
TEST_CASE("fuzz: dtur discard") {
  fuzz(discard, 0);
}
