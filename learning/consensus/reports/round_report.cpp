#include "learning/consensus/reports/round_report.hpp"

namespace dybw {

round_report make_report(const round_record& record, mix_report mixed) {
  round_report report;
  report.mixed = std::move(mixed);
  report.started = record.started;
  report.joined = record.joined;
  report.closed = record.closed;
  report.done = record.mixed;
  report.degree = static_cast<std::uint32_t>(record.degree);
  report.accepted = static_cast<std::uint32_t>(record.accepted);
  report.compute = record.joined - record.started;
  report.timed_out = record.timed_out;
  report.gradients = record.gradients;
  return report;
}

mix_report make_mix_report(worker_id worker, const round_record& record) {
  mix_report mixed;
  mixed.worker = worker;
  mixed.round = record.round;
  mixed.own_weight = record.own_weight;
  mixed.committed = record.committed;
  mixed.departed = record.departed;
  mixed.returned = record.returned;
  mixed.generation = record.generation;
  return mixed;
}

} // namespace dybw
