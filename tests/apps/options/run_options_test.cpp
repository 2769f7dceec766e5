#include "apps/options/run_options.hpp"

#include "apps/options/option_values.hpp"
#include "apps/options/run_option_list.hpp"
#include "apps/options/saved_options.hpp"
#include "apps/results/run_directory.hpp"
#include "apps/results/run_json.hpp"
#include "learning/base/error.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace dybw {

namespace {

using words = std::vector<std::string>;

words split_words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

run_options read(const std::string& line) {
  return read_run_options(split_words(line), "20260131-142500");
}

struct refusal {
  int code = 0;
  std::string line;
};

refusal refused(const std::string& line) {
  try {
    read(line);
  } catch (const input_error& error) {
    return {error.exit_code(), error.what()};
  }
  return {};
}

std::filesystem::path written(const temporary_directory& place, const std::string& content) {
  auto file = place.path() / "options.ini";
  std::ofstream(file) << content;
  return file;
}

struct bad_case {
  std::string arguments;
  std::string fragment; ///< of the line a user sees
};

void check_all_refused(const std::vector<bad_case>& cases) {
  for (const auto& bad : cases) {
    INFO(bad.arguments);
    const auto got = refused(bad.arguments);
    CHECK(got.code == 2);
    CHECK_MESSAGE(got.line.find(bad.fragment) != std::string::npos, got.line);
    CHECK(got.line.find('\n') == std::string::npos);
  }
}

} // namespace

TEST_CASE("run_options: spelling mistakes are refused with what could have been meant") {
  check_all_refused({
      {"--worker 4", "unknown option --worker; did you mean --workers?"},
      {"--polcy=dtur", "unknown option --polcy; did you mean --policy?"},
      {"-workers 4", "unknown option -workers; did you mean --workers?"},
      {"--xyzzyx 4", "unknown option --xyzzyx; dybw run --help lists all"},
      {"--node a:1", "unknown option --node; did you mean --nodes?"},
      {"--work 4", "unknown option --work"},
      {"dtur", "unexpected argument 'dtur'"},
      {"--workers", "--workers needs a value"},
      {"--workers --quiet", "--workers needs a value"},
      {"--quiet=1", "--quiet takes no value"},
      {"--seed 1 --seed 2", "--seed is given more than once; give it once"},
      {"--policy full --policy dtur", "--policy is given more than once; separate policies by commas"},
  });
}

TEST_CASE("run_options: unknown names are refused with the list of names") {
  check_all_refused({
      {"--dataset imagenet", "--dataset=imagenet is unknown; give digits, mnist, cifar10, csv or libsvm"},
      {"--partition even", "iid"},
      {"--model resnet", "softmax"},
      {"--topology mesh", "ring, path, star"},
      {"--connect all", "tree"},
      {"--policy fast", "--policy=fast is not a policy; choose from full, static:B, dtur"},
      {"--policy gossip", "--policy=gossip is not a policy"},
      {"--policy full,,dtur", "--policy= is not a policy"},
      {"--policy static", "--policy=static takes 1 parameters"},
      {"--policy static:", "--policy=static:"},
      {"--policy static:-1", "--policy=static:-1"},
      {"--policy full,static:1x", "--policy=static:1x"},
      {"--policy dtur:1", "--policy=dtur:1"},
      {"--on-miss wait", "--on-miss=wait is unknown; give carry or discard"},
      {"--weights equal", "--weights=equal is unknown; give active or graph"},
      {"--exchange maybe", "give on or off"},
      {"--start zero", "give same or random"},
      {"--clock fake", "--clock=fake is unknown; give real"},
      {"--step-time gauss:1,2", "exp:MEAN"},
      {"--straggler lazy:1", "slow:COUNT:FACTOR"},
      {"--format xml", "give text or json"},
      {"--log-level loud", "give debug, info, warn, error or off"},
  });
}

TEST_CASE("run_options: numbers out of range, or no numbers at all, are refused with the range") {
  check_all_refused({
      {"--workers 0", "--workers=0 is out of range; give a whole number from 1 to 100000"},
      {"--workers 100001", "is out of range"},
      {"--workers -1", "--workers=-1 is out of range"},
      {"--workers 99999999999999999999", "is out of range"},
      {"--workers 1e3", "--workers=1e3 is not a whole number"},
      {"--workers eight", "is not a whole number"},
      {"--workers=", "--workers needs a value"},
      {"--batch 0", "--batch=0 is out of range"},
      {"--rounds 0", "--rounds=0 is out of range"},
      {"--seed -1", "--seed=-1 is out of range"},
      {"--threads 1000000", "is out of range"},
      {"--time-limit 0", "--time-limit=0 is out of range; give a number of seconds above 0"},
      {"--time-limit nan", "--time-limit=nan is not a finite number"},
      {"--time-limit inf", "is not a finite number"},
      {"--time-limit 1e300", "is out of range"},
      {"--time-limit 5s", "is not a finite number"},
      {"--target-accuracy 0", "--target-accuracy=0 is out of range"},
      {"--target-accuracy 90", "is out of range; give a number above 0, at most 1"},
      {"--step-size -0.1", "--step-size=-0.1 is out of range"},
      {"--step-size nan", "is not a finite number"},
      {"--clock virtual --step-time const:0", "lets no virtual time pass"},
      {"--clock virtual --step-time uniform:0,0", "lets no virtual time pass"},
      {"--clock virtual --step-time lognormal:-100,1", "lets no virtual time pass"},
      {"--step-decay 0", "is out of range"},
      {"--step-decay 1.1", "is out of range"},
      {"--momentum 1", "is out of range"},
      {"--weight-decay -1", "is out of range"},
      {"--round-timeout soon", "--round-timeout=soon is not a finite number; give auto or"},
      {"--round-timeout 0", "is out of range"},
      {"--suspect-after 0", "is out of range"},
      {"--eval-every 0", "is out of range"},
      {"--dataset csv --data x.csv --test-share 1", "--test-share=1 is out of range"},
      {"--partition shards:0", "shards"},
      {"--partition dirichlet:0", "dirichlet"},
      {"--model mlp:0", "mlp"},
      {"--model cnn:64", "there is no convolution"},
      {"--model cnn", "no layers are listed"},
      {"--scaling maximal", "--scaling"},
      {"--topology torus:3x3", "9 cells for 8 workers"},
      {"--topology random:8", "DEGREE"},
      {"--topology circulant:5", "offsets"},
      {"--straggler slow:9:2", "COUNT"},
      {"--straggler slow:1:0.5", "FACTOR"},
      {"--straggler computed:slow:1:2 --step-time exp:1", "leave out one of the two"},
      {"--straggler computed:slow:1:2 --model none", "cannot compute"},
      {"--step-time const:-1", "const"},
  });
}

TEST_CASE("run_options: options that contradict each other are refused") {
  check_all_refused({
      {"--data somewhere", "--data=somewhere contradicts --dataset=digits"},
      {"--dataset mnist", "--dataset=mnist needs files; give their directory with --data DIR"},
      {"--dataset csv", "--dataset=csv needs files; give the file with --data FILE"},
      {"--test-share 0.3", "--test-share=0.3 applies to --dataset csv and libsvm only"},
      {"--dataset libsvm --data x --augment mirror", "--augment=mirror applies to images only"},
      {"--label y", "--label=y applies to --dataset csv only"},
      {"--dataset libsvm --data x --label 1", "--label=1 applies to --dataset csv only"},
      {"--dataset libsvm", "--dataset=libsvm needs files; give the file with --data FILE"},
      {"--policy full --on-miss carry", "--on-miss=carry applies to the policy dtur only"},
      {"--policy full,static:1 --connect tree", "--connect=tree applies to the policy dtur only"},
      {"--policy dtur,dtur", "names dtur more than once"},
      {"--policy static:1,full,static:01", "names static:01 more than once"},
      {"--model none --target-accuracy 0.5", "--target-accuracy=0.5 contradicts --model=none"},
      {"--start random", "--start=random is for runs that only average; add --step-size 0"},
      {"--start random --step-size 0 --model none", "contradicts --model=none"},
      {"--clock virtual", "--clock=virtual needs to know how long a step takes; give --step-time"},
      {"--clock virtual --step-time const:1 --http 127.0.0.1:0",
       "--http=127.0.0.1:0 is for runs in real time"},
      {"--policy adaptive --checkpoint-every 1", "--checkpoint-every=1 does not go with --policy adaptive"},
      {"--policy hop:1:0", "--policy=hop:1:0 lets nobody be behind"},
      {"--link-latency const:1", "--link-latency=const:1 applies to --clock virtual"},
      {"--link-bandwidth 1", "--link-bandwidth=1 applies to --clock virtual"},
      {"--mix-time 1", "--mix-time=1 applies to --clock virtual"},
      {"--clock virtual --step-time const:1 --mix-time -1",
       "--mix-time=-1 is out of range; give a number of seconds from 0"},
      {"--force", "--force overwrites what --out names"},
  });
}

TEST_CASE("run_options: a static policy must leave every worker a neighbour to wait for") {
  check_all_refused({
      {"--policy static:2", "--policy=static:2 must leave a neighbour to wait for: worker 0 has 2"},
      {"--policy full,static:1 --topology star", "worker 1 has 1"},
      {"--policy static:0 --workers 1", "worker 0 has none; give full or dtur"},
  });
  CHECK(read("--policy static:1").config.policies == words{"static:1"});
  CHECK(read("--policy static:3,full --topology complete").config.policies == words{"static:3", "full"});
}

TEST_CASE("run_options: files of edges and times are read before anything starts") {
  const temporary_directory place;
  const auto file = place.path() / "edges";
  CHECK(refused("--topology file:" + file.string()).code == 3);
  std::ofstream(file) << "0 1\n1 x\n";
  const auto malformed = refused("--topology file:" + file.string());
  CHECK(malformed.code == 3);
  CHECK(malformed.line.find(file.string() + ":2") != std::string::npos);
  std::ofstream(file) << "0 1\n2 3\n";
  const auto apart = refused("--workers 4 --topology file:" + file.string());
  CHECK(apart.code == 2);
  CHECK(apart.line.find("worker 2 cannot be reached") != std::string::npos);
  CHECK(refused("--step-time trace:" + (place.path() / "none").string()).code == 3);
}

TEST_CASE("run_options: values arrive where they belong") {
  const auto options =
      read("--dataset csv --data a.csv --label kind --test-share 0.25 --scaling standard --partition "
           "shards:3 --model mlp:8,4 "
           "--workers 6 "
           "--topology torus:2x3 --connect path --policy dtur,static:1 --on-miss discard --weights graph "
           "--rounds 10 --time-limit 2.5 --target-accuracy 0.5 --batch 16 --step-size 0.25 --step-decay 0.5 "
           "--momentum 0.75 --weight-decay 0.125 --clock real --step-time exp:0.1 --straggler random:0.5:3 "
           "--round-timeout 7 --suspect-after 4 --threads 3 --seed 11 --eval-every 2 --exchange off "
           "--out somewhere --force --format json --log-level info --quiet");
  const auto& config = options.config;
  CHECK(config.data.name == "csv");
  CHECK(config.data.path == "a.csv");
  CHECK(config.data.test_share == 0.25);
  CHECK(config.data.label == "kind");
  CHECK(config.data.standardise);
  CHECK_FALSE(config.data.mirror);
  CHECK(read("--augment mirror").config.data.mirror);
  CHECK(config.data.seed == 11);
  CHECK(config.partition.how == partition_spec::kind::shards);
  CHECK(config.partition.shards_per_worker == 3);
  CHECK(config.partition_text == "shards:3");
  CHECK(config.model == "mlp:8,4");
  CHECK(config.workers == 6);
  CHECK(config.topology == "torus:2x3");
  CHECK(config.connect == "path");
  CHECK(config.policies == words{"dtur", "static:1"});
  CHECK(config.on_miss == miss_rule::discard);
  CHECK(config.weights == weight_rule::graph);
  CHECK(config.start == start_rule::same);
  CHECK(config.rounds == 10);
  CHECK(config.time_limit_s == 2.5);
  CHECK(config.target_accuracy == 0.5);
  CHECK(config.batch == 16);
  CHECK(config.sgd.step_size == 0.25);
  CHECK(config.sgd.step_decay == 0.5);
  CHECK(config.sgd.momentum == 0.75);
  CHECK(config.sgd.weight_decay == 0.125);
  CHECK(config.step_time == "exp:0.1");
  CHECK(config.straggler == "random:0.5:3");
  CHECK(config.round_timeout_s == 7);
  CHECK(config.suspect_after_s == 4);
  CHECK(config.threads == 3);
  CHECK(config.seed == 11);
  CHECK(config.eval_every_s == 2);
  CHECK_FALSE(config.exchange);
  CHECK(options.output.directory == "somewhere");
  CHECK(options.output.force);
  CHECK(options.output.format == output_format::json);
  CHECK(options.output.level == log_level::info);
  CHECK(options.output.quiet);
  CHECK_FALSE(options.demo);
  CHECK(read("--start random --step-size 0").config.start == start_rule::random);
}

TEST_CASE("run_options: what is not given is the default of run_config") {
  const auto options = read("--policy dtur");
  auto standard = run_config{};
  standard.time_limit_s = 30;
  CHECK(config_to_json(options.config).dump() == config_to_json(standard).dump());
  CHECK_FALSE(options.config.weights);
  CHECK_FALSE(options.config.round_timeout_s);
}

TEST_CASE("run_options: a limit not given does not apply, and with none the run takes 30 seconds") {
  CHECK(read("--workers 4").config.time_limit_s == 30);
  CHECK_FALSE(read("--rounds 5").config.time_limit_s);
  CHECK_FALSE(read("--target-accuracy 0.5").config.time_limit_s);
  CHECK_FALSE(read("--time-limit 5").config.rounds);
}

TEST_CASE("run_options: several policies are written to runs/DATE-SEED unless told otherwise") {
  CHECK(read("--policy full,dtur --seed 3").output.directory == "runs/20260131-142500-3");
  CHECK_FALSE(read("--policy full").output.directory);
  CHECK_FALSE(read("--policy full,dtur --format json").output.directory);
  CHECK(read("--policy full --out here").output.directory == "here");
  CHECK(read("--policy full,dtur --format json --out here").output.directory == "here");
}

TEST_CASE("run_options: the command line wins over the file, the file over the defaults") {
  const temporary_directory place;
  const auto file = written(place, "# comment\nworkers = 5\nseed=9 # behind a value\npolicy = full,dtur\n"
                                   "quiet = true\nstep-size =0.5\n");
  const auto options = read("--seed 4 --config " + file.string());
  CHECK(options.config.workers == 5);
  CHECK(options.config.seed == 4);
  CHECK(options.config.policies == words{"full", "dtur"});
  CHECK(options.config.sgd.step_size == 0.5);
  CHECK(options.config.batch == 64);
  CHECK(options.output.quiet);
  CHECK_FALSE(options.demo);
}

TEST_CASE("run_options: files as editors of Windows write them, and values with a number sign") {
  const temporary_directory place;
  const auto windows = written(place, "\xEF\xBB\xBFworkers = 5\r\nseed = 9 # comment\r\n");
  CHECK(read("--config " + windows.string()).config.workers == 5);
  CHECK(read("--config " + windows.string()).config.seed == 9);
  const auto signs =
      written(place, "dataset = csv\ndata = a#1.csv # it is 'a#1.csv'\nout = b\\#2 \\#3\n#out = c\n");
  const auto options = read("--config " + signs.string());
  CHECK(options.config.data.path == "a#1.csv");
  CHECK(options.output.directory == "b#2 #3");
}

TEST_CASE("run_options: what a run that goes on was given comes back as it was, whatever it holds") {
  const temporary_directory place;
  for (const std::string name : {"d#2.csv", "d #2.csv", "#", "\\#", "caf\xe9", "a=b"}) {
    CAPTURE(name);
    const auto data = (place.path() / name).string();
    const std::vector<std::string> first = {"--dataset",
                                            "csv",
                                            "--data",
                                            data,
                                            "--clock",
                                            "virtual",
                                            "--step-time",
                                            "const:1",
                                            "--checkpoint-every",
                                            "1",
                                            "--policy",
                                            "full",
                                            "--out",
                                            (place.path() / "run").string()};
    const auto begun = read_run_options(first, "20260131-142500");
    std::filesystem::create_directories(place.path() / "run");
    std::ofstream(place.path() / "run" / saved_options_name) << begun.saved;
    const std::vector<std::string> resume = {"--resume", (place.path() / "run").string()};
    CHECK(read_run_options(resume, "20260131-142500").config.data.path == data);
  }
  const std::vector<std::string> odd = {
      "--dataset",          "csv", "--data",   "a ",   "--clock", "virtual", "--step-time", "const:1",
      "--checkpoint-every", "1",   "--policy", "full", "--out",   "x"};
  CHECK_THROWS_AS(read_run_options(odd, "20260131-142500"), input_error);
}

TEST_CASE("run_options: where TLS files lie is a matter of this machine and not kept with a run") {
  const auto known = run_option_list();
  option_values given{known, "dybw run"};
  given.add_arguments(split_words("--workers 5 --tls-cert a --tls-key b --tls-ca c --tls-crl d"));
  const auto saved = saved_options(given);
  CHECK(saved.find("workers = 5") != std::string::npos);
  CHECK_MESSAGE(saved.find("tls") == std::string::npos, saved);
}

TEST_CASE("run_options: what is wrong in a file is reported with the file's name") {
  const temporary_directory place;
  const auto check = [&](const std::string& content, const std::string& fragment,
                         const std::string& more = "") {
    INFO(content);
    const auto file = written(place, content);
    const auto got = refused(more + "--config " + file.string());
    CHECK(got.code == 2);
    CHECK_MESSAGE(got.line.starts_with(file.string() + ": " + fragment), got.line);
  };
  check("worker = 4\n", "unknown option worker; did you mean workers?");
  check("--workers = 4\n", "unknown option workers; write it without dashes: workers");
  check("[data]\ndataset = digits\n", "unknown option data.dataset; options stand in no [section]");
  check("workers = 0\n", "--workers=0 is out of range");
  check("topology = mesh\n", "--topology");
  check("straggler = lazy\n", "--straggler");
  check("on-miss = carry\n", "--on-miss=carry applies to the policy dtur only", "--policy full ");
  check("workers\n", "");
  check("config = other.ini\n", "unknown option config");
  check("seed = 1\nseed = 2\n", "--seed is given more than once");
  check("out =\n", "--out= is empty");
  check("workers =\n", "--workers= is not a whole number");
  check("dataset = mnist\ndata =\n", "--data= is empty");
  check("quiet = perhaps\n", "--quiet");

  const auto file = written(place, "workers = 4\n");
  CHECK(refused("--workers 0 --config " + file.string()).line.starts_with("--workers=0"));
  CHECK(refused("--config " + (place.path() / "none.ini").string()).line.find("cannot be read") !=
        std::string::npos);
  CHECK(refused("--config " + place.path().string()).line.find("cannot be read") != std::string::npos);
}

TEST_CASE("run_options: without any option that shapes the run it is config/demo.ini") {
  const auto demo = read("");
  CHECK(demo.demo);
  const std::string file = DYBW_SOURCE_DIR "/config/demo.ini";
  CHECK(config_to_json(demo.config).dump() == config_to_json(read("--config " + file).config).dump());
  CHECK(demo.config.policies == words{"full", "dtur"});
  CHECK(demo.config.straggler == "slow:1:4");
  CHECK(demo.output.directory == "runs/20260131-142500-1");

  const auto varied = read("--seed 2 --threads 1 --quiet --format json --log-level off");
  CHECK(varied.demo);
  CHECK(varied.config.seed == 2);
  CHECK(varied.config.straggler == "slow:1:4");

  const auto shaped = read("--workers 8");
  CHECK_FALSE(shaped.demo);
  CHECK(shaped.config.straggler == "none");
}

TEST_CASE("run_options: every file of config/ is a valid configuration") {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DYBW_SOURCE_DIR "/config")) {
    if (entry.path().extension() != ".ini")
      continue;
    INFO(entry.path().string());
    CHECK_NOTHROW(read("--config " + entry.path().string()));
    ++files;
  }
  CHECK(files >= 5);
}

TEST_CASE("run_options: help fits 100 columns and shows every option with its default") {
  const auto help = run_help();
  std::istringstream in(help);
  std::string line;
  while (std::getline(in, line)) {
    INFO(line);
    CHECK(line.size() <= 100);
  }
  for (const std::string option :
       {"--dataset NAME (=digits)", "--workers N (=8)", "--topology SHAPE (=ring)",
        "--policy P[,P..] (=dtur)", "--step-size E (=0.1)", "--suspect-after S (=3)", "--seed S (=1)",
        "--eval-every S (=0.5)", "--round-timeout auto|S (=auto)", "--config FILE", "--out DIR",
        "--test-share SHARE (=0.2)", "--link-latency DIST (=none)"}) {
    INFO(option);
    CHECK(help.find(option) != std::string::npos);
  }
}

TEST_CASE("run_options: the date of a run sorts by time") {
  const auto date = date_text();
  CHECK(date.size() == 15);
  CHECK(date[8] == '-');
}

TEST_CASE("run_options: nodes are named on the command line or in a file, and data may then stay with them") {
  const temporary_directory place;
  const auto file = written(place, "# two machines\na.example.org:7400\n[::1]:7401  # the second\n\n");
  const std::vector<endpoint> two{{"a.example.org", 7400}, {"::1", 7401}};
  CHECK_FALSE(read("").nodes);
  CHECK(read("--nodes a.example.org:7400,[::1]:7401").nodes->nodes == two);
  CHECK(read("--nodes-file " + file.string()).nodes->nodes == two);
  CHECK(read("--dataset mnist --nodes a:1").config.data.path.empty());
  CHECK(read("--nodes a:1 --detach --policy full").nodes->detach);
  CHECK_FALSE(read("--nodes a:1 --policy full").nodes->detach);
  CHECK(read("--nodes a:1").demo);
  CHECK_FALSE(read("--nodes a:1 --workers 4").demo);
}

TEST_CASE("run_options: nodes that are none, or named twice, are refused") {
  check_all_refused({
      {"--nodes a", "the address \"a\" has no port"},
      {"--nodes a:1,,b:2", "names no node at place 2"},
      {"--nodes a:70000", "has no port from 0 to 65535"},
      {"--nodes a:0", "has port 0"},
      {"--nodes a:1,b:2,a:1", "node a:1 is named twice"},
      {"--nodes b:2 --nodes-file x", "contradicts --nodes"},
  });
  const temporary_directory place;
  const auto check_file = [&](const std::string& content, const std::string& fragment) {
    check_all_refused({{"--nodes-file " + written(place, content).string(), fragment}});
  };
  check_file("a:1\nb\n", "options.ini:2: the address \"b\" has no port");
  check_file("a:1\n\na:1\n", "node a:1 is named twice, ");
  check_file("a:1\n\na:1\n", "options.ini:3");
  check_file("# none\n", "names no node");
  CHECK(refused("--nodes-file nowhere.txt").code == 3);
}

TEST_CASE("run_options: what belongs to nodes is refused without them, and what --detach leaves behind") {
  check_all_refused({
      {"--detach", "--detach is for runs on other machines"},
      {"--tls-cert x.pem", "--tls-cert=x.pem is for runs on other machines"},
      {"--nodes a:1 --tls-cert x.pem", "--tls-key is not given; TLS needs"},
      {"--nodes a:1 --detach --policy full,dtur", "not one for each of 2 policies"},
      {"--nodes a:1 --detach", "not one for each of 2 policies"}, // the demonstration has two
      {"--nodes a:1 --detach --policy full --out x", "--out=x contradicts --detach"},
  });
}

} // namespace dybw
