#pragma once

#include "messages/control_inspect.hpp"
#include "messages/frame.hpp"

#include <cstring>
#include <limits>
#include <random>

namespace dybw::test {

/// An inspector that fills in values at random: texts and lists of any length up to a few, every option there
/// or not, doubles of any bits.
class random_filler {
public:
  using result_type = ec;
  static constexpr bool reads_state = false;
  static constexpr bool writes_state = true;

  explicit random_filler(std::mt19937_64& generator) : generator_(generator) {}

  template <class... Ts>
  ec operator()(Ts&&... xs) {
    (fill(xs), ...);
    return ec::none;
  }

private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(generator_() % n); }

  template <class T>
  void fill(T& x) {
    if constexpr (caf::meta::is_annotation<T>::value) {
    } else if constexpr (std::is_same_v<T, bool>) {
      x = below(2) == 1;
    } else if constexpr (std::is_integral_v<T>) {
      x = static_cast<T>(generator_() >> below(64));
    } else if constexpr (std::is_enum_v<T>) {
      fill_enum(x);
    } else if constexpr (std::is_same_v<T, double>) {
      x = std::bit_cast<double>(generator_());
    } else {
      fill_compound(x);
    }
  }
  template <class T>
  void fill_enum(T& x) {
    if constexpr (std::is_base_of_v<any_value, enum_range<T>>)
      x = static_cast<T>(generator_());
    else
      x = static_cast<T>(below(static_cast<std::size_t>(enum_range<T>::last) + 1));
  }
  template <class T>
  void fill_compound(T& x) {
    inspect(*this, x);
  }
  void fill_compound(std::string& x) {
    x.clear();
    for (auto n = below(20); n > 0; --n) // any other would come back cleaned
      x += below(8) == 0 ? std::string{"\xc3\xa9"} : std::string(1, static_cast<char>(' ' + below(95)));
  }
  void fill_compound(std::filesystem::path& x) {
    std::string text;
    fill_compound(text);
    x = text;
  }
  void fill_compound(nanoseconds& x) { x = nanoseconds{static_cast<std::int64_t>(generator_())}; }
  template <class T>
  void fill_compound(std::optional<T>& x) {
    x.reset();
    if (below(2) == 1)
      fill(x.emplace());
  }
  template <class T>
  void fill_compound(std::vector<T>& x) {
    x.resize(below(4));
    for (auto& item : x)
      fill(item);
  }
  void fill_compound(parameter_block& x) {
    x = parameter_block{};
    const auto count = below(10);
    if (count == 0)
      return;
    auto buffer = std::make_shared<float_buffer>(count);
    for (auto& v : buffer->values())
      v = std::bit_cast<float>(static_cast<std::uint32_t>(generator_()));
    x = parameter_block{std::move(buffer)};
  }
  void fill_compound(membership_news& x) {
    std::vector<fact> facts;
    fill_compound(facts);
    x.facts = std::make_shared<const std::vector<fact>>(std::move(facts));
  }

  std::mt19937_64& generator_;
};

template <class T>
T random_value(std::mt19937_64& generator) {
  T x{};
  random_filler{generator}(x);
  return x;
}

/// Calls `f` with a default value of every alternative.
template <class Variant, std::size_t Index = 0, class Function>
void for_each_alternative(Function f) {
  if constexpr (Index < std::variant_size_v<Variant>) {
    f(std::variant_alternative_t<Index, Variant>{});
    for_each_alternative<Variant, Index + 1>(f);
  }
}

} // namespace dybw::test
