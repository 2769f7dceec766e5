#include "apps/program/processor.hpp"

#include <doctest/doctest.h>

#include <string>

namespace dybw {

TEST_CASE("processor: what is needed and not there is named") {
  constexpr processor_features avx2 = 1U << 2;
  constexpr processor_features fma = 1U << 5;
  CHECK(missing_processor_feature(0, 0) == nullptr);
  CHECK(missing_processor_feature(avx2, avx2 | fma) == nullptr);
  REQUIRE(missing_processor_feature(avx2 | fma, fma) != nullptr);
  CHECK(std::string{missing_processor_feature(avx2 | fma, fma)} == "AVX2");
  CHECK(std::string{missing_processor_feature(avx2 | fma, avx2)} == "FMA");
}

TEST_CASE("processor: this one runs what was built for it, and the build says what it needs") {
  CHECK(missing_processor_feature(processor_features_needed, processor_features_present()) == nullptr);
#ifdef __AVX2__ // the test is built for the same processor as the program
  CHECK(missing_processor_feature(processor_features_needed, 0) != nullptr);
#endif
}

} // namespace dybw
