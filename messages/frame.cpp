#include "messages/frame.hpp"

#include "messages/control_inspect.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace dybw {

template <>
struct enum_range<connection_role> : up_to<connection_role::link> {};

namespace {

constexpr std::array<char, 4> magic = {'d', 'y', 'b', 'w'};

/// Writes the frame's head, and at the end of its scope the length.
class framed {
public:
  framed(std::vector<char>& out, frame_kind kind) : out_(out), start_(out.size()) {
    wire_writer{out}(std::uint32_t{0}, static_cast<std::uint8_t>(kind), std::uint8_t{0}, std::uint8_t{0},
                     std::uint8_t{0});
  }
  ~framed() {
    const auto bytes = out_.size() - start_ - frame_head_bytes + to_come_;
    for (std::size_t i = 0; i < 4; ++i)
      out_[start_ + i] = static_cast<char>(bytes >> (8 * i));
  }
  framed(const framed&) = delete;
  framed& operator=(const framed&) = delete;

  /// Of the payload, what the caller sends itself.
  void announce(std::size_t bytes) { to_come_ = bytes; }

private:
  std::vector<char>& out_;
  std::size_t start_;
  std::size_t to_come_ = 0;
};

template <std::size_t Index = 0>
ec read_control(std::size_t index, wire_reader& in, control_message& out) {
  if constexpr (Index == std::variant_size_v<control_message>) {
    return ec::unknown_kind;
  } else {
    if (index != Index)
      return read_control<Index + 1>(index, in, out);
    auto& body = out.template emplace<Index>();
    in(body);
    return in.finish();
  }
}

template <std::size_t Index = 1>
ec read_peer(std::size_t index, wire_reader& in, peer_body& out) {
  if constexpr (Index == std::variant_size_v<peer_body>) {
    return ec::unknown_kind;
  } else {
    if (index != Index)
      return read_peer<Index + 1>(index, in, out);
    auto& body = out.template emplace<Index>();
    if constexpr (requires { body.parameters; })
      in(body.body); // they came before
    else
      in(body);
    if constexpr (requires { body.body.rate; })
      if (!(std::abs(body.body.rate) <= rate_max)) // an infinity would spread to all guesses, as NaN
        return ec::malformed;
    return in.finish();
  }
}

std::string shortened(const std::string& text, std::size_t bytes_max) {
  return text.substr(0, bytes_max);
}

ec read_hello(std::span<const char> payload, hello& x) {
  if (payload.size() < magic.size() || !std::equal(magic.begin(), magic.end(), payload.begin()))
    return ec::not_dybw;
  wire_reader in{payload.subspan(magic.size())};
  in(x.protocol);
  std::array<std::uint8_t, 4> mark{};
  in(mark[0], mark[1], mark[2], mark[3]);
  std::memcpy(&x.byte_order, mark.data(), mark.size());
  in(x.version);
  x.version = shortened(x.version, version_bytes_max);
  if (!x.same_language()) // what follows may be anything
    return in.error();
  in(x.role, x.run, x.from, x.to, x.incarnation);
  return in.finish();
}

} // namespace

// --- Writing ---

void append_frame(std::vector<char>& out, const hello& x) {
  const framed f{out, frame_kind::hello};
  wire_writer w{out};
  w.raw(magic.data(), magic.size());
  w(x.protocol);
  w.raw(&x.byte_order, sizeof(x.byte_order));
  w(x.version.substr(0, version_bytes_max), x.role, x.run, x.from, x.to, x.incarnation);
}

void append_frame(std::vector<char>& out, const refusal& x) {
  const framed f{out, frame_kind::refusal};
  wire_writer{out}(x.reason.substr(0, hello_bytes_max - sizeof(std::uint32_t)));
}

void append_frame(std::vector<char>& out, const control_message& x) {
  const framed f{out, frame_kind::control};
  wire_writer w{out};
  w(static_cast<std::uint8_t>(x.index()));
  std::visit([&](const auto& body) { w(body); }, x);
}

parameter_block append_all_but_block(std::vector<char>& out, const control_message& x) {
  framed f{out, frame_kind::control};
  parameter_block block;
  wire_writer w{out, &block};
  w(static_cast<std::uint8_t>(x.index()));
  std::visit([&](const auto& body) { w(body); }, x);
  f.announce(block.values().size_bytes());
  return block;
}

void append_frame(std::vector<char>& out, const alive&) {
  const framed f{out, frame_kind::alive};
}

void append_peer(std::vector<char>& out, worker_id from, worker_id to, const peer_body& body) {
  const auto write = [&](const auto& x) {
    const framed f{out, frame_kind::peer};
    wire_writer{out}(from, to, static_cast<std::uint8_t>(body.index()), x);
  };
  if (const auto* news = std::get_if<membership_news>(&body); news != nullptr && news->facts) {
    for (std::size_t done = 0; done < news->facts->size(); done += facts_max) {
      const auto first = news->facts->begin() + static_cast<std::ptrdiff_t>(done);
      const auto count = std::min(facts_max, news->facts->size() - done);
      write(std::vector<fact>(first, first + static_cast<std::ptrdiff_t>(count)));
    }
  } else if (const auto* e = std::get_if<estimate_message>(&body)) {
    assert(!e->body.has_parameters);
    write(e->body.round);
  } else if (const auto* o = std::get_if<offer_message>(&body)) {
    write(o->body);
  } else if (const auto* a = std::get_if<answer_message>(&body)) {
    write(a->body);
  } else {
    std::visit(write, body);
  }
}

void append_estimate_head(std::vector<char>& out, worker_id from, worker_id to, round_number round,
                          std::size_t words, round_number base, std::uint64_t generation) {
  framed f{out, frame_kind::estimate};
  f.announce(words * sizeof(float));
  wire_writer{out}(from, to, round, base, generation);
}

void append_again(std::vector<char>& out, worker_id from, worker_id to, round_number round) {
  const framed f{out, frame_kind::again};
  wire_writer{out}(from, to, round);
}

// --- Reading ---

bool link_rules::allow(worker_id from, worker_id to) const {
  const auto lives_at = [&](worker_id w, node_index n) {
    return index_of(w) < placement.size() && placement[index_of(w)] == n;
  };
  return lives_at(from, peer) && lives_at(to, self) && graph->has_edge(from, to);
}

void frame_parser::expect_control(std::size_t bytes_max) {
  stage_ = stage::control;
  control_bytes_max_ = bytes_max;
}

void frame_parser::expect_link(std::shared_ptr<const link_rules> rules) {
  stage_ = stage::link;
  buffers_.emplace(rules->words(true));
  rules_ = std::move(rules);
}

ec frame_parser::parse(std::span<const char>& in, std::optional<frame>& out) {
  out.reset();
  const auto fill_head = [&](std::size_t wanted) {
    const auto count = std::min(wanted - head_filled_, in.size());
    std::copy_n(in.begin(), count, head_.begin() + static_cast<std::ptrdiff_t>(head_filled_));
    head_filled_ += count;
    in = in.subspan(count);
    return head_filled_ == wanted;
  };
  if (head_filled_ < frame_head_bytes) {
    if (!fill_head(frame_head_bytes))
      return ec::none;
    if (const auto error = check_head(); error != ec::none)
      return error;
  }
  if (kind_ == frame_kind::estimate) {
    if (head_filled_ < estimate_head_bytes) {
      if (!fill_head(estimate_head_bytes))
        return ec::none;
      if (const auto error = start_block(); error != ec::none)
        return error;
    }
    const auto space = block_space();
    const auto count = std::min(space.size(), in.size());
    std::copy_n(in.begin(), count, space.begin());
    in = in.subspan(count);
    block_arrived(count);
    if (count == space.size())
      finish_block(out);
    return ec::none;
  }
  // A payload that is here in one piece is read where it lies.
  if (payload_.empty() && in.size() >= payload_bytes_) {
    const auto payload = in.first(payload_bytes_);
    in = in.subspan(payload_bytes_);
    return take_payload(payload, out);
  }
  const auto count = std::min(payload_bytes_ - payload_.size(), in.size());
  payload_.insert(payload_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
  in = in.subspan(count);
  return payload_.size() < payload_bytes_ ? ec::none : take_payload(payload_, out);
}

ec frame_parser::check_head() {
  wire_reader head{std::span<const char>{head_}.first(frame_head_bytes)};
  std::uint32_t bytes = 0;
  std::uint8_t kind = 0;
  std::array<std::uint8_t, 3> zeros{};
  head(bytes, kind, zeros[0], zeros[1], zeros[2]);
  payload_bytes_ = bytes;
  kind_ = static_cast<frame_kind>(kind);
  const auto sound = zeros == std::array<std::uint8_t, 3>{} && kind >= static_cast<int>(frame_kind::hello) &&
                     kind <= static_cast<int>(frame_kind::alive);
  if (stage_ == stage::greeting)
    return sound                                     ? check_greeting_head()
           : check_greeting_head() == ec::speaks_tls ? ec::speaks_tls
                                                     : ec::not_dybw;
  if (!sound)
    return ec::unknown_kind;
  if (kind_ == frame_kind::refusal)
    return payload_bytes_ <= hello_bytes_max ? ec::none : ec::oversized;
  if (stage_ == stage::link)
    return check_link_head();
  if (kind_ != frame_kind::control)
    return ec::unexpected;
  return payload_bytes_ <= control_bytes_max_ ? ec::none : ec::oversized;
}

/// Whoever says something else than hello first is most likely no gateway at all.
ec frame_parser::check_greeting_head() const {
  const auto first = static_cast<unsigned char>(head_[0]);
  if (first >= 0x14 && first <= 0x17 && head_[1] == 0x03 && static_cast<unsigned char>(head_[2]) <= 0x04)
    return ec::speaks_tls;
  if (kind_ != frame_kind::hello && kind_ != frame_kind::refusal)
    return ec::unexpected;
  return payload_bytes_ <= hello_bytes_max ? ec::none : ec::oversized;
}

ec frame_parser::check_link_head() const {
  constexpr std::size_t numbers = 16;
  const auto is_block = [this](bool is_change) {
    return payload_bytes_ ==
           estimate_head_bytes - frame_head_bytes + rules_->words(is_change) * sizeof(float);
  };
  switch (kind_) {
  case frame_kind::peer:
    return payload_bytes_ <= peer_bytes_max ? ec::none : ec::oversized;
  case frame_kind::estimate:
    return is_block(false) || is_block(true) ? ec::none : ec::wrong_size;
  case frame_kind::again:
    return payload_bytes_ == numbers ? ec::none : ec::wrong_size;
  case frame_kind::alive:
    return payload_bytes_ == 0 ? ec::none : ec::trailing;
  default:
    return ec::unexpected;
  }
}

ec frame_parser::start_block() {
  wire_reader in{std::span<const char>{head_}.subspan(frame_head_bytes)};
  in(block_from_, block_to_, block_round_, block_base_, block_generation_);
  if (!rules_->allow(block_from_, block_to_))
    return ec::stranger;
  const auto is_change = block_base_ != 0;
  const auto words = rules_->words(is_change);
  if (payload_bytes_ != estimate_head_bytes - frame_head_bytes + words * sizeof(float) ||
      (is_change && rules_->send != block_format::int8))
    return ec::wrong_size;
  // The last block of this sender is of no more use: its buffer may serve again.
  if (auto* last = last_of(block_from_))
    last->block = parameter_block{};
  block_ = words == rules_->words(true) ? buffers_->acquire() : std::make_shared<float_buffer>(words);
  filled_ = 0;
  return ec::none;
}

std::span<char> frame_parser::block_space() {
  if (!block_)
    return {};
  const auto values = block_->values();
  return std::span{reinterpret_cast<char*>(values.data()), values.size_bytes()}.subspan(filled_);
}

void frame_parser::finish_block(std::optional<frame>& out) {
  auto* last = last_of(block_from_);
  if (last == nullptr)
    last = &last_blocks_.emplace_back(sent_block{block_from_, 0, 0, 0, {}});
  last->round = block_round_;
  last->base = block_base_;
  last->generation = block_generation_;
  last->block = parameter_block{std::move(block_)};
  block_.reset();
  out = peer_message{block_from_, block_to_,
                     estimate_message{{block_round_, true, block_generation_}, last->block, block_base_}};
  next_frame();
}

ec frame_parser::take_payload(std::span<const char> payload, std::optional<frame>& out) {
  auto error = ec::none;
  if (kind_ == frame_kind::hello) {
    auto x = hello{};
    error = read_hello(payload, x);
    out = std::move(x);
  } else if (kind_ == frame_kind::refusal) {
    auto x = refusal{};
    wire_reader in{payload};
    in(x.reason);
    error = in.finish();
    x.reason = shortened(x.reason, hello_bytes_max);
    out = std::move(x);
  } else if (kind_ == frame_kind::control) {
    auto x = std::make_shared<control_message>();
    wire_reader in{payload};
    std::uint8_t index = 0;
    error = in(index);
    if (error == ec::none)
      error = read_control(index, in, *x);
    out = std::shared_ptr<const control_message>{std::move(x)};
  } else if (kind_ == frame_kind::peer) {
    error = take_peer(payload, out);
  } else if (kind_ == frame_kind::again) {
    error = take_again(payload, out);
  } else {
    out = alive{};
  }
  if (error != ec::none)
    out.reset();
  next_frame();
  return error;
}

ec frame_parser::take_peer(std::span<const char> payload, std::optional<frame>& out) {
  wire_reader in{payload};
  auto x = peer_message{};
  std::uint8_t index = 0;
  if (const auto error = in(x.from, x.to, index); error != ec::none)
    return error;
  if (!rules_->allow(x.from, x.to))
    return ec::stranger;
  auto error = ec::none;
  if (index == 0) {
    auto& body = x.body.emplace<estimate_message>();
    body.body.has_parameters = false;
    in(body.body.round);
    error = in.finish();
  } else {
    error = read_peer(index, in, x.body);
  }
  out = std::move(x);
  return error;
}

ec frame_parser::take_again(std::span<const char> payload, std::optional<frame>& out) {
  wire_reader in{payload};
  auto x = peer_message{};
  round_number round = 0;
  in(x.from, x.to, round);
  if (!rules_->allow(x.from, x.to))
    return ec::stranger;
  const auto* last = last_of(x.from);
  if (last == nullptr || last->round != round)
    return ec::unknown_block;
  x.body = estimate_message{{round, true, last->generation}, last->block, last->base};
  out = std::move(x);
  return in.finish();
}

frame_parser::sent_block* frame_parser::last_of(worker_id from) {
  const auto found = std::ranges::find(last_blocks_, from, &sent_block::from);
  return found == last_blocks_.end() ? nullptr : &*found;
}

void frame_parser::next_frame() {
  head_filled_ = 0;
  // A rare long message must not hold its memory for ever.
  if (payload_.capacity() > (stage_ == stage::link ? peer_bytes_max : read_chunk_bytes))
    payload_ = std::vector<char>{};
  payload_.clear();
}

} // namespace dybw
