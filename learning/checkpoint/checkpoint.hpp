#pragma once

#include "learning/base/types.hpp"
#include "learning/model/parameter_block.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace dybw {

/// What a worker needs to go on where it was: its estimate w_j(k) after round k, and how far it had got with
/// all that is drawn. Random generators are not stored: drawing as often again brings them to the same state.
struct checkpoint {
  std::uint64_t run_hash = 0; ///< of all that must be the same when the run goes on
  worker_id worker{};
  std::uint32_t workers = 0;
  round_number round = 0;                  ///< k
  std::uint64_t local_steps = 0;           ///< gradient steps that led here; as many mini-batches were used
  std::uint64_t epoch = 0;                 ///< of the last mini-batch used
  std::uint64_t delays = 0;                ///< step times drawn
  nanoseconds elapsed{0};                  ///< since the run's start, earlier parts of it included
  parameter_block parameters;              ///< w_j(k)
  parameter_block velocity;                ///< after the step of round k; none without momentum
  bool has_learner = false;                ///< a trainer has what else is needed ..
  std::vector<char> learner{};             ///< .. and gave it as these bytes; empty: it begins afresh
  parameter_block outer{};                 ///< m of the outer step after round k; none without
  parameter_block correction{};            ///< c after round k; none without ..
  std::uint64_t correction_generation = 0; ///< .. and the membership's generation that it belongs to
};

/// What a checkpoint must fit.
struct checkpoint_frame {
  std::uint64_t run_hash = 0;
  worker_id worker{};
  std::uint32_t workers = 0;
  std::size_t parameters = 0;
  bool has_velocity = false;
  bool has_learner = false; ///< not with velocity
  bool has_outer = false;
  bool has_correction = false;
};

/// Hands out the bytes of the file in pieces, in order: magic, version, sizes and numbers (little-endian),
/// the values as float32, the correction's generation, a trainer's bytes, and a CRC-32 of all before it. The
/// values are not copied.
void encode(const checkpoint& x, const std::function<void(std::span<const std::byte>)>& write);

/// Reads a file. Throws `input_error` (data fault) for one that cannot be read, is no checkpoint, is of
/// another version, run or worker, is cut short or damaged. Nothing is allocated before the sizes that the
/// file states fit both `expected` and its own length.
checkpoint read_checkpoint(const std::filesystem::path& file, const checkpoint_frame& expected);

} // namespace dybw
