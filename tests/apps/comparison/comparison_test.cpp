#include "apps/comparison/comparison.hpp"

#include "apps/comparison/comparison_files.hpp"
#include "apps/comparison/comparison_json.hpp"
#include "apps/comparison/comparison_tables.hpp"
#include "apps/comparison/figure_svg.hpp"
#include "learning/base/error.hpp"
#include "tests/support/full_disk.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string_view>

namespace dybw::assets {

std::string_view base_css();
std::string_view report_js();

} // namespace dybw::assets

namespace dybw::test {

using nlohmann::json;

namespace {

struct made {
  std::string policy = "full";
  int seed = 1;
  double target_s = 10;
  std::string clock = "virtual";
  double step_size = 0.1;
  double accuracy = 0.9;
};

json point(double t, double accuracy, bool at_end = false) {
  return {{"time_s", t}, {"test_accuracy", accuracy}, {"local_steps", 10 * t}, {"at_end", at_end}};
}

stored_run make(const made& x) {
  stored_run run;
  run.directory = "s" + std::to_string(x.seed);
  run.config = {{"seed", x.seed},
                {"policy", json::array({x.policy, "other"})},
                {"step-size", x.step_size},
                {"clock", x.clock},
                {"dataset", "digits"},
                {"threads", x.seed},
                {"workers", 4},
                {"target-accuracy", 0.9}};
  run.run = {{"policy", x.policy},
             {"seed", x.seed},
             {"clock", x.clock},
             {"dataset", "digits"},
             {"partition", "iid"},
             {"model", "softmax"},
             {"workers", 4},
             {"topology", "ring"},
             {"rounds", 100 + x.seed},
             {"duration_s", x.target_s},
             {"mean_round_s", 0.1},
             {"compute_share", 0.5},
             {"useful_gradient_rate", 100 / x.target_s},
             {"no_wait_rate", 20},
             {"time_to_target_s", x.target_s},
             {"test_accuracy", x.accuracy},
             {"mean_backup_workers", nullptr},
             {"mixing", {{"rounds_audited", 10}, {"one_sided_edges", 0}, {"max_row_error", 1e-12 * x.seed}}},
             {"evaluations", json::array({point(0, 0.1), point(4, 0.5 + 0.1 * x.seed), point(8, 0.8),
                                          point(x.target_s, x.accuracy, true)})}};
  return run;
}

} // namespace

TEST_CASE("comparison: runs that differ in their seed only are one group, others are not") {
  const auto all = compare({make({"full", 1}), make({"dtur", 1}), make({"full", 2}), make({"dtur", 2}),
                            make({"full", 3}), make({"full", 1, 10, "virtual", 0.2})});
  REQUIRE(all.groups.size() == 3);
  CHECK(all.groups[0].runs == std::vector<std::size_t>{0, 2, 4});
  CHECK(all.groups[1].runs == std::vector<std::size_t>{1, 3});
  CHECK(all.groups[0].label == "full (step-size 0.1)");
  CHECK(all.groups[1].label == "dtur");
  CHECK(all.groups[2].label == "full (step-size 0.2)");
  CHECK(all.groups[2].variant == 1);
  CHECK(all.differing == std::vector<std::string>{"step-size"});
}

TEST_CASE("comparison: a run is compared with the reference's run of its seed, never with another's") {
  const auto all = compare({make({"full", 1, 10}), make({"full", 2, 40}), make({"dtur", 2, 20}),
                            make({"dtur", 1, 5}), make({"dtur", 3, 1})});
  CHECK(ratio_to_reference(all, 0) == doctest::Approx(1));
  CHECK(ratio_to_reference(all, 1) == doctest::Approx(1));
  CHECK(ratio_to_reference(all, 2) == doctest::Approx(2));
  CHECK(ratio_to_reference(all, 3) == doctest::Approx(2));
  CHECK_FALSE(ratio_to_reference(all, 4)); // full was not run with seed 3
  const auto times = paired_ratio(all, all.groups[1], all.groups[0], all.by);
  REQUIRE(times);
  CHECK(times->mean == doctest::Approx(2));
  CHECK(times->count == 2);
  CHECK(runs_table(all).find("with the same seed") != std::string::npos);
}

TEST_CASE("comparison: virtual and real times are never divided by each other") {
  const auto all = compare({make({"full", 1, 10, "virtual"}), make({"full", 1, 5, "real"})});
  REQUIRE(all.groups.size() == 2);
  CHECK(all.groups[1].reference == 1);
  CHECK(ratio_to_reference(all, 1) == doctest::Approx(1));
  const temporary_directory place;
  const auto files = write_figures(all, place.path() / "figures");
  CHECK(std::filesystem::exists(place.path() / "figures" / "accuracy-virtual.svg"));
  CHECK(std::filesystem::exists(place.path() / "figures" / "accuracy-real.svg"));
  CHECK(files.size() == 4);
}

TEST_CASE("comparison: where each setting has one group, the first of the same task is the reference") {
  auto wide = make({"dtur", 1, 5});
  wide.config["workers"] = wide.run["workers"] = 8;
  const auto all = compare({make({"dtur", 1, 10}), wide});
  CHECK(ratio_to_reference(all, 1) == doctest::Approx(2));
  CHECK(all.groups[1].label == "dtur (workers 8)");
}

TEST_CASE("comparison: curves become means with intervals while all runs last, the ends are set apart") {
  const auto all = compare({make({"full", 1, 10}), make({"full", 2, 12})});
  const auto points = evaluations_of(all, all.groups[0]);
  REQUIRE(points.size() == 4);
  CHECK(points[1]["time_s"] == 4);
  CHECK(points[1]["test_accuracy"].get<double>() == doctest::Approx(0.65));
  CHECK(points[1]["half_widths"]["test_accuracy"].get<double>() == doctest::Approx(12.706 * 0.05));
  CHECK(points[2]["half_widths"]["test_accuracy"].get<double>() == doctest::Approx(0));
  CHECK(points[3]["at_end"] == true);
  CHECK(points[3]["time_s"].get<double>() == doctest::Approx(11));
}

TEST_CASE(
    "comparison: moments that differ are met in straight lines, and nothing is made up beyond a run's end") {
  auto other = make({"full", 2, 6});
  other.run["evaluations"] = json::array({point(0, 0), point(3, 0.3), point(6, 0.6)});
  const auto all = compare({make({"full", 1, 10}), other});
  const auto points = evaluations_of(all, all.groups[0]);
  REQUIRE(points.size() == 3); // one of them has no end
  CHECK(points[1]["time_s"] == 3);
  CHECK(points[1]["test_accuracy"].get<double>() == doctest::Approx((0.3 + 0.1 + 0.5 * 3 / 4) / 2));
  CHECK(points[2]["time_s"] == 6);
}

TEST_CASE("comparison: a group as one run has means, intervals and seeds, and every run's troubles") {
  auto lost = make({"full", 2, 30});
  lost.run["workers_lost"] = {3};
  lost.run["failed"] = true;
  lost.run["failure"] = "a reason";
  lost.run["mixing"]["one_sided_edges"] = 2;
  lost.run["time_to_target_s"] = nullptr;
  const auto all = compare({make({"full", 1, 10}), lost, make({"dtur", 1, 5})});
  const auto data = page_data(all)["document"];
  REQUIRE(data["runs"].size() == 2);
  const auto& full = data["runs"][0];
  CHECK(full["label"] == "full");
  CHECK(full["seeds"] == json::array({1, 2}));
  CHECK(full["rounds"] == 101.5);
  CHECK(full["counts"]["time_to_target_s"] == 1);
  CHECK(full["half_widths"]["duration_s"].get<double>() > 10);
  CHECK(full["failed"] == true);
  CHECK(full["workers_lost"] == json::array({3}));
  CHECK(full["mixing"]["one_sided_edges"] == 2);
  CHECK(full["mixing"]["max_row_error"] == 2e-12);
  CHECK(full["bound_share"].get<double>() == doctest::Approx((10.0 / 20 + 100.0 / 30 / 20) / 2));
  CHECK(data["runs"][1]["speed_up"]["mean"] == doctest::Approx(2));
  CHECK(data["config"]["seed"] == "1, 2");
  CHECK(groups_to_json(all)["groups"][0]["figures"]["duration_s"]["mean"] == 20);
  CHECK(groups_table(all).find("WRONG") != std::string::npos);
}

TEST_CASE("comparison: where seeds missed the target, means are bounds and say how many reached it") {
  const auto missed = [](const made& x) {
    auto run = make(x);
    run.run["time_to_target_s"] = nullptr;
    return run;
  };
  const auto with = [](const stored_run& full, const stored_run& dtur) {
    return compare({make({"full", 1, 10}), make({"full", 2, 20}), full, make({"dtur", 1, 5}),
                    make({"dtur", 2, 10}), dtur});
  };
  const auto all = with(make({"full", 3, 30}), missed({"dtur", 3, 40}));
  const auto text = groups_table(all);
  CAPTURE(text);
  CHECK(text.find("  > 7.50 s ± 31.8 s (2 of 3)  ") != std::string::npos);
  CHECK(text.find("; > with (n of m): n of m runs reached the target, the time of the others is more\n") !=
        std::string::npos);
  const auto latex = latex_table(all);
  CHECK(latex.find(" & $>$ 7.50 s $\\pm$ 31.8 s (2 of 3) & ") != std::string::npos);
  CHECK(latex.find("\n% > with (n of m): ") != std::string::npos);
  const auto csv = groups_csv(all);
  CHECK(csv.find("time_to_target_s_runs,time_to_target_s_bound") != std::string::npos);
  CHECK(csv.find(",2,>") != std::string::npos);
  const auto groups = groups_to_json(all)["groups"];
  CHECK_FALSE(groups[0]["figures"]["time_to_target_s"].contains("bound"));
  CHECK(groups[1]["figures"]["time_to_target_s"]["bound"] == ">");
  const auto page = page_data(all);
  const auto& times = page["document"]["runs"][1]["speed_up"];
  CHECK(times["mean"].get<double>() == doctest::Approx(2));
  CHECK(times["count"] == 2);
  CHECK(times["of"] == 3);
  CHECK(times["bound"] == "<");

  const auto bound_of_speed_up = [](const comparison& x) {
    const auto found = paired_ratio(x, x.groups[1], x.groups[0], by_target);
    return std::string{found ? found->bound : "none"};
  };
  CHECK(bound_of_speed_up(with(make({"full", 3, 30}), make({"dtur", 3, 15}))).empty());
  CHECK(bound_of_speed_up(with(missed({"full", 3, 30}), make({"dtur", 3, 15}))) == ">");
  CHECK(bound_of_speed_up(with(missed({"full", 3, 30}), missed({"dtur", 3, 15}))) == "~");
  CHECK(groups_table(with(make({"full", 3, 30}), make({"dtur", 3, 15}))).find("(n of m)") ==
        std::string::npos);
}

TEST_CASE("comparison: of a group the audit is not finite if that of one run is not") {
  auto odd = make({"full", 2});
  odd.run["mixing"]["max_row_error"] = nullptr;
  const auto page = page_data(compare({make({"full", 1}), odd, make({"full", 3})}));
  CHECK(page["document"]["runs"][0]["mixing"]["max_row_error"].is_null());
  CHECK(page["document"]["runs"][0]["mixing"]["rounds_audited"] == 30);
}

TEST_CASE("comparison: tables for other programs quote what needs it") {
  auto odd = make({"static:1", 1, 10});
  odd.directory = "a,\"b\"";
  odd.config["topology"] = "file:50%_of_it";
  const auto all = compare({odd, make({"full", 1, 20})});
  const auto csv = runs_csv(all);
  CHECK(csv.starts_with("group,policy,directory,seed,"));
  CHECK(csv.find("\"a,\"\"b\"\"\"") != std::string::npos);
  CHECK(csv.find(",null") == std::string::npos);
  const auto grouped = groups_csv(all);
  CHECK(grouped.find("time_to_target_s,time_to_target_s_half_width,time_to_target_s_runs") !=
        std::string::npos);
  const auto latex = latex_table(all);
  CHECK(latex.find("\\begin{tabular}{lrrrrrrrrr}") != std::string::npos);
  CHECK(latex.find("90.0 \\%") != std::string::npos);
  CHECK(latex.find("\\bottomrule") != std::string::npos);
}

TEST_CASE("comparison: a policy has one colour, on the pages and in figures") {
  const auto css = assets::base_css();
  for (std::size_t i = 0; i < policy_colours.size(); ++i) {
    const auto line = "--policy-" + std::to_string(i) + ": " + std::string{policy_colours[i]} + ";";
    CAPTURE(line);
    CHECK(css.find(line) != css.npos);
  }
  for (const auto* policy : {"dtur", "full", "static", "adpsgd", "hop", "adaptive", "barrier"}) {
    const auto entry = std::string{policy} + ": " + std::to_string(policy_hue(std::string{policy} + ":1"));
    CAPTURE(entry);
    CHECK(assets::report_js().find(entry) != std::string_view::npos);
  }
}

TEST_CASE("comparison: a run is clean by all that its audit says, the witness included") {
  const auto with = [](const char* name, const json& value) {
    auto run = make({"full", 1});
    run.run["mixing"][name] = value;
    return is_clean(run);
  };
  CHECK(with("max_projection_error", 1e-8));
  CHECK_FALSE(with("max_projection_error", 1e-6));
  CHECK_FALSE(with("max_projection_error", nullptr)); // was no number
  CHECK_FALSE(with("max_column_error", 1e-6));
  CHECK_FALSE(with("one_sided_edges", 1));
}

TEST_CASE("comparison: a page that there is no room for leaves the one before") {
  const temporary_directory place;
  const auto file = place.path() / "a.csv";
  write_output("csv", file, "label", "label,x\n");
  {
    const full_disk disk{2};
    CHECK_THROWS_AS(write_output("csv", file, "label", "label,y\n"), input_error);
  }
  std::string kept;
  std::getline(std::ifstream{file}, kept);
  CHECK(kept == "label,x");
  write_output("csv", "/dev/null", "label", "label,x\n"); // not replaced by a file
  CHECK(std::filesystem::is_character_file("/dev/null"));
  const auto link = place.path() / "link";
  std::filesystem::create_symlink(file, link);
  write_output("csv", link, "label", "label,z\n");
  CHECK(std::filesystem::is_symlink(link));
}

TEST_CASE("comparison: files that were not made here are not overwritten") {
  const temporary_directory place;
  const auto file = place.path() / "a.csv";
  write_output("csv", file, "label", "label,x\n");
  write_output("csv", file, "label", "label,y\n");
  std::ofstream(file) << "other";
  CHECK_THROWS_AS(write_output("csv", file, "label", "label,z\n"), input_error);
  CHECK_THROWS_AS(write_output("csv", place.path() / "no" / "a.csv", "label", ""), input_error);
}

} // namespace dybw::test
