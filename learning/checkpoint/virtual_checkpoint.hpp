#pragma once

#include "learning/model/local_training.hpp"
#include "learning/model/parameter_block.hpp"
#include "learning/run/run_result.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace dybw {

/// The learning of a simulated run between two of its events.
struct training_memory {
  /// A worker's machine is told how far apart it and its neighbours were so many steps ago: what is nearer
  /// need not be computed when it wants to know.
  static constexpr std::size_t strides_lag = 8;
  struct learner {
    training_state state;
    // Of the newest step and mix; zeros before the first:
    double loss = 0;
    double projection_before = 0;
    double norm_before = 0;
    double projection_after = 0;
    // Of pairwise averaging:
    double agreement = 0;                          ///< see `step_agreement`
    double step_length = 0;                        ///< see `estimate_mover`
    double apart = 0;                              ///< see `disagreement`
    std::array<double, strides_lag> apart_after{}; ///< .. after each of the last steps; s: [s % strides_lag]
    std::uint32_t samples =
        0; ///< of the newest step; those of learners with their own data are not drawn again
    vector_witness correction{}; ///< of the newest mix
  };
  struct estimate {
    std::uint64_t number = 0; ///< in the order in which all were made, w(0) not among them
    parameter_block block;
  };
  std::uint64_t estimates_made = 0;
  std::vector<learner> learners;   ///< [workers]
  std::vector<estimate> estimates; ///< those that somebody still holds, ascending
};

/// What a run in virtual time needs to go on after so many events. Who said what to whom does not depend on
/// the parameters, so it is not stored: the run is simulated again from its beginning, without gradients, and
/// gets the estimates that somebody holds then. The figures that depend on parameters grow with the run, so
/// that they stand in a file of their own, to which each checkpoint adds those since the last.
struct virtual_checkpoint {
  std::uint64_t run_hash = 0; ///< of all that must be the same when the run goes on
  std::uint64_t events = 0;   ///< handled by then
  training_memory training;
  std::uint64_t figures = 0;           ///< how many of the file beside it belong to it (figure_file.hpp)
  std::uint32_t figures_sum = 0;       ///< their CRC-32
  std::vector<evaluation> evaluations; ///< by then
};

/// What a checkpoint must fit.
struct virtual_checkpoint_frame {
  std::uint64_t run_hash = 0;
  std::size_t workers = 0;
  std::size_t parameters = 0;
  bool has_velocity = false;
  bool has_learner = false; ///< opaque ones; not with velocity
  bool has_outer = false;
  bool has_correction = false;
};

/// Hands out the bytes of the file in pieces, in order; the parameters are not copied. REQUIRES: blocks of
/// `parameters` values, at least one worker.
void encode(const virtual_checkpoint& x, std::size_t parameters,
            const std::function<void(std::span<const std::byte>)>& write);

/// Reads a file. Throws `input_error` (data fault) for one that cannot be read, is no such checkpoint, is of
/// another version or run, is cut short or damaged. Nothing is allocated before the sizes that the file
/// states fit both `expected` and its own length.
virtual_checkpoint read_virtual_checkpoint(const std::filesystem::path& file,
                                           const virtual_checkpoint_frame& expected);

} // namespace dybw
