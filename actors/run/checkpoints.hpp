#pragma once

#include "actors/run/run_inputs.hpp"
#include "learning/checkpoint/checkpoint.hpp"
#include "learning/checkpoint/virtual_checkpoint.hpp"
#include "learning/run/run_result.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <span>

namespace dybw {

/// A hash of all that must be the same when a run goes on: data, model, graph, policy, steps, seed; not when
/// it ends, how many threads it uses and what it prints. REQUIRES: loaded inputs.
std::uint64_t run_hash(const run_inputs& inputs, std::size_t policy);

/// The checkpoints of these workers. Throws `input_error` (data fault) if one is missing, damaged or of
/// another run. REQUIRES: inputs with a model, loaded for these workers.
std::map<worker_id, checkpoint> read_checkpoints(const std::filesystem::path& directory,
                                                 const run_inputs& inputs, std::size_t policy,
                                                 std::span<const worker_id> workers);

/// That of a run in virtual time, likewise.
std::filesystem::path virtual_checkpoint_file(const std::filesystem::path& directory);
/// .. and that of its figures.
std::filesystem::path figure_file(const std::filesystem::path& directory);

/// The checkpoint of a run in virtual time. Throws as above. REQUIRES: inputs with a model, loaded.
virtual_checkpoint read_virtual_checkpoint(const std::filesystem::path& directory, const run_inputs& inputs,
                                           std::size_t policy);

/// What a run had done before it goes on from these. None if there are none.
std::optional<resumed_part> earlier_part(const std::map<worker_id, checkpoint>& resumed);

} // namespace dybw
