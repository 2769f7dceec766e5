// Built for the same processor as the rest of the program, and holds no code: a processor that cannot run the
// rest can still read this.
#include "apps/program/processor.hpp"

namespace dybw {

const processor_features processor_features_needed = 0U
#ifdef __SSE4_2__
                                                     | 1U << 0
#endif
#ifdef __AVX__
                                                     | 1U << 1
#endif
#ifdef __AVX2__
                                                     | 1U << 2
#endif
#ifdef __BMI__
                                                     | 1U << 3
#endif
#ifdef __BMI2__
                                                     | 1U << 4
#endif
#ifdef __FMA__
                                                     | 1U << 5
#endif
#ifdef __AVX512F__
                                                     | 1U << 6
#endif
#ifdef __AVX512VL__
                                                     | 1U << 7
#endif
    ;

} // namespace dybw
