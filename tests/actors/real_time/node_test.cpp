// Long: one real node, in all that clients, other nodes and its own machine may do to it.

#include "actors/node/node.hpp"
#include "actors/transport/system_config.hpp"
#include "learning/base/error.hpp"
#include "tests/actors/support/small_table.hpp"
#include "tests/support/few_threads.hpp"

#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // which have one of their own
namespace {

const auto test_thread = std::this_thread::get_id();
std::atomic<std::size_t> refused_bytes{0};
thread_local std::size_t largest_piece = 0;

/// As long as it lives, or until that has happened once, nobody but the test gets a piece of memory of just
/// this size: of what only one actor makes.
struct refused_memory {
  explicit refused_memory(std::size_t bytes) { refused_bytes = bytes; }
  ~refused_memory() { refused_bytes = 0; }
  refused_memory(const refused_memory&) = delete;
  refused_memory& operator=(const refused_memory&) = delete;
};

/// The largest piece of memory that this takes.
template <class Work>
std::size_t piece_for(Work work) {
  largest_piece = 0;
  work();
  return largest_piece;
}

} // namespace

void* operator new(std::size_t bytes) {
  largest_piece = std::max(largest_piece, bytes);
  auto expected = bytes;
  const auto refused = bytes > 0 && std::this_thread::get_id() != test_thread &&
                       refused_bytes.compare_exchange_strong(expected, 0);
  auto* const piece = refused ? nullptr : std::malloc(std::max<std::size_t>(bytes, 1));
  if (piece == nullptr)
    throw std::bad_alloc{};
  return piece;
}
void operator delete(void* piece) noexcept {
  std::free(piece);
}
void operator delete(void* piece, std::size_t) noexcept {
  std::free(piece);
}
#endif

/// A real node, its workers and its helpers in real time, around it a gateway that only writes down. Whatever
/// is waited for has a generous limit; nothing else depends on time.
namespace dybw::test {

namespace {

constexpr auto long_enough = std::chrono::seconds{60};
constexpr run_id this_run = 9;
constexpr auto launcher = connection_id{7};
constexpr auto other = connection_id{8};
constexpr auto first_call = connection_id{1000}; ///< connections that the node opens
const endpoint here{"here", 1};
const endpoint there{"there", 2};
const endpoint elsewhere{"elsewhere", 3};

/// What a gateway was asked to do, written on any thread.
class gateway_book {
public:
  void add(const send_control& x) {
    note([&] { sent_.push_back(x); });
  }
  /// Returns the number of the call.
  std::size_t add(const open_control& x) {
    std::size_t number = 0;
    note([&] {
      number = calls_.size();
      calls_.push_back(x.to);
    });
    return number;
  }
  /// The messages of this kind on a connection, once there are so many.
  template <class Message>
  std::vector<Message> sent_on(connection_id to, std::size_t count = 1) const {
    std::vector<Message> found;
    wait([&] {
      found.clear();
      for (const auto& x : sent_)
        if (const auto* m = std::get_if<Message>(x.message.get()); m != nullptr && x.connection == to)
          found.push_back(*m);
      return found.size() >= count;
    });
    return found;
  }
  /// Whom this was told on a connection that the node opened, waited for.
  template <class Message>
  endpoint told() const {
    endpoint whom;
    wait([&] {
      for (const auto& x : sent_)
        if (std::holds_alternative<Message>(*x.message) && x.connection >= first_call) {
          whom = calls_.at(static_cast<std::size_t>(x.connection) - static_cast<std::size_t>(first_call));
          return true;
        }
      return false;
    });
    return whom;
  }

  /// Who was called up to now.
  std::vector<endpoint> calls() const {
    const std::lock_guard guard{mutex_};
    return calls_;
  }

  std::atomic<bool> answers = false; ///< whoever is called is there

private:
  template <class Change>
  void note(Change change) {
    {
      const std::lock_guard guard{mutex_};
      change();
    }
    changed_.notify_all();
  }
  template <class Condition>
  void wait(Condition condition) const {
    std::unique_lock guard{mutex_};
    REQUIRE(changed_.wait_for(guard, long_enough, condition));
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<send_control> sent_;
  std::vector<endpoint> calls_;
};

gateway_actor::behavior_type recording_gateway(gateway_actor::pointer self, gateway_book* book,
                                               std::uint64_t waiting) {
  return {
      [](const peer_mail&) {},
      [self, book](const open_control& x) {
        const auto number = book->add(x);
        if (book->answers)
          self->send(x.client,
                     control_opened{x.key, connection_id{static_cast<std::uint64_t>(first_call) + number}});
        else
          self->send(x.client, control_failed{x.key, "refused"});
      },
      [book](const send_control& x) { book->add(x); },
      [](const close_control&) {},
      [](const join_run&) {},
      [](const leave_run&) {},
      [](const node_moved&) {},
      [](const traffic_wanted&) { return traffic{}; },
      [waiting](const backlog_wanted&) { return backlog{waiting}; },
  };
}

/// Two workers on an edge, both on the node under test, in short rounds without a model.
run_spec spec_of(std::optional<std::uint64_t> rounds = {}) {
  run_spec spec;
  spec.run = this_run;
  spec.config.workers = 2;
  spec.config.topology = "path";
  spec.config.policies = {"full"};
  spec.config.model = "none";
  spec.config.step_time = "const:0.005";
  spec.config.rounds = rounds;
  spec.edges = {edge{worker_at(0), worker_at(1)}};
  spec.nodes = {here};
  spec.placement = {node_at(0), node_at(0)};
  spec.name = "evening";
  return spec;
}

class lone_node {
public:
  /// `waiting`: bytes that every client has still to take; `others_answer`: who is called is there.
  explicit lone_node(node_options options = {}, std::uint64_t waiting = 0, bool others_answer = false) {
    book_.answers = others_answer;
    spdlog::set_level(spdlog::level::off);
    gateway_ = system_.spawn(recording_gateway, &book_, waiting);
    node_ = spawn_node(system_, std::move(options));
    caf::anon_send(node_, gateway_opened{gateway_, here});
  }
  ~lone_node() {
    caf::anon_send_exit(node_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(gateway_, caf::exit_reason::user_shutdown);
  }

  void say(connection_id from, control_message message) {
    caf::anon_send(node_,
                   control_received{from, std::make_shared<const control_message>(std::move(message))});
  }
  template <class Message>
  Message hear(connection_id to, std::size_t count = 1) const {
    return book_.sent_on<Message>(to, count).at(count - 1);
  }
  void prepare(const run_spec& spec) {
    say(launcher, prepare_run_request{spec});
    REQUIRE(hear<prepare_run_reply>(launcher).refusal == "");
  }
  void connect(const run_spec& spec) {
    prepare(spec);
    say(launcher, connect_request{spec.run});
    REQUIRE(hear<connect_reply>(launcher).refusal == "");
  }
  void begin(const run_spec& spec) {
    connect(spec);
    say(launcher, subscribe_request{spec.run});
    say(launcher, begin_request{spec.run});
    REQUIRE(hear<begin_reply>(launcher).refusal == "");
  }
  /// What the launcher hears of why it leaves the run.
  std::string why_it_leaves() const {
    std::string left;
    for (std::size_t count = 1; left.empty() && count < 100; ++count)
      left = hear<report_batch>(launcher, count).left;
    return left;
  }
  /// Asks again and again until the node is in this state.
  bool comes_to_be(const std::string& state) {
    const auto until = std::chrono::steady_clock::now() + long_enough;
    while (std::chrono::steady_clock::now() < until) {
      say(other, node_status_request{});
      if (hear<node_status>(other, ++asked_).state == state)
        return true;
    }
    return false;
  }
  void tell(const link_changed& x) { caf::anon_send(node_, x); }
  gateway_book& book() { return book_; }

private:
  gateway_book book_;
  system_config config_;
  caf::actor_system system_{config_};
  gateway_actor gateway_;
  node_actor node_;
  std::size_t asked_ = 0;
};

/// Files that only count.
node_options counting(std::atomic<int>& written) {
  node_options options;
  options.files.open = [](const run_spec&, run_start) { return run_place{}; };
  options.files.write = [&written](const run_spec&, const finished_run&) { ++written; };
  return options;
}

/// Lets who waits go on, at the latest when it goes: before the node, which would wait for its helpers for
/// ever.
class gate {
public:
  void wait_behind() { opened_.get_future().wait(); }
  void open() {
    if (!std::exchange(is_open_, true))
      opened_.set_value();
  }

private:
  std::promise<void> opened_;
  bool is_open_ = false;
};
struct opened_at_the_end {
  gate& what;
  ~opened_at_the_end() { what.open(); }
};

void check_stopped(const std::string& refusal) {
  CHECK(refusal == "the run was stopped");
}

} // namespace

TEST_CASE("node: who hears that the run is over still measures what it leads, and tells the result") {
  std::atomic<int> written = 0;
  lone_node node{counting(written)};
  node.begin(spec_of(20));
  node.say(other, run_over{this_run}); // from who measured another part
  CHECK(node.comes_to_be("idle"));
  CHECK(written == 1);
  node.say(other, result_request{this_run});
  CHECK(node.hear<result_reply>(other).ready);
}

TEST_CASE("node: the word that the run is over while it measures does not end the measuring") {
  std::promise<void> measuring;
  gate go_on;
  lone_node node{[&] {
    node_options options;
    options.files.open = [](const run_spec&, run_start) { return run_place{}; };
    options.files.write = [&](const run_spec&, const finished_run&) {
      measuring.set_value();
      go_on.wait_behind();
    };
    return options;
  }()};
  const opened_at_the_end guard{go_on};
  node.begin(spec_of(5));
  measuring.get_future().wait();
  node.say(other, run_over{this_run});
  CHECK(node.comes_to_be("finishing")); // asked after it
  go_on.open();
  CHECK(node.comes_to_be("idle"));
}

TEST_CASE("node: its workers' last words reach also a subscriber that is slow") {
  lone_node node{{}, 9 * 1024 * 1024};
  node.begin(spec_of(300));
  node.say(other, run_over{this_run}); // the end of the work is the end of the run
  CHECK(node.comes_to_be("idle"));
  std::size_t ends = 0;
  std::size_t rounds = 0;
  std::uint64_t dropped = 0;
  for (const auto& batch : node.book().sent_on<report_batch>(launcher)) {
    ends += batch.finished.size();
    rounds += batch.rounds.size();
    dropped = batch.rounds_dropped;
  }
  CHECK(ends == 2);
  CHECK(dropped > 0); // it was slow indeed
  CHECK(rounds + dropped == 600);
}

TEST_CASE("node: a stop before the run has begun is answered to the launcher, in every phase") {
  SUBCASE("while the data is loaded") {
    std::promise<void> opening;
    gate go_on;
    node_options options;
    options.files.open = [&](const run_spec&, run_start) {
      opening.set_value();
      go_on.wait_behind();
      return run_place{};
    };
    lone_node node{std::move(options)};
    const opened_at_the_end guard{go_on};
    node.say(launcher, prepare_run_request{spec_of()});
    opening.get_future().wait();
    node.say(other, stop_request{});
    const auto answer = node.hear<prepare_run_reply>(launcher);
    go_on.open();
    check_stopped(answer.refusal);
    CHECK(answer.exit_code == 4);
    CHECK(node.comes_to_be("idle"));
  }
  SUBCASE("while others load theirs") {
    lone_node node;
    node.prepare(spec_of());
    node.say(other, stop_request{});
    const auto answer = node.hear<prepare_run_reply>(launcher, 2);
    check_stopped(answer.refusal);
    CHECK(answer.exit_code == 4);
    CHECK(node.comes_to_be("idle"));
  }
  SUBCASE("when it is linked") {
    lone_node node;
    node.connect(spec_of());
    node.say(other, stop_request{});
    check_stopped(node.hear<connect_reply>(launcher, 2).refusal);
    CHECK(node.comes_to_be("idle"));
  }
}

TEST_CASE("node: what fails before the run has begun is told to the launcher, and the run is let go") {
  node_options options;
  options.files.open = [](const run_spec&, run_start) {
    return run_place{"/no such directory/rounds.jsonl", {}, {}};
  };
  lone_node node{std::move(options)};
  node.prepare(spec_of());
  node.say(launcher, connect_request{this_run});
  // The file is opened when it links; whether that is done first is a matter of luck.
  auto answer = node.hear<connect_reply>(launcher);
  if (answer.refusal.empty())
    answer = node.hear<connect_reply>(launcher, 2);
  CHECK(answer.refusal.find("cannot write") != std::string::npos);
  CHECK(node.comes_to_be("idle"));
}

TEST_CASE("node: a launcher that says nothing any more does not keep the node for ever") {
  node_options options;
  options.owner_patience = std::chrono::milliseconds{300};
  for (const auto linked : {false, true}) {
    CAPTURE(linked);
    lone_node node{options};
    if (linked)
      node.connect(spec_of());
    else
      node.prepare(spec_of());
    CHECK(node.comes_to_be("idle"));
  }
  lone_node busy{options};
  busy.begin(spec_of(200)); // from here on nobody is in charge
  CHECK(busy.book().sent_on<report_batch>(launcher, 6).back().failure.empty());
  busy.say(other, run_over{this_run});
  CHECK(busy.comes_to_be("idle"));
}

TEST_CASE("node: whose place has a new process gives the run up and writes nothing") {
  std::atomic<int> written = 0;
  SUBCASE("told by the others") {
    lone_node node{counting(written)};
    node.begin(spec_of());
    node.say(other, node_moved{this_run, node_at(0), here}); // that is itself
    CHECK(node.comes_to_be("running"));
    node.say(other, node_moved{this_run, node_at(0), elsewhere});
    CHECK(node.comes_to_be("idle"));
  }
  SUBCASE("told by the other end of a link") {
    lone_node node{counting(written)};
    node.begin(spec_of());
    node.tell(link_changed{this_run, node_at(0), false, "there:2 refused: this place has a new process"});
    CHECK(node.comes_to_be("idle"));
  }
  CHECK(written == 0);
}

TEST_CASE("node: a place that was given to a joiner is not given to another one, but to the same again") {
  auto spec = spec_of();
  spec.config.exchange = false; // so that no link is waited for
  spec.nodes = {here, there};
  spec.placement = {node_at(0), node_at(1)};
  lone_node node;
  node.connect(spec);
  node.say(launcher, begin_request{this_run});
  REQUIRE(node.hear<begin_reply>(launcher).refusal == "");
  const auto ask = [&](const endpoint& joiner, std::size_t count) {
    node.say(other, join_request{joiner});
    return node.book().sent_on<join_reply>(other, count).at(count - 1);
  };
  auto mine = ask(there, 1); // restarted: its own place, at once
  CHECK(mine.refusal == "");
  CHECK(mine.spec.self == node_at(1));
  CHECK(ask(elsewhere, 2).refusal.find("no place is free") != std::string::npos);
  CHECK(ask(there, 3).refusal == "");
}

TEST_CASE(
    "node: a node that comes back after its place was given away does not get it, and is told who has it") {
  auto spec = spec_of();
  spec.config.exchange = false;
  spec.nodes = {here, there};
  spec.placement = {node_at(0), node_at(1)};
  lone_node node;
  node.connect(spec);
  node.say(launcher, begin_request{this_run});
  REQUIRE(node.hear<begin_reply>(launcher).refusal == "");
  node.say(other, join_request{elsewhere});
  CHECK(node.hear<join_reply>(other).spec.self == node_at(1));
  node.say(other, join_request{there});
  CHECK(node.hear<join_reply>(other, 2).refusal.find("no place is free") != std::string::npos);
  node.book().answers = true; // it was only hung
  node.say(other, node_moved{this_run, node_at(1), elsewhere});
  CHECK(node.book().told<node_moved>() == there);
}

TEST_CASE("node: a stop is passed on along the edges of the graph, once, not to every node") {
  const endpoint far{"far", 4}, farther{"farther", 5};
  auto exchange = true;
  auto leaves = false;
  SUBCASE("") {}
  SUBCASE("nothing is exchanged") {
    exchange = false;
  }
  SUBCASE("this node stops for itself before") {
    leaves = true;
  }
  auto spec = spec_of();
  spec.self = node_at(1);
  spec.config.workers = 5;
  spec.config.exchange = exchange;
  spec.edges.clear();
  for (std::uint32_t i = 0; i < 4; ++i)
    spec.edges.push_back(edge{worker_at(i), worker_at(i + 1)});
  spec.nodes = {there, here, elsewhere, far, farther};
  spec.placement = {node_at(0), node_at(1), node_at(2), node_at(3), node_at(4)};
  node_options options;
  if (leaves)
    options.files.open = [](const run_spec&, run_start) { return run_place{"/dev/full", {}, {}}; };
  lone_node node{std::move(options)};
  node.book().answers = true;
  node.prepare(spec);
  node.say(launcher, connect_request{this_run});
  for (const std::size_t neighbour : {0, 2})
    node.tell(link_changed{this_run, node_at(neighbour), true, ""});
  REQUIRE(node.hear<connect_reply>(launcher).refusal == "");
  node.say(launcher, subscribe_request{this_run});
  node.say(launcher, begin_request{this_run});
  REQUIRE(node.hear<begin_reply>(launcher).refusal == "");
  for (std::size_t count = 1; leaves; ++count)
    if (!node.hear<report_batch>(launcher, count).left.empty())
      break;
  const auto before = node.book().calls().size();
  for (const std::size_t count : {1, 2}) {
    node.say(other, stop_request{this_run});
    CHECK(node.hear<stop_reply>(other, count).refusal == "");
  }
  const auto since = [&] {
    const auto all = node.book().calls();
    return std::vector<endpoint>(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  while (std::chrono::steady_clock::now() < until) // whoever else were to be called would be by then
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  const auto called = since();
  CHECK(std::ranges::count(called, there) == 1);
  CHECK(std::ranges::count(called, elsewhere) == 1);
  CHECK(std::ranges::count(called, far) == 0);
  CHECK(std::ranges::count(called, farther) == 0);
}

TEST_CASE("node: one that seeks its place in a run says so, and is not taken for idle") {
  node_options options;
  options.join = there; // which answers later, or never
  lone_node node{std::move(options), 0, true};
  CHECK(node.comes_to_be("joining"));
}

TEST_CASE("node: a file that cannot be written is no failure of the run, this node leaves it") {
  node_options options;
  options.files.open = [](const run_spec&, run_start) { return run_place{"/dev/full", {}, {}}; };
  lone_node node{std::move(options)};
  node.begin(spec_of());
  std::string left;
  for (std::size_t count = 1; left.empty() && count < 600; ++count) {
    const auto batch = node.hear<report_batch>(launcher, count);
    CHECK(batch.failure.empty());
    left = batch.left;
  }
  CHECK(left == "cannot write /dev/full: No space left on device");
  node.say(launcher, result_request{this_run});
  const auto answer = node.hear<result_reply>(launcher);
  CHECK(node.comes_to_be("finishing"));
  CHECK(answer.leads);
}

TEST_CASE("node: what was made for a run that does not begin is taken away, that of one that began stays") {
  for (const auto begins : {false, true}) {
    CAPTURE(begins);
    std::promise<std::filesystem::path> gone;
    node_options options;
    options.files.open = [](const run_spec&, run_start) {
      run_place place;
      place.made = "there";
      return place;
    };
    options.files.discard = [&](const run_place& x) { gone.set_value(x.made); };
    auto waiting = gone.get_future();
    {
      lone_node node{std::move(options)};
      if (begins)
        node.begin(spec_of(5));
      else
        node.connect(spec_of());
      node.say(other,
               begins ? control_message{run_over{this_run}} : control_message{abandon_request{this_run}});
      CHECK(node.comes_to_be("idle"));
      if (!begins)
        CHECK(waiting.wait_for(long_enough) == std::future_status::ready);
    }
    if (begins)
      CHECK(waiting.wait_for(std::chrono::seconds{0}) == std::future_status::timeout);
  }
}

TEST_CASE("node: a run that is let go while it is loaded is taken away before the next one is loaded") {
  std::promise<void> opening;
  gate go_on;
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto note = [&](std::string what) {
    const std::lock_guard guard{mutex};
    seen.push_back(std::move(what));
  };
  node_options options;
  options.files.open = [&](const run_spec& spec, run_start) {
    const auto run = std::to_string(spec.run);
    note("open " + run);
    if (spec.run == this_run) {
      opening.set_value();
      go_on.wait_behind();
    }
    run_place place;
    place.made = run;
    return place;
  };
  options.files.discard = [&](const run_place& x) { note("discard " + x.made.string()); };
  lone_node node{std::move(options)};
  const opened_at_the_end guard{go_on};
  node.say(launcher, prepare_run_request{spec_of()});
  opening.get_future().wait();
  node.say(launcher, abandon_request{this_run}); // as a launcher whom another node refused
  auto next = spec_of();
  next.run = this_run + 1; // and of the same name, if it comes within the second
  node.say(other, prepare_run_request{next});
  REQUIRE(node.comes_to_be("preparing"));
  SUBCASE("which begins") {
    go_on.open();
    CHECK(node.hear<prepare_run_reply>(other).refusal == "");
    const std::lock_guard reading{mutex};
    CHECK(seen == std::vector<std::string>{"open 9", "discard 9", "open 10"});
  }
  SUBCASE("which is let go as well, and never loaded") {
    node.say(other, abandon_request{next.run});
    REQUIRE(node.comes_to_be("idle"));
    ++next.run;
    node.say(other, prepare_run_request{next});
    REQUIRE(node.comes_to_be("preparing"));
    go_on.open();
    CHECK(node.hear<prepare_run_reply>(other).refusal == "");
    const std::lock_guard reading{mutex};
    CHECK(seen == std::vector<std::string>{"open 9", "discard 9", "open 11"});
  }
}

TEST_CASE("node: the options of a run are told to who wants to go on with it, or why they are not there") {
  node_options options;
  options.files.saved_options = [](const std::string& name) {
    if (name != "a")
      throw input_error{input_fault::configuration, "the options of " + name + " are not there", "", "look"};
    return std::vector<std::string>{"workers = 4", "model = none"};
  };
  lone_node node{std::move(options)};
  node.say(launcher, saved_options_request{"a"});
  CHECK(node.hear<saved_options_reply>(launcher).options ==
        std::vector<std::string>{"workers = 4", "model = none"});
  node.say(launcher, saved_options_request{"b"});
  CHECK(node.hear<saved_options_reply>(launcher, 2).refusal.starts_with("the options of b are not there"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE(
    "node: a thread that the system does not give refuses the run with the reason, and the node lives") {
  lone_node node;
  node.prepare(spec_of());
  {
    const few_threads none{0};
    node.say(launcher, connect_request{this_run});
    const auto answer = node.hear<connect_reply>(launcher);
    CHECK(answer.refusal.starts_with("it cannot begin the run: "));
    CHECK(answer.refusal.find("raise its limits") != std::string::npos);
  }
  CHECK(node.comes_to_be("idle"));
  node.say(launcher, prepare_run_request{spec_of(5)}); // and serves the next one
  CHECK(node.hear<prepare_run_reply>(launcher, 2).refusal == "");
}

TEST_CASE("node: a reporter that fails is a reason to leave the run, and its workers count as lost") {
  lone_node node;
  node.begin(spec_of());
  const refused_memory for_reports{piece_for([] { (void)std::make_shared<local_reports>(); })};
  CHECK(node.why_it_leaves() == "the reporter failed: out of memory");
  const auto batches = node.book().sent_on<report_batch>(launcher);
  const std::vector<worker_id> both{worker_at(0), worker_at(1)};
  CHECK(batches.back().lost == both);
  node.hear<report_batch>(launcher, batches.size() + 3); // it goes on to say that it is there
  node.say(other, run_over{this_run});
  CHECK(node.comes_to_be("idle"));
  node.say(launcher, prepare_run_request{spec_of(5)}); // and serves the next one
  CHECK(node.hear<prepare_run_reply>(launcher, 2).refusal == "");
}

TEST_CASE("node: an evaluator that fails is a reason to leave the run, which is told") {
  const temporary_directory place;
  auto spec = spec_of();
  const auto table = table_config(place);
  spec.config.data = table.data;
  spec.config.model = table.model;
  spec.config.batch = table.batch;
  spec.config.step_time = "const:1";
  spec.config.eval_every_s = 0.3;
  node_options options;
  options.data = table.data.path;
  lone_node node{std::move(options)};
  node.begin(spec);
  const refused_memory for_messages{sizeof(caf::mailbox_element_vals<evaluation>)};
  CHECK(node.why_it_leaves() == "the evaluator failed: out of memory");
  node.say(other, run_over{this_run});
  CHECK(node.comes_to_be("idle"));
}

TEST_CASE("node: an end for which there is no memory fails its run, which is told, and the node lives") {
  std::optional<refused_memory> for_results;
  node_options options;
  options.files.write = [&, times = 0](const run_spec&, const finished_run&) mutable {
    if (times++ == 0) // the last that is done before the result is put together
      for_results.emplace(piece_for([] { (void)std::make_shared<result_reply>(); }));
  };
  lone_node node{std::move(options)};
  node.begin(spec_of(5));
  std::string failure;
  for (std::size_t count = 1; failure.empty() && count < 100; ++count)
    failure = node.hear<report_batch>(launcher, count).failure;
  CHECK(failure == "its end cannot be measured: out of memory");
  node.say(other, run_over{this_run});
  CHECK(node.comes_to_be("idle"));
  node.say(launcher, prepare_run_request{spec_of(5)}); // and serves the next one
  CHECK(node.hear<prepare_run_reply>(launcher, 2).refusal == "");
}
#endif

} // namespace dybw::test
