// Long: every kind of frame, there and back, and every way in which one can be wrong.
#include "tests/messages/allocations.hpp"
#include "tests/messages/random_message.hpp"
#include "tests/messages/wire_bytes.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <utility>

namespace dybw::test {

namespace {

constexpr std::uint64_t parameters = 5;

/// Workers 0 and 1 live on node 0, workers 2 and 3 on node 1; a ring. We are node 1.
std::shared_ptr<const link_rules> two_nodes() {
  auto rules = std::make_shared<link_rules>();
  rules->graph = std::make_shared<const topology>(make_topology("ring", 4, 1));
  rules->placement = {node_index{0}, node_index{0}, node_index{1}, node_index{1}};
  rules->self = node_index{1};
  rules->peer = node_index{0};
  rules->parameters = parameters;
  return rules;
}

frame_parser control_parser() {
  frame_parser p;
  p.expect_control(control_bytes_max);
  return p;
}
frame_parser link_parser() {
  frame_parser p;
  p.expect_link(two_nodes());
  return p;
}

template <class Frame>
bytes framed(const Frame& x) {
  bytes out;
  append_frame(out, x);
  return out;
}

bytes peer(std::uint32_t from, std::uint32_t to, const peer_body& body) {
  bytes out;
  append_peer(out, worker_id{from}, worker_id{to}, body);
  return out;
}

bytes estimate_frame(std::uint32_t from, std::uint32_t to, round_number round, const parameter_block& block,
                     round_number base = 0, std::uint64_t generation = 0) {
  bytes out;
  append_estimate_head(out, worker_id{from}, worker_id{to}, round, block.values().size(), base, generation);
  wire_writer{out}.raw(block.values().data(), block.values().size_bytes());
  return out;
}

bytes again(std::uint32_t from, std::uint32_t to, round_number round) {
  bytes out;
  append_again(out, worker_id{from}, worker_id{to}, round);
  return out;
}

bytes operator+(bytes x, const bytes& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

struct parsed {
  std::vector<frame> frames;
  ec error = ec::none;
};

/// Hands the bytes over in pieces of this size.
parsed parse(frame_parser& parser, const bytes& in, std::size_t piece = 1U << 20) {
  parsed result;
  for (std::size_t at = 0; at < in.size(); at += piece) {
    auto rest = std::span<const char>{in}.subspan(at, std::min(piece, in.size() - at));
    for (std::optional<frame> f;;) {
      result.error = parser.parse(rest, f);
      if (result.error != ec::none)
        return result;
      if (!f)
        break;
      result.frames.push_back(std::move(*f));
    }
  }
  return result;
}

parsed parse_greeting(const bytes& in) {
  frame_parser parser;
  return parse(parser, in);
}
parsed parse_control(const bytes& in, std::size_t piece = 1U << 20) {
  auto parser = control_parser();
  return parse(parser, in, piece);
}
parsed parse_link(const bytes& in, std::size_t piece = 1U << 20) {
  auto parser = link_parser();
  return parse(parser, in, piece);
}

template <class T, class Variant>
constexpr bool is_alternative = false;
template <class T, class... Ts>
constexpr bool is_alternative<T, std::variant<Ts...>> = (std::is_same_v<T, Ts> || ...);

/// The body of the one frame that was to come.
template <class Body>
const Body* only(const parsed& p) {
  if (p.error != ec::none || p.frames.size() != 1)
    return nullptr;
  if constexpr (is_alternative<Body, peer_body>) {
    const auto* m = std::get_if<peer_message>(&p.frames[0]);
    return m == nullptr ? nullptr : std::get_if<Body>(&m->body);
  } else {
    return std::get_if<Body>(&p.frames[0]);
  }
}

bytes with(bytes x, std::size_t at, unsigned value) {
  x.at(at) = static_cast<char>(value);
  return x;
}

/// Counts what one `inspect` names.
struct field_counter {
  using result_type = std::size_t;
  static constexpr bool reads_state = true;
  static constexpr bool writes_state = false;
  template <class... Ts>
  std::size_t operator()(const Ts&...) {
    return sizeof...(Ts) - (std::size_t{0} + ... + (caf::meta::is_annotation<Ts>::value ? 1U : 0U));
  }
};

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

struct anything {
  std::size_t index;
  template <class T>
  requires(!is_optional<T>) operator T() const;
};

/// The members of an aggregate: as many as it takes initialisers.
template <class T, std::size_t... Is>
constexpr std::size_t members(std::index_sequence<Is...>) {
  if constexpr (requires { T{anything{Is}..., anything{0}}; })
    return members<T>(std::make_index_sequence<sizeof...(Is) + 1>{});
  else
    return sizeof...(Is);
}

template <class T>
void check_fields() {
  T x{};
  field_counter count;
  CAPTURE(typeid(T).name());
  CHECK(inspect(count, x) == members<T>(std::index_sequence<>{}));
}

} // namespace

TEST_CASE("frame: every member of every control message and of what it holds travels") {
  for_each_alternative<control_message>([](const auto& x) { check_fields<std::decay_t<decltype(x)>>(); });
  check_fields<run_spec>();
  check_fields<wait_metrics>();
  check_fields<worker_metrics>();
  check_fields<edge_metrics>();
  check_fields<sketch_sums>();
  check_fields<process_metrics>();
  check_fields<run_config>();
  check_fields<endpoint>();
  check_fields<data_options>();
  check_fields<partition_spec>();
  check_fields<sgd_options>();
  check_fields<mix_term>();
  check_fields<mix_report>();
  check_fields<exchange_half>();
  check_fields<round_report>();
  check_fields<worker_totals>();
  check_fields<worker_end>();
  check_fields<evaluation>();
  check_fields<mixing_summary>();
  check_fields<worker_summary>();
  check_fields<edge_activity>();
  check_fields<run_node>();
  check_fields<data_reading>();
  check_fields<data_summary>();
  check_fields<run_result>();
}

TEST_CASE("frame: every control message comes back, whole or in pieces") {
  std::mt19937_64 generator{1};
  for_each_alternative<control_message>([&](const auto& x) {
    for (int i = 0; i < 50; ++i) {
      const auto sent = control_message{random_value<std::decay_t<decltype(x)>>(generator)};
      CAPTURE(sent.index());
      const auto wire = framed(sent);
      for (const auto piece : {std::size_t{1} << 20, std::size_t{7}, std::size_t{1}}) {
        const auto result = parse_control(wire, piece);
        const auto* got = only<std::shared_ptr<const control_message>>(result);
        REQUIRE(got != nullptr);
        CHECK((*got)->index() == sent.index());
        CHECK(framed(**got) == wire);
      }
    }
  });
}

TEST_CASE("frame: values arrive as they were sent, doubles bit by bit") {
  auto reply = prepare_run_reply{"no such directory", 3, 7850, 17, 18, 60'000};
  const auto copy = parse_control(framed(control_message{reply}));
  const auto& got = std::get<prepare_run_reply>(**only<std::shared_ptr<const control_message>>(copy));
  CHECK(got.refusal == reply.refusal);
  CHECK(got.exit_code == 3);
  CHECK(got.parameters == 7850);
  CHECK(got.config_hash == 17);
  CHECK(got.data_hash == 18);
  CHECK(got.training_samples == 60'000);

  auto request = prepare_run_request{};
  auto& config = request.spec.config;
  config.sgd.step_size = -std::numeric_limits<double>::infinity();
  config.time_limit_s = 5e-324;
  config.target_accuracy.reset();
  config.rounds = 12;
  config.policies = {"full", "static:1"};
  config.weights = weight_rule::graph;
  config.partition.how = partition_spec::kind::dirichlet;
  request.spec.edges = {make_edge(worker_id{3}, worker_id{1})};
  request.spec.nodes = {{"::1", 65535}};
  const auto back = parse_control(framed(control_message{request}));
  const auto& spec = std::get<prepare_run_request>(**only<std::shared_ptr<const control_message>>(back)).spec;
  CHECK(spec.config.sgd.step_size == config.sgd.step_size);
  CHECK(spec.config.time_limit_s == 5e-324);
  CHECK_FALSE(spec.config.target_accuracy);
  CHECK(spec.config.rounds == 12);
  CHECK(spec.config.policies == config.policies);
  CHECK(spec.config.weights == weight_rule::graph);
  CHECK(spec.config.partition.how == partition_spec::kind::dirichlet);
  CHECK(spec.edges == request.spec.edges);
  CHECK(spec.nodes == request.spec.nodes);
}

TEST_CASE("frame: hello and refusal come back") {
  const auto sent = hello{protocol_version, byte_order_mark, "0.1.0", connection_role::link, 99,
                          node_index{3},    node_index{4},   7};
  const auto result = parse_greeting(framed(sent));
  const auto* got = only<hello>(result);
  REQUIRE(got != nullptr);
  CHECK(got->same_language());
  CHECK(got->version == "0.1.0");
  CHECK(got->role == connection_role::link);
  CHECK(got->run == 99);
  CHECK(got->from == node_index{3});
  CHECK(got->to == node_index{4});
  CHECK(got->incarnation == 7);
  const auto refused = parse_greeting(framed(refusal{"no\nsuch\x1b[1mrun"}));
  REQUIRE(only<refusal>(refused) != nullptr);
  CHECK(only<refusal>(refused)->reason == "no such?[1mrun");
}

TEST_CASE("frame: a hello of another protocol or byte order still says who sent it, whatever follows") {
  auto sent = hello{};
  sent.version = "9.0.0";
  sent.protocol = protocol_version + 1;
  auto wire = framed(sent) + bytes(20, 'x');
  wire[0] = static_cast<char>(wire[0] + 20);
  const auto newer = parse_greeting(wire);
  REQUIRE(only<hello>(newer) != nullptr);
  CHECK_FALSE(only<hello>(newer)->same_language());
  CHECK(only<hello>(newer)->version == "9.0.0");
  sent = hello{};
  sent.byte_order = 0x04030201;
  const auto foreign = parse_greeting(framed(sent));
  REQUIRE(only<hello>(foreign) != nullptr);
  CHECK_FALSE(only<hello>(foreign)->same_language());
}

TEST_CASE("frame: every message between workers comes back") {
  const auto e = parse_link(peer(0, 3, estimate_message{{7, false}, {}}));
  REQUIRE(only<estimate_message>(e) != nullptr);
  CHECK(only<estimate_message>(e)->body.round == 7);
  CHECK_FALSE(only<estimate_message>(e)->body.has_parameters);
  const auto& m = std::get<peer_message>(e.frames[0]);
  CHECK(m.from == worker_id{0});
  CHECK(m.to == worker_id{3});
  CHECK(only<accept>(parse_link(peer(1, 2, accept{8})))->round == 8);
  const auto c = parse_link(peer(1, 2, closed{9, 3}));
  CHECK(only<closed>(c)->round == 9);
  CHECK(only<closed>(c)->degree == 3);
  const auto t = parse_link(
      peer(1, 2, threshold_message{{1, 2, 3, make_edge(worker_id{0}, worker_id{1})}, nanoseconds{-9}}));
  CHECK(only<threshold_message>(t)->body.covered == make_edge(worker_id{0}, worker_id{1}));
  CHECK(only<threshold_message>(t)->passed_on == nanoseconds{-9});
  CHECK(only<leaving>(parse_link(peer(1, 2, leaving{}))) != nullptr);
  CHECK(only<received>(parse_link(peer(1, 2, received{4})))->round == 4);
  CHECK(only<heartbeat>(parse_link(peer(1, 2, heartbeat{}))) != nullptr);
  const auto facts = std::vector<fact>{{worker_id{0}, worker_id{1}, 3, false}};
  const auto n = parse_link(peer(1, 2, news_of(facts)));
  CHECK(*only<membership_news>(n)->facts == facts);
  CHECK(only<alive>(parse_link(framed(alive{}))) != nullptr);
}

TEST_CASE("frame: long membership news travel in several messages") {
  const auto facts = std::vector<fact>(120'001, fact{worker_id{1}, worker_id{1}, 2, true});
  const auto result = parse_link(peer(1, 2, news_of(facts)), 1000);
  CHECK(result.error == ec::none);
  REQUIRE(result.frames.size() == 3);
  std::size_t sum = 0;
  for (const auto& f : result.frames)
    sum += std::get<membership_news>(std::get<peer_message>(f).body).facts->size();
  CHECK(sum == facts.size());
}

TEST_CASE(
    "frame: an estimate's parameters arrive, whole or in pieces, and further receivers get the same block") {
  const auto block = block_of({1, 2, 3, 4, -0.0F});
  const auto wire = estimate_frame(0, 3, 7, block) + peer(0, 3, accept{7}) + again(0, 3, 7);
  for (std::size_t piece : {1, 3, 32, 33, 1000}) {
    CAPTURE(piece);
    const auto result = parse_link(wire, piece);
    CHECK(result.error == ec::none);
    REQUIRE(result.frames.size() == 3);
    const auto& first = std::get<estimate_message>(std::get<peer_message>(result.frames[0]).body);
    CHECK(first.body.round == 7);
    CHECK(first.body.has_parameters);
    CHECK(std::memcmp(first.parameters.values().data(), block.values().data(), 20) == 0);
    const auto& second = std::get<estimate_message>(std::get<peer_message>(result.frames[2]).body);
    CHECK(second.parameters.values().data() == first.parameters.values().data());
  }
}

TEST_CASE(
    "frame: the generation that is named travels with estimates, those sent again too, offers and answers") {
  constexpr std::uint64_t generation = 0xfedcba9876543210;
  auto wire = estimate_frame(0, 3, 7, block_of({1, 2, 3, 4, 5}), 0, generation);
  const auto more = again(0, 3, 7);
  wire.insert(wire.end(), more.begin(), more.end());
  for (const std::size_t piece : {1, 1000}) {
    const auto result = parse_link(wire, piece);
    REQUIRE(result.frames.size() == 2);
    for (const auto& f : result.frames)
      CHECK(std::get<estimate_message>(std::get<peer_message>(f).body).body.generation == generation);
  }
  const auto offered = parse_link(peer(0, 3, offer_message{{3, 8, 0.5, {1, 2}, generation}, {}}));
  REQUIRE(only<offer_message>(offered));
  CHECK(only<offer_message>(offered)->body.generation == generation);
  const auto answered = parse_link(peer(0, 3, answer_message{{8, true, 0.5, {1, 2}, generation}, {}}));
  REQUIRE(only<answer_message>(answered));
  CHECK(only<answer_message>(answered)->body.generation == generation);
}

TEST_CASE("frame: a reader may put a block's bytes in place itself") {
  auto parser = link_parser();
  const auto wire = estimate_frame(0, 3, 7, block_of({1, 2, 3, 4, 5}));
  CHECK(parser.block_space().empty());
  CHECK(parse(parser, bytes(wire.begin(), wire.begin() + 46)).frames.empty());
  REQUIRE(parser.block_space().size() == 14);
  std::memcpy(parser.block_space().data(), wire.data() + 46, 14);
  parser.block_arrived(14);
  std::span<const char> nothing;
  std::optional<frame> f;
  REQUIRE(parser.parse(nothing, f) == ec::none);
  REQUIRE(f);
  const auto& e = std::get<estimate_message>(std::get<peer_message>(*f).body);
  CHECK(std::ranges::equal(e.parameters.values(), std::vector<float>{1, 2, 3, 4, 5}));
  CHECK_FALSE(parser.in_frame());
}

TEST_CASE("frame: blocks are received into buffers that are used again") {
  auto parser = link_parser();
  const auto wire = estimate_frame(0, 3, 7, block_of({1, 2, 3, 4, 5}));
  std::vector<const float*> places;
  for (int i = 0; i < 10; ++i) {
    const auto result = parse(parser, wire);
    const auto* e = only<estimate_message>(result);
    REQUIRE(e != nullptr);
    places.push_back(e->parameters.values().data());
  }
  CHECK(std::ranges::count(places, places[0]) == 10);
}

TEST_CASE("frame: a block that travels coded has the size of its format, and names what it counts from") {
  const auto parser_of = [](block_format send) {
    auto rules = std::make_shared<link_rules>(*two_nodes());
    rules->parameters = 5000;
    rules->send = send;
    frame_parser parser;
    parser.expect_link(rules);
    return parser;
  };
  const auto words = [](std::size_t count) { return copy_of(std::vector<float>(count, 2)); };
  for (const auto send :
       {block_format::float32, block_format::float16, block_format::bfloat16, block_format::int8}) {
    CAPTURE(to_string(send));
    const auto whole = coded_words(send, 5000, false);
    const auto change = coded_words(send, 5000, true);
    auto parser = parser_of(send);
    const auto came = parse(parser, estimate_frame(0, 3, 7, words(whole)) + again(0, 3, 7));
    REQUIRE(came.frames.size() == 2);
    CHECK(std::get<estimate_message>(std::get<peer_message>(came.frames[1]).body).base == 0);
    parser = parser_of(send);
    const auto next = parse(parser, estimate_frame(0, 3, 8, words(change), 7) + again(0, 3, 8));
    if (send != block_format::int8) {
      CHECK(next.error == ec::wrong_size); // they know no changes
      continue;
    }
    REQUIRE(next.frames.size() == 2);
    for (const auto& f : next.frames) {
      const auto& e = std::get<estimate_message>(std::get<peer_message>(f).body);
      CHECK(e.base == 7);
      CHECK(e.parameters.values().size() == change);
    }
    for (const auto& wrong :
         {estimate_frame(0, 3, 8, words(change)), estimate_frame(0, 3, 8, words(whole), 7)}) {
      parser = parser_of(send);
      CHECK(parse(parser, wrong).error == ec::wrong_size);
    }
  }
}

TEST_CASE("frame: a run without parameters sends empty blocks") {
  auto rules = std::make_shared<link_rules>(*two_nodes());
  rules->parameters = 0;
  frame_parser parser;
  parser.expect_link(rules);
  const auto result = parse(parser, estimate_frame(0, 3, 7, {}));
  const auto* e = only<estimate_message>(result);
  REQUIRE(e != nullptr);
  CHECK(e->body.has_parameters);
  CHECK(e->parameters.values().empty());
}

TEST_CASE("frame: what is no hello at all is told apart") {
  const auto error_of = [](const bytes& in) { return parse_greeting(in).error; };
  const std::string http = "GET / HTTP/1.1\r\n";
  CHECK(error_of(bytes(http.begin(), http.end())) == ec::not_dybw);
  CHECK(error_of({0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01}) == ec::speaks_tls);
  CHECK(error_of({0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46, 0x00}) == ec::speaks_tls);
  CHECK(error_of(bytes(8, '\0')) == ec::not_dybw);
  CHECK(error_of(framed(control_message{run_over{}})) == ec::unexpected);
  CHECK(error_of(framed(alive{})) == ec::unexpected);
  const auto sent = framed(hello{});
  CHECK(error_of(with(sent, 8, 'D')) == ec::not_dybw);
  CHECK(error_of(with(sent, 1, 5)) == ec::oversized);
  CHECK(error_of(with(sent, 5, 1)) == ec::not_dybw);
  auto longer = sent + bytes(1, 'x');
  longer[0] = static_cast<char>(longer[0] + 1);
  CHECK(error_of(longer) == ec::trailing);
}

TEST_CASE("frame: a control frame that is oversized, of unknown kind, short or too long is refused") {
  const auto sent = framed(control_message{connect_reply{"no"}});
  const auto error_of = [](const bytes& in) { return parse_control(in).error; };
  CHECK(error_of(with(with(sent, 3, 0x7f), 2, 0xff)) == ec::oversized);
  CHECK(error_of(with(sent, 4, 0)) == ec::unknown_kind);
  CHECK(error_of(with(sent, 4, 8)) == ec::unknown_kind);
  CHECK(error_of(with(sent, 6, 1)) == ec::unknown_kind);
  CHECK(error_of(with(sent, 8, std::variant_size_v<control_message>)) == ec::unknown_kind);
  CHECK(error_of(with(sent, 9, 3)) == ec::truncated);
  CHECK(error_of(with(sent, 9, 1)) == ec::trailing);
  CHECK(error_of(with(sent, 11, 0xff)) == ec::oversized);
  CHECK(error_of(with(sent, 0, 0)) == ec::truncated);
  CHECK(error_of(framed(hello{})) == ec::unexpected);
  CHECK(error_of(peer(0, 3, accept{1})) == ec::unexpected);
}

TEST_CASE("frame: enumerators out of range and flags that are not 0 or 1 are refused") {
  auto request = prepare_run_request{};
  request.spec.config.weights.reset();
  const auto sent = framed(control_message{request});
  const auto other_values = [&](auto change) {
    auto copy = request;
    change(copy.spec.config);
    return framed(control_message{copy});
  };
  const auto place_of = [&](auto change) {
    const auto other = other_values(change);
    return static_cast<std::size_t>(std::ranges::mismatch(sent, other).in1 - sent.begin());
  };
  const auto check_place = [&](std::size_t at, unsigned too_large) {
    CAPTURE(at);
    CHECK(parse_control(with(sent, at, too_large)).error == ec::malformed);
    CHECK(parse_control(with(sent, at, 0x80)).error == ec::malformed);
  };
  check_place(place_of([](run_config& c) { c.on_miss = miss_rule::discard; }), 2);
  check_place(place_of([](run_config& c) { c.start = start_rule::random; }), 2);
  check_place(place_of([](run_config& c) { c.partition.how = partition_spec::kind::shards; }), 4);
  check_place(place_of([](run_config& c) { c.exchange = false; }), 2);
  check_place(place_of([](run_config& c) { c.clock = clock_kind::virtual_; }), 2);
  check_place(place_of([](run_config& c) { c.send = block_format::int8; }), 4);
  auto negative = sent;
  const auto at = place_of([](run_config& c) { c.on_miss = miss_rule::discard; });
  for (std::size_t i = 0; i < 4; ++i)
    negative[at + i] = static_cast<char>(0xff);
  CHECK(parse_control(negative).error == ec::malformed);
}

TEST_CASE("frame: a rate that is no number, or that no worker has, is refused") {
  for (const auto rate : {std::numeric_limits<double>::infinity(), std::nan(""), -1e300}) {
    auto links = link_parser();
    CHECK(parse(links, peer(0, 3, offer_message{{1, 1, rate, {}}, {}})).error == ec::malformed);
    CHECK(parse(links, peer(0, 3, answer_message{{1, true, rate, {}}, {}})).error == ec::malformed);
  }
  auto links = link_parser(); // a guess may be below zero for a while
  CHECK(parse(links, peer(0, 3, offer_message{{1, 1, -12.5, {}}, {}})).error == ec::none);
}

TEST_CASE("frame: on a link only its own workers are heard, blocks of the run's size, and known blocks") {
  const auto error_of = [](const bytes& in) { return parse_link(in).error; };
  const auto block = block_of({1, 2, 3, 4, 5});
  CHECK(error_of(peer(0, 2, accept{1})) == ec::stranger); // no neighbours
  CHECK(error_of(peer(3, 0, accept{1})) == ec::stranger); // the wrong way round
  CHECK(error_of(peer(0, 1, accept{1})) == ec::stranger); // none of ours
  CHECK(error_of(peer(0, 4'000'000'000U, accept{1})) == ec::stranger);
  CHECK(error_of(estimate_frame(0, 2, 1, block)) == ec::stranger);
  CHECK(error_of(again(2, 0, 1)) == ec::stranger);
  CHECK(error_of(estimate_frame(0, 3, 1, block_of({1, 2, 3, 4}))) == ec::wrong_size);
  CHECK(error_of(estimate_frame(0, 3, 1, block_of({1, 2, 3, 4, 5, 6}))) == ec::wrong_size);
  CHECK(error_of(again(0, 3, 1)) == ec::unknown_block);
  CHECK(error_of(estimate_frame(0, 3, 1, block) + again(0, 3, 2)) == ec::unknown_block);
  CHECK(error_of(estimate_frame(0, 3, 1, block) + again(1, 2, 1)) == ec::unknown_block);
  CHECK(error_of(with(peer(0, 3, accept{1}), 2, 0x11)) == ec::oversized);
  CHECK(error_of(with(peer(0, 3, accept{1}), 16, std::variant_size_v<peer_body>)) == ec::unknown_kind);
  CHECK(error_of(with(peer(0, 3, closed{1, 1}), 0, 9)) == ec::truncated);
  CHECK(error_of(framed(control_message{run_over{}})) == ec::unexpected);
  CHECK(error_of(framed(hello{})) == ec::unexpected);
}

TEST_CASE("frame: nothing is allocated for what was announced and has not arrived") {
  auto parser = control_parser();
  const auto sent = with(with(framed(control_message{run_over{}}), 3, 0x3f), 2, 0xff); // about one GiB
  const allocation_watch watch;
  CHECK(parse(parser, sent).error == ec::none);
  CHECK(parser.in_frame());
  CHECK(watch.largest_bytes() <= 4096);
}

TEST_CASE("frame: a list's count is not believed") {
  auto reply = report_batch{};
  reply.failure = "x";
  auto sent = framed(control_message{reply});
  for (std::size_t i = 0; i < 4; ++i)
    sent[9 + 16 + i] = static_cast<char>(0xff); // the count of `rounds`
  const allocation_watch watch;
  CHECK(parse_control(sent).error == ec::truncated);
  CHECK(watch.largest_bytes() <= 4096);
}

TEST_CASE("frame: a request is refused beyond its limit, an answer beyond that of answers") {
  const auto announcing = [](std::size_t bytes_max, std::size_t length) {
    frame_parser p;
    p.expect_control(bytes_max);
    auto sent = framed(control_message{run_over{}});
    for (std::size_t i = 0; i < 4; ++i)
      sent[i] = static_cast<char>(length >> (8 * i));
    return parse(p, sent).error;
  };
  CHECK(announcing(request_bytes_max, request_bytes_max) == ec::none);
  CHECK(announcing(request_bytes_max, request_bytes_max + 1) == ec::oversized);
  CHECK(announcing(control_bytes_max, request_bytes_max + 1) == ec::none);
  CHECK(announcing(control_bytes_max, control_bytes_max + 1) == ec::oversized);
}

TEST_CASE("frame: a request with the complete graph of two thousand workers is within the limit") {
  auto request = prepare_run_request{};
  for (std::uint32_t a = 0; a < 2000; ++a)
    for (std::uint32_t b = a + 1; b < 2000; ++b)
      request.spec.edges.push_back(make_edge(worker_id{a}, worker_id{b}));
  request.spec.placement.resize(2000);
  frame_parser p;
  p.expect_control(request_bytes_max);
  CHECK(parse(p, framed(control_message{request})).frames.size() == 1);
}

TEST_CASE("frame: parameters at the end of a message may be sent apart from it") {
  const auto block = block_of({1, 2, 3});
  result_reply result;
  result.average = block;
  for (const auto& x : std::vector<control_message>{snapshot_reply{worker_id{1}, true, 3, block}, result,
                                                    welcome_reply{worker_id{1}, true, {}, 4, block}}) {
    bytes head;
    const auto rest = append_all_but_block(head, x);
    CHECK(rest.values().data() == block.values().data());
    wire_writer{head}.raw(rest.values().data(), rest.values().size_bytes());
    CHECK(head == framed(x));
  }
  bytes whole;
  CHECK(append_all_but_block(whole, snapshot_reply{}).values().empty());
  CHECK(append_all_but_block(whole, stop_request{}).values().empty());
  CHECK(whole == framed(control_message{snapshot_reply{}}) + framed(control_message{stop_request{}}));
}

TEST_CASE("frame: a list of items that are larger in memory than on the wire stays within limits") {
  const auto empty_texts = [](std::size_t count) {
    bytes out;
    wire_writer{out}(std::vector<std::string>(count));
    std::vector<std::string> x;
    return wire_reader{out}(x);
  };
  CHECK(empty_texts(30'000) == ec::none);
  CHECK(empty_texts(1'000'000) == ec::oversized); // four million bytes, 32 million in memory
}

} // namespace dybw::test
