#include "cache/car.h"

#include <algorithm>
#include <new>

namespace lightning::cache {
namespace {

// Ghosts forgotten per admission at most: after the capacity fell they go step by step, not all under one lock.
constexpr int kDropsMax = 64;

}  // namespace

bool Car::admit(BlockSlot& slot, std::uint64_t bytes, std::uint64_t capacity) {
  ListName to = kRecent;
  if (slot.node_ != 0) {
    learn(node(slot.node_).list, bytes, capacity);
    unlink(slot.node_);
    to = kFrequent;
  } else {
    slot.node_ = new_node();
    if (slot.node_ == 0) return false;
    node(slot.node_).slot = &slot;
  }
  node(slot.node_).size = static_cast<std::uint32_t>(bytes / kSizeUnit);
  push_newest(to, slot.node_);
  limit_ghosts(capacity);
  return true;
}

void Car::forget(BlockSlot& slot) {
  if (slot.node_ == 0) return;
  unlink(slot.node_);
  free_node(slot.node_);
  slot.node_ = 0;
}

Car::ListName Car::hand() const {
  const bool recent = list(kRecent).count > 0 && list(kRecent).bytes >= target_;
  return recent || list(kFrequent).count == 0 ? kRecent : kFrequent;
}

// The rarer the list's ghosts are, the more one that comes back tells.
void Car::learn(ListName ghosts, std::uint64_t bytes, std::uint64_t capacity) {
  const std::uint64_t recent = list(kRecentGhosts).bytes, frequent = list(kFrequentGhosts).bytes;
  if (ghosts == kRecentGhosts) {
    target_ = std::min(capacity, target_ + bytes * std::max<std::uint64_t>(1, frequent / recent));
  } else {
    target_ -= std::min(target_, bytes * std::max<std::uint64_t>(1, recent / frequent));
  }
}

void Car::limit_ghosts(std::uint64_t capacity) {
  target_ = std::min(target_, capacity);
  const List& b1 = list(kRecentGhosts);
  const List& b2 = list(kFrequentGhosts);
  for (int drops = 0; drops < kDropsMax; ++drops) {
    if (b1.count > 0 && recent_bytes() + b1.bytes > capacity) {
      drop_oldest(kRecentGhosts);
    } else if (recent_bytes() + frequent_bytes() + b1.bytes + b2.bytes > 2 * capacity && b1.count + b2.count > 0) {
      drop_oldest(b2.count > 0 ? kFrequentGhosts : kRecentGhosts);
    } else {
      return;
    }
  }
}

void Car::drop_oldest(ListName ghosts) { forget(*node(list(ghosts).oldest).slot); }

std::uint32_t Car::new_node() {
  if (free_ != 0) {
    const std::uint32_t index = free_;
    free_ = node(index).next;
    return index;
  }
  if (unused_ == chunks_.size() * kChunkNodes) {
    std::unique_ptr<Node[]> chunk(new (std::nothrow) Node[kChunkNodes]);
    if (chunk == nullptr) return 0;
    chunks_.push_back(std::move(chunk));
    if (unused_ == 0) ++unused_;
  }
  return unused_++;
}

void Car::free_node(std::uint32_t index) {
  node(index).next = free_;
  free_ = index;
}

void Car::push_newest(ListName name, std::uint32_t index) {
  List& l = list(name);
  Node& n = node(index);
  n.list = name;
  n.next = 0;
  n.previous = l.newest;
  (l.newest == 0 ? l.oldest : node(l.newest).next) = index;
  l.newest = index;
  l.bytes += n.bytes();
  ++l.count;
}

void Car::unlink(std::uint32_t index) {
  const Node& n = node(index);
  List& l = list(n.list);
  (n.previous == 0 ? l.oldest : node(n.previous).next) = n.next;
  (n.next == 0 ? l.newest : node(n.next).previous) = n.previous;
  l.bytes -= n.bytes();
  --l.count;
}

}  // namespace lightning::cache
