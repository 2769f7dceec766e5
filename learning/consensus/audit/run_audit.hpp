#pragma once

#include "learning/consensus/audit/exchange_audit.hpp"
#include "learning/consensus/audit/mixing_audit.hpp"

#include <variant>

namespace dybw {

/// The audit of a run, by the kind of its policy: `exchange_audit` if that averages in pairs, else
/// `mixing_audit`. What is of the other kind goes unnoticed. Not thread-safe.
class run_audit {
public:
  run_audit(const std::shared_ptr<const topology>& graph, bool in_pairs) : audit_(mixing_audit{graph}) {
    if (in_pairs)
      audit_.emplace<exchange_audit>(graph);
  }

  void add(mix_report report) {
    if (auto* rounds = std::get_if<mixing_audit>(&audit_))
      rounds->add(std::move(report));
  }
  void add(const exchange_half& half) {
    if (auto* exchanges = std::get_if<exchange_audit>(&audit_))
      exchanges->add(half);
  }
  void edge_lost(worker_id worker, worker_id neighbour, round_number round) {
    if (auto* exchanges = std::get_if<exchange_audit>(&audit_))
      exchanges->edge_lost(worker, neighbour, round);
  }
  void left(worker_id worker) {
    std::visit([worker](auto& x) { x.left(worker); }, audit_);
  }
  void lost(worker_id worker) {
    std::visit([worker](auto& x) { x.lost(worker); }, audit_);
  }
  void back(worker_id worker) {
    std::visit([worker](auto& x) { x.back(worker); }, audit_);
  }

  /// The fields `mixing`, `per_edge` and `mean_active_share`.
  void fill(run_result& result) const {
    const auto fill_from = [&result](const auto& x) {
      result.mixing = x.summary();
      result.per_edge = x.activity();
      result.mean_active_share = x.mean_active_share();
    };
    std::visit(fill_from, audit_);
  }
  /// At least one unless it is clean; the first `certain_violations()` are for ever.
  std::vector<std::string> violations() const {
    return std::visit([](const auto& x) { return x.violations(); }, audit_);
  }
  std::size_t certain_violations() const {
    return std::visit([](const auto& x) { return x.certain_violations(); }, audit_);
  }

private:
  std::variant<mixing_audit, exchange_audit> audit_;
};

} // namespace dybw
