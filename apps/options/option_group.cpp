#include "apps/options/option_group.hpp"

#include <sstream>

namespace po = boost::program_options;

namespace dybw {

po::options_description option_group(const std::string& title) {
  constexpr unsigned columns_max = 100;
  constexpr unsigned description_columns_min = 64;
  return po::options_description{title, columns_max, description_columns_min};
}

po::typed_value<std::string>* text_value(const char* name) {
  return po::value<std::string>()->value_name(name);
}

po::typed_value<std::string>* text_value(const char* name, const std::string& standard) {
  return text_value(name)->default_value(standard);
}

po::typed_value<std::vector<std::string>>* text_list(const char* name) {
  return po::value<std::vector<std::string>>()->value_name(name)->composing();
}

std::string help_page(const std::string& opening, const po::options_description& options) {
  std::ostringstream page;
  page << opening << options;
  return page.str();
}

} // namespace dybw
