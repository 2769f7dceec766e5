#include "learning/simulation/simulated_coding.hpp"

#include "learning/consensus/mutation.hpp"

#include <algorithm>
#include <span>

namespace dybw {

void choose_bases(simulated_network& network, const simulated_shell& s) {
  network.coded_links.clear();
  for (std::size_t i = 0; i < s.degree; ++i)
    network.coded_links.push_back(&network.codes[s.first_link + i]);
  choose_bases(network.coded_links);
}

namespace {

void note_estimate(simulated_shell& s, const estimate_handle& estimate) {
  if (s.coded_of == estimate && estimate)
    return;
  s.coded_of = estimate;
  s.coded.clear();
}

simulated_shell::coded_block& coded_once(const simulated_network& network, simulated_shell& s,
                                         const numbered_block<estimate_handle>& base,
                                         const estimate_handle& estimate, simulated_model* model) {
  note_estimate(s, estimate);
  const auto found = std::ranges::find(s.coded, base.block, &simulated_shell::coded_block::base);
  if (found != s.coded.end())
    return *found;
  const auto is_whole = network.codes_changes() && base.number == 0;
  return s.coded.emplace_back(simulated_shell::coded_block{
      base.block, model == nullptr || is_whole ? estimate : model->as_sent(s.id, estimate, base.block),
      ++s.coded_number});
}

estimate_handle tell(const simulated_network& network, const simulated_shell& s,
                     coded_link<estimate_handle>& link, const estimate_handle& values, round_number number) {
  link.sent = values;
  if (network.codes_changes())
    link.told.told(number, mutated(mutation::coding_remembers_exactly) ? s.coded_of : values);
  return std::make_shared<const coded_estimate>(coded_estimate{values, link.base, number});
}

} // namespace

estimate_handle code(simulated_network& network, simulated_shell& s, std::size_t link_index,
                     round_number number, const estimate_handle& estimate, simulated_model* model) {
  auto& link = network.codes[link_index];
  const auto links = std::span{network.codes}.subspan(s.first_link, s.degree);
  const auto change = std::ranges::find_if(links, [](const auto& x) { return x.base.number != 0; });
  const auto& base = link.base.number == 0 && change != links.end()
                         ? change->base // whole, as those make of it who know what it counts from
                         : link.base;
  return tell(network, s, link, coded_once(network, s, base, estimate, model).to, number);
}

estimate_handle code_current(simulated_network& network, simulated_shell& s, std::size_t link_index,
                             simulated_model* model) {
  auto& link = network.codes[link_index];
  note_estimate(s, s.current);
  const auto& known = link.told.known();
  const auto found = std::ranges::find_if(
      s.coded, [&](const auto& x) { return known.empty() ? !x.base : x.base && link.told.knows(x.base); });
  link.base = {};
  if (!known.empty())
    link.base = link.told.use(found != s.coded.end() ? found->base : known.back().block);
  const auto& once = coded_once(network, s, link.base, s.current, model);
  return tell(network, s, link, once.to, once.number);
}

estimate_handle arrive(simulated_network& network, std::size_t link_index, const estimate_handle& block,
                       bool& kept) {
  kept = true;
  if (!block)
    return {};
  const auto& came = *static_cast<const coded_estimate*>(block.get());
  if (!network.codes_changes() || came.number == 0) // the latter is forged
    return came.values;
  auto& link = network.codes[link_index];
  if (came.base.number != 0) {
    const auto* base = link.heard.find(came.base.number);
    kept = base != nullptr && *base == came.base.block;
  }
  if (!kept) {
    ++network.peaks.bases_missing;
    return {};
  }
  link.heard.keep(came.number, came.values, came.base.number);
  return came.values;
}

} // namespace dybw
