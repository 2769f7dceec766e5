#pragma once

#include "learning/base/types.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace dybw {

/// Mean of what was added; 0 before anything was.
class running_mean {
public:
  void add(double x) noexcept {
    sum_ += x;
    ++count_;
  }
  void merge(const running_mean& other) noexcept {
    sum_ += other.sum_;
    count_ += other.count_;
  }
  double mean() const noexcept { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  std::uint64_t count() const noexcept { return count_; }
  double sum() const noexcept { return sum_; }

private:
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

/// Mean of a sample with its 95 % confidence interval, mean() +- half_width() (Student's t).
class sample_mean {
public:
  void add(double x) noexcept {
    ++count_;
    const auto off = x - mean_; // Welford's recurrence
    mean_ += off / static_cast<double>(count_);
    squares_ += off * (x - mean_);
  }

  std::uint64_t count() const noexcept { return count_; }
  double mean() const noexcept { return mean_; }
  /// 0 for fewer than two values.
  double half_width() const noexcept {
    if (count_ < 2)
      return 0;
    const auto n = static_cast<double>(count_);
    return student_t(count_ - 1) * std::sqrt(squares_ / (n - 1) / n);
  }

private:
  /// Two-sided 95 % quantile.
  static double student_t(std::uint64_t freedom) noexcept {
    static constexpr std::array t{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                  2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
    return freedom <= t.size() ? t[freedom - 1] : 1.96 + 2.4 / static_cast<double>(freedom);
  }

  std::uint64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

/// Counts of durations in buckets of an eighth of an octave: quantiles to within 13 %, in 4 KiB, without
/// allocation.
class duration_histogram {
public:
  void add(nanoseconds t) noexcept {
    ++buckets_[bucket_of(t)];
    ++count_;
    max_ = std::max(max_, t);
  }

  void merge(const duration_histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  std::uint64_t count() const noexcept { return count_; }
  nanoseconds max() const noexcept { return max_; }

  /// Upper end of the bucket that holds the quantile q in [0,1]; 0 before anything was added.
  nanoseconds quantile(double q) const noexcept {
    auto rest = static_cast<double>(count_) * q;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      rest -= static_cast<double>(buckets_[i]);
      if (buckets_[i] > 0 && rest <= 0)
        return std::min(max_, upper_end(i));
    }
    return max_;
  }

private:
  static constexpr std::size_t parts = 8; ///< buckets per octave

  static std::size_t bucket_of(nanoseconds t) noexcept {
    const auto x = static_cast<std::uint64_t>(std::max<std::int64_t>(t.count(), 0));
    if (x < parts)
      return static_cast<std::size_t>(x);
    const auto octave = static_cast<std::size_t>(std::bit_width(x)) - 4; // x in [8,16) << octave
    return parts + octave * parts + static_cast<std::size_t>((x >> octave) - parts);
  }
  static nanoseconds upper_end(std::size_t bucket) noexcept {
    if (bucket < parts)
      return nanoseconds{static_cast<std::int64_t>(bucket)};
    const auto octave = (bucket - parts) / parts;
    const auto part = (bucket - parts) % parts;
    return nanoseconds{static_cast<std::int64_t>(((part + parts + 1) << octave) - 1)};
  }

  std::array<std::uint64_t, 62 * parts> buckets_{};
  std::uint64_t count_ = 0;
  nanoseconds max_{0};
};

} // namespace dybw
