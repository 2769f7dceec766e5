#include "apps/text/node_text.hpp"

#include "apps/text/text_table.hpp"
#include "learning/base/number_text.hpp"

#include <algorithm>
#include <cmath>

namespace dybw {

namespace {

constexpr std::size_t numbers_shown_max = 20;

template <class Number>
std::string listed(std::span<const Number> numbers) {
  std::string text;
  for (std::size_t i = 0; i < std::min(numbers.size(), numbers_shown_max); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(numbers[i]);
  return text + (numbers.size() > numbers_shown_max ? ", .." : "");
}

/// The lines about the run in progress.
void add_run(text_table& table, const node_status& s) {
  table.add({"run", s.run_name + (s.policy.empty() ? "" : ", " + s.policy) + ", since " +
                        seconds_text(s.elapsed_s)});
  table.add({"workers here", s.workers.empty() ? "none" : listed(std::span<const std::uint32_t>{s.workers})});
  table.add({"progress", "round " + count_text(s.newest_round) + ", " + counted(s.local_steps, "step") +
                             " here, loss " + fixed_text(s.loss, 3)});
  std::string nodes;
  for (const auto& node : s.nodes)
    (nodes += nodes.empty() ? "" : " ") += to_string(node);
  table.add({"nodes", nodes});
  if (s.component > 0 && s.lead < s.nodes.size())
    table.add({"in touch", counted(s.component, "worker") + ", led by " + to_string(s.nodes[s.lead])});
  table.add({"sent", megabytes_text(s.link_bytes_sent) + " to neighbours, " +
                         megabytes_text(s.eval_bytes_sent) + " for evaluation"});
  if (!s.waiting.empty())
    table.add({"waiting", s.waiting});
}

} // namespace

std::string placement_text(std::span<const endpoint> nodes, std::span<const node_index> placement) {
  auto text = counted(placement.size(), "worker") + " on " + counted(nodes.size(), "node") + "\n";
  std::size_t width = 0;
  for (const auto& node : nodes)
    width = std::max(width, to_string(node).size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::vector<std::size_t> workers;
    for (std::size_t w = 0; w < placement.size(); ++w)
      if (index_of(placement[w]) == i)
        workers.push_back(w);
    auto name = to_string(nodes[i]);
    name.resize(width, ' ');
    text += "  " + name + "  " +
            (workers.empty() ? "none"
                             : (workers.size() == 1 ? "worker " : "workers ") +
                                   listed(std::span<const std::size_t>{workers})) +
            "\n";
  }
  return text;
}

std::string status_text(const node_status& s) {
  text_table table;
  table.add({"node", to_string(s.advertised) + ", dybw " + s.version +
                         (s.slots > 0 ? ", " + counted(s.slots, "slot") : "")});
  table.add({"state", s.state});
  if (s.run != 0)
    add_run(table, s);
  table.add({"turned away", counted(s.connections_refused, "connection")});
  table.add({"memory", megabytes_text(s.peak_rss_bytes) + " at most so far"});
  return table.text_left();
}

nlohmann::ordered_json to_json(const node_status& s) {
  auto nodes = nlohmann::ordered_json::array();
  for (const auto& node : s.nodes)
    nodes.push_back(to_string(node));
  const auto running = s.run != 0;
  const auto leads = running && s.lead < s.nodes.size();
  const auto or_null = [running](const auto& x) {
    return running ? nlohmann::ordered_json(x) : nlohmann::ordered_json(nullptr);
  };
  return {
      {"dybw", s.version},
      {"node", to_string(s.advertised)},
      {"state", s.state},
      {"slots", s.slots > 0 ? nlohmann::ordered_json(s.slots) : nlohmann::ordered_json(nullptr)},
      {"run", or_null(s.run_name)},
      {"policy", or_null(s.policy)},
      {"nodes", nodes},
      {"workers", s.workers},
      {"elapsed_s", or_null(s.elapsed_s)},
      {"newest_round", or_null(s.newest_round)},
      {"local_steps", or_null(s.local_steps)},
      {"loss",
       running && std::isfinite(s.loss) ? nlohmann::ordered_json(s.loss) : nlohmann::ordered_json(nullptr)},
      {"workers_in_touch", or_null(s.component)},
      {"lead", leads ? nlohmann::ordered_json(to_string(s.nodes[s.lead])) : nlohmann::ordered_json(nullptr)},
      {"waiting", s.waiting.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(s.waiting)},
      {"link_bytes_sent", s.link_bytes_sent},
      {"eval_bytes_sent", s.eval_bytes_sent},
      {"connections_refused", s.connections_refused},
      {"peak_rss_bytes", s.peak_rss_bytes},
  };
}

} // namespace dybw
