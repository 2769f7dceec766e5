// Ridge regression on a table: the last column from the others. Each worker has its part of the rows, and
// makes gradient steps on mini-batches with momentum; dybw averages the weights.
//
//   ridge --workers 4 --policy dtur --data houses.csv --rounds 500

#include <dybw/learner.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>

namespace {

/// A table of numbers under a line of names, every column brought to mean 0 and deviation 1.
struct table {
  std::vector<std::vector<float>> rows;
  std::size_t columns = 0;

  explicit table(const std::string& file) {
    std::ifstream in{file};
    std::string line;
    std::getline(in, line); // names
    while (std::getline(in, line)) {
      std::vector<float> row;
      std::istringstream cells{line};
      for (std::string cell; std::getline(cells, cell, ',');)
        row.push_back(std::stof(cell));
      rows.push_back(std::move(row));
    }
    if (rows.empty() || rows.front().size() < 2)
      throw std::runtime_error{"cannot read \"" + file + "\"; give a table with --data FILE"};
    columns = rows.front().size();
    for (const auto& row : rows)
      if (row.size() != columns)
        throw std::runtime_error{file + " has rows of different lengths"};
    for (std::size_t c = 0; c < columns; ++c)
      standardise(c);
  }

private:
  void standardise(std::size_t c) {
    double sum = 0;
    double squares = 0;
    for (const auto& row : rows) {
      sum += row[c];
      squares += double{row[c]} * row[c];
    }
    const auto count = static_cast<double>(rows.size());
    const auto mean = sum / count;
    const auto deviation = std::max(std::sqrt(squares / count - mean * mean), 1e-6);
    for (auto& row : rows)
      row[c] = static_cast<float>((row[c] - mean) / deviation);
  }
};

class ridge final : public dybw::learner {
public:
  ridge(const dybw::place& place, std::shared_ptr<const table> data)
      : data_(std::move(data)), mine_(place.rows(tested())), velocity_(data_->columns),
        generator_(place.seed * 1'000 + place.worker) {}

  dybw::layout layout() const override { return {{"weight", {data_->columns - 1}}, {"bias", {}}}; }

  void initialise(std::uint64_t seed, std::span<float> w) override {
    std::mt19937_64 generator{seed};
    std::normal_distribution<float> normal{0, 0.1F};
    std::ranges::generate(w, [&] { return normal(generator); });
  }

  dybw::step_result step(const dybw::step_context&, std::span<const float> w,
                         std::span<float> next) override {
    std::vector<float> gradient(w.size());
    double loss = 0;
    for (std::size_t i = 0; i < batch; ++i) {
      const auto& row = data_->rows[mine_[generator_() % mine_.size()]];
      const auto error = predict(w, row) - row.back();
      loss += 0.5 * error * error / batch;
      for (std::size_t c = 0; c + 1 < row.size(); ++c)
        gradient[c] += error * row[c] / batch;
      gradient.back() += error / batch;
    }
    for (std::size_t c = 0; c < w.size(); ++c) {
      velocity_[c] = momentum * velocity_[c] + gradient[c] + ridge_term * w[c];
      next[c] = w[c] - step_size * velocity_[c];
    }
    return {loss, batch};
  }

  /// On the last fifth of the table, from which no worker learns.
  std::optional<dybw::score> evaluate(std::span<const float> w) override {
    double squares = 0;
    const auto first = tested();
    for (auto i = first; i < data_->rows.size(); ++i) {
      const auto error = predict(w, data_->rows[i]) - data_->rows[i].back();
      squares += double{error} * error;
    }
    const auto mean = squares / static_cast<double>(data_->rows.size() - first);
    return dybw::score{{"rmse", std::sqrt(mean), dybw::better::smaller}, {"loss", 0.5 * mean}};
  }

  void save(dybw::writer& out) const override {
    out.write(velocity_);
    std::ostringstream state;
    state << generator_;
    out.write(state.str());
  }

  void load(dybw::reader& in) override {
    velocity_ = in.read_values<float>();
    std::istringstream state{in.read_text()};
    state >> generator_;
  }

private:
  static constexpr std::size_t batch = 32;
  static constexpr float step_size = 0.02F;
  static constexpr float momentum = 0.9F;
  static constexpr float ridge_term = 1e-3F;

  /// The first row that is for tests.
  std::size_t tested() const { return data_->rows.size() * 4 / 5; }

  static float predict(std::span<const float> w, const std::vector<float>& row) {
    return std::inner_product(row.begin(), row.end() - 1, w.begin(), w.back());
  }

  std::shared_ptr<const table> data_;
  std::vector<std::uint32_t> mine_;
  std::vector<float> velocity_;
  std::mt19937_64 generator_;
};

} // namespace

int main(int count, char** words) {
  std::shared_ptr<const table> data; // all workers of the process share it
  return dybw::run_main(count, words, [&data](const dybw::place& place) {
    if (!data)
      data = std::make_shared<const table>(place.data);
    return std::make_unique<ridge>(place, data);
  });
}
