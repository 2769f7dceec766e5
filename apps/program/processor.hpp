#pragma once

#include <cstdint>

namespace dybw {

/// Instruction sets as one bit each, see `processor_features_present`.
using processor_features = std::uint32_t;

/// What the compiler was allowed to use when it built the program (-march, DYBW_ARCH).
extern const processor_features processor_features_needed;

/// What this processor has. May be called before any static initialiser.
processor_features processor_features_present();

/// The name of the first instruction set that is needed and not there, null if there is none.
const char* missing_processor_feature(processor_features needed, processor_features present);

} // namespace dybw
