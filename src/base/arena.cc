#include "base/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "base/pages.h"

namespace lightning::base {
namespace {

constexpr std::size_t kFirstChunkBytes = 64 << 10;  // an empty memtable should cost next to nothing
constexpr std::size_t kChunkBytesMax = 4 << 20;
constexpr std::size_t kFirstRegionBytes = 4 << 10;
constexpr std::size_t kRegionBytesMax = 64 << 10;
constexpr std::size_t kCarvedBytesMax = 1 << 20;  // more than this gets a chunk of its own

// Zeroed pages, or null. From 2 MiB on aligned to 2 MiB, with huge pages asked for.
char* map_pages(std::size_t bytes) {
  const bool huge = bytes >= kHugePageBytes;
  const std::size_t asked = huge ? bytes + kHugePageBytes : bytes;
  void* const got = ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  char* const first = static_cast<char*>(got);
  if (!huge) return first;
  char* const base =
      first + (kHugePageBytes - reinterpret_cast<std::uintptr_t>(first) % kHugePageBytes) % kHugePageBytes;
  if (base != first) ::munmap(first, static_cast<std::size_t>(base - first));
  if (char* const end = first + asked; end != base + bytes)
    ::munmap(base + bytes, static_cast<std::size_t>(end - (base + bytes)));
  ::madvise(base, bytes, MADV_HUGEPAGE);  // advice: where the system declines, small pages do
  return base;
}

constexpr std::size_t kSlotBytes = 128;
constexpr std::size_t kSlotTableBytes = round_up(kThreadSlotsNear * kSlotBytes, kPageBytes);
constexpr std::size_t far_table_bytes(std::uint32_t chunk) {
  return round_up(FarSlot::slots_of(chunk) * kSlotBytes, kPageBytes);
}

}  // namespace

Arena::Arena(MemoryBudget& budget, MemoryOwner owner, std::uint64_t mapped_bytes_max)
    : budget_(budget),
      owner_(owner),
      mapped_bytes_max_(mapped_bytes_max),
      slots_(reinterpret_cast<Slot*>(map_pages(kSlotTableBytes))),
      next_chunk_bytes_(kFirstChunkBytes) {
  static_assert(sizeof(Slot) == kSlotBytes);
  if (slots_ == nullptr) throw std::bad_alloc();
}

Arena::~Arena() {
  budget_.charge(owner_, -static_cast<std::int64_t>(bytes()));
  {
    MutexLock lock(mutex_);
    for (const Chunk& chunk : chunks_) ::munmap(chunk.base, chunk.bytes);
  }
  ::munmap(slots_, kSlotTableBytes);
  for (std::uint32_t chunk = 0; chunk < FarSlot::kChunks; ++chunk)
    if (Slot* const slots = far_slots_[chunk].load(std::memory_order_relaxed)) ::munmap(slots, far_table_bytes(chunk));
}

Arena::Slot* Arena::far_slot_or_null(std::uint32_t slot) {
  const FarSlot far(slot);
  Slot* slots = far_slots_[far.chunk].load(std::memory_order_acquire);
  if (slots == nullptr) {
    const std::size_t bytes = far_table_bytes(far.chunk);
    auto* const made = reinterpret_cast<Slot*>(map_pages(bytes));
    if (made == nullptr) return nullptr;
    if (far_slots_[far.chunk].compare_exchange_strong(slots, made, std::memory_order_acq_rel)) {
      slots = made;
    } else {
      ::munmap(made, bytes);  // another thread came first
    }
  }
  return &slots[far.index];
}

Status Arena::promise(Slot& slot, std::uint64_t allocations, std::uint64_t bytes) {
  const std::uint64_t wanted = slot.promised + bytes + allocations * (kAlignment - 1);
  if (slot.small.room() < wanted && slot.large.room() < wanted) {
    // Replacing a region loses what is left in it, so only small promises may replace `small`, while a large one gets
    // exactly its size.
    const bool fits_small = wanted <= kRegionBytesMax / 16;
    MutexLock lock(mutex_);
    const Region region = wanted > SIZE_MAX / 2 ? Region{}
                          : fits_small          ? take(wanted, std::max<std::size_t>(wanted, next_region_bytes(slot)))
                                                : take(wanted, wanted);
    if (region.cursor == nullptr)
      return Error(ErrorCode::kOutOfMemory, "no memory for " + std::to_string(bytes) + " bytes of entries");
    (fits_small ? slot.small : slot.large) = region;
  }
  slot.promised_allocations += allocations;
  slot.promised = wanted;
  return {};
}

void Arena::withdraw(Slot& slot, std::uint64_t allocations, std::uint64_t bytes) {
  slot.promised_allocations -= allocations;
  slot.promised -= bytes + allocations * (kAlignment - 1);
}

Status Arena::set_aside(Slot& slot, std::uint64_t bytes) {
  const auto need = static_cast<std::int64_t>(bytes);
  if (slot.aside < need) {
    MutexLock lock(mutex_);
    const auto missing = static_cast<std::uint64_t>(need - slot.aside);
    const std::uint64_t grant = std::max<std::uint64_t>(missing, kFirstRegionBytes + slot.region_bytes);
    while (usable() < set_aside_ + grant) {
      if (!map_chunk(kFirstChunkBytes))
        return Error(ErrorCode::kOutOfMemory, "no memory for the index of " + std::to_string(bytes) + " bytes");
    }
    set_aside_ += grant;
    slot.aside += static_cast<std::int64_t>(grant);
  }
  slot.aside -= need;
  return {};
}

void Arena::prepare_block(Slot& slot, std::size_t bytes) {
  if (slot.blocks.room() >= bytes) return;
  MutexLock lock(mutex_);
  Region region = take(bytes, std::max(bytes, next_region_bytes(slot) / 2));
  if (region.cursor == nullptr && set_aside_ >= bytes) {
    region = take_from_chunks(bytes, bytes, set_aside_ - bytes);
    if (region.cursor != nullptr) {
      set_aside_ -= bytes;
      slot.aside -= static_cast<std::int64_t>(bytes);
    }
  }
  if (region.cursor == nullptr) throw std::bad_alloc();
  slot.blocks = region;
}

std::size_t Arena::next_region_bytes(Slot& slot) const {
  slot.region_bytes = std::clamp(slot.region_bytes * 2, kFirstRegionBytes, kRegionBytesMax);
  return slot.region_bytes;
}

// Between `need` and `want` bytes, never out of what is set aside; an empty region when the system refuses.
Arena::Region Arena::take(std::size_t need, std::size_t want) {
  need = round_up(need, kBlockAlignment);
  want = round_up(want, kBlockAlignment);
  if (need > kCarvedBytesMax) return take_whole_chunk(need);
  while (usable() < set_aside_ + want && map_chunk(want)) {}
  Region region = take_from_chunks(need, want, set_aside_);
  if (region.cursor == nullptr && map_chunk(need)) region = take_from_chunks(need, want, set_aside_);
  return region;
}

// First fit among the chunks, leaving at least `keep` usable bytes behind.
Arena::Region Arena::take_from_chunks(std::size_t need, std::size_t want, std::uint64_t keep) {
  if (usable() < keep + need) return {};
  while (first_open_ < chunks_.size() && chunks_[first_open_].free.room() < kBlockBytesMax) ++first_open_;
  const std::size_t spare = usable() - keep;
  for (std::size_t i = first_open_; i < chunks_.size(); ++i) {
    const std::size_t room = chunks_[i].free.room();
    if (room >= need) return hand_out(chunks_[i], std::max(need, std::min({want, room, spare})));
  }
  return {};
}

Arena::Region Arena::take_whole_chunk(std::size_t need) {
  if (!map(round_up(need, kPageBytes))) return {};
  return hand_out(chunks_.back(), chunks_.back().free.room());
}

Arena::Region Arena::hand_out(Chunk& chunk, std::size_t bytes) {
  bytes = bytes / kBlockAlignment * kBlockAlignment;
  const Region region{chunk.free.cursor, chunk.free.cursor + bytes};
  chunk.free.cursor += bytes;
  handed_out_.fetch_add(bytes, std::memory_order_relaxed);
  budget_.charge(owner_, static_cast<std::int64_t>(bytes));
  return region;
}

// A chunk's last kBlockBytesMax bytes do not count: a block might not fit there.
std::uint64_t Arena::usable() const {
  std::uint64_t sum = 0;
  for (std::size_t i = first_open_; i < chunks_.size(); ++i) {
    const std::size_t room = chunks_[i].free.room();
    sum += room > kBlockBytesMax ? room - kBlockBytesMax : 0;
  }
  return sum;
}

bool Arena::map_chunk(std::size_t need) {
  const std::size_t least = round_up(need + kBlockBytesMax, kPageBytes);
  const std::size_t wanted = std::max(least, next_chunk_bytes_);
  next_chunk_bytes_ = std::min(next_chunk_bytes_ * 2, kChunkBytesMax);
  return map(wanted) || (least < wanted && map(least));
}

bool Arena::map(std::size_t bytes) {
  if (mapped_ > mapped_bytes_max_ || bytes > mapped_bytes_max_ - mapped_) return false;
  try {
    chunks_.reserve(chunks_.size() + 1);
  } catch (const std::bad_alloc&) {
    return false;
  }
  char* const base = map_pages(bytes);
  if (base == nullptr) return false;
  chunks_.push_back({base, bytes, {base, base + bytes}});
  mapped_ += bytes;
  return true;
}

}  // namespace lightning::base
