#include "apps/commands/version_text.hpp"

#include "apps/program/version.hpp"

#include <Eigen/Core>
#include <boost/version.hpp>
#include <caf/config.hpp>
#include <curses.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <zlib.h>

#include <initializer_list>

namespace dybw {

namespace {

std::string dotted(std::initializer_list<int> numbers) {
  std::string text;
  for (const auto number : numbers) {
    if (!text.empty())
      text += '.';
    text += std::to_string(number);
  }
  return text;
}

} // namespace

std::string version_text() {
  const std::string arch = DYBW_ARCH;
  return "dybw " + version() + (arch.empty() ? "" : " for " + arch) +                                     //
         "\nCAF " + dotted({CAF_VERSION / 10000, CAF_VERSION / 100 % 100, CAF_VERSION % 100}) +           //
         "\nEigen " + dotted({EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION}) +           //
         "\nBoost " + dotted({BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100}) + //
         "\nspdlog " + dotted({SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH}) +                   //
         "\nnlohmann-json " +
         dotted({NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH}) +
         "\nzlib " + zlibVersion() + "\nncurses " + NCURSES_VERSION + '\n' +
         OpenSSL_version(OPENSSL_VERSION) + '\n';
}

} // namespace dybw
