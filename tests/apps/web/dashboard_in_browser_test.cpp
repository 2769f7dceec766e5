#include "apps/web/http_server.hpp"
#include "tests/apps/web/browser.hpp"
#include "tests/apps/web/moving_view.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>

namespace dybw::test {

namespace {

using namespace std::chrono_literals;

const std::filesystem::path screenshots = DYBW_SCREENSHOTS;

/// A server of the moving sample that can be taken away and put back.
class show {
public:
  explicit show(std::size_t workers = 8) : workers_(workers) { start(0); }

  void start(std::uint16_t port) {
    server_.emplace(http_options{{"127.0.0.1", port}, token}, [this] {
      const std::chrono::duration<double> t = std::chrono::steady_clock::now() - begin_;
      auto view = moving_view(t.count(), workers_);
      if (change)
        change(view);
      return std::make_shared<const run_view>(std::move(view));
    });
    port_ = server_->address().port;
  }
  void stop() { server_.reset(); }
  void restart() { start(port_); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  std::function<void(run_view&)> change;
  std::string token;

private:
  std::size_t workers_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::uint16_t port_ = 0;
  std::optional<http_server> server_;
};

constexpr const char* is_live = "document.documentElement.dataset.state === 'live'";

std::string drawn_at_least(int n) {
  return "Number(document.documentElement.dataset.drawn) >= " + std::to_string(n);
}

void no_complaints(browser& page) {
  for (const auto& complaint : page.complaints())
    FAIL_CHECK(complaint);
}

/// Nothing sticks out to the right: the page is as wide as the screen.
bool fits(browser& page) {
  return page.evaluate("document.documentElement.scrollWidth <= innerWidth") == true;
}

} // namespace

TEST_CASE("dashboard: loads without an error, and its charts, strips, graph and tables fill") {
  show run;
  browser page{DYBW_BROWSER};
  page.show(1280, 900, false);
  page.open(run.url());
  REQUIRE(page.becomes_true(is_live, 20s));
  REQUIRE(page.becomes_true(drawn_at_least(3), 20s));
  const auto points =
      page.evaluate("[...document.querySelectorAll('#charts canvas')].map(c => Number(c.dataset.points))");
  REQUIRE(points.size() == 6);
  for (const auto& n : points)
    CHECK(n >= 84);
  CHECK(page.evaluate("document.querySelectorAll('#strips canvas[data-workers=\"8\"]').length") == 3);
  CHECK(page.evaluate("document.querySelectorAll('#graph .edge').length") == 8);
  CHECK(page.evaluate("document.querySelectorAll('#graph .node.straggler').length") == 1);
  CHECK(page.evaluate("document.querySelectorAll('#table tbody tr').length") == 8);
  CHECK(page.evaluate("document.querySelectorAll('#waits li').length") == 1);
  CHECK(page.evaluate("document.querySelectorAll('#events li').length") == 3);
  CHECK(page.evaluate("document.querySelectorAll('#nodes tbody tr').length") == 2);
  CHECK(page.evaluate("document.querySelector('#headline').textContent") == "dtur on ring, 8 workers");
  CHECK(page.evaluate("document.querySelector('#tiles .big').textContent") == "88.2 %");
  CHECK(page.evaluate("document.querySelector('#failure').hidden") == true);
  no_complaints(page);
}

TEST_CASE("browser: notices what a page complains about") {
  show run;
  browser page{DYBW_BROWSER};
  page.open(run.url());
  no_complaints(page);
  page.evaluate(
      "console.error('said so'), setTimeout(() => { throw new Error('thrown') }), "
      "document.head.append(Object.assign(document.createElement('style'), {textContent: 'a {}'})), "
      "document.title = 'done', 0"); // the page's policy forbids such a style
  REQUIRE(page.becomes_true("document.querySelector('#failure').hidden === false", 10s));
  std::string all;
  for (const auto& complaint : page.complaints())
    all += complaint;
  for (const std::string expected : {"said so", "thrown", "Content Security Policy"}) {
    CAPTURE(expected);
    CHECK(all.find(expected) != std::string::npos);
  }
}

TEST_CASE("dashboard: draws what comes, without building anything anew") {
  show run;
  browser page{DYBW_BROWSER};
  page.show(1280, 900, false);
  page.open(run.url());
  REQUIRE(page.becomes_true(drawn_at_least(2), 20s));
  page.evaluate(
      "window.canvas = document.querySelector('#charts canvas'), window.row = "
      "document.querySelector('#table tbody tr'), window.node = document.querySelector('#graph .node'), "
      "window.round = document.querySelector('#progress-done').textContent, 0");
  const auto drawn = page.evaluate("Number(document.documentElement.dataset.drawn)").get<int>();
  REQUIRE(page.becomes_true(drawn_at_least(drawn + 3), 20s));
  CHECK(page.evaluate("window.canvas === document.querySelector('#charts canvas') && window.row === "
                      "document.querySelector('#table tbody tr') && window.node === "
                      "document.querySelector('#graph .node')") == true);
  CHECK(page.evaluate("window.round !== document.querySelector('#progress-done').textContent") == true);
  no_complaints(page);
}

TEST_CASE("dashboard: says that the connection is lost, and recovers by itself when the server is back") {
  show run;
  browser page{DYBW_BROWSER};
  page.show(1280, 900, false);
  page.open(run.url());
  REQUIRE(page.becomes_true(is_live, 20s));
  no_complaints(page);
  run.stop();
  REQUIRE(page.becomes_true("document.documentElement.dataset.state === 'lost' && "
                            "!document.querySelector('#connection').hidden",
                            20s));
  CHECK(page.evaluate("document.querySelector('#connection').textContent")
            .get<std::string>()
            .find("Connection lost") == 0);
  run.restart();
  REQUIRE(page.becomes_true(is_live, 30s));
  const auto drawn = page.evaluate("Number(document.documentElement.dataset.drawn)").get<int>();
  CHECK(page.becomes_true(drawn_at_least(drawn + 2), 20s));
  CHECK(page.evaluate("document.querySelector('#connection').hidden") == true);
  for (const auto& complaint : page.complaints()) // only that the server could not be reached
    CHECK(complaint.find("net::ERR_") != std::string::npos);
}

TEST_CASE("dashboard: a thousand workers are drawn twice a second with time to spare") {
  std::filesystem::create_directories(screenshots);
  show run{1000};
  browser page{DYBW_BROWSER};
  page.show(1280, 900, false);
  page.open(run.url());
  REQUIRE(page.becomes_true(drawn_at_least(6), 60s));
  const auto draw_ms = page.evaluate("Number(document.documentElement.dataset.drawMs)").get<double>();
  MESSAGE("drawing 1,000 workers takes the page " << draw_ms << " ms");
  CHECK(draw_ms < 400);
  CHECK(page.evaluate("document.querySelectorAll('#strips canvas[data-workers=\"1000\"]').length") == 3);
  CHECK(page.evaluate("document.querySelector('#graph canvas').dataset.edges") == "1000");
  CHECK(page.evaluate("document.querySelectorAll('#table tbody tr').length") == 50);
  page.evaluate(
      "document.querySelector('#more').click(), document.querySelectorAll('#table button')[6].click(), 0");
  CHECK(page.evaluate("document.querySelectorAll('#table tbody tr').length") == 100);
  CHECK(page.evaluate("document.querySelector('#table tbody th').textContent") ==
        "3"); // the slowest step first
  page.evaluate("document.querySelector('#filter').value = 'straggler', "
                "document.querySelector('#filter').dispatchEvent(new Event('input')), 0");
  CHECK(page.evaluate("document.querySelectorAll('#table tbody tr').length") == 1);
  no_complaints(page);
  page.photograph(screenshots / "thousand.png", 4000);
}

TEST_CASE("dashboard: odd views are shown, too") {
  show run;
  std::atomic<int> which = 0;
  run.change = [&](run_view& v) {
    switch (which) {
    case 0: // nothing yet
      v = run_view{};
      v.trouble = "node 127.0.0.1:7400 does not answer";
      break;
    case 1: // no model, no figures
      v.loss.reset();
      v.newest_evaluation.reset();
      v.consensus_distance.reset();
      v.fraction.reset();
      v.remaining_s.reset();
      v.history.clear();
      v.waits.clear();
      v.events.clear();
      v.nodes.clear();
      v.steps_per_s = v.no_wait_per_s = 0;
      break;
    case 2: // fallen apart, and hostile
      v.parts = 2;
      v.failure = "<b>gone</b>";
      v.events[0].text = "<img src=x onerror=\"document.title='owned'\">";
      v.workers[1].standing = worker_standing::lost;
      v.edges[0].up = false;
      v.waits[0].whom = v.waits[0].who;
      break;
    default: // another graph, fewer workers
      v = sample_view(3);
    }
  };
  browser page{DYBW_BROWSER};
  page.show(390, 844, true);
  page.open(run.url());
  REQUIRE(page.becomes_true(is_live, 20s));
  CHECK(page.becomes_true("document.querySelector('#trouble').textContent.includes('does not answer') && "
                          "document.querySelector('#main').hidden",
                          10s));
  which = 1;
  CHECK(page.becomes_true("!document.querySelector('#main').hidden && "
                          "document.querySelectorAll('#charts figure:not([hidden])').length === 0",
                          10s));
  which = 2;
  CHECK(page.becomes_true("document.querySelector('#trouble').textContent.includes('<b>gone</b>') && "
                          "document.querySelectorAll('#graph .node.lost').length === 1 && "
                          "document.querySelectorAll('#graph .edge.down').length === 1 && "
                          "document.querySelectorAll('#events img').length === 0",
                          10s));
  CHECK(page.evaluate("document.title.includes('owned')") == false);
  CHECK(fits(page));
  which = 3;
  CHECK(page.becomes_true("document.querySelectorAll('#graph .node').length === 3 && "
                          "document.querySelectorAll('#table tbody tr').length === 3",
                          10s));
  no_complaints(page);
}

TEST_CASE("dashboard: fits desktop and phone, light and dark") {
  std::filesystem::create_directories(screenshots);
  show run;
  browser page{DYBW_BROWSER};
  page.open(run.url());
  struct screen {
    const char* name;
    int width, height;
    bool dark;
  };
  for (const auto& s : {screen{"desktop-light", 1280, 900, false}, screen{"desktop-dark", 1280, 900, true},
                        screen{"phone-light", 390, 844, false}, screen{"phone-dark", 390, 844, true}}) {
    CAPTURE(s.name);
    page.show(s.width, s.height, s.dark);
    REQUIRE(page.becomes_true(is_live, 20s));
    const auto drawn = page.evaluate("Number(document.documentElement.dataset.drawn ?? 0)").get<int>();
    REQUIRE(page.becomes_true(drawn_at_least(drawn + 3), 20s));
    CHECK(fits(page));
    page.photograph(screenshots / (std::string{s.name} + ".png"), 6000);
  }
  no_complaints(page);
}

TEST_CASE("dashboard: a link with the token opens the page, and the token leaves the address") {
  show run;
  run.stop();
  run.token = "correct-horse";
  run.restart();
  browser page{DYBW_BROWSER};
  page.show(1280, 900, false);
  page.open(run.url() + "?token=correct-horse");
  REQUIRE(page.becomes_true(is_live, 20s));
  CHECK(page.evaluate("location.search") == "");
  CHECK(page.evaluate("document.cookie") == ""); // not for scripts
  no_complaints(page);
}

} // namespace dybw::test
