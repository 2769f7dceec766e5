#pragma once

#include "learning/coding/block_format.hpp"
#include "learning/model/parameter_block.hpp"

namespace dybw {

/// How many float32 words a block of `count` parameters takes when it travels; `is_change`: since another
/// block (`int8` only).
std::size_t coded_words(block_format format, std::size_t count, bool is_change) noexcept;

/// Makes of a block what travels, and of that again a block: at both ends the same, bit for bit, whatever
/// their compilers and processors. Of half the bytes, what is out of range becomes the largest there is and
/// what is no number stays none. One pass over memory each; buffers are used again. Used by one thread at a
/// time.
///
/// `int8`: for each 1,024 parameters a float32 scale, a power of two, then for each a whole number from -127
/// to 127: the change in scales. An infinity or what is no number makes all 1,024 none.
class block_coder {
public:
  block_coder(block_format format, std::size_t parameter_count)
      : format_(format), count_(parameter_count), values_(parameter_count),
        words_(coded_words(format, parameter_count, codes_changes())) {}

  block_format format() const noexcept { return format_; }
  /// Whether a block that both ends have makes the next one shorter.
  bool codes_changes() const noexcept { return format_ == block_format::int8; }

  struct coded {
    parameter_block words;  ///< [coded_words(..)], what travels
    parameter_block values; ///< [parameter_count], what the other end will make of it
  };
  /// `values`: [parameter_count]. `base`: what both ends have; none: nothing, or of no use.
  coded encode(const parameter_block& values, const parameter_block& base);
  /// None if `words` has another size than such a block.
  parameter_block decode(const parameter_block& words, const parameter_block& base);

private:
  block_format format_;
  std::size_t count_;
  buffer_pool values_;
  buffer_pool words_;
};

} // namespace dybw
