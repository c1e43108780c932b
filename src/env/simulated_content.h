// SimulatedContent: the bytes of one simulated file, as the page cache has them and as the disk has them.
//
// Held once, in the newest state, with an undo record for each 512-byte sector that differs from the disk: the sector's
// bytes as they are on the disk. Bytes beyond the durable size need no record: the disk has nothing there. So a write
// costs a copy of the sectors it dirties for the first time, a sync forgets their records, and a power cut is paid by
// what was pending, not by the size of the file.
//
// Threads: one at a time (SimulatedFileSystem has the lock).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lightning::env {

// A seeded stream: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // Below `end`, which is at least 1.
  std::uint64_t below(std::uint64_t end) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * end) >> 64);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

// What a power cut does to a sector that was written and not synced.
enum class SectorFate : std::uint8_t { kNew, kOld, kTorn, kZeros, kGarbage };

// The temper of one power cut: draws fates by weights that were themselves drawn, so that some cuts keep nearly all,
// others nothing, others tear.
class PowerCut {
 public:
  explicit PowerCut(Dice& dice);
  // Always this fate; sizes and names follow: all kept for kNew, none for all others.
  PowerCut(Dice& dice, SectorFate always);
  // The same, but for the `exception`th question, from 0, which has the opposite answer; none if there are fewer.
  PowerCut(Dice& dice, SectorFate most, std::uint64_t exception);

  SectorFate sector();
  // Of a sector in the appended end of which prefix() has kept some: an end kept as the exception is kept whole.
  SectorFate appended_sector() { return end_is_exception_ ? SectorFate::kNew : sector(); }
  // How many of `pending` ordered changes survive, from the first on.
  std::uint64_t prefix(std::uint64_t pending);
  bool coin();
  Dice& dice() { return dice_; }

 private:
  Dice& dice_;
  bool fixed_ = false;
  bool kept_now();  // if fixed
  SectorFate always_ = SectorFate::kNew;
  std::uint64_t exception_ = ~std::uint64_t{0}, questions_ = 0;
  bool end_is_exception_ = false;
  std::uint64_t weights_[5] = {};
  std::uint64_t weight_sum_ = 0;
};

class SimulatedContent {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;

  SimulatedContent() = default;
  ~SimulatedContent();
  SimulatedContent(const SimulatedContent&) = delete;
  SimulatedContent& operator=(const SimulatedContent&) = delete;

  const char* data() const { return bytes_; }
  // The bytes from `offset` on; all of them lie within the file. Does not touch memory that was never written.
  void read(std::uint64_t offset, std::span<char> into) const;
  char* data() { return bytes_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t durable_size() const { return durable_size_; }
  std::uint64_t unsynced_sectors() const;
  // Questions that cut_power() will ask, about.
  std::uint64_t pending() const { return undo_.size() + (size_ > durable_size_ ? 2 : 0); }
  bool differs_from_disk() const { return !undo_.empty() || size_ != durable_size_; }

  // Writes, growing the file with zeros as needed.
  void write(std::uint64_t offset, std::string_view bytes);
  // Grows to `size` with zeros, into memory that will not move (a log segment's mapping). Costs nothing per byte.
  void allocate(std::uint64_t size);

  // Everything written so far is on the disk.
  void sync();
  // What was written in the range is; more may be.
  void sync(std::uint64_t offset, std::uint64_t bytes);
  // A random part of what is pending reaches the disk: write-back by the kernel, or a sync that was cut short.
  void sync_partly(Dice& dice);
  // A sync that failed, as Linux has it: pages count as clean, the disk has their old bytes, no later sync will write
  // them (https://wiki.postgresql.org/wiki/Fsync_Errors).
  void fail_sync();
  // Leaves what the disk has after a power cut.
  void cut_power(PowerCut& cut);

  // Damage at rest: changes the cache and the disk alike.
  void damage(std::uint64_t offset, std::string_view bytes);
  void damage_size(std::uint64_t size);

 private:
  struct Undo {
    std::uint64_t sector;
    bool dirty;  // else lost by a failed sync: the disk will never get it
  };
  void reserve(std::uint64_t size);
  void grow_with_zeros(std::uint64_t size);
  void remember(std::uint64_t sector, bool dirty);
  void forget(std::size_t index);
  char* old_bytes(std::size_t index) { return old_.data() + index * kSectorBytes; }
  std::uint64_t durable_bytes_of(std::uint64_t sector) const;

  char* bytes_ = nullptr;
  std::uint64_t size_ = 0, capacity_ = 0, durable_size_ = 0;
  std::uint64_t written_end_ = 0;  // from here to size_, all is zero and was never touched
  bool mapped_ = false;            // bytes_ came from mmap, not malloc
  std::vector<Undo> undo_;
  std::vector<char> old_;               // kSectorBytes per undo_ entry
  std::vector<std::uint32_t> undo_of_;  // by sector: index into undo_ + 1, or 0; as long as was needed
};

}  // namespace lightning::env
