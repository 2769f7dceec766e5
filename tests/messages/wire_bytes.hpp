#pragma once

#include "messages/wire.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include <initializer_list>
#include <memory>
#include <vector>

namespace dybw::test {

using bytes = std::vector<char>;

inline parameter_block block_of(std::initializer_list<float> values) {
  auto buffer = std::make_shared<float_buffer>(values.size());
  std::copy(values.begin(), values.end(), buffer->values().begin());
  return parameter_block{std::move(buffer)};
}

inline membership_news news_of(std::vector<fact> facts) {
  return {std::make_shared<const std::vector<fact>>(std::move(facts))};
}

/// The wire form; the value is a copy, since CAF's inspectors take it by mutable reference.
template <class T>
bytes bytes_of(T value) {
  bytes out;
  caf::binary_serializer sink{nullptr, out};
  const auto error = sink(value);
  return error ? bytes{} : out;
}

/// What loading says; `left_over` is how many bytes it did not read.
template <class T>
caf::error load(const bytes& in, T& value, std::size_t* left_over = nullptr) {
  caf::binary_deserializer source{nullptr, in.data(), in.size()};
  auto error = source(value);
  if (left_over != nullptr)
    *left_over = source.remaining();
  return error;
}

template <class... Numbers>
bytes numbers(Numbers... xs) {
  bytes out;
  caf::binary_serializer sink{nullptr, out};
  const auto error = sink(xs...);
  return error ? bytes{} : out;
}

inline bool is(const caf::error& error, ec code) {
  return error.category() == caf::atom("dybw") && error.code() == static_cast<std::uint8_t>(code);
}

} // namespace dybw::test
