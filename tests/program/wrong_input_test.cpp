#include "tests/program/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace dybw::test {

namespace {

struct wrong {
  const char* arguments; ///< separated by blanks
  int code;
  const char* says;
};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;)
    words.push_back(word);
  return words;
}

/// The contract of a refusal: one line on standard error, nothing on standard output, the exit code.
void check_refusal(const wrong& each, const std::filesystem::path& place) {
  CAPTURE(each.arguments);
  const auto end = dybw(words_of(each.arguments), place);
  CHECK_FALSE(end.killed);
  CHECK(end.signal == 0);
  CHECK(end.code == each.code);
  CHECK(end.out.empty());
  CAPTURE(end.err);
  CHECK(end.err.starts_with("dybw: error: "));
  CHECK(std::ranges::count(end.err, '\n') == 1);
  CHECK(end.err.ends_with("\n"));
  CHECK(end.err.find(each.says) != std::string::npos);
}

void write(const std::filesystem::path& file, const std::string& content) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

/// The header of an IDX file: magic, then sizes, big-endian.
std::string idx_header(std::initializer_list<unsigned> numbers) {
  std::string bytes;
  for (auto x : numbers)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += static_cast<char>(x >> shift & 0xffU);
  return bytes;
}

constexpr unsigned images_magic = 0x803;
constexpr unsigned labels_magic = 0x801;

/// MNIST's four files with ten samples each.
void write_mnist(const std::filesystem::path& directory) {
  for (const std::string part : {"train", "t10k"}) {
    write(directory / (part + "-images-idx3-ubyte"),
          idx_header({images_magic, 10, 28, 28}) + std::string(10 * 784, '\x40'));
    const auto labels = std::string("\0\1\2\3\4\5\6\7\x08\x09", 10);
    write(directory / (part + "-labels-idx1-ubyte"), idx_header({labels_magic, 10}) + labels);
  }
}

} // namespace

TEST_CASE("dybw: wrong usage is refused with exit code 2 and one line that says what, and what to do") {
  const temporary_directory place;
  write(place.path() / "apart.txt", "0 1\n2 3\n");
  write(place.path() / "file.txt", "");
  write(place.path() / "wrong.ini", "rounds = 3\nspeed = 9\n");
  write(place.path() / "noise.ini", "what is this\n");
  for (const auto& each : {
           wrong{"", 2, "no command is given; try dybw run"},
           wrong{"fly", 2, "unknown command fly; give run"},
           wrong{"--frobnicate", 2, "unknown option --frobnicate"},
           wrong{"run --frobnicate 3", 2, "unknown option --frobnicate"},
           wrong{"run --polcy full", 2, "did you mean --policy?"},
           wrong{"run stray", 2, "unexpected argument 'stray'"},
           wrong{"run --rounds", 2, "--rounds needs a value"},
           wrong{"run --rounds 3 --rounds 4", 2, "--rounds is given more than once"},
           // unknown names
           wrong{"run --policy fast", 2, "--policy=fast is not a policy; choose from full, static:B, dtur"},
           wrong{"run --topology ball", 2, "--topology=ball must be ring, path"},
           wrong{"run --model forest", 2, "unknown model \"forest\""},
           wrong{"run --dataset pictures", 2, "--dataset=pictures is unknown"},
           wrong{"run --partition slices", 2, "slices"},
           wrong{"run --connect web", 2, "--connect=web"},
           wrong{"run --straggler snail", 2, "--straggler=snail"},
           wrong{"run --step-time often", 2, "--step-time=often"},
           wrong{"run --format yaml", 2, "--format=yaml is unknown; give text or json"},
           wrong{"run --log-level loud", 2, "--log-level=loud is unknown"},
           wrong{"run --weights heavy", 2, "--weights=heavy is unknown; give active or graph"},
           wrong{"run --on-miss cry", 2, "--on-miss=cry is unknown; give carry or discard"},
           // numbers out of range
           wrong{"run --workers 0", 2, "--workers=0 is out of range"},
           wrong{"run --workers many", 2, "--workers=many is not a whole number"},
           wrong{"run --rounds 0", 2, "--rounds=0 is out of range"},
           wrong{"run --rounds 1.5", 2, "--rounds=1.5 is not a whole number"},
           wrong{"run --time-limit nan", 2, "--time-limit=nan is not a finite number"},
           wrong{"run --target-accuracy 2", 2, "--target-accuracy=2 is out of range"},
           wrong{"run --batch 0", 2, "--batch=0 is out of range"},
           wrong{"run --step-size -1", 2, "--step-size=-1 is out of range"},
           wrong{"run --momentum 1", 2, "--momentum=1 is out of range"},
           wrong{"run --suspect-after soon", 2, "--suspect-after=soon is not a finite number"},
           wrong{"run --round-timeout 0", 2, "--round-timeout=0 is out of range"},
           // what does not fit together
           wrong{"run --policy static:2", 2, "must leave a neighbour to wait for: worker 0 has 2"},
           wrong{"run --policy full,full", 2, "names full more than once"},
           wrong{"run --topology torus:3x3 --workers 8", 2, "9 cells for 8 workers"},
           wrong{"run --topology file:apart.txt --workers 4", 2, "worker 2 cannot be reached from worker 0"},
           wrong{"run --connect file:apart.txt --workers 4", 2, "must join all workers"},
           wrong{"run --model none --target-accuracy 0.5", 2, "contradicts --model=none"},
           wrong{"run --start random", 2, "add --step-size 0"},
           wrong{"run --policy full --on-miss discard", 2, "applies to the policy dtur only"},
           wrong{"run --dataset digits --data .", 2, "contradicts --dataset=digits"},
           wrong{"run --dataset mnist", 2, "--dataset=mnist needs files"},
           wrong{"run --test-share 0.3", 2, "applies to --dataset csv and libsvm only"},
           wrong{"run --partition shards:100000", 2, "more than the 10000 training samples"},
           wrong{"run --straggler slow:99:2", 2, "0 to 8"},
           wrong{"run --link-latency const:1", 2, "--link-latency"},
           wrong{"run --force", 2, "--force overwrites what --out names"},
           // places
           wrong{"run --out /proc/dybw", 2, "--out=/proc/dybw cannot be written"},
           wrong{"run --out file.txt", 2, "--out=file.txt is no directory"},
           wrong{"run --config nowhere.ini", 2, "--config=nowhere.ini cannot be read"},
           wrong{"run --config wrong.ini", 2, "unknown option speed"},
           wrong{"run --config noise.ini", 2, "noise.ini"},
       })
    check_refusal(each, place.path());
  CHECK(std::distance(std::filesystem::directory_iterator{place.path()}, {}) == 4); // nothing was written
}

TEST_CASE("dybw: wrong or unreadable data is refused with exit code 3 and one line that names the file") {
  const temporary_directory place;
  const auto& root = place.path();
  write(root / "broken.txt", "0 1\n1 x\n");
  write(root / "far.txt", "0 1\n1 9\n");
  write(root / "times.txt", "0.1\nsoon\n");
  write(root / "text.csv", "a,b,y\n1,2,0\n1,two,1\n");
  write(root / "short.csv", "a,b,y\n1,2,0\n1,1\n");
  write(root / "label.csv", "a,b,y\n1,2,0\n1,2,0.5\n");
  write(root / "empty.csv", "");
  write(root / "zipped.csv", "\x1f\x8b\x08");
  write(root / "regression.svm", "0.5 1:1\n1.5 1:2\n");
  write_mnist(root / "truncated");
  std::filesystem::resize_file(root / "truncated" / "train-images-idx3-ubyte", 1000);
  write_mnist(root / "mislabelled");
  write(root / "mislabelled" / "train-labels-idx1-ubyte",
        idx_header({labels_magic, 10}) + std::string(10, '\x63'));
  write_mnist(root / "swapped");
  std::filesystem::copy_file(root / "swapped" / "train-images-idx3-ubyte",
                             root / "swapped" / "t10k-labels-idx1-ubyte",
                             std::filesystem::copy_options::overwrite_existing);
  write_mnist(root / "uneven");
  write(root / "uneven" / "train-labels-idx1-ubyte", idx_header({labels_magic, 9}) + std::string(9, '\0'));
  write_mnist(root / "huge");
  write(root / "huge" / "train-images-idx3-ubyte",
        idx_header({images_magic, 0xffffffffU, 0xffffffffU, 0xffffffffU}) + "x");
  write(root / "cifar" / "data_batch_1.bin", std::string(3000, '\0'));
  write(root / "cifar" / "test_batch.bin", std::string(3073, '\0'));
  write(root / "cifar-label" / "data_batch_1.bin", std::string(3073, '\x20'));
  write(root / "cifar-label" / "test_batch.bin", std::string(3073, '\0'));
  for (const auto& each : {
           wrong{"run --dataset mnist --data nowhere", 3, "no such directory, nowhere"},
           wrong{"run --dataset mnist --data cifar", 3, "cifar"},
           wrong{"run --dataset mnist --data truncated", 3, "truncated/train-images-idx3-ubyte"},
           wrong{"run --dataset mnist --data mislabelled", 3, "mislabelled/train-labels-idx1-ubyte"},
           wrong{"run --dataset mnist --data swapped", 3, "swapped/t10k-labels-idx1-ubyte"},
           wrong{"run --dataset mnist --data uneven", 3, "uneven/train-labels-idx1-ubyte"},
           wrong{"run --dataset mnist --data huge", 3, "huge/train-images-idx3-ubyte"},
           wrong{"run --dataset cifar10 --data cifar", 3, "not a whole number of rows of 3073"},
           wrong{"run --dataset cifar10 --data cifar-label", 3, "cifar-label/data_batch_1.bin"},
           wrong{"run --dataset cifar10 --data truncated", 3, "truncated"},
           wrong{"run --dataset csv --data nowhere.csv", 3, "nowhere.csv"},
           wrong{"run --dataset csv --data text.csv", 3, "'two' is not a number, text.csv line 3 column 2"},
           wrong{"run --dataset csv --data short.csv", 3, "short.csv"},
           wrong{"run --dataset csv --data label.csv", 3, "label.csv"},
           wrong{"run --dataset csv --data zipped.csv", 3, "gzip'ed data, zipped.csv; unpack it"},
           wrong{"run --dataset libsvm --data regression.svm", 3, "'0.5' is not a whole number"},
           wrong{"run --dataset csv --data empty.csv", 3, "empty.csv"},
           wrong{"run --topology file:nowhere.txt", 3, "nowhere.txt"},
           wrong{"run --topology file:broken.txt --workers 4", 3, "broken.txt:2"},
           wrong{"run --topology file:far.txt --workers 4", 3, "far.txt"},
           wrong{"run --step-time trace:nowhere.txt", 3, "nowhere.txt"},
           wrong{"run --step-time trace:times.txt", 3, "times.txt"},
       })
    check_refusal(each, root);
}

TEST_CASE(
    "dybw: small files of the right form are accepted") { // so that the refusals above are for their reason
  const temporary_directory place;
  write_mnist(place.path() / "right");
  const auto end = dybw(
      words_of("run --dataset mnist --data right --rounds 2 --workers 2 --topology path --batch 2 --quiet"),
      place.path());
  CHECK(end.code == 0);
  CHECK(end.err.empty());
}

TEST_CASE("dybw: help and version are answers, on standard output") {
  for (const std::string arguments : {"--help", "-h", "run --help", "run --policy fast --help"}) {
    CAPTURE(arguments);
    const auto end = dybw(words_of(arguments));
    CHECK(end.code == 0);
    CHECK(end.err.empty());
    CHECK(end.out.find("dybw") != std::string::npos);
    std::istringstream lines(end.out);
    for (std::string line; std::getline(lines, line);)
      CHECK(line.size() <= 100);
  }
  const auto help = dybw({"run", "--help"});
  for (const auto* option :
       {"--dataset",    "--data",          "--partition",       "--model",     "--workers",
        "--topology",   "--connect",       "--policy",          "--on-miss",   "--weights",
        "--rounds",     "--time-limit",    "--target-accuracy", "--batch",     "--step-size",
        "--step-decay", "--momentum",      "--weight-decay",    "--clock",     "--step-time",
        "--straggler",  "--round-timeout", "--suspect-after",   "--threads",   "--seed",
        "--eval-every", "--out",           "--format",          "--log-level", "--quiet",
        "--force",      "--config"})
    CHECK_MESSAGE(help.out.find(option) != std::string::npos, option);
  const auto version = dybw({"--version"});
  CHECK(version.code == 0);
  CHECK(version.err.empty());
  for (const auto* library : {"dybw ", "CAF", "Eigen", "Boost", "spdlog", "zlib"})
    CHECK_MESSAGE(version.out.find(library) != std::string::npos, library);
}

TEST_CASE("dybw: output that cannot be written is an error") {
  child_process full{{"/bin/sh", "-c", "exec \"$0\" --help > /dev/full", dybw_command({}).front()}};
  auto end = full.wait();
  CHECK(end.code == 1);
  CHECK(end.err.starts_with("dybw: error: cannot write to standard output"));
  const temporary_directory place;
  child_process run{{"/bin/sh", "-c",
                     "exec \"$0\" run --rounds 1 --workers 2 --model none --quiet > /dev/full",
                     dybw_command({}).front()},
                    place.path()};
  end = run.wait();
  CHECK(end.code == 1);
  CHECK(end.err.starts_with("dybw: error: cannot write to standard output"));
}

} // namespace dybw::test
