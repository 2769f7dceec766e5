// bench_exchange: neighbour averaging between processes: the whole round protocol over gateways on loopback,
// one worker a process, beside what bare sockets do.

#include "bench/exchange/exchange.hpp"

#include "bench/exchange/handshake_flood.hpp"
#include "bench/exchange/peer_process.hpp"
#include "bench/exchange/raw_tcp.hpp"
#include "bench/support.hpp"
#include "tests/support/certificates.hpp"

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>

namespace dybw::bench {

namespace {

using nlohmann::json;

/// What a child is started with; for the parent only.
constexpr auto worker_argument = "worker";

/// For starting up, and again for the rounds and the check of every element after them.
constexpr auto patience = std::chrono::seconds{60};
/// float32 adds up to this in a thousand rounds of averaging values about 1.
constexpr double error_max = 1e-4;

/// What may be sent beside rounds: hello, heartbeats, leaving.
constexpr double formula_tolerance = 0.02;

struct exchange_options {
  std::vector<std::size_t> parameters;
  std::vector<std::string> graphs;
  std::vector<std::string> transports;
  std::vector<std::string> formats;
  std::uint64_t rounds = 0;  ///< 0: by size
  std::size_t processes = 0; ///< 0: one per worker
  unsigned handshakes = 0;   ///< per second, by strangers; 0: none
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words(1);
  for (auto c : text)
    if (c == ',')
      words.emplace_back();
    else
      words.back() += c;
  return words;
}

/// Nothing if only help was wanted.
std::optional<exchange_options> parse(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  exchange_options x;
  std::string parameters;
  std::string graphs;
  std::string transports;
  std::string formats;
  po::options_description known{"bench_exchange"};
  auto add = known.add_options();
  add("help", "show this");
  add("parameters", po::value(&parameters)->default_value("7850,199210,1000000,10000000"),
      "float32 per vector");
  add("graphs", po::value(&graphs)->default_value("pair,ring,complete"),
      "pair: two workers; ring, complete and others: six");
  add("processes", po::value(&x.processes)->default_value(0),
      "for graphs of six; each worker sends a vector once to each process with neighbours; 0: one per "
      "worker");
  add("transports", po::value(&transports)->default_value("plain,tls"), "plain, tls");
  add("send", po::value(&formats)->default_value("float32"), "formats: float32, float16, bfloat16, int8");
  add("rounds", po::value(&x.rounds)->default_value(0), "to measure; 0: by size, 10 to 1000");
  add("handshakes", po::value(&x.handshakes)->default_value(0),
      "also measures, with tls, what so many handshakes a second without a certificate cost");
  po::variables_map given;
  po::store(po::command_line_parser(arguments).options(known).run(), given);
  po::notify(given);
  if (given.count("help") > 0) {
    std::cout << known;
    return std::nullopt;
  }
  for (const auto& word : split(parameters))
    x.parameters.push_back(static_cast<std::size_t>(number_at(std::vector{word}, 0, 0)));
  x.graphs = split(graphs);
  x.transports = split(transports);
  x.formats = split(formats);
  return x;
}

exchange_case case_of(const std::string& graph, std::size_t parameters, const std::string& send,
                      const exchange_options& options) {
  exchange_case x;
  const auto pair = graph == "pair";
  x.topology = pair ? "path" : graph;
  x.workers = pair ? 2 : 6;
  x.processes = pair || options.processes == 0 ? x.workers : std::min(options.processes, x.workers);
  x.parameters = parameters;
  x.send = send;
  x.rounds =
      options.rounds > 0 ? options.rounds : std::clamp<std::uint64_t>(40'000'000 / parameters, 10, 1000);
  x.warm_up = std::max<std::uint64_t>(x.rounds / 10, 3);
  return x;
}

struct process_results {
  std::vector<json> of_each;       ///< what it says at the end
  double strangers_processors = 0; ///< that those who begin handshakes kept busy, of this machine's
};

process_results run_processes(const exchange_case& what, const tls_files* certificates,
                              unsigned handshakes = 0) {
  std::vector<peer_process> peers;
  json task{{"topology", what.topology},
            {"workers", what.workers},
            {"processes", what.processes},
            {"parameters", what.parameters},
            {"rounds", what.rounds},
            {"warm_up", what.warm_up},
            {"send", what.send}};
  if (certificates != nullptr) {
    task["certificate"] = certificates->certificate.string();
    task["key"] = certificates->key.string();
    task["authority"] = certificates->authority.string();
  }
  for (std::size_t i = 0; i < what.processes; ++i) {
    task["process"] = i;
    peers.emplace_back(worker_argument).send(task);
  }
  auto deadline = peer_process::clock::now() + patience;
  json ports;
  for (auto& p : peers)
    ports.push_back(p.receive(deadline).at("port"));
  for (auto& p : peers)
    p.send({{"ports", ports}});
  for (auto& p : peers)
    p.receive(deadline);
  std::optional<handshake_flood> flood;
  if (handshakes > 0)
    flood.emplace(ports.at(0).get<std::uint16_t>(), handshakes);
  for (auto& p : peers)
    p.send({{"begin", true}});
  const auto start = peer_process::clock::now();
  const auto start_clock = std::clock(); // of this process, which only waits besides
  deadline = start + patience;
  process_results results;
  for (auto& p : peers)
    results.of_each.push_back(p.receive(deadline));
  if (handshakes > 0)
    results.strangers_processors = static_cast<double>(std::clock() - start_clock) / CLOCKS_PER_SEC /
                                   std::chrono::duration<double>(peer_process::clock::now() - start).count();
  for (auto& p : peers)
    p.send({{"end", true}});
  return results;
}

std::vector<double> gather(const std::vector<json>& results, const char* name) {
  std::vector<double> all;
  for (const auto& r : results)
    for (double x : r.at(name))
      all.push_back(x);
  return all;
}

double total(const std::vector<json>& results, const json::json_pointer& what) {
  return std::accumulate(results.begin(), results.end(), 0.0,
                         [&](double sum, const json& r) { return sum + r.value(what, 0.0); });
}

/// Throws `std::runtime_error` unless every worker averaged rightly in every round.
json verify(const exchange_case& what, const std::vector<json>& results) {
  double largest = 0;
  for (const auto& r : results) {
    if (const auto complaint = r.at("complaint").get<std::string>(); !complaint.empty())
      throw std::runtime_error(complaint);
    largest = std::max(largest, r.at("max_error").get<double>());
  }
  const auto format = format_of(what);
  if (!(largest <= (format == block_format::float16    ? 20 * error_max
                    : format == block_format::bfloat16 ? 200 * error_max
                                                       : error_max)))
    throw std::runtime_error("an average is wrong by " + std::to_string(largest));
  double start = 0;
  for (std::size_t i = 0; i < what.workers; ++i)
    for (std::size_t k = 0; k < what.parameters; ++k)
      start += static_cast<double>(starting_value(i, k));
  const auto end = total(results, json::json_pointer{"/sum"});
  return {{"max_error", largest}, {"mean_drift", std::abs(end - start) / start}};
}

/// Where the time of a round went, in milliseconds of all processors together.
json spent(const std::vector<json>& results, double rounds, double round_s) {
  const auto per_round_ms = [&](const std::string& what) {
    return total(results, json::json_pointer{"/threads" + what}) / rounds * 1e3;
  };
  const auto running = [&](const std::string& thread) {
    return per_round_ms("/by_name/" + thread + "/running_s");
  };
  json x{{"network_thread_ms", running("network")},        {"trainer_thread_ms", running("caf.actor")},
         {"actor_threads_ms", running("caf.multiplexer")}, {"recorder_thread_ms", running("recorder")},
         {"kernel_ms", per_round_ms("/kernel_s")},         {"user_ms", per_round_ms("/user_s")}};
  auto switches = 0.0;
  auto busy = 0.0;
  for (const auto* thread : {"network", "caf.actor", "caf.multiplexer", "recorder", "caf.clock"}) {
    switches += per_round_ms(std::string{"/by_name/"} + thread + "/switches") / 1e3;
    busy += running(thread);
  }
  x["idle_ms"] = std::thread::hardware_concurrency() * round_s * 1e3 - busy;
  x["thread_wakeups"] = switches;
  return x;
}

/// Plain without `certificates`.
json measure(const std::string& graph_name, const exchange_case& what, const tls_files* certificates) {
  const auto results = run_processes(what, certificates).of_each;
  const auto graph = make_topology(what.topology, what.workers, 1);
  const auto round_s = median(gather(results, "round_s"));
  const auto rounds = static_cast<double>(what.rounds + what.warm_up);
  std::vector<std::pair<std::size_t, std::size_t>> edges; // of processes
  for (std::size_t i = 0; i < what.processes; ++i)
    for (auto j : processes_next_to(graph, what.processes, i))
      if (i < j)
        edges.emplace_back(i, j);
  const auto vectors = (what.workers + what.processes - 1) / what.processes; // each way over one link
  const auto link_bytes = vectors * coded_words(format_of(what), what.parameters, true) * sizeof(float);
  json line{{"bench", "exchange"},
            {"graph", graph_name},
            {"workers", what.workers},
            {"processes", what.processes},
            {"parameters", what.parameters},
            {"send", what.send},
            {"transport", certificates != nullptr ? "tls" : "plain"},
            {"rounds", what.rounds},
            {"median_round_ms", round_s * 1e3},
            {"mix_and_step_ms", median(gather(results, "mix_s")) * 1e3},
            {"link_mb_per_s", static_cast<double>(link_bytes) / round_s * 1e-6}};
  const auto raw_rounds = std::clamp<std::uint64_t>(what.rounds / 4, 4, 100);
  line["raw_tcp_round_ms"] = raw_exchange_s(what.processes, edges, link_bytes, raw_rounds) * 1e3;
  line.update(verify(what, results));
  double formula = 0;
  for (std::size_t i = 0; i < what.workers; ++i)
    formula += bytes_per_round(graph, what.processes, i, what.parameters, format_of(what));
  const auto sent = total(results, json::json_pointer{"/bytes_sent"}) / rounds;
  line["bytes_per_round"] = sent;
  line["bytes_by_formula"] = formula;
  line["bytes_to_formula"] = sent / formula;
  // With `int8` the first blocks go whole.
  const auto whole = format_of(what) == block_format::int8 ? 4 * 2 / rounds : 0;
  if (std::abs(sent / formula - 1) > formula_tolerance + whole)
    throw std::runtime_error("a round takes " + std::to_string(sent) + " bytes, by the formula " +
                             std::to_string(formula));
  line["spent"] = spent(results, static_cast<double>(what.rounds), round_s);
  return line;
}

/// The same rounds in turns, without and with strangers at the port of the first process.
json measure_flood(const std::string& graph_name, const exchange_case& what, const tls_files& certificates,
                   unsigned handshakes) {
  constexpr auto turns = 5;
  std::vector<double> strangers;
  const auto mean_round_s = [&](unsigned per_s) {
    const auto results = run_processes(what, &certificates, per_s);
    if (per_s > 0)
      strangers.push_back(results.strangers_processors);
    const auto all = gather(results.of_each, "round_s");
    return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  };
  std::vector<double> without;
  std::vector<double> with;
  std::vector<double> kept;
  for (int i = 0; i < turns; ++i) {
    without.push_back(mean_round_s(0));
    with.push_back(mean_round_s(handshakes));
    kept.push_back(without.back() / with.back());
  }
  return {{"bench", "exchange_under_handshakes"},
          {"graph", graph_name},
          {"parameters", what.parameters},
          {"rounds", what.rounds},
          {"handshakes_per_s", handshakes},
          {"mean_round_ms", median(without) * 1e3},
          {"mean_round_under_handshakes_ms", median(with) * 1e3},
          {"rounds_kept", median(kept)},
          {"rounds_kept_min", *std::ranges::min_element(kept)},
          {"rounds_kept_max", *std::ranges::max_element(kept)},
          {"strangers_processors", median(strangers)},
          {"processors", std::thread::hardware_concurrency()}};
}

void measure_all(const exchange_options& options) {
  const auto raw = measure_raw_tcp();
  const auto print = [](const json& line) { std::cout << line.dump() << std::endl; };
  print({{"bench", "raw_tcp"},
         {"one_way_gb_per_s", raw.one_way_bytes_per_s * 1e-9},
         {"round_trip_us", raw.round_trip_s * 1e6},
         {"processors", std::thread::hardware_concurrency()}});
  const test::test_authority authority;
  const auto certificates = authority.issue("bench");
  for (const auto& transport : options.transports)
    for (const auto& graph : options.graphs)
      for (auto parameters : options.parameters)
        for (const auto& send : options.formats) {
          const auto what = case_of(graph, parameters, send, options);
          print(measure(graph, what, transport == "tls" ? &certificates : nullptr));
          if (transport == "tls" && options.handshakes > 0)
            print(measure_flood(graph, what, certificates, options.handshakes));
        }
}

} // namespace

} // namespace dybw::bench

int main(int count, char** words) {
  using namespace dybw::bench;
  const std::vector<std::string> arguments(words + 1, words + count);
  spdlog::set_level(spdlog::level::warn);
  try {
    if (arguments == std::vector<std::string>{worker_argument})
      work_in_exchange();
    else if (const auto options = parse(arguments))
      measure_all(*options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_exchange: %s\n", e.what());
    return 1;
  }
  return 0;
}
