#include "tests/messages/allocations.hpp"
#include "tests/messages/random_message.hpp"
#include "tests/messages/wire_bytes.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

/// Throws mutated messages into every `inspect` and into the frame parser, best under the sanitizers (preset
/// asan). What loads must be as good as any other value: it can be saved, and read again as the same. What is
/// allocated on the way must be in proportion to the bytes that are there.
///
///     DYBW_FUZZ_MESSAGES=1000000 wire_fuzz    # so many for each type
///     DYBW_FUZZ_SEED=7 wire_fuzz              # other ones
namespace dybw::test {

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

const std::uint64_t messages_per_type = number_from_environment("DYBW_FUZZ_MESSAGES", 20'000);
const std::uint64_t seed = number_from_environment("DYBW_FUZZ_SEED", 1);

/// Changes messages as an attacker, a bug or a bad cable would.
class mutator {
public:
  explicit mutator(std::uint64_t stream) : generator_(seed * 1'000'003 + stream) {}

  std::mt19937_64& generator() { return generator_; }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(generator_() % n); }

  void mutate(bytes& wire) {
    for (auto changes = 1 + below(4); changes > 0; --changes)
      change(wire);
  }

private:
  std::ptrdiff_t place(const bytes& wire) { return static_cast<std::ptrdiff_t>(below(wire.size() + 1)); }

  void change(bytes& wire) {
    const auto kind = below(8);
    if (wire.empty() || kind == 0) {
      wire.insert(wire.begin() + place(wire), static_cast<char>(generator_()));
    } else if (kind == 1) {
      wire[below(wire.size())] ^= static_cast<char>(1 << below(8));
    } else if (kind == 2) {
      wire[below(wire.size())] = static_cast<char>(generator_());
    } else if (kind == 3) {
      wire.resize(below(wire.size()));
    } else if (kind == 4) { // a piece goes
      const auto first = below(wire.size());
      const auto count = 1 + below(wire.size() - first);
      wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(first),
                 wire.begin() + static_cast<std::ptrdiff_t>(first + count));
    } else if (kind == 5) { // a piece comes twice
      const auto first = below(wire.size());
      const auto count = 1 + below(std::min<std::size_t>(wire.size() - first, 64));
      const bytes piece(wire.begin() + static_cast<std::ptrdiff_t>(first),
                        wire.begin() + static_cast<std::ptrdiff_t>(first + count));
      wire.insert(wire.begin() + place(wire), piece.begin(), piece.end());
    } else {
      set_number(wire);
    }
  }

  /// Counts and lengths are numbers of four and eight bytes.
  void set_number(bytes& wire) {
    static constexpr std::array<std::uint64_t, 10> numbers = {
        0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0xffffffffffffffff};
    const auto number = numbers[below(numbers.size())] + below(3) - 1;
    const auto first = below(wire.size());
    const auto count = std::min<std::size_t>(below(2) == 0 ? 4 : 8, wire.size() - first);
    std::memcpy(wire.data() + first, &number, count);
  }

  std::mt19937_64 generator_;
};

struct tally {
  std::uint64_t loaded = 0;
  std::uint64_t refused = 0;
  std::uint64_t broken = 0;
  std::size_t worst_ratio = 0; ///< bytes allocated in one piece, per byte that was there

  void note_allocation(std::size_t largest, std::size_t wire_bytes) {
    constexpr std::size_t free_of_charge = 8192;
    if (largest > free_of_charge)
      worst_ratio = std::max(worst_ratio, largest / (wire_bytes + 1));
  }
};

/// `store(value) -> bytes`, `load(bytes, value) -> whether it was accepted`.
template <class T, class Store, class Load>
void fuzz_type(const char* by, Store store, Load load) {
  static std::uint64_t stream = 0;
  mutator m{++stream};
  tally t;
  bytes whole;
  for (std::uint64_t i = 0; i < messages_per_type; ++i) {
    if (i % 16 == 0)
      whole = store(random_value<T>(m.generator()));
    auto wire = whole;
    m.mutate(wire);
    T value{};
    {
      const allocation_watch watch;
      const auto accepted = load(wire, value);
      t.note_allocation(watch.largest_bytes(), wire.size());
      if (!accepted) {
        ++t.refused;
        continue;
      }
    }
    ++t.loaded;
    const auto again = store(value);
    T twin{};
    if (!load(again, twin) || store(twin) != again)
      ++t.broken;
  }
  INFO(by, " ", typeid(T).name(), ", seed ", seed);
  CHECK(t.broken == 0);
  CHECK(t.loaded + t.refused == messages_per_type);
  CHECK(t.worst_ratio <= 64); // the longest member of a list takes 64 times what it needs on the wire
}

template <class T>
void fuzz_own() {
  fuzz_type<T>(
      "own inspectors",
      [](T x) {
        bytes out;
        wire_writer{out}(x);
        return out;
      },
      [](const bytes& wire, T& x) {
        wire_reader in{wire};
        in(x);
        return in.finish() == ec::none;
      });
}

template <class T>
void fuzz_cafs() {
  fuzz_type<T>(
      "CAF's inspectors", [](T x) { return bytes_of(std::move(x)); },
      [](const bytes& wire, T& x) {
        std::size_t left_over = 0;
        return !load(wire, x, &left_over) && left_over == 0;
      });
}

constexpr std::uint64_t parameters = 9;

std::shared_ptr<const link_rules> rules() {
  auto x = std::make_shared<link_rules>();
  x->graph = std::make_shared<const topology>(make_topology("complete", 4, 1));
  x->placement = {node_index{0}, node_index{0}, node_index{1}, node_index{1}};
  x->self = node_index{1};
  x->peer = node_index{0};
  x->parameters = parameters;
  x->send = block_format::int8;
  return x;
}

/// What one side of a connection may say, frame after frame.
class talker {
public:
  explicit talker(mutator& m) : m_(m) {}

  bytes greeting() {
    bytes out;
    if (m_.below(4) == 0)
      append_frame(out, refusal{std::string(m_.below(50), 'x')});
    else
      append_frame(out, hello{protocol_version, byte_order_mark, "1.2.3",
                              static_cast<connection_role>(m_.below(2)), m_.generator()(), node_index{1},
                              node_index{2}, m_.generator()()});
    return out;
  }

  bytes control() {
    bytes out;
    for (auto frames = 1 + m_.below(3); frames > 0; --frames)
      append_frame(out, random_control(m_.below(std::variant_size_v<control_message>)));
    return out;
  }

  bytes link() {
    bytes out;
    for (auto frames = 1 + m_.below(6); frames > 0; --frames)
      append_link_frame(out);
    return out;
  }

private:
  template <std::size_t Index = 0>
  control_message random_control(std::size_t index) {
    if constexpr (Index + 1 < std::variant_size_v<control_message>)
      if (index != Index)
        return random_control<Index + 1>(index);
    return random_value<std::variant_alternative_t<Index, control_message>>(m_.generator());
  }

  void append_link_frame(bytes& out) {
    const auto from = worker_id{static_cast<std::uint32_t>(m_.below(2))};
    const auto to = worker_id{static_cast<std::uint32_t>(2 + m_.below(2))};
    auto& g = m_.generator();
    switch (m_.below(10)) {
    case 0: {
      const auto base = m_.below(2) * round_;
      const auto words = coded_words(block_format::int8, parameters, base != 0);
      append_estimate_head(out, from, to, round_++, words, base);
      out.insert(out.end(), words * sizeof(float), static_cast<char>(g()));
      last_ = from;
      return;
    }
    case 1:
      return append_again(out, last_, to, round_ - 1);
    case 2:
      return append_peer(out, from, to, estimate_message{{round_, false}, {}});
    case 3:
      return append_peer(out, from, to, random_value<accept>(g));
    case 4:
      return append_peer(out, from, to, random_value<closed>(g));
    case 5:
      return append_peer(out, from, to, random_value<threshold_message>(g));
    case 6:
      return append_peer(out, from, to, random_value<membership_news>(g));
    case 7:
      return append_peer(out, from, to, random_value<received>(g));
    case 8:
      return append_peer(out, from, to, m_.below(2) == 0 ? peer_body{heartbeat{}} : peer_body{leaving{}});
    default:
      return append_frame(out, alive{});
    }
  }

  mutator& m_;
  round_number round_ = 1;
  worker_id last_{};
};

/// Hands the bytes over in pieces of random sizes, some straight into blocks. Returns how many frames came.
std::size_t feed(mutator& m, frame_parser& parser, std::span<const char> wire, ec& error) {
  std::size_t frames = 0;
  while (!wire.empty()) {
    auto piece = wire.first(1 + m.below(wire.size()));
    wire = wire.subspan(piece.size());
    if (const auto space = parser.block_space(); !space.empty()) {
      const auto count = std::min(space.size(), piece.size());
      std::copy_n(piece.begin(), count, space.begin());
      parser.block_arrived(count);
      piece = piece.subspan(count);
    }
    for (std::optional<frame> f;;) {
      error = parser.parse(piece, f);
      if (error != ec::none)
        return frames;
      if (!f)
        break;
      ++frames;
    }
  }
  return frames;
}

template <class Make, class Prepare>
void fuzz_parser(std::uint64_t stream, Make make, Prepare prepare) {
  mutator m{stream};
  tally t;
  std::uint64_t frames = 0;
  const auto link = rules();
  for (std::uint64_t i = 0; i < messages_per_type; ++i) {
    talker from{m};
    auto wire = make(from);
    m.mutate(wire);
    frame_parser parser;
    prepare(parser, link);
    auto error = ec::none;
    const allocation_watch watch;
    frames += feed(m, parser, wire, error);
    t.note_allocation(watch.largest_bytes(), wire.size());
    ++(error == ec::none ? t.loaded : t.refused);
  }
  MESSAGE("seed ", seed, ": ", messages_per_type, " mutated conversations, ", t.refused, " refused, ", frames,
          " frames taken");
  CHECK(t.worst_ratio <= 64);
  CHECK(frames > 0);
  CHECK(t.refused > messages_per_type / 10);
}

} // namespace

TEST_CASE("fuzz: mutated control messages") {
  MESSAGE("seed ", seed, ": ", messages_per_type, " of each type");
  for_each_alternative<control_message>([](const auto& x) { fuzz_own<std::decay_t<decltype(x)>>(); });
}

TEST_CASE("fuzz: mutated parts of control messages") {
  fuzz_own<run_spec>();
  fuzz_own<run_config>();
  fuzz_own<endpoint>();
  fuzz_own<data_options>();
  fuzz_own<partition_spec>();
  fuzz_own<sgd_options>();
  fuzz_own<mix_term>();
  fuzz_own<mix_report>();
  fuzz_own<round_report>();
  fuzz_own<worker_totals>();
  fuzz_own<worker_end>();
  fuzz_own<evaluation>();
  fuzz_own<mixing_summary>();
  fuzz_own<worker_summary>();
  fuzz_own<edge_activity>();
  fuzz_own<wait_metrics>();
  fuzz_own<worker_metrics>();
  fuzz_own<edge_metrics>();
  fuzz_own<sketch_sums>();
  fuzz_own<process_metrics>();
  fuzz_own<run_result>();
}

TEST_CASE("fuzz: mutated messages between workers, by both kinds of inspectors") {
  const auto both = [](const auto& x) {
    using type = std::decay_t<decltype(x)>;
    fuzz_own<type>();
    fuzz_cafs<type>();
  };
  for_each_alternative<peer_body>(both);
  both(edge{});
  both(estimate{});
  both(fact{});
  both(threshold{});
  both(parameter_block{});
  fuzz_cafs<worker_id>();
}

TEST_CASE("fuzz: mutated greetings into the frame parser") {
  fuzz_parser(
      1001, [](talker& t) { return t.greeting(); }, [](frame_parser&, const auto&) {});
}

TEST_CASE("fuzz: mutated control frames into the frame parser") {
  fuzz_parser(
      1002, [](talker& t) { return t.control(); },
      [](frame_parser& p, const auto&) { p.expect_control(control_bytes_max); });
}

TEST_CASE("fuzz: mutated link frames into the frame parser") {
  fuzz_parser(
      1003, [](talker& t) { return t.link(); },
      [](frame_parser& p, const auto& link) { p.expect_link(link); });
}

} // namespace dybw::test
