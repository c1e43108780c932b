// The design that the memtable is measured against: the lock-free skip list of LevelDB and RocksDB (height up to 12,
// one in four nodes a level higher), key and value in the node, compare-and-swap per level, on the same arena.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "base/arena.h"
#include "memtable/record.h"

namespace lightning::bench {

class SkipList {
 public:
  explicit SkipList(base::MemoryBudget& budget) : arena_(budget, base::MemoryOwner::kMemTables) {
    head_ = node_at(arena_.allocate(arena_.slot(), kHeightMax * sizeof(Link)), kHeightMax);
  }

  void add(const format::Entry& entry) {
    const int height = random_height();
    const std::size_t tower = static_cast<std::size_t>(height) * sizeof(Link);
    char* const memory =
        arena_.allocate(arena_.slot(), tower + memtable::Record::bytes(entry.key.size(), entry.value.size()));
    Link* const node = node_at(memory, height);
    const auto* const record = memtable::Record::write(memory + tower, entry);
    const memtable::Target target{record->key(), entry.sequence};
    int seen = height_.load(std::memory_order_relaxed);
    while (height > seen && !height_.compare_exchange_weak(seen, height)) {}
    std::array<Link*, kHeightMax> before, after;
    find(target, before.data(), after.data());
    for (int level = 0; level < height; ++level) {
      for (;;) {
        link(node, level).store(after[level], std::memory_order_relaxed);
        if (link(before[level], level).compare_exchange_strong(after[level], node, std::memory_order_release)) break;
        advance(target, level, before[level], after[level]);
      }
    }
  }

  const memtable::Record* find_version(const memtable::Target& target) const {
    Link* at = find(target, nullptr, nullptr);
    if (at == nullptr) return nullptr;
    const auto& record = record_of(at);
    return record.key() == target.key ? &record : nullptr;
  }

  template <class F>
  void scan(F&& each) const {
    for (Link* at = link(head_, 0).load(std::memory_order_acquire); at != nullptr;
         at = link(at, 0).load(std::memory_order_acquire))
      each(record_of(at));
  }
  std::uint64_t bytes() const { return arena_.bytes(); }

 private:
  // A node is the address of its record; its tower of links lies before it, level 0 nearest.
  struct Link {
    std::atomic<Link*> to;
  };
  static constexpr int kHeightMax = 12;

  static Link* node_at(char* memory, int height) {
    auto* const tower = reinterpret_cast<Link*>(memory);
    for (int i = 0; i < height; ++i) new (&tower[i]) Link{nullptr};
    return tower + height;
  }
  static std::atomic<Link*>& link(Link* node, int level) { return node[-1 - level].to; }
  static const memtable::Record& record_of(const Link* node) {
    return *reinterpret_cast<const memtable::Record*>(node);
  }

  static void advance(const memtable::Target& target, int level, Link*& before, Link*& after) {
    for (;;) {
      after = link(before, level).load(std::memory_order_acquire);
      if (after == nullptr || memtable::compare(record_of(after), target) >= 0) return;
      before = after;
    }
  }
  Link* find(const memtable::Target& target, Link** before, Link** after) const {
    Link* at = head_;
    Link* next = nullptr;
    Link* known_after = nullptr;  // already compared one level up
    const int height = height_.load(std::memory_order_relaxed);
    if (before != nullptr)
      for (int level = kHeightMax - 1; level >= height; --level) before[level] = head_, after[level] = nullptr;
    for (int level = height - 1; level >= 0; --level) {
      for (;;) {
        next = link(at, level).load(std::memory_order_acquire);
        if (next != nullptr) __builtin_prefetch(&link(next, level));
        if (next == nullptr || next == known_after || memtable::compare(record_of(next), target) >= 0) break;
        at = next;
      }
      known_after = next;
      if (before != nullptr) before[level] = at, after[level] = next;
    }
    return next;
  }
  static int random_height() {
    static thread_local std::uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    int height = 1;
    for (std::uint64_t bits = state; height < kHeightMax && (bits & 3) == 0; bits >>= 2) ++height;
    return height;
  }

  base::Arena arena_;
  Link* head_;
  std::atomic<int> height_{1};
};

}  // namespace lightning::bench
