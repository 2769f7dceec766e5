#include "apps/text/score_text.hpp"
#include "apps/text/view_text.hpp"
#include "tests/apps/web/sample_view.hpp"

#include <doctest/doctest.h>

namespace dybw::test {

TEST_CASE("wait_text: says who waits for whom, for what, how long, and what the timeout does") {
  const auto view = sample_view();
  CHECK(wait_text(view.waits[0]) ==
        "worker 2 waits for worker 3's estimate of round 1233, 1.2 s; goes on without it in 8.8 s");
  CHECK(wait_text(view.waits[1]) == "worker 4 waits for worker 3 to accept or close round 1233, 0.0 s; ends "
                                    "with the answer, or when it is declared down");
}

TEST_CASE("score_text: accuracy and loss have places of their own") {
  CHECK(score_text(std::vector<named_score>{{"accuracy", 0.5}, {"loss", 1, true}}) == "");
  auto view = sample_view();
  view.newest_evaluation.emplace();
  view.newest_evaluation->scores = {{"rmse", 0.13249, true}, {"loss", 1, true}, {"f1", 0.9}};
  CHECK(score_text(view.newest_evaluation->scores) == "rmse 0.132, f1 0.9");
  CHECK(plain_line(view).find("  rmse 0.132, f1 0.9") != std::string::npos);
}

TEST_CASE("wait_text: a worker whose trainer is silent rests") {
  wait_view w{worker_at(3),           worker_at(3), 1041,         phase::computing,
              wait_cause::kind::step, 312,          std::nullopt, "trainer 4711 (cuda:0)"};
  CHECK(wait_text(w) ==
        "worker 3 rests: trainer 4711 (cuda:0) is silent for 312.0 s in its step after round 1041");
  auto view = sample_view();
  view.waits = {w};
  CHECK(waiting_text(view).find("trainer 4711 (cuda:0)") != std::string::npos);
  CHECK(waiting_text(view).find("nobody waits for it") != std::string::npos);
}

TEST_CASE("wait_text: a threshold may come from anybody") {
  CHECK(
      wait_text({worker_at(1), worker_at(1), 7, phase::gathering, wait_cause::kind::threshold, 0.25, -1.0}) ==
      "worker 1 waits for a threshold for round 7 from any worker, 0.2 s; goes on without it in 0.0 s");
}

} // namespace dybw::test
