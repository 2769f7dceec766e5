#include "learning/data/digits.hpp"

#include "learning/base/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>

namespace dybw {

namespace {

constexpr std::size_t side = 28; // pixels
constexpr std::size_t pixel_count = side * side;
constexpr std::size_t classes = 10;
constexpr std::size_t train_samples = 10'000;
constexpr std::size_t test_samples = 2'000;

struct point {
  float x = 0; // to the right
  float y = 0; // downwards
};

/// The points a pen passes, in a box from (-1,-1) to (1,1).
using stroke = std::vector<point>;
using glyph = std::vector<stroke>;

/// Part of an ellipse. Degrees, clockwise as seen, from the right.
stroke arc(point centre, point radii, float from, float to) {
  constexpr float degrees_per_piece = 24;
  const auto pieces = static_cast<int>(std::ceil(std::abs(to - from) / degrees_per_piece));
  stroke points;
  for (int i = 0; i <= pieces; ++i) {
    const auto degrees = from + (to - from) * static_cast<float>(i) / static_cast<float>(pieces);
    const auto angle = degrees * std::numbers::pi_v<float> / 180;
    points.push_back({centre.x + radii.x * std::cos(angle), centre.y + radii.y * std::sin(angle)});
  }
  return points;
}

std::array<glyph, classes> draw_alphabet() {
  return {{
      {arc({0, 0}, {0.62F, 1}, 0, 360)},
      {{{-0.4F, -0.55F}, {0.1F, -1}, {0.1F, 1}}},
      {arc({0, -0.45F}, {0.6F, 0.55F}, -170, 40), {{0.46F, -0.1F}, {-0.6F, 1}, {0.65F, 1}}},
      {arc({-0.05F, -0.5F}, {0.55F, 0.5F}, -150, 90), arc({-0.05F, 0.5F}, {0.62F, 0.5F}, -90, 150)},
      {{{0.3F, 1}, {0.3F, -1}, {-0.65F, 0.35F}, {0.7F, 0.35F}}},
      {{{0.55F, -1}, {-0.42F, -1}, {-0.5F, -0.1F}}, arc({-0.02F, 0.38F}, {0.6F, 0.62F}, -140, 140)},
      {arc({0, 0.42F}, {0.58F, 0.58F}, 0, 360), arc({0.5F, 0.42F}, {1.08F, 1.42F}, 180, 262)},
      {{{-0.6F, -1}, {0.6F, -1}, {-0.15F, 1}}},
      {arc({0, -0.5F}, {0.5F, 0.5F}, 0, 360), arc({0, 0.5F}, {0.6F, 0.5F}, 0, 360)},
      {arc({0, -0.42F}, {0.58F, 0.58F}, 0, 360), arc({-0.5F, -0.42F}, {1.08F, 1.42F}, 0, 82)},
  }};
}

float draw_between(float low, float high, random_generator& generator) {
  return std::uniform_real_distribution<float>{low, high}(generator);
}

/// How one writer places a glyph on the paper: drawn afresh for each sample.
class hand {
public:
  explicit hand(random_generator& generator) {
    const auto angle = draw_between(-0.25F, 0.25F, generator); // radians
    const auto slant = draw_between(-0.3F, 0.3F, generator);
    const auto width = draw_between(7, 10.5F, generator); // pixels
    const auto height = draw_between(7, 10.5F, generator);
    xx_ = width * std::cos(angle);
    yx_ = width * std::sin(angle);
    xy_ = height * (slant * std::cos(angle) - std::sin(angle));
    yy_ = height * (slant * std::sin(angle) + std::cos(angle));
    bend_ = draw_between(0, 0.15F, generator);
    bend_phase_ = draw_between(0, 2 * std::numbers::pi_v<float>, generator);
    constexpr float middle = (side - 1) / 2.0F;
    shift_ = {middle + draw_between(-2.5F, 2.5F, generator), middle + draw_between(-2.5F, 2.5F, generator)};
  }

  point place(point p) const {
    const point bent{p.x + bend_ * std::sin(2.5F * p.y + bend_phase_),
                     p.y + bend_ * std::cos(2.5F * p.x + bend_phase_)};
    return {shift_.x + xx_ * bent.x + xy_ * bent.y, shift_.y + yx_ * bent.x + yy_ * bent.y};
  }

private:
  float xx_ = 0, xy_ = 0, yx_ = 0, yy_ = 0;
  float bend_ = 0;
  float bend_phase_ = 0;
  point shift_;
};

float squared_distance(point p, point a, point b) {
  const point along{b.x - a.x, b.y - a.y};
  const point to_p{p.x - a.x, p.y - a.y};
  const auto length_squared = std::max(along.x * along.x + along.y * along.y, 1e-12F);
  const auto t = std::clamp((to_p.x * along.x + to_p.y * along.y) / length_squared, 0.0F, 1.0F);
  const auto dx = to_p.x - t * along.x;
  const auto dy = to_p.y - t * along.y;
  return dx * dx + dy * dy;
}

/// The pixels from `low` to `high`, one coordinate, as far as they are on the paper.
struct pixel_range {
  std::size_t begin = 0;
  std::size_t end = 0;
  pixel_range(float low, float high)
      : begin(static_cast<std::size_t>(std::clamp(std::floor(low), 0.0F, static_cast<float>(side)))),
        end(static_cast<std::size_t>(std::clamp(std::ceil(high) + 1, 0.0F, static_cast<float>(side)))) {}
};

/// Squared distance of each pixel from the nearest stroke, exact up to `reach` pixels and larger beyond.
std::array<float, pixel_count> distances_from(const glyph& strokes, const hand& writer, float reach) {
  std::array<float, pixel_count> nearest;
  nearest.fill((reach + 1) * (reach + 1));
  for (const auto& points : strokes)
    for (std::size_t i = 1; i < points.size(); ++i) {
      const auto a = writer.place(points[i - 1]);
      const auto b = writer.place(points[i]);
      const pixel_range columns{std::min(a.x, b.x) - reach, std::max(a.x, b.x) + reach};
      const pixel_range rows{std::min(a.y, b.y) - reach, std::max(a.y, b.y) + reach};
      for (auto y = rows.begin; y < rows.end; ++y)
        for (auto x = columns.begin; x < columns.end; ++x) {
          auto& pixel = nearest[y * side + x];
          pixel = std::min(pixel, squared_distance({static_cast<float>(x), static_cast<float>(y)}, a, b));
        }
    }
  return nearest;
}

/// Noise for eight pixels per number drawn: two bytes' difference has mean zero and a triangular density.
class noise {
public:
  noise(float amplitude, random_generator& generator) : scale_(amplitude / 255), generator_(generator) {}

  float next() {
    if (bytes_left_ == 0) {
      bits_ = generator_();
      bytes_left_ = 8;
    }
    const auto difference = static_cast<int>(bits_ & 0xFFU) - static_cast<int>(bits_ >> 8U & 0xFFU);
    bits_ >>= 16U;
    bytes_left_ -= 2;
    return scale_ * static_cast<float>(difference);
  }

private:
  float scale_;
  random_generator& generator_;
  std::uint64_t bits_ = 0;
  int bytes_left_ = 0;
};

void draw_sample(const glyph& strokes, random_generator generator, std::uint8_t* pixels) {
  const hand writer{generator};
  const auto radius = draw_between(0.6F, 1.7F, generator); // of the pen, in pixels
  const auto ink = draw_between(0.6F, 1, generator);
  const auto nearest = distances_from(strokes, writer, radius + 1);
  noise grain{draw_between(0.1F, 0.4F, generator), generator};
  for (std::size_t i = 0; i < pixel_count; ++i) {
    const auto covered = std::clamp(radius + 0.5F - std::sqrt(nearest[i]), 0.0F, 1.0F);
    const auto grey = std::clamp(ink * covered + grain.next(), 0.0F, 1.0F);
    pixels[i] = static_cast<std::uint8_t>(std::lround(grey * 255));
  }
}

std::shared_ptr<const dataset> draw_part(const std::array<glyph, classes>& alphabet, std::uint64_t seed,
                                         std::size_t first, std::size_t samples) {
  auto data = std::make_shared<dataset>();
  data->features = pixel_count;
  data->image = {1, side, side};
  data->classes = classes;
  std::vector<std::uint8_t> pixels(samples * pixel_count);
  for (std::size_t i = 0; i < samples; ++i) {
    const auto digit = i % classes;
    draw_sample(alphabet[digit], make_generator(seed, random_stream::digits, first + i),
                pixels.data() + i * pixel_count);
    data->labels.push_back(static_cast<std::int32_t>(digit));
  }
  data->values = std::move(pixels);
  return data;
}

} // namespace

data_split generate_digits(std::uint64_t seed) {
  const auto alphabet = draw_alphabet();
  return {"digits", draw_part(alphabet, seed, 0, train_samples),
          draw_part(alphabet, seed, train_samples, test_samples)};
}

} // namespace dybw
