#include "env/simulated_content.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace lightning::env {

std::uint64_t Dice::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

// --- the temper of a power cut ------------------------------------------------------------------------------------

PowerCut::PowerCut(Dice& dice) : dice_(dice) {
  // Order of SectorFate. Losing and keeping are what disks do; tearing, zeros and garbage are rarer.
  constexpr std::uint64_t kScale[] = {8, 8, 3, 2, 2};
  for (std::size_t i = 0; i < std::size(weights_); ++i)
    weights_[i] = dice_.one_in(2) ? 0 : kScale[i] * (1 + dice_.below(4));
  if (weights_[0] + weights_[1] == 0) weights_[dice_.below(2)] = 1;
  for (const std::uint64_t weight : weights_) weight_sum_ += weight;
}

PowerCut::PowerCut(Dice& dice, SectorFate always) : dice_(dice), fixed_(true), always_(always) {}

PowerCut::PowerCut(Dice& dice, SectorFate most, std::uint64_t exception)
    : dice_(dice), fixed_(true), always_(most), exception_(exception) {}

bool PowerCut::kept_now() { return (always_ == SectorFate::kNew) != (questions_++ == exception_); }

SectorFate PowerCut::sector() {
  if (fixed_) return kept_now() ? SectorFate::kNew : SectorFate::kOld;
  std::uint64_t drawn = dice_.below(weight_sum_);
  for (std::size_t i = 0;; ++i) {
    if (drawn < weights_[i]) return static_cast<SectorFate>(i);
    drawn -= weights_[i];
  }
}

std::uint64_t PowerCut::prefix(std::uint64_t pending) {
  if (fixed_) {
    end_is_exception_ = pending > 0 && questions_ == exception_;
    return pending > 0 && kept_now() ? pending : 0;
  }
  switch (dice_.below(4)) {
    case 0:
      return 0;
    case 1:
      return pending;
    default:
      return dice_.below(pending + 1);
  }
}

bool PowerCut::coin() { return fixed_ ? kept_now() : dice_.one_in(2); }

namespace {

// `now` holds the new bytes, `old` those of the disk; afterwards `now` holds what survives. Bytes that do not change
// survive in every case: what was once synced is not lost because a neighbour was written.
void apply_fate(SectorFate fate, char* now, const char* old, std::size_t bytes, Dice& dice) {
  switch (fate) {
    case SectorFate::kNew:
      break;
    case SectorFate::kOld:
      std::memcpy(now, old, bytes);
      break;
    case SectorFate::kTorn: {
      const std::size_t kept = dice.below(bytes + 1);
      std::memcpy(now + kept, old + kept, bytes - kept);
      break;
    }
    case SectorFate::kZeros:
      for (std::size_t i = 0; i < bytes; ++i)
        if (now[i] != old[i]) now[i] = 0;
      break;
    case SectorFate::kGarbage:
      for (std::size_t i = 0; i < bytes; ++i)
        if (now[i] != old[i]) now[i] = static_cast<char>(dice.next() >> 32);
      break;
  }
}

constexpr char kZeroSector[SimulatedContent::kSectorBytes] = {};

}  // namespace

// --- memory -------------------------------------------------------------------------------------------------------

SimulatedContent::~SimulatedContent() {
  if (mapped_)
    ::munmap(bytes_, capacity_);
  else
    std::free(bytes_);
}

void SimulatedContent::reserve(std::uint64_t size) {
  if (size <= capacity_) return;
  const std::uint64_t capacity = std::max<std::uint64_t>({size, capacity_ * 2, 1024});
  char* bytes = nullptr;
  if (mapped_) {
    bytes = static_cast<char*>(std::malloc(capacity));
    if (bytes == nullptr) throw std::bad_alloc();
    std::memcpy(bytes, bytes_, size_);
    written_end_ = size_;
    ::munmap(bytes_, capacity_);
    mapped_ = false;
  } else {
    bytes = static_cast<char*>(std::realloc(bytes_, capacity));  // moves pages, not bytes, where it is large
    if (bytes == nullptr) throw std::bad_alloc();
  }
  bytes_ = bytes;
  capacity_ = capacity;
}

void SimulatedContent::allocate(std::uint64_t size) {
  if (size > capacity_ && capacity_ == 0) {
    void* const mapping =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    bytes_ = static_cast<char*>(mapping);
    capacity_ = size_ = size;
    mapped_ = true;
  }
  grow_with_zeros(size);
}

void SimulatedContent::grow_with_zeros(std::uint64_t size) {
  if (size <= size_) return;
  reserve(size);
  std::memset(bytes_ + size_, 0, size - size_);
  size_ = written_end_ = size;
}

void SimulatedContent::read(std::uint64_t offset, std::span<char> into) const {
  const std::uint64_t written = std::min<std::uint64_t>(std::max(written_end_, offset) - offset, into.size());
  if (written > 0) std::memcpy(into.data(), bytes_ + offset, written);
  if (written < into.size()) std::memset(into.data() + written, 0, into.size() - written);
}

// --- writing and syncing ------------------------------------------------------------------------------------------

std::uint64_t SimulatedContent::unsynced_sectors() const {
  const std::uint64_t beyond = (size_ + kSectorBytes - 1) / kSectorBytes - durable_size_ / kSectorBytes;
  return undo_.size() + (size_ > durable_size_ ? beyond : 0);
}

std::uint64_t SimulatedContent::durable_bytes_of(std::uint64_t sector) const {
  const std::uint64_t start = sector * kSectorBytes;
  return start >= durable_size_ ? 0 : std::min(kSectorBytes, durable_size_ - start);
}

void SimulatedContent::remember(std::uint64_t sector, bool dirty) {
  if (sector >= undo_of_.size())
    undo_of_.resize(std::max<std::uint64_t>(sector + 1, (durable_size_ + kSectorBytes - 1) / kSectorBytes));
  if (undo_of_[sector] != 0) {
    undo_[undo_of_[sector] - 1].dirty |= dirty;
    return;
  }
  undo_.push_back({sector, dirty});
  undo_of_[sector] = static_cast<std::uint32_t>(undo_.size());
  const std::uint64_t start = sector * kSectorBytes;
  const std::uint64_t present = std::min(kSectorBytes, size_ - start);
  old_.insert(old_.end(), bytes_ + start, bytes_ + start + present);
  old_.resize(undo_.size() * kSectorBytes);
}

void SimulatedContent::forget(std::size_t index) {
  undo_of_[undo_[index].sector] = 0;
  const std::size_t last = undo_.size() - 1;
  if (index != last) {
    undo_[index] = undo_[last];
    undo_of_[undo_[index].sector] = static_cast<std::uint32_t>(index + 1);
    std::memcpy(old_bytes(index), old_bytes(last), kSectorBytes);
  }
  undo_.pop_back();
  old_.resize(last * kSectorBytes);
}

void SimulatedContent::write(std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
  reserve(end);
  const std::uint64_t overwritten_end = std::min(end, durable_size_);
  for (std::uint64_t at = offset; at < overwritten_end; at = (at / kSectorBytes + 1) * kSectorBytes)
    remember(at / kSectorBytes, /*dirty=*/true);
  if (offset > size_) grow_with_zeros(offset);
  std::memcpy(bytes_ + offset, bytes.data(), bytes.size());
  size_ = std::max(size_, end);
  written_end_ = std::max(written_end_, end);
}

void SimulatedContent::sync() {
  sync(0, size_);
  durable_size_ = size_;
}

void SimulatedContent::sync(std::uint64_t offset, std::uint64_t bytes) {
  if (bytes == 0) return;
  if (offset + bytes > durable_size_) durable_size_ = size_;
  const std::uint64_t first = offset / kSectorBytes, last = (offset + bytes - 1) / kSectorBytes;
  for (std::size_t i = undo_.size(); i-- > 0;)
    if (undo_[i].dirty && undo_[i].sector >= first && undo_[i].sector <= last) forget(i);
}

void SimulatedContent::sync_partly(Dice& dice) {
  for (std::size_t i = undo_.size(); i-- > 0;)
    if (undo_[i].dirty && dice.one_in(2)) forget(i);
  if (size_ > durable_size_ && dice.one_in(2)) {
    const std::uint64_t sectors = (size_ - durable_size_) / kSectorBytes;
    const std::uint64_t reached = (durable_size_ / kSectorBytes + dice.below(sectors + 2)) * kSectorBytes;
    durable_size_ = std::clamp(reached, durable_size_, size_);
  }
}

void SimulatedContent::fail_sync() {
  for (Undo& undo : undo_) undo.dirty = false;
  // The new size is on the disk, the journal saw to that; the bytes are not.
  const std::uint64_t former = durable_size_;
  durable_size_ = size_;
  for (std::uint64_t at = former; at < size_; at = (at / kSectorBytes + 1) * kSectorBytes) {
    remember(at / kSectorBytes, /*dirty=*/false);
    const std::uint64_t kept = at % kSectorBytes;  // of the sector in which the durable part ended
    std::memset(old_bytes(undo_of_[at / kSectorBytes] - 1) + kept, 0, kSectorBytes - kept);
  }
}

// --- power cut and damage -----------------------------------------------------------------------------------------

void SimulatedContent::cut_power(PowerCut& cut) {
  for (std::size_t i = 0; i < undo_.size(); ++i) {
    const SectorFate fate = undo_[i].dirty ? cut.sector() : SectorFate::kOld;
    char* const now = bytes_ + undo_[i].sector * kSectorBytes;
    apply_fate(fate, now, old_bytes(i), durable_bytes_of(undo_[i].sector), cut.dice());
    undo_of_[undo_[i].sector] = 0;
  }
  undo_.clear();
  old_.clear();

  const std::uint64_t size = durable_size_ + cut.prefix(size_ - durable_size_);
  const std::uint64_t touched = std::min(size, written_end_);  // beyond, every fate is zeros
  for (std::uint64_t at = durable_size_; at < touched;) {
    const std::uint64_t piece = std::min((at / kSectorBytes + 1) * kSectorBytes, touched) - at;
    apply_fate(cut.appended_sector(), bytes_ + at, kZeroSector, piece, cut.dice());
    at += piece;
  }
  size_ = durable_size_ = size;
  written_end_ = std::min(written_end_, size);
}

void SimulatedContent::damage(std::uint64_t offset, std::string_view bytes) {
  for (std::uint64_t i = 0; i < bytes.size() && offset + i < size_; ++i) {
    bytes_[offset + i] = bytes[i];
    written_end_ = std::max(written_end_, offset + i + 1);
    const std::uint64_t sector = (offset + i) / kSectorBytes;
    if (sector < undo_of_.size() && undo_of_[sector] != 0)
      old_bytes(undo_of_[sector] - 1)[(offset + i) % kSectorBytes] = bytes[i];
  }
}

void SimulatedContent::damage_size(std::uint64_t size) {
  if (size < size_) {
    for (std::size_t i = undo_.size(); i-- > 0;)
      if (undo_[i].sector * kSectorBytes >= size) forget(i);
  }
  const bool was_durable = durable_size_ == size_;
  grow_with_zeros(size);
  if (was_durable || durable_size_ > size) durable_size_ = size;
  size_ = size;
  written_end_ = std::min(written_end_, size);
}

}  // namespace lightning::env
