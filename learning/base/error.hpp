#pragma once

#include <stdexcept>
#include <string>

namespace dybw {

/// What kind of input was wrong; the value is the program's exit code (docs: "Errors and exit codes").
enum class input_fault : int {
  configuration = 2, ///< wrong usage or configuration
  data = 3,          ///< wrong or unreadable data
  network = 4,       ///< a peer or the network
};

/// Wrong input, found at the edge before anything starts, or a peer that cannot be reached or refuses.
/// `what()` is the single line a user sees behind "dybw: error: ": `WHAT, WHERE; HOW TO MEND IT`. Programming
/// errors are assertions, and what is expected in operation is an event; neither uses this.
class input_error : public std::runtime_error {
public:
  /// `what` says what is wrong, `where` names the option, file or line, `mend` how to put it right (may be
  /// empty).
  input_error(input_fault fault, const std::string& what, const std::string& where, const std::string& mend);

  input_fault fault() const noexcept { return fault_; }
  int exit_code() const noexcept { return static_cast<int>(fault_); }

private:
  input_fault fault_;
};

/// What a learner throws that cannot go on: its worker ends, the others go on.
class learner_failed : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace dybw
