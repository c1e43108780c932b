// What a hit and an insert that evicts cost, in nanoseconds.
//
//   block_cache_cost [seconds per row]
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "cache/block_cache.h"

namespace {

using lightning::base::EpochDomain;
using lightning::base::MemoryBudget;
using lightning::cache::Block;
using lightning::cache::BlockCache;
using lightning::cache::BlockSlot;

constexpr std::uint32_t kBlockBytes = 16 * 1024;
double seconds_per_row = 1;

std::uint64_t next(std::uint64_t& state) {  // xorshift64*, Vigna 2014
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

// Calls `step(random state)` in `threads` threads for a while; nanoseconds of processor time per call.
template <class Step>
double measure(int threads, const Step& step) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> calls{0};
  std::vector<std::thread> running;
  running.reserve(static_cast<std::size_t>(threads));
  const std::clock_t start = std::clock();
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      std::uint64_t state = static_cast<std::uint64_t>(t) + 88172645463325252ull, mine = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 64; ++i) step(state);
        mine += 64;
      }
      calls += mine;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_row));
  stop = true;
  for (std::thread& thread : running) thread.join();
  return 1e9 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(calls.load());
}

struct Bed {
  explicit Bed(std::uint64_t cache_bytes, std::uint64_t slots_count)
      : budget(cache_bytes), cache(budget, epochs), slots(new BlockSlot[slots_count]), count(slots_count) {}
  ~Bed() { cache.erase(slots.get(), count); }
  void insert(std::uint64_t i) {
    Block* block = cache.allocate(kBlockBytes);
    block->data()[0] = static_cast<char>(i);
    BlockCache::release(cache.insert(slots[i], block, true));
  }
  MemoryBudget budget;
  EpochDomain epochs;
  BlockCache cache;
  std::unique_ptr<BlockSlot[]> slots;
  const std::uint64_t count;
};

void hits(std::uint64_t blocks, int threads, bool pinned) {
  Bed bed(blocks * 20'000 + (8u << 20), blocks);
  for (std::uint64_t i = 0; i < blocks; ++i) bed.insert(i);
  std::atomic<std::uint64_t> missed{0};
  const double ns = measure(threads, [&](std::uint64_t& state) {
    const std::uint64_t i = next(state) % blocks;
    EpochDomain::Guard guard(bed.epochs);
    Block* block = bed.cache.find(bed.slots[i]);
    if (block == nullptr) {
      missed.fetch_add(1);
      return;
    }
    if (!pinned) return;
    BlockCache::pin(block);
    BlockCache::release(block);
  });
  std::printf("| guard + find%s of %6llu blocks | %d | %7.1f |%s\n", pinned ? " + pin + release" : "                 ",
              static_cast<unsigned long long>(blocks), threads, ns, missed > 0 ? " (with misses)" : "");
}

void inserts(std::uint64_t cache_blocks, int threads) {
  const std::uint64_t blocks = cache_blocks * 16;
  Bed bed(cache_blocks * 17'500, blocks);
  for (std::uint64_t i = 0; i < cache_blocks * 2; ++i) bed.insert(i);
  const double ns = measure(threads, [&](std::uint64_t& state) { bed.insert(next(state) % blocks); });
  const auto c = bed.cache.counters();
  std::printf("| allocate + insert + evict, %6llu blocks fit | %d | %7.1f | %.2f evictions per insert\n",
              static_cast<unsigned long long>(cache_blocks), threads, ns,
              static_cast<double>(c.evictions) / static_cast<double>(c.misses));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) seconds_per_row = std::strtod(argv[1], nullptr);
  std::printf("| step | threads | ns |\n|---|---:|---:|\n");
  for (const int threads : {1, 2}) {
    hits(64, threads, false);
    hits(50'000, threads, false);
    hits(50'000, threads, true);
    inserts(2'000, threads);
    inserts(50'000, threads);
  }
  return 0;
}
