#include "learning/graph/mixing.hpp"

#include "learning/graph/topology.hpp"

#include <Eigen/Dense>
#include <doctest/doctest.h>

#include <random>

using namespace dybw;

namespace {

/// P of the edges used, with the degrees that enter the weights.
Eigen::MatrixXd mixing_matrix(std::size_t workers, const std::vector<edge>& used,
                              const std::vector<std::size_t>& degrees) {
  const auto n = static_cast<Eigen::Index>(workers);
  Eigen::MatrixXd p = Eigen::MatrixXd::Zero(n, n);
  for (const auto& e : used) {
    const auto i = static_cast<Eigen::Index>(index_of(e.a));
    const auto j = static_cast<Eigen::Index>(index_of(e.b));
    p(i, j) = metropolis_weight(degrees[index_of(e.a)], degrees[index_of(e.b)]);
    p(j, i) = metropolis_weight(degrees[index_of(e.b)], degrees[index_of(e.a)]);
  }
  for (Eigen::Index i = 0; i < n; ++i)
    p(i, i) = 1 - p.row(i).sum();
  return p;
}

void check_doubly_stochastic(const Eigen::MatrixXd& p, const std::vector<std::size_t>& degrees) {
  CHECK((p - p.transpose()).cwiseAbs().maxCoeff() == 0);
  CHECK((p.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
  CHECK((p.colwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
  CHECK(p.minCoeff() >= 0);
  for (Eigen::Index i = 0; i < p.rows(); ++i)
    CHECK(p(i, i) >= 1.0 / (1.0 + static_cast<double>(degrees[static_cast<std::size_t>(i)])) - 1e-12);
}

} // namespace

TEST_CASE("mixing: the weight is that of the greater degree") {
  CHECK(metropolis_weight(2, 2) == doctest::Approx(1.0 / 3));
  CHECK(metropolis_weight(1, 4) == doctest::Approx(1.0 / 5));
  CHECK(metropolis_weight(4, 1) == metropolis_weight(1, 4));
}

TEST_CASE("mixing: whichever edges a round uses, P is symmetric and doubly stochastic under both rules") {
  std::mt19937_64 generator{7};
  for (int trial = 0; trial < 200; ++trial) {
    const auto workers = 3 + static_cast<std::size_t>(trial) % 30;
    const auto* text = trial % 3 == 0 ? "star" : trial % 3 == 1 ? "random:2" : "complete";
    const auto graph = make_topology(text, workers, static_cast<std::uint64_t>(trial));
    std::bernoulli_distribution is_used{trial % 5 / 4.0};
    std::vector<edge> used;
    std::vector<std::size_t> active(workers);
    std::vector<std::size_t> planned(workers);
    for (std::size_t i = 0; i < workers; ++i)
      planned[i] = graph.degree(worker_at(i));
    for (const auto& e : graph.edges()) {
      if (!is_used(generator))
        continue;
      used.push_back(e);
      ++active[index_of(e.a)];
      ++active[index_of(e.b)];
    }
    check_doubly_stochastic(mixing_matrix(workers, used, active), active);
    check_doubly_stochastic(mixing_matrix(workers, used, planned), planned);
  }
}

TEST_CASE("mixing: on a connected graph repeated mixing brings all workers to the mean") {
  const auto graph = make_topology("random:3", 12, 5);
  std::vector<std::size_t> degrees(12);
  for (std::size_t i = 0; i < 12; ++i)
    degrees[i] = graph.degree(worker_at(i));
  const auto p = mixing_matrix(12, {graph.edges().begin(), graph.edges().end()}, degrees);
  Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(12, 0, 11);
  for (int k = 0; k < 300; ++k)
    x = p * x;
  CHECK((x.array() - 5.5).abs().maxCoeff() < 1e-9);
}
