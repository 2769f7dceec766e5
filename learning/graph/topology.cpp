#include "learning/graph/topology.hpp"

#include "learning/base/option_text.hpp"
#include "learning/base/random.hpp"
#include "learning/graph/breadth_first.hpp"
#include "learning/graph/random_regular.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace dybw {

topology::topology(std::size_t workers, std::vector<edge> edges, std::string name)
    : name_(std::move(name)), edges_(std::move(edges)), first_(workers + 1) {
  assert(workers >= 1);
  for (auto& e : edges_)
    e = make_edge(e.a, e.b);
  if (!std::is_sorted(edges_.begin(), edges_.end()))
    std::sort(edges_.begin(), edges_.end());
  edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
  for (const auto& e : edges_) {
    assert(e.a != e.b && index_of(e.b) < workers);
    ++first_[index_of(e.a) + 1];
    ++first_[index_of(e.b) + 1];
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  adjacent_.resize(2 * edges_.size());
  auto next = first_;
  for (const auto& e : edges_) { // ascending edges give ascending neighbours
    adjacent_[next[index_of(e.a)]++] = e.b;
    adjacent_[next[index_of(e.b)]++] = e.a;
  }
}

std::span<const worker_id> topology::neighbours(worker_id id) const noexcept {
  assert(index_of(id) < workers());
  const auto first = first_[index_of(id)];
  return std::span{adjacent_}.subspan(first, first_[index_of(id) + 1] - first);
}

std::size_t topology::smallest_degree() const noexcept {
  auto smallest = degree(worker_at(0));
  for (std::size_t i = 1; i < workers(); ++i)
    smallest = std::min(smallest, degree(worker_at(i)));
  return smallest;
}

bool topology::has_edge(worker_id x, worker_id y) const noexcept {
  const auto all = neighbours(x);
  return std::binary_search(all.begin(), all.end(), y);
}

std::optional<worker_id> first_unreachable(const topology& graph) {
  const auto distance = breadth_first(graph, worker_at(0)).distance;
  const auto found = std::find(distance.begin(), distance.end(), breadth_first_tree::unreached);
  if (found == distance.end())
    return std::nullopt;
  return worker_at(static_cast<std::size_t>(found - distance.begin()));
}

namespace {

const std::string option = "--topology";

edge edge_between(std::size_t x, std::size_t y) {
  return make_edge(worker_at(x), worker_at(y));
}

/// Where no parameter of the form can change the number of edges, only fewer workers help.
void check_size(const option_text& text, double edges, const std::string& mend) {
  if (edges <= static_cast<double>(edges_max))
    return;
  text.refuse("have at most " + std::to_string(edges_max) + " edges",
              "found " + std::to_string(static_cast<unsigned long long>(edges)), mend);
}

std::vector<edge> path_edges(std::size_t workers) {
  std::vector<edge> edges;
  for (std::size_t i = 1; i < workers; ++i)
    edges.push_back(edge_between(i - 1, i));
  return edges;
}

std::vector<edge> ring_edges(std::size_t workers) {
  auto edges = path_edges(workers);
  if (workers > 2)
    edges.push_back(edge_between(0, workers - 1));
  return edges;
}

std::vector<edge> star_edges(std::size_t workers) {
  std::vector<edge> edges;
  for (std::size_t i = 1; i < workers; ++i)
    edges.push_back(edge_between(0, i));
  return edges;
}

std::vector<edge> complete_edges(std::size_t workers) {
  std::vector<edge> edges;
  for (std::size_t i = 0; i < workers; ++i)
    for (std::size_t j = i + 1; j < workers; ++j)
      edges.push_back(edge_between(i, j));
  return edges;
}

/// The torus of this many cells that is nearest to a square.
std::string torus_for(std::size_t workers) {
  std::size_t rows = 1;
  for (std::size_t divisor = 2; divisor * divisor <= workers; ++divisor)
    if (workers % divisor == 0)
      rows = divisor;
  return "torus:" + std::to_string(rows) + 'x' + std::to_string(workers / rows);
}

std::vector<edge> torus_edges(const option_text& text, std::string_view parameters, std::size_t workers) {
  const auto mend = "choose " + option + ' ' + torus_for(workers);
  const auto sizes = split(parameters, 'x');
  const auto rows_read = parse_number<std::uint32_t>(sizes.front());
  const auto columns_read = parse_number<std::uint32_t>(sizes.back());
  if (sizes.size() != 2 || !rows_read || !columns_read || *rows_read == 0 || *columns_read == 0)
    text.refuse("be torus:RxC with two whole numbers from 1", "found " + excerpt(parameters), mend);
  const std::uint64_t rows = *rows_read;
  const std::uint64_t columns = *columns_read;
  if (rows * columns != workers)
    text.refuse("have as many cells as workers",
                std::to_string(rows * columns) + " cells for " + std::to_string(workers) + " workers", mend);
  std::vector<edge> edges;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const auto cell = r * columns + c;
      const auto right = r * columns + (c + 1) % columns;
      const auto below = (r + 1) % rows * columns + c;
      if (right != cell) // a side of one cell has no edges along it
        edges.push_back(edge_between(cell, right));
      if (below != cell)
        edges.push_back(edge_between(cell, below));
    }
  }
  return edges;
}

std::vector<edge> circulant_edges(const option_text& text, std::string_view parameters, std::size_t workers) {
  if (workers < 2)
    text.refuse("have at least 2 workers", "found " + std::to_string(workers),
                "choose " + option + " ring or more --workers");
  const auto words = split(parameters, ',');
  check_size(text, static_cast<double>(workers) * static_cast<double>(words.size()),
             "choose fewer offsets or fewer --workers");
  std::vector<std::size_t> offsets;
  std::vector<edge> edges;
  for (const auto word : words) {
    const auto offset =
        text.number<std::size_t>(word, "offsets for " + std::to_string(workers) + " workers", 1, workers / 2,
                                 "choose for example " + option + " circulant:1");
    if (std::find(offsets.begin(), offsets.end(), offset) != offsets.end())
      text.refuse("have each offset once", "found " + std::to_string(offset) + " twice", "remove one");
    offsets.push_back(offset);
    for (std::size_t i = 0; i < workers; ++i)
      edges.push_back(edge_between(i, (i + offset) % workers));
  }
  return edges;
}

std::vector<edge> random_edges(const option_text& text, std::string_view parameters, std::size_t workers,
                               std::uint64_t seed) {
  if (workers < 3)
    text.refuse("have at least 3 workers", "found " + std::to_string(workers),
                "choose " + option + " ring or more --workers");
  const auto degree = text.number<std::size_t>(
      parameters, "DEGREE for " + std::to_string(workers) + " workers", 2, workers - 1,
      "choose for example " + option + " random:" + std::to_string(std::min<std::size_t>(3, workers - 1)));
  check_size(text, static_cast<double>(workers) * static_cast<double>(degree) / 2,
             "choose a smaller DEGREE or fewer --workers");
  auto generator = make_generator(seed, random_stream::topology);
  return random_regular_edges(workers, degree, generator);
}

std::vector<edge> edges_of(const option_text& text, std::size_t workers, std::uint64_t seed) {
  const std::string forms =
      "ring, path, star, complete, torus:RxC, circulant:O1,O2,.., random:DEGREE or file:PATH";
  const auto [name, parameters] = split_form(text.value);
  const auto known = [&](std::string_view form) { return name == form; };
  const auto plain = known("ring") || known("path") || known("star") || known("complete");
  const auto parametric = known("torus") || known("circulant") || known("random") || known("file");
  if (!plain && !parametric)
    text.refuse("be " + forms, "found " + excerpt(name), "choose for example " + option + " ring");
  if (plain && parameters)
    text.refuse("have no parameters", "found " + excerpt(*parameters),
                "choose " + option + ' ' + std::string{name});
  if (parametric && (!parameters || parameters->empty()))
    text.refuse("have parameters", "found none", "choose one of " + forms);

  if (known("ring"))
    return ring_edges(workers);
  if (known("path"))
    return path_edges(workers);
  if (known("star"))
    return star_edges(workers);
  if (known("complete")) {
    check_size(text, static_cast<double>(workers) * static_cast<double>(workers - 1) / 2,
               "choose another --topology or fewer --workers");
    return complete_edges(workers);
  }
  if (known("torus"))
    return torus_edges(text, *parameters, workers);
  if (known("circulant"))
    return circulant_edges(text, *parameters, workers);
  if (known("random"))
    return random_edges(text, *parameters, workers, seed);
  return read_edge_file(*parameters, workers);
}

} // namespace

topology make_topology(const std::string& text, std::size_t workers, std::uint64_t seed) {
  if (workers == 0 || workers > edges_max)
    option_text{"--workers", std::to_string(workers)}.refuse("be from 1 to " + std::to_string(edges_max),
                                                             "as a graph needs", "choose --workers 8");
  const option_text value{option, text};
  topology graph{workers, edges_of(value, workers, seed), text};
  if (const auto unreachable = first_unreachable(graph)) {
    const auto of_file = split_form(text).name == "file";
    value.refuse("be connected", "worker " + to_string(*unreachable) + " cannot be reached from worker 0",
                 of_file ? "add an edge that leads there" : "choose " + option + ' ' + text + ",1");
  }
  return graph;
}

} // namespace dybw
