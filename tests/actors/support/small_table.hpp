#pragma once

#include "learning/run/run_config.hpp"
#include "tests/actors/support/small_training.hpp"
#include "tests/support/temporary_directory.hpp"

#include <filesystem>
#include <fstream>

namespace dybw::test {

/// A table of two classes, told apart by which of two columns is larger.
inline std::filesystem::path write_table(const temporary_directory& place) {
  const auto data = small_data(240);
  const auto& values = std::get<std::vector<float>>(data->values);
  const auto file = place.path() / "table.csv";
  std::ofstream out(file);
  out << "a,b,c,d,label\n";
  for (std::size_t i = 0; i < data->size(); ++i) {
    for (std::size_t k = 0; k < 4; ++k)
      out << values[4 * i + k] << ',';
    out << data->labels[i] << '\n';
  }
  return file;
}

inline run_config table_config(const temporary_directory& place) {
  run_config config;
  config.data.name = "csv";
  config.data.path = write_table(place);
  config.workers = 4;
  config.batch = 8;
  config.rounds = 25;
  config.eval_every_s = 0.02;
  return config;
}

} // namespace dybw::test
