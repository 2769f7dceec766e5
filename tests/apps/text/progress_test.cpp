#include "apps/text/progress.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace dybw {

namespace {

progress sample_progress(double elapsed_s) {
  progress now;
  now.policy = "dtur";
  now.elapsed_s = elapsed_s;
  now.fraction = 0.41;
  now.remaining_s = 17.7;
  now.round = 532;
  now.loss = 0.4123;
  now.accuracy = 0.881;
  now.backup_workers = 0.82;
  now.gradients_per_s = 352.4;
  return now;
}

} // namespace

TEST_CASE("progress: a line says how far, how long and how well") {
  auto now = sample_progress(12.3);
  CHECK(progress_line(now) ==
        "dtur  12.3 s  41 %, 18 s left  round 532  loss 0.412  accuracy 88.1 %  backup 0.82  352 grad./s");
  now.scores = "rmse 0.132";
  CHECK(progress_line(now).find("accuracy 88.1 %  rmse 0.132  backup") != std::string::npos);
  now.waiting = "worker 3 for worker 4's estimate, 2.1 s";
  CHECK(progress_line(now).ends_with("  waiting: worker 3 for worker 4's estimate, 2.1 s"));
}

TEST_CASE("progress: after the run it says how much of its end is measured") {
  auto now = sample_progress(12.3);
  now.measured = 0.423;
  CHECK(progress_line(now) == "dtur  12.3 s  measuring the end: 42 %");
  std::ostringstream out;
  progress_display display{out, std::nullopt, 5};
  now.elapsed_s = 1; // stands still: in virtual time none passes
  for (int percent = 1; percent < 100; ++percent) {
    now.measured = percent / 100.0;
    display.show(now);
  }
  const auto text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
}

TEST_CASE("progress: what is not known is left out") {
  progress now;
  now.policy = "full";
  CHECK(progress_line(now) == "full  0.0 s  round 0  0 grad./s");
}

TEST_CASE("progress: on a terminal one line is refreshed and never wraps") {
  std::ostringstream out;
  progress_display display{out, 21};
  display.show(sample_progress(1));
  display.show(sample_progress(2));
  CHECK(out.str() == "\rdtur  1.0 s  41 %, 1\x1b[K\rdtur  2.0 s  41 %, 1\x1b[K");
  display.clear();
  CHECK(out.str().ends_with("\r\x1b[K"));
  const auto size = out.str().size();
  display.clear();
  CHECK(out.str().size() == size);
}

TEST_CASE("progress: without a terminal a line is written now and then, by the run's own time") {
  std::ostringstream out;
  progress_display display{out, std::nullopt, 5};
  for (const auto elapsed_s : {0.5, 4.9, 5.0, 5.5, 9.9, 10.0})
    display.show(sample_progress(elapsed_s));
  display.clear();
  std::istringstream lines(out.str());
  std::string line;
  std::vector<std::string> starts;
  while (std::getline(lines, line))
    starts.push_back(line.substr(0, 12));
  CHECK(starts == std::vector<std::string>{"dtur  5.0 s ", "dtur  10.0 s"});
}

TEST_CASE("progress: what a run waits for before it begins is shown apart from the run itself") {
  progress p;
  p.policy = "dtur";
  p.begun = false;
  p.elapsed_s = 6;
  p.waiting = "node b:7400 to load its data";
  CHECK(progress_line(p) == "dtur  6.0 s  starting  waiting: node b:7400 to load its data");
  std::ostringstream out;
  progress_display display{out, std::nullopt, 5};
  display.show(p);
  CHECK(out.str().find("starting") != std::string::npos);
  p.begun = true;
  p.waiting.clear();
  p.elapsed_s = 5.5; // counts from the run's own beginning
  display.show(p);
  CHECK(out.str().find("dtur  5.5 s  round 0") != std::string::npos);
}

TEST_CASE("progress: a target that is not reached gets a hint, once, if nothing else ends the run") {
  const auto at = [](double s) { return from_seconds(s); };
  run_config config;
  config.target_accuracy = 0.99;
  target_hint hint{config};
  CHECK(hint.note(at(1), std::nullopt).empty());
  CHECK(hint.note(at(100), 0.5).empty()); // it rises
  CHECK(hint.note(at(159), 0.5005).empty());
  const auto text = hint.note(at(161), 0.5002);
  CHECK(text.find("50.0 % has not risen for 61") != std::string::npos);
  CHECK(text.find("--target-accuracy=0.99") != std::string::npos);
  CHECK(text.find("--time-limit") != std::string::npos);
  CHECK(hint.note(at(300), 0.5).empty());
  config.time_limit_s = 1000;
  CHECK(target_hint{config}.note(at(500), 0.5).empty());
  CHECK(target_hint{config}.note(at(900), 0.5).empty());
}

TEST_CASE("progress: so does a score that is aimed at, whichever way it is to go") {
  const auto at = [](double s) { return from_seconds(s); };
  run_config config;
  config.target = score_target{"rmse", 0.1};
  const auto rmse = [](double x) { return std::vector<named_score>{{"f1", 0.9, false}, {"rmse", x, true}}; };
  target_hint hint{config};
  CHECK(hint.note(at(1), std::nullopt).empty());
  CHECK(hint.note(at(100), std::nullopt, rmse(0.2)).empty());
  CHECK(hint.note(at(150), std::nullopt, rmse(0.132)).empty()); // it falls
  CHECK(hint.note(at(209), 0.5, rmse(0.5)).empty());
  const auto text = hint.note(at(211), 0.7, rmse(0.13199));
  CHECK(text.starts_with("rmse 0.132 has not fallen for 61"));
  CHECK(text.find("nothing but --target=rmse=0.1 ends this run") != std::string::npos);
  CHECK(hint.note(at(300), 0.7, rmse(0.132)).empty());

  SUBCASE("nor is it waited for where no evaluation has it") {
    config.target->name = "rsme";
    target_hint mistyped{config};
    CHECK(mistyped.note(at(10), std::nullopt, rmse(0.2)).empty());
    CHECK(mistyped.note(at(71), std::nullopt, rmse(0.1))
              .starts_with("no evaluation has had a score rsme for 61"));
    target_hint unscored{config};
    CHECK(unscored.note(at(60), std::nullopt).empty()); // the first one was due half a second after the start
    CHECK(unscored.note(at(61), std::nullopt).starts_with("no evaluation has had a score rsme for 60"));
  }
  SUBCASE("of two targets either may still be reached") {
    config.target_accuracy = 0.99;
    target_hint both{config};
    CHECK(both.note(at(10), 0.5, rmse(0.2)).empty());
    CHECK(both.note(at(60), 0.6, rmse(0.2)).empty()); // the other one rises
    CHECK(both.note(at(119), 0.6, rmse(0.2)).empty());
    const auto of_both = both.note(at(121), 0.6, rmse(0.2));
    CHECK(of_both.starts_with("accuracy 60.0 % has not risen and rmse 0.2 has not fallen for 61"));
    CHECK(of_both.find("--target-accuracy=0.99 or --target=rmse=0.1 ends") != std::string::npos);
  }
}

} // namespace dybw
