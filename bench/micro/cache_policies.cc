// Hit rates of replacement policies on synthetic traces of block numbers: LRU, ARC, S3-FIFO, and CAR as the block
// cache runs it (cache::Car itself). docs/decisions/0003-cache.md quotes the table.
//
//   cache_policies [--blocks N] [--accesses N] [--seed N]
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/car.h"

namespace {

using lightning::cache::BlockSlot;
using lightning::cache::Car;
using Trace = std::vector<std::uint32_t>;

class Policy {
 public:
  virtual ~Policy() = default;
  virtual bool access(std::uint32_t block) = 0;  // true: hit
};

// A queue of block numbers that can be taken out of the middle.
class Queue {
 public:
  explicit Queue(std::uint32_t blocks) : where_(blocks), in_(blocks, 0) {}
  bool has(std::uint32_t block) const { return in_[block] != 0; }
  std::size_t size() const { return order_.size(); }
  std::uint32_t oldest() const { return order_.back(); }
  void push(std::uint32_t block) {
    order_.push_front(block);
    where_[block] = order_.begin();
    in_[block] = 1;
  }
  void remove(std::uint32_t block) {
    order_.erase(where_[block]);
    in_[block] = 0;
  }
  std::uint32_t pop() {
    const std::uint32_t block = oldest();
    remove(block);
    return block;
  }

 private:
  std::list<std::uint32_t> order_;
  std::vector<std::list<std::uint32_t>::iterator> where_;
  std::vector<char> in_;
};

class Lru : public Policy {
 public:
  Lru(std::uint32_t blocks, std::size_t capacity) : capacity_(capacity), queue_(blocks) {}
  bool access(std::uint32_t block) override {
    const bool hit = queue_.has(block);
    if (hit) {
      queue_.remove(block);
    } else if (queue_.size() == capacity_) {
      queue_.pop();
    }
    queue_.push(block);
    return hit;
  }

 private:
  const std::size_t capacity_;
  Queue queue_;
};

// Megiddo, Modha: "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003, figure 4.
class Arc : public Policy {
 public:
  Arc(std::uint32_t blocks, std::size_t capacity) : c_(capacity), t1_(blocks), t2_(blocks), b1_(blocks), b2_(blocks) {}
  bool access(std::uint32_t x) override {
    if (t1_.has(x) || t2_.has(x)) {
      (t1_.has(x) ? t1_ : t2_).remove(x);
      t2_.push(x);
      return true;
    }
    if (b1_.has(x)) {
      p_ = std::min(c_, p_ + std::max<std::size_t>(1, b2_.size() / b1_.size()));
      replace(false);
      b1_.remove(x);
      t2_.push(x);
    } else if (b2_.has(x)) {
      p_ -= std::min(p_, std::max<std::size_t>(1, b1_.size() / b2_.size()));
      replace(true);
      b2_.remove(x);
      t2_.push(x);
    } else {
      if (t1_.size() + b1_.size() == c_) {
        if (t1_.size() < c_) {
          b1_.pop();
          replace(false);
        } else {
          t1_.pop();
        }
      } else if (const std::size_t all = t1_.size() + t2_.size() + b1_.size() + b2_.size(); all >= c_) {
        if (all == 2 * c_) b2_.pop();
        replace(false);
      }
      t1_.push(x);
    }
    return false;
  }

 private:
  void replace(bool in_b2) {
    if (t1_.size() + t2_.size() < c_) return;
    if (t1_.size() > 0 && (t1_.size() > p_ || (in_b2 && t1_.size() == p_) || t2_.size() == 0)) {
      b1_.push(t1_.pop());
    } else {
      b2_.push(t2_.pop());
    }
  }
  const std::size_t c_;
  std::size_t p_ = 0;
  Queue t1_, t2_, b1_, b2_;
};

// Yang et al.: "FIFO Queues are All You Need for Cache Eviction", SOSP 2023, algorithm 1.
class S3Fifo : public Policy {
 public:
  S3Fifo(std::uint32_t blocks, std::size_t capacity)
      : capacity_(capacity),
        small_max_(std::max<std::size_t>(1, capacity / 10)),
        small_(blocks),
        main_(blocks),
        ghosts_(blocks),
        frequency_(blocks, 0) {}
  bool access(std::uint32_t x) override {
    if (small_.has(x) || main_.has(x)) {
      frequency_[x] = static_cast<char>(std::min(frequency_[x] + 1, 3));
      return true;
    }
    while (small_.size() + main_.size() >= capacity_) evict();
    if (ghosts_.has(x)) {
      ghosts_.remove(x);
      main_.push(x);
    } else {
      small_.push(x);
    }
    frequency_[x] = 0;
    return false;
  }

 private:
  void evict() {
    if (small_.size() >= small_max_ || main_.size() == 0) {
      const std::uint32_t x = small_.pop();
      if (frequency_[x] > 1) {
        frequency_[x] = 0;
        main_.push(x);
        return;
      }
      ghosts_.push(x);
      if (ghosts_.size() > capacity_ - small_max_) ghosts_.pop();
      return;
    }
    const std::uint32_t x = main_.pop();
    if (frequency_[x] == 0) return;
    --frequency_[x];
    main_.push(x);
  }
  const std::size_t capacity_, small_max_;
  Queue small_, main_, ghosts_;
  std::vector<char> frequency_;
};

class CarOfTheCache : public Policy {
 public:
  CarOfTheCache(std::uint32_t blocks, std::size_t capacity)
      : capacity_(capacity), slots_(new BlockSlot[blocks]), cached_(blocks, 0), referenced_(blocks, 0) {}
  bool access(std::uint32_t x) override {
    if (cached_[x] != 0) {
      referenced_[x] = 1;
      return true;
    }
    if (car_.blocks() == capacity_) {
      car_.evict(Car::kSizeUnit, 1, [&](BlockSlot& slot, bool last_chance) {
        const auto victim = static_cast<std::size_t>(&slot - slots_.get());
        if (referenced_[victim] != 0 && !last_chance) {
          referenced_[victim] = 0;
          return Car::Verdict::kReferenced;
        }
        cached_[victim] = 0;
        return Car::Verdict::kEvicted;
      });
    }
    car_.admit(slots_[x], Car::kSizeUnit, capacity_ * Car::kSizeUnit);
    cached_[x] = 1;
    referenced_[x] = 0;
    return false;
  }

 private:
  const std::size_t capacity_;
  std::unique_ptr<BlockSlot[]> slots_;
  std::vector<char> cached_, referenced_;
  Car car_;
};

// Rank r with probability ~ 1 / (r + 1)^theta, ranks scattered over the blocks.
class Zipf {
 public:
  Zipf(std::uint32_t blocks, double theta) : cumulative_(blocks), block_of_rank_(blocks) {
    double sum = 0;
    for (std::uint32_t r = 0; r < blocks; ++r) {
      cumulative_[r] = sum += 1 / std::pow(r + 1.0, theta);
      block_of_rank_[r] = r;
    }
  }
  Zipf(std::uint32_t blocks, double theta, std::mt19937_64& random) : Zipf(blocks, theta) { shuffle(random); }
  void shuffle(std::mt19937_64& random) { std::ranges::shuffle(block_of_rank_, random); }
  std::uint32_t draw(std::mt19937_64& random) const {
    const double u = std::uniform_real_distribution<>(0, cumulative_.back())(random);
    return block_of_rank_[static_cast<std::size_t>(std::ranges::lower_bound(cumulative_, u) - cumulative_.begin())];
  }

 private:
  std::vector<double> cumulative_;
  std::vector<std::uint32_t> block_of_rank_;
};

struct Setting {
  std::uint32_t blocks = 100'000;
  std::size_t accesses = 2'000'000;
  std::uint64_t seed = 1;
};

Trace zipf(const Setting& s, std::mt19937_64& random) {
  const Zipf z(s.blocks, 0.99, random);
  Trace trace(s.accesses);
  std::ranges::generate(trace, [&] { return z.draw(random); });
  return trace;
}

// The hot blocks become others four times.
Trace moving_zipf(const Setting& s, std::mt19937_64& random) {
  Zipf z(s.blocks, 0.99, random);
  Trace trace;
  while (trace.size() < s.accesses) {
    if (trace.size() % (s.accesses / 5) == 0) z.shuffle(random);
    trace.push_back(z.draw(random));
  }
  return trace;
}

// Half of the accesses belong to scans of a fiftieth of the blocks.
Trace zipf_and_scans(const Setting& s, std::mt19937_64& random) {
  const Zipf z(s.blocks, 0.99, random);
  const std::uint32_t length = s.blocks / 50;
  Trace trace;
  while (trace.size() < s.accesses) {
    for (std::uint32_t i = 0; i < length; ++i) trace.push_back(z.draw(random));
    const auto start = static_cast<std::uint32_t>(random() % (s.blocks - length));
    for (std::uint32_t i = 0; i < length; ++i) trace.push_back(start + i);
  }
  return trace;
}

// One scan over everything at a time, point reads in between: 1 to 1.
Trace zipf_beside_scan(const Setting& s, std::mt19937_64& random) {
  const Zipf z(s.blocks, 0.99, random);
  Trace trace;
  for (std::uint32_t at = 0; trace.size() < s.accesses; at = (at + 1) % s.blocks) {
    trace.push_back(z.draw(random));
    trace.push_back(at);
  }
  return trace;
}

// Each block is read again a moment later with probability a half: read, then modify.
Trace zipf_in_pairs(const Setting& s, std::mt19937_64& random) {
  const Zipf z(s.blocks, 0.99, random);
  Trace trace;
  while (trace.size() < s.accesses) {
    trace.push_back(z.draw(random));
    if (random() % 2 == 0)
      trace.push_back(trace[trace.size() - 1 - random() % std::min<std::size_t>(20, trace.size())]);
  }
  return trace;
}

// YCSB's "latest": Zipf by age, while a block is added every tenth access.
Trace latest(const Setting& s, std::mt19937_64& random) {
  const Zipf z(s.blocks / 2, 0.99);
  std::uint32_t newest = s.blocks / 2;
  Trace trace(s.accesses);
  for (std::size_t i = 0; i < trace.size(); ++i) {
    if (i % 10 == 0) newest = (newest + 1) % s.blocks;
    trace[i] = (newest + s.blocks - z.draw(random)) % s.blocks;
  }
  return trace;
}

// Every block is read twice per round, the second time when a sixtieth of all blocks came in between.
Trace twice(const Setting& s, std::mt19937_64&) {
  const std::uint32_t distance = s.blocks / 60;
  Trace trace;
  for (std::uint32_t at = 0; trace.size() < s.accesses; at = (at + 1) % s.blocks) {
    trace.push_back(at);
    trace.push_back((at + s.blocks - distance) % s.blocks);
  }
  return trace;
}

Trace loop(const Setting& s, std::size_t length) {
  Trace trace(s.accesses);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = static_cast<std::uint32_t>(i % length);
  return trace;
}

// In percent, without the first fifth of the trace.
double hit_rate(Policy& policy, const Trace& trace) {
  std::size_t hits = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const bool hit = policy.access(trace[i]);
    hits += hit && i >= trace.size() / 5 ? 1 : 0;
  }
  const std::size_t counted = trace.size() - trace.size() / 5;
  return 100.0 * static_cast<double>(hits) / static_cast<double>(counted);
}

void print_row(const std::string& name, const Setting& s, double share, const Trace& trace) {
  const auto capacity = static_cast<std::size_t>(share * s.blocks);
  Lru lru(s.blocks, capacity);
  Arc arc(s.blocks, capacity);
  S3Fifo s3fifo(s.blocks, capacity);
  CarOfTheCache car(s.blocks, capacity);
  std::printf("| %-22s | %4.0f %% |", name.c_str(), 100 * share);
  for (Policy* policy : {static_cast<Policy*>(&lru), static_cast<Policy*>(&arc), static_cast<Policy*>(&s3fifo),
                         static_cast<Policy*>(&car)})
    std::printf(" %6.1f |", hit_rate(*policy, trace));
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Setting s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--blocks") == 0) s.blocks = static_cast<std::uint32_t>(value);
    if (std::strcmp(argv[i], "--accesses") == 0) s.accesses = value;
    if (std::strcmp(argv[i], "--seed") == 0) s.seed = value;
  }
  std::printf("%u blocks, %zu accesses, seed %llu; hits in %%\n\n", s.blocks, s.accesses,
              static_cast<unsigned long long>(s.seed));
  std::printf("| trace                  | cache  |    LRU |    ARC | S3FIFO |    CAR |\n");
  std::printf("|------------------------|-------:|-------:|-------:|-------:|-------:|\n");
  const std::vector<std::pair<const char*, Trace (*)(const Setting&, std::mt19937_64&)>> traces = {
      {"Zipf 0.99", zipf},
      {"Zipf, moving", moving_zipf},
      {"Zipf, in pairs", zipf_in_pairs},
      {"Zipf and short scans", zipf_and_scans},
      {"Zipf beside full scan", zipf_beside_scan},
      {"Zipf by age", latest},
      {"each block twice", twice},
  };
  for (const auto& [name, make] : traces) {
    std::mt19937_64 random(s.seed);
    const Trace trace = make(s, random);
    for (const double share : {0.01, 0.05, 0.25}) print_row(name, s, share, trace);
  }
  for (const double factor : {1.05, 1.5}) {
    const double share = 0.1;
    char name[32];
    std::snprintf(name, sizeof name, "loop of %.2f caches", factor);
    print_row(name, s, share, loop(s, static_cast<std::size_t>(factor * share * s.blocks)));
  }
  return 0;
}
