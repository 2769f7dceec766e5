// Blocks that travel coded: what of them goes out, and what comes of those that arrive.
#include "actors/training/worker.hpp"

#include <algorithm>
#include <cassert>

namespace dybw {

/// Within a process blocks are shared, and nothing is to be gained.
void worker_state::begin_coding(neighbour& n) {
  if (coder_ && (!n.handle || options_.codes_all))
    coded_links_.push_back(&n.coded.emplace());
}

/// The step that begins now is coded where it is made: from the blocks that neighbours have by now.
void worker_state::code_from_what_is_known() {
  auto& bases = slot_->bases();
  bases.clear();
  choose_bases(coded_links_);
  for (const auto* link : coded_links_) {
    const auto& block = link->base.block;
    if ((block || !coder_->codes_changes()) && std::ranges::none_of(bases, [&](const parameter_block& x) {
          return x.values().data() == block.values().data();
        }))
      bases.push_back(block);
  }
}

/// The values of a block that came, of which its sender hears. Not to be had: the link is out of step, which
/// in pairs, where they may be owed an answer, counts as lost.
std::optional<parameter_block> worker_state::arrived(neighbour& n, const block_label& label,
                                                     const parameter_block& words) {
  auto block = words;
  if (n.coded && words) {
    const auto* base = label.base == 0 ? nullptr : n.coded->heard.find(label.base);
    if (label.base != 0 && base == nullptr)
      block = {};
    else
      block = coder_->decode(words, base != nullptr ? *base : parameter_block{});
    if (block && coder_->codes_changes())
      n.coded->heard.keep(label.number, block, label.base);
  }
  if (!pairs_ || (n.coded && words && coder_->codes_changes()))
    tell(n, received{label.number, block || !words});
  if (block || !words)
    return block;
  if (pairs_)
    lose(n, neighbour_lost::cause::silent);
  return std::nullopt;
}

void worker_state::attach_estimate(neighbour& to, estimate_message& m) {
  m.parameters = slot_->estimate();
  if (!to.coded)
    return;
  auto& link = *to.coded;
  if (const auto* coded = slot_->coded_from(link.base.block)) {
    m.parameters = coded->words;
    m.base = link.base.number;
    link.sent = coded->values;
  } else { // whole, as those make of it who know what it counts from
    link.sent = m.parameters = slot_->coded().empty() ? m.parameters : slot_->coded().front().values;
  }
  if (coder_->codes_changes())
    link.told.told(m.body.round, link.sent);
}

/// In pairs the estimate moves with every exchange: it is coded when it is told, once for each base.
worker_state::told_block worker_state::code_current(neighbour& to) {
  if (!to.coded)
    return {current_, current_};
  if (coded_of_.values().data() != current_.values().data()) {
    coded_of_ = current_;
    coded_.clear();
  }
  const auto cpu_before = thread_cpu_s();
  auto& link = *to.coded;
  const auto& known = link.told.known();
  auto found = std::ranges::find_if(
      coded_, [&](const auto& x) { return known.empty() ? !x.base : x.base && link.told.knows(x.base); });
  if (found == coded_.end()) {
    const auto from = known.empty() ? parameter_block{} : known.back().block;
    found = coded_.insert(found, {from, coder_->encode(current_, from), ++coded_number_});
  }
  link.base = found->base ? link.told.use(found->base) : numbered_block<parameter_block>{};
  const auto told = told_block{found->to.words, found->to.values, {found->number, link.base.number}};
  if (coder_->codes_changes())
    link.told.told(told.label.number, told.values);
  coding_took_ += from_seconds(thread_cpu_s() - cpu_before);
  return told;
}

} // namespace dybw
