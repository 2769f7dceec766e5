#include "fuzz.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace {

using namespace dybw;
using namespace dybw::test;

const auto& full = fuzz_families[0];
const auto& fixed = fuzz_families[1];
const auto& carry = fuzz_families[2];
const auto& discard = fuzz_families[3];

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
  std::uint64_t events = 0, lost = 0, rounds = 0, bad = 0, tail = 0;
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
    worst.messages_ratio = std::max(worst.messages_ratio, result.messages_ratio);
    tail += result.tail_rounds;
    if ((result.connect_stretch > 2 && result.description.find("timeouts") == std::string::npos) ||
        (result.alone_stretch > 40 && false) || result.messages_ratio > 8)
      MESSAGE(seed, " ", result.description, " ", result.connect_stretch, " ", result.alone_stretch, " ",
              result.messages_ratio);
    worst.connect_stretch = std::max(worst.connect_stretch, result.connect_stretch);
    worst.alone_stretch = std::max(worst.alone_stretch, result.alone_stretch);
  }
  MESSAGE(std::string{family.name}, ": ", events, " events, ", rounds, " rounds, lost ", lost,
          " tail rounds ", tail, " bad ", bad, " msgs ", worst.messages_ratio, " connect ",
          worst.connect_stretch, " alone ", worst.alone_stretch);
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
