#include "messages/wire.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

namespace dybw {

std::string to_string(ec code) {
  switch (code) {
  case ec::none:
    return "no error";
  case ec::oversized:
    return "the message announces more than any limit allows";
  case ec::truncated:
    return "the message holds fewer bytes than it announces";
  case ec::trailing:
    return "the message holds more bytes than it needs";
  case ec::malformed:
    return "the message holds a value that does not exist";
  case ec::unknown_kind:
    return "the message is of a kind that does not exist";
  case ec::not_dybw:
    return "the other side does not speak dybw's protocol";
  case ec::speaks_tls:
    return "the other side speaks TLS, this one does not";
  case ec::unexpected:
    return "the message has no place at this point of the connection";
  case ec::wrong_size:
    return "the parameters are not of the run's size";
  case ec::stranger:
    return "the message is not between neighbours across this link";
  case ec::unknown_block:
    return "the message refers to a parameter block that was not sent";
  }
  return "unknown error";
}

namespace {

/// Whether the source can still hold `count` items of `item_bytes`. Sources of unknown length are believed.
bool can_hold(caf::deserializer& source, std::uint64_t count, std::uint64_t item_bytes) {
  const auto* bytes = dynamic_cast<caf::binary_deserializer*>(&source);
  return bytes == nullptr || count <= bytes->remaining() / item_bytes;
}

} // namespace

caf::error inspect(caf::serializer& sink, parameter_block& x) {
  const auto values = x.values();
  auto count = static_cast<std::uint64_t>(values.size());
  if (auto error = sink(count))
    return error;
  if (count == 0)
    return caf::none;
  // apply_raw serves reading and writing, hence its pointer; a sink only reads.
  return sink.apply_raw(values.size_bytes(), const_cast<float*>(values.data()));
}

caf::error inspect(caf::deserializer& source, parameter_block& x) {
  std::uint64_t count = 0;
  if (auto error = source(count))
    return error;
  if (count == 0) {
    x = parameter_block{};
    return caf::none;
  }
  if (count > parameters_max)
    return make_error(ec::oversized, "parameters");
  if (!can_hold(source, count, sizeof(float)))
    return make_error(ec::truncated, "parameters");
  auto buffer = std::make_shared<float_buffer>(static_cast<std::size_t>(count));
  if (auto error = source.apply_raw(buffer->values().size_bytes(), buffer->values().data()))
    return error;
  x = parameter_block{std::move(buffer)};
  return caf::none;
}

std::string to_string(const parameter_block& x) {
  return std::to_string(x.values().size()) + " float32";
}

caf::error inspect(caf::serializer& sink, membership_news& x) {
  auto count = static_cast<std::uint32_t>(x.facts ? x.facts->size() : 0);
  if (auto error = sink(count))
    return error;
  for (std::size_t i = 0; i < count; ++i) {
    auto f = (*x.facts)[i];
    if (auto error = sink(f))
      return error;
  }
  return caf::none;
}

caf::error inspect(caf::deserializer& source, membership_news& x) {
  constexpr std::uint64_t fact_bytes = 4 + 4 + 8 + 1 + 1;
  std::uint32_t count = 0;
  if (auto error = source(count))
    return error;
  if (!can_hold(source, count, fact_bytes))
    return make_error(ec::truncated, "facts");
  std::vector<fact> facts;
  for (std::uint32_t i = 0; i < count; ++i) { // grows with what is really there
    auto& f = facts.emplace_back();
    if (auto error = source(f))
      return error;
  }
  x.facts = std::make_shared<const std::vector<fact>>(std::move(facts));
  return caf::none;
}

std::string to_string(const membership_news& x) {
  return std::to_string(x.facts ? x.facts->size() : 0) + " facts";
}

} // namespace dybw
