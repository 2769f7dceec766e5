#include "learning/consensus/round_tally.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

using namespace dybw;

TEST_CASE("round_tally: it counts what looking at everybody would") {
  std::mt19937 g{1};
  const auto flip = [&g] { return g() % 2 == 0; };
  for (int trial = 0; trial < 200; ++trial) {
    round_tally tally;
    std::vector<neighbour_standing> all(1 + g() % 8);
    for (int change = 0; change < 100; ++change) {
      const auto place = g() % all.size();
      const auto is = neighbour_standing{flip(), flip(), flip(), flip(), g() % 4};
      tally.change(place, all[place], is);
      all[place] = is;
      const auto count = [&](auto member) {
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [&](const auto& n) { return n.*member; }));
      };
      REQUIRE(tally.to_come() == count(&neighbour_standing::to_come));
      REQUIRE(tally.answers_owed() == count(&neighbour_standing::owes_answer));
      REQUIRE(tally.closings_owed() == count(&neighbour_standing::owes_closing));
      REQUIRE(tally.branches_owed() == count(&neighbour_standing::owes_branch));
      if (tally.branches_owed() == 1)
        REQUIRE(all[tally.last_branch()].owes_branch);
      auto slowest = ~round_number{0};
      std::size_t at_slowest = 0;
      for (const auto& n : all)
        if (n.to_come && n.in <= slowest) {
          at_slowest = n.in == slowest ? at_slowest + 1 : 1;
          slowest = n.in;
        }
      if (tally.slowest())
        REQUIRE(*tally.slowest() == slowest);
      else if (at_slowest > 0 && flip())
        tally.set_slowest(slowest, at_slowest);
    }
  }
}
