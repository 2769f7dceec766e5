#include "learning/checkpoint/figure_file.hpp"

#include <cassert>

namespace dybw {

namespace {

constexpr std::uint64_t portion_max = 1U << 16U;

} // namespace

figure_reader::figure_reader(const std::filesystem::path& file, std::uint64_t count, std::uint32_t sum)
    : in_(file), count_(count), expected_(sum) {
  if (count > in_.bytes() / sizeof(double))
    in_.refuse("the figures of the checkpoint are cut short: " + std::to_string(in_.bytes()) + " bytes for " +
                   std::to_string(count) + " of them",
               checkpoint_reader::from_another_copy);
}

void figure_reader::next(std::span<double> figures) {
  assert(figures.size() <= left());
  for (auto& x : figures) {
    if (at_ == portion_.size())
      fill();
    x = portion_[at_++];
  }
  given_ += figures.size();
}

void figure_reader::fill() {
  portion_.resize(static_cast<std::size_t>(std::min(portion_max, count_ - read_)));
  const auto bytes = std::as_writable_bytes(std::span{portion_});
  in_.read(bytes);
  sum_.add(bytes);
  read_ += portion_.size();
  at_ = 0;
  if (read_ == count_ && sum_.value() != expected_)
    in_.refuse("the figures of the checkpoint are damaged: their checksum is wrong",
               checkpoint_reader::from_another_copy);
}

} // namespace dybw
