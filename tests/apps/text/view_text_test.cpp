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

TEST_CASE("wait_text: a threshold may come from anybody") {
  CHECK(
      wait_text({worker_at(1), worker_at(1), 7, phase::gathering, wait_cause::kind::threshold, 0.25, -1.0}) ==
      "worker 1 waits for a threshold for round 7 from any worker, 0.2 s; goes on without it in 0.0 s");
}

} // namespace dybw::test
