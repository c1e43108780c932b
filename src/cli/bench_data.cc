#include "cli/bench_data.h"

#include <algorithm>
#include <cmath>

namespace lightning::cli {

namespace {

constexpr double kTheta = 0.99;

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

double zeta(std::uint64_t items) {
  double sum = 0;
  for (std::uint64_t i = 1; i <= items; ++i) sum += std::pow(1.0 / static_cast<double>(i), kTheta);
  return sum;
}

}  // namespace

std::uint64_t BenchRandom::next() { return mixed(state_ += 0x9e3779b97f4a7c15u); }

std::string_view KeyMaker::key(std::uint64_t number) {
  // The last digit is always 0, so that absent keys fit between.
  key_.back() = '0';
  for (std::size_t at = key_.size() - 1; at-- > 0; number /= 10) key_[at] = static_cast<char>('0' + number % 10);
  return key_;
}

std::string_view KeyMaker::absent_key(std::uint64_t number) {
  key(number);
  key_.back() = '5';
  return key_;
}

ValueMaker::ValueMaker(std::size_t bytes, std::uint64_t seed) : bytes_(bytes) {
  constexpr std::size_t kPieceBytes = 64;
  BenchRandom random(seed);
  pool_.reserve(std::max<std::size_t>(1 << 20, bytes * 2));
  while (pool_.size() < std::max<std::size_t>(1 << 20, bytes * 2)) {
    for (std::size_t i = 0; i < kPieceBytes / 2; ++i) pool_ += static_cast<char>(' ' + random.below(95));
    pool_.append(kPieceBytes / 2, 'x');
  }
}

std::string_view ValueMaker::next() {
  if (at_ + bytes_ > pool_.size()) at_ = 0;
  const std::string_view value(pool_.data() + at_, bytes_);
  at_ += bytes_ + 1;
  return value;
}

Zipf::Zipf(std::uint64_t items)
    : items_(items),
      zeta_(zeta(items)),
      alpha_(1.0 / (1.0 - kTheta)),
      eta_((1.0 - std::pow(2.0 / static_cast<double>(items), 1.0 - kTheta)) /
           (1.0 - zeta(std::min<std::uint64_t>(2, items)) / zeta_)) {}

std::uint64_t Zipf::rank(BenchRandom& random) const {
  const double u = random.unit(), scaled = u * zeta_;
  if (scaled < 1.0) return 0;
  if (scaled < 1.0 + std::pow(0.5, kTheta)) return std::min<std::uint64_t>(1, items_ - 1);
  const auto rank = static_cast<std::uint64_t>(static_cast<double>(items_) * std::pow(eta_ * u - eta_ + 1.0, alpha_));
  return std::min(rank, items_ - 1);
}

std::uint64_t Zipf::pick(BenchRandom& random) const { return mixed(rank(random) + 1) % items_; }

}  // namespace lightning::cli
