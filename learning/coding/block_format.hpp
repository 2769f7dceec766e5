#pragma once

#include "learning/base/enum_text.hpp"

namespace dybw {

/// How parameter blocks travel between processes (docs/methods.md, "Compressed estimates").
enum class block_format {
  float32,  ///< as they are
  float16,  ///< IEEE 754 binary16: half of the bytes, 11 bits, up to 65,504
  bfloat16, ///< half of the bytes, 8 bits, the range of float32
  int8,     ///< a quarter: the change since a block that both ends have; without one as they are
};

constexpr std::string_view block_format_names[] = {"float32", "float16", "bfloat16", "int8"};

constexpr std::string_view to_string(block_format x) {
  return enum_text<block_format::int8>(x, block_format_names);
}

} // namespace dybw
