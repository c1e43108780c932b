#include "base/epoch.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace lightning::base {

namespace {

// Scanning the readers' slots is spread over this many retirements.
constexpr std::size_t kRetiredPerCollection = 64;

}  // namespace

// Why it is safe. An object is retired, under mutex_, with the epoch e of that moment, after it was unpublished.
//  - A reader announced with an epoch above e read a number that collect() stored under mutex_ after that retirement:
//    the unpublishing happened before, so the reader cannot find the object.
//  - A reader announced with e or less may hold it, and keeps oldest_reader() at or below e.
//  - A reader whose announcement the scan did not see announces after it, in the single order of seq_cst operations,
//    and reads published pointers later still: it finds them as they were after the unpublishing.

EpochDomain::~EpochDomain() {
  for (const Retired& r : retired_) r.free(r.object);
}

void EpochDomain::retire(void* object, void (*free)(void*)) {
  bool due = false;
  {
    MutexLock lock(mutex_);
    retired_.push_back({global_.load(std::memory_order_relaxed), object, free});
    due = ++since_collection_ >= kRetiredPerCollection;
  }
  if (due) collect();
}

void EpochDomain::collect() {
  std::vector<Retired> safe;
  {
    MutexLock lock(mutex_);
    since_collection_ = 0;
    if (retired_.empty()) return;
    global_.fetch_add(1, std::memory_order_seq_cst);  // who enters from now on is no obstacle
    const std::uint64_t oldest = oldest_reader();
    // Epochs never fall along the queue.
    const auto end = std::ranges::find_if(retired_, [&](const Retired& r) { return r.epoch >= oldest; });
    safe.assign(retired_.begin(), end);
    retired_.erase(retired_.begin(), end);
  }
  for (const Retired& r : safe) r.free(r.object);
}

std::uint64_t EpochDomain::retired() const {
  MutexLock lock(mutex_);
  return retired_.size();
}

std::uint64_t EpochDomain::oldest_reader() const {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  slots_.for_each([&](const Slot& slot) {
    const std::uint64_t epoch = slot.epoch.load(std::memory_order_seq_cst);
    if (epoch != 0) oldest = std::min(oldest, epoch);
  });
  return oldest;
}

}  // namespace lightning::base
