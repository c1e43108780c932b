#include "base/slab.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <new>

#include "base/pages.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define LIGHTNING_POISON(memory, bytes) ASAN_POISON_MEMORY_REGION(memory, bytes)
#define LIGHTNING_UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define LIGHTNING_POISON(memory, bytes) (static_cast<void>(memory), static_cast<void>(bytes))
#define LIGHTNING_UNPOISON(memory, bytes) (static_cast<void>(memory), static_cast<void>(bytes))
#endif

namespace lightning::base {
namespace {

// Accounting is by pages of this size. Where the system's are larger, pages are given back only with their region.
constexpr std::uint32_t kPages = SlabAllocator::kRegionBytes / kPageBytes;

// A class with this many regions takes the next one as a huge page: the part not yet in use is then at most a ninth.
constexpr std::uint32_t kHugeFromRegions = 8;
// Beyond this size the uncut end of a region would be a noticeable part of a huge page.
constexpr std::size_t kHugeClassMax = std::size_t{64} << 10;

// Resident free places: enough for a batch of retired blocks to come back without a system call, little enough not to
// matter beside what is in use.
constexpr std::uint64_t kSlackMin = std::uint64_t{256} << 10;
constexpr std::uint64_t kSlackShare = 32;

constexpr std::size_t kLinearMax = 1024;  // below: steps of 64 bytes
constexpr std::size_t kLinearStep = SlabAllocator::kAlignment;

constexpr std::uint32_t class_of(std::size_t bytes) {
  bytes = std::max(bytes, SlabAllocator::kSmallestClass);
  if (bytes <= kLinearMax) return static_cast<std::uint32_t>((bytes - 1) / kLinearStep);
  const auto doubling = static_cast<std::uint32_t>(std::bit_width(bytes - 1) - 11);  // 0: up to 2 KiB
  const std::size_t step = kLinearStep << doubling;
  const std::size_t base = kLinearMax << doubling;
  return 16 * (doubling + 1) + static_cast<std::uint32_t>((bytes - 1 - base) / step);
}

constexpr std::size_t bytes_of(std::uint32_t index) {
  if (index < 16) return (index + 1) * kLinearStep;
  const std::uint32_t doubling = index / 16 - 1;
  return (kLinearMax << doubling) + (index % 16 + 1) * (kLinearStep << doubling);
}
static_assert(bytes_of(class_of(1024)) == 1024 && bytes_of(class_of(1025)) == 1088 &&
              bytes_of(class_of(16448)) == 17408);
static_assert(class_of(SlabAllocator::kLargestClass) == 16 + 16 * 8 - 1);

void* map(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// The kernel aligns to 4 KiB; ask for twice as much and return the ends.
char* map_aligned_region() {
  constexpr std::size_t size = SlabAllocator::kRegionBytes;
  char* memory = static_cast<char*>(map(2 * size));
  if (memory == nullptr) return nullptr;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t front = round_up(address, size) - address;
  if (front > 0) ::munmap(memory, front);
  ::munmap(memory + front + size, size - front);
  return memory + front;
}

}  // namespace

// The head of a region; its objects follow. Each place is used, warm (free, pages resident) or cold (free, pages given
// back or never touched).
struct SlabAllocator::Region {
  Region* next = nullptr;
  Region* previous = nullptr;
  RegionList* list = nullptr;
  std::uint32_t size_class;
  std::uint32_t place_bytes;
  std::uint32_t places;
  std::uint32_t used = 0;
  std::uint32_t warm_count = 0;
  bool huge;
  std::array<std::uint64_t, kRegionBytes / kSmallestClass / 64> warm{};
  std::array<std::uint64_t, kRegionBytes / kSmallestClass / 64> cold{};
  std::bitset<kPages> resident;

  static constexpr std::size_t head_bytes() { return round_up(sizeof(Region), kAlignment); }
  static Region& of(void* memory) {
    return *reinterpret_cast<Region*>(reinterpret_cast<std::uintptr_t>(memory) & ~(kRegionBytes - 1));
  }
  std::size_t offset(std::uint32_t place) const { return head_bytes() + std::size_t{place} * place_bytes; }
  char* at(std::size_t position) { return reinterpret_cast<char*>(this) + position; }
  std::uint32_t place_of(const void* memory) {
    return static_cast<std::uint32_t>((static_cast<const char*>(memory) - at(head_bytes())) / place_bytes);
  }
  std::uint32_t first_page(std::uint32_t place) const { return static_cast<std::uint32_t>(offset(place) / kPageBytes); }
  std::uint32_t last_page(std::uint32_t place) const {
    return static_cast<std::uint32_t>((offset(place) + place_bytes - 1) / kPageBytes);
  }

  bool is_free(std::uint32_t place) const { return (((warm[place / 64] | cold[place / 64]) >> (place % 64)) & 1) != 0; }
  // Whether nothing in use touches `page`.
  bool page_is_free(std::uint32_t page) const {
    const std::size_t begin = page * kPageBytes;
    if (begin < head_bytes()) return false;
    const std::size_t first = (begin - head_bytes()) / place_bytes;
    const std::size_t last = std::min<std::size_t>((begin + kPageBytes - 1 - head_bytes()) / place_bytes, places - 1);
    for (std::size_t place = first; place <= last; ++place)
      if (!is_free(static_cast<std::uint32_t>(place))) return false;
    return true;
  }
  std::uint32_t lowest(const auto& bits) const {
    for (std::uint32_t word = 0;; ++word)
      if (bits[word] != 0) return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits[word]));
  }
  // Marks the pages of `place` resident; the number that were not.
  std::uint32_t touch(std::uint32_t place) {
    std::uint32_t fresh = 0;
    for (std::uint32_t page = first_page(place); page <= last_page(place); ++page) {
      fresh += resident[page] ? 0 : 1;
      resident[page] = true;
    }
    return fresh;
  }
  void leave_list() {
    if (list == nullptr) return;
    (previous == nullptr ? list->head : previous->next) = next;
    if (next != nullptr) next->previous = previous;
    list = nullptr;
  }
  void enter(RegionList& target) {
    list = &target;
    previous = nullptr;
    next = target.head;
    if (next != nullptr) next->previous = this;
    target.head = this;
  }
};

std::size_t SlabAllocator::footprint(std::size_t bytes) {
  return bytes > kLargestClass ? round_up(bytes, kPageBytes) : bytes_of(class_of(bytes));
}

SlabAllocator::~SlabAllocator() {
  MutexLock lock(mutex_);
  for (SizeClass& size_class : classes_) {
    for (RegionList* list : {&size_class.warm, &size_class.cold}) {
      while (Region* region = list->head) {
        region->leave_list();
        hold(-static_cast<std::int64_t>(region->resident.count() * kPageBytes));
        LIGHTNING_UNPOISON(region, kRegionBytes);
        ::munmap(region, kRegionBytes);
      }
    }
  }
}

void* SlabAllocator::allocate(std::size_t bytes) {
  if (bytes > kLargestClass) return allocate_large(bytes);
  const std::uint32_t index = class_of(bytes);
  MutexLock lock(mutex_);
  SizeClass& size_class = classes_[index];
  Region* region = size_class.warm.head;
  if (region == nullptr) region = size_class.cold.head;
  if (region == nullptr) region = map_region(index);
  return region == nullptr ? nullptr : take(*region);
}

void SlabAllocator::free(void* memory, std::size_t bytes) {
  if (bytes > kLargestClass) return free_large(memory, bytes);
  Region* empty = nullptr;
  {
    MutexLock lock(mutex_);
    Region& region = Region::of(memory);
    const std::uint32_t place = region.place_of(memory);
    LIGHTNING_POISON(memory, region.place_bytes);
    live_.fetch_sub(region.place_bytes, std::memory_order_relaxed);
    region.warm[place / 64] |= std::uint64_t{1} << (place % 64);
    ++region.warm_count;
    --region.used;
    const bool too_large = slack_is_too_large();
    if (region.used == 0 && too_large) {
      region.leave_list();
      --classes_[region.size_class].regions;
      hold(-static_cast<std::int64_t>(region.resident.count() * kPageBytes));
      empty = &region;
    } else {
      if (too_large) give_back(region, place);
      file(region);
      // What was kept when more was in use is too much now.
      Region* other = classes_[region.size_class].warm.head;
      if (too_large && other != nullptr && slack_is_too_large()) {
        give_back(*other, other->lowest(other->warm));
        file(*other);
      }
    }
  }
  if (empty != nullptr) {
    LIGHTNING_UNPOISON(empty, kRegionBytes);
    ::munmap(empty, kRegionBytes);
  }
}

void* SlabAllocator::allocate_large(std::size_t bytes) {
  const std::size_t size = round_up(bytes, kPageBytes);
  void* memory = map(size);
  if (memory == nullptr) return nullptr;
  live_.fetch_add(size, std::memory_order_relaxed);
  hold(static_cast<std::int64_t>(size));
  return memory;
}

void SlabAllocator::free_large(void* memory, std::size_t bytes) {
  const std::size_t size = round_up(bytes, kPageBytes);
  ::munmap(memory, size);
  live_.fetch_sub(size, std::memory_order_relaxed);
  hold(-static_cast<std::int64_t>(size));
}

SlabAllocator::Region* SlabAllocator::map_region(std::uint32_t index) {
  char* memory = map_aligned_region();
  if (memory == nullptr) return nullptr;
  SizeClass& size_class = classes_[index];
  const std::size_t place_bytes = bytes_of(index);
  const bool huge = size_class.regions >= kHugeFromRegions && place_bytes <= kHugeClassMax;
  if (huge) ::madvise(memory, kRegionBytes, MADV_HUGEPAGE);
  ++size_class.regions;

  Region* region = new (memory) Region;
  region->size_class = index;
  region->place_bytes = static_cast<std::uint32_t>(place_bytes);
  region->places = static_cast<std::uint32_t>((kRegionBytes - Region::head_bytes()) / place_bytes);
  region->huge = huge;
  for (std::uint32_t place = 0; place < region->places; ++place) {
    (huge ? region->warm : region->cold)[place / 64] |= std::uint64_t{1} << (place % 64);
  }
  if (huge) {
    region->warm_count = region->places;
    region->resident.set();  // the first touch brings all of it
  } else {
    for (std::size_t page = 0; page * kPageBytes < Region::head_bytes(); ++page) region->resident.set(page);
  }
  hold(static_cast<std::int64_t>(region->resident.count() * kPageBytes));
  LIGHTNING_POISON(memory + Region::head_bytes(), kRegionBytes - Region::head_bytes());
  file(*region);
  return region;
}

// Warm places first: a cold one costs page faults.
void* SlabAllocator::take(Region& region) {
  std::uint32_t place;
  if (region.warm_count > 0) {
    place = region.lowest(region.warm);
    region.warm[place / 64] &= ~(std::uint64_t{1} << (place % 64));
    --region.warm_count;
  } else {
    place = region.lowest(region.cold);
    region.cold[place / 64] &= ~(std::uint64_t{1} << (place % 64));
  }
  ++region.used;
  if (const std::uint32_t fresh = region.touch(place); fresh > 0) hold(std::int64_t{fresh} * std::int64_t{kPageBytes});
  live_.fetch_add(region.place_bytes, std::memory_order_relaxed);
  file(region);
  void* memory = region.at(region.offset(place));
  LIGHTNING_UNPOISON(memory, region.place_bytes);
  return memory;
}

// Puts the region into the list where allocate() looks for it. One that enters goes to the front: it has just one free
// place, and regions that are nearly full should fill while sparse ones become empty.
void SlabAllocator::file(Region& region) {
  SizeClass& size_class = classes_[region.size_class];
  RegionList* right = region.warm_count > 0         ? &size_class.warm
                      : region.used < region.places ? &size_class.cold
                                                    : nullptr;
  if (region.list == right) return;
  region.leave_list();
  if (right != nullptr) region.enter(*right);
}

// Makes a warm place cold: returns the pages under it to the system, those shared with free neighbours included.
void SlabAllocator::give_back(Region& region, std::uint32_t place) {
  region.warm[place / 64] &= ~(std::uint64_t{1} << (place % 64));
  region.cold[place / 64] |= std::uint64_t{1} << (place % 64);
  --region.warm_count;
  std::uint32_t first = region.first_page(place);
  std::uint32_t end = region.last_page(place) + 1;
  while (first < end && !region.page_is_free(first)) ++first;
  while (first < end && !region.page_is_free(end - 1)) --end;
  if (first == end) return;
  if (region.huge) {
    // Or khugepaged would fill the holes again, behind the books.
    ::madvise(region.at(0), kRegionBytes, MADV_NOHUGEPAGE);
    region.huge = false;
  }
  if (::madvise(region.at(first * kPageBytes), (end - first) * kPageBytes, MADV_DONTNEED) != 0) return;
  std::int64_t pages = 0;
  for (std::uint32_t page = first; page < end; ++page) {
    pages += region.resident[page] ? 1 : 0;
    region.resident[page] = false;
  }
  hold(-pages * std::int64_t{kPageBytes});
}

void SlabAllocator::hold(std::int64_t bytes) {
  held_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  budget_.charge(owner_, bytes);
}

bool SlabAllocator::slack_is_too_large() const {
  const std::uint64_t held = held_bytes();
  const std::uint64_t live = live_bytes();
  return held > live && held - live > std::max(kSlackMin, held / kSlackShare);
}

}  // namespace lightning::base
