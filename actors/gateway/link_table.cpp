#include "actors/gateway/link_table.hpp"

#include "messages/limits.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace dybw {

namespace {

constexpr auto none = std::numeric_limits<std::size_t>::max();

} // namespace

link_table::link_table(join_run run) : run_(std::move(run)), link_of_(run_.nodes.size(), none) {
  for (const auto& e : run_.graph->edges())
    for (const auto& [here, there] : {std::pair{e.a, e.b}, std::pair{e.b, e.a}}) {
      const auto node = run_.placement[index_of(there)];
      if (run_.placement[index_of(here)] != run_.self || node == run_.self)
        continue;
      auto& index = link_of_[index_of(node)];
      if (index == none) {
        index = links_.size();
        auto& x = links_.emplace_back();
        x.node = node;
        x.where = run_.nodes[index_of(node)];
        x.dials = run_.self < node;
        x.reason = x.dials ? "not yet dialled" : "has not connected yet";
      }
      links_[index].pairs.push_back({here, there});
    }
}

link_table::link* link_table::find(node_index node) {
  const auto i = index_of(node);
  return i < link_of_.size() && link_of_[i] != none ? &links_[link_of_[i]] : nullptr;
}

link_table::link* link_table::route(worker_id to) {
  return index_of(to) < run_.placement.size() ? find(run_.placement[index_of(to)]) : nullptr;
}

const worker_actor* link_table::local(worker_id id) const {
  const auto i = index_of(id);
  return i < run_.workers.size() && run_.workers[i] ? &run_.workers[i] : nullptr;
}

std::uint64_t link_table::backlog_max(const link& x) const {
  return link_blocks_max * x.pairs.size() * run_.parameters * sizeof(float) + link_backlog_max;
}

std::vector<node_index> link_table::due(moment now) {
  std::vector<node_index> nodes;
  for (auto& x : links_)
    if (x.dials && !x.up && !x.dialling && now >= x.next_dial) {
      x.dialling = true;
      nodes.push_back(x.node);
    }
  return nodes;
}

void link_table::up(link& x, moment now) {
  x.up = true;
  x.dialling = false;
  x.backoff = backoff_min;
  x.reason.clear();
  x.heard = x.said = x.sign_of_life = now;
}

bool link_table::failed(link& x, moment now, const std::string& reason) {
  x.up = false;
  x.dialling = false;
  x.next_dial = now + x.backoff;
  x.backoff = std::min<nanoseconds>(x.backoff * 2, backoff_max);
  return std::exchange(x.reason, reason) != reason;
}

bool link_table::moved(link& x, endpoint where, moment now) {
  // At the same address the process before is gone, and the one that we know may be the new one. A node that
  // dials us may have done so before this news came.
  const auto retires = x.where != where && x.owner != 0 && (x.dials || !x.owner_is_early);
  if (retires)
    retire_owner(x);
  x.owner_is_early = false;
  x.where = std::move(where);
  x.backoff = backoff_min;
  x.next_dial = now;
  return retires;
}

bool link_table::is_retired(const link& x, std::uint64_t incarnation) {
  return std::ranges::find(x.retired, incarnation) != x.retired.end();
}

void link_table::owned_by(link& x, std::uint64_t incarnation) {
  if (x.owner == incarnation)
    return;
  if (x.owner != 0) {
    retire_owner(x);
    x.owner_is_early = true;
  }
  x.owner = incarnation;
}

void link_table::retire_owner(link& x) {
  if (x.retired.size() == retired_max)
    x.retired.erase(x.retired.begin());
  x.retired.push_back(std::exchange(x.owner, 0));
}

std::vector<node_index> link_table::silent(moment now) {
  const auto asked = std::exchange(asked_, now);
  const auto paused = asked && now - *asked > run_.suspect_after;
  std::vector<node_index> nodes;
  for (auto& x : links_) {
    if (!x.up)
      continue;
    if (paused)
      x.heard = now;
    else if (now - x.heard > 2 * run_.suspect_after)
      nodes.push_back(x.node);
  }
  return nodes;
}

std::vector<node_index> link_table::mute(moment now) {
  std::vector<node_index> nodes;
  for (auto& x : links_)
    if (x.up && now - x.said >= 2 * often()) {
      x.said = now;
      nodes.push_back(x.node);
    }
  return nodes;
}

bool link_table::sign_of_life_due(link& x, moment now) {
  if (now - x.sign_of_life < often())
    return false;
  x.sign_of_life = now;
  return true;
}

} // namespace dybw
