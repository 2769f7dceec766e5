// Built for the plainest processor of its kind (see CMakeLists.txt), and without anything of the standard
// library that another object might bring in a version for a better one.
#include "apps/program/processor.hpp"

namespace dybw {

processor_features processor_features_present() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto bit = [](int supported, unsigned place) { return supported ? 1U << place : 0U; };
  return bit(__builtin_cpu_supports("sse4.2"), 0) | bit(__builtin_cpu_supports("avx"), 1) |
         bit(__builtin_cpu_supports("avx2"), 2) | bit(__builtin_cpu_supports("bmi"), 3) |
         bit(__builtin_cpu_supports("bmi2"), 4) | bit(__builtin_cpu_supports("fma"), 5) |
         bit(__builtin_cpu_supports("avx512f"), 6) | bit(__builtin_cpu_supports("avx512vl"), 7);
#else
  return ~0U;
#endif
}

const char* missing_processor_feature(processor_features needed, processor_features present) {
  constexpr const char* names[] = {"SSE4.2", "AVX", "AVX2", "BMI", "BMI2", "FMA", "AVX512F", "AVX512VL"};
  for (unsigned place = 0; place < sizeof names / sizeof *names; ++place)
    if ((needed & ~present) >> place & 1U)
      return names[place];
  return nullptr;
}

} // namespace dybw
