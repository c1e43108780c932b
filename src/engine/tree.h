// Tree: one keyspace in memory: its memtables and the tables of its current version, behind one pointer.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "base/sync.h"
#include "engine/keeper.h"
#include "format/ids.h"
#include "format/range_cover.h"
#include "lightning/keyspace_options.h"
#include "lightning/merge_operator.h"
#include "lightning/types.h"
#include "manifest/version.h"
#include "memtable/memtable.h"
#include "wal/wal.h"

namespace lightning::engine {

// A memtable with the range of sequences that it can hold: after < sequence <= last.
struct MemTableSpan {
  std::shared_ptr<memtable::MemTable> table;
  Sequence after = 0;
  Sequence last = format::kSequenceMax;  // set when it is sealed
  std::uint64_t chain = 0;               // of the log behind `last`, likewise
  std::uint64_t records = 0;             // of a counted keyspace at `last`, likewise
  wal::LogPosition end() const { return {last, chain}; }
};

// What a read of one keyspace looks at, newest first. Immutable; replaced whole. Readers reach it inside an epoch
// guard, and pin() it if they must keep it longer.
class ReadView {
 public:
  ReadView(MemTableSpan newest, std::vector<MemTableSpan> older, manifest::VersionPtr tables)
      : active(std::move(newest)), sealed(std::move(older)), version(std::move(tables)) {
    // Reads look at the active memtable first, and learn from it that there are ranges anywhere: one test for all.
    bool ranges = version->ranges != nullptr;
    for (const MemTableSpan& span : sealed) ranges = ranges || span.table->erased().any();
    if (ranges) active.table->note_ranges_below();
  }
  // What erased ranges hide at `at`, from all that the view holds. Inside an epoch guard, or pinned.
  Sequence covering(std::string_view key, Sequence at) const;
  // The same as one object, for cursors; null: nothing. Lives no longer than the view.
  std::unique_ptr<const format::RangeCover> cover(Sequence at) const;
  // The ranges of the sealed memtables together.
  format::RangeTombstones sealed_ranges() const;
  void pin() const { pins_.fetch_add(1, std::memory_order_relaxed); }
  void unpin() const {
    if (pins_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  const MemTableSpan active;
  const std::vector<MemTableSpan> sealed;  // newest first
  const manifest::VersionPtr version;

 private:
  ~ReadView() = default;
  mutable std::atomic<std::uint32_t> pins_{1};  // the tree's own
};

struct Unpin {
  void operator()(const ReadView* view) const { view->unpin(); }
};
using PinnedView = std::unique_ptr<const ReadView, Unpin>;

class Tree : public std::enable_shared_from_this<Tree> {
 public:
  Tree(format::KeyspaceId id, std::string name, const KeyspaceOptions& options, base::EpochDomain& epochs,
       base::MemoryBudget& budget, manifest::VersionPtr version, Sequence after);
  ~Tree();

  // Inside an epoch guard.
  const ReadView& view() const { return *view_.load(std::memory_order_acquire); }
  PinnedView pin_view() const;  // enters an epoch by itself

  // The memtable that takes writes. Valid inside a WriteGate pass (or while the gate is closed).
  memtable::MemTable& active() const { return *active_.load(std::memory_order_acquire); }

  // Seals the active memtable, if it holds anything, and starts another. The write gate is closed; `end` is where the
  // log stands. False if there was nothing to seal.
  bool seal(wal::LogPosition end);
  // Replaces version and drops the sealed memtables that end at or before `flushed_through`.
  void install(manifest::VersionPtr version, Sequence flushed_through);

  // --- what is kept in step with the records -----------------------------------------------------------------------
  // Whether writes must look at what they replace: the keyspace is counted, or has a keeper. Decided inside the write
  // gate.
  bool kept() const { return kept_.load(std::memory_order_acquire); }
  bool counted() const { return options.counted; }
  // The write gate is closed, or nobody writes yet. Null: none.
  void set_keeper(std::shared_ptr<const Keeper> keeper);
  std::shared_ptr<const Keeper> keeper() const;
  // Inside a WriteGate pass, to see whether it is still the same.
  const Keeper* keeper_now() const { return keeper_now_.load(std::memory_order_acquire); }
  // Records that writes have left, those that are still on their way to be visible among them. Exact at any moment:
  // one number, that each write changes once.
  std::uint64_t records() const { return records_.load(std::memory_order_acquire); }
  // Inside a WriteGate pass, or in recovery: by how much a write changes the count, modulo 2^64.
  void add_records(std::uint64_t change) { records_.fetch_add(change, std::memory_order_release); }

  // Lets go of memtables and tables, for a handle that outlives its database. No call may be running.
  void shut();

  const base::EpochDomain& epochs() const { return epochs_; }  // tells databases apart

  // Names of attached keyspaces begin with a character that no other name holds: kHiddenMark, owner, kHiddenMark, name.
  static constexpr char kHiddenMark = '\x01';
  bool hidden() const { return name.starts_with(kHiddenMark); }
  std::string printable_name() const;

  const format::KeyspaceId id;
  const std::string name;
  const KeyspaceOptions options;
  Sequence flushed_at_open = 0;                   // replay passes over what is in tables; likewise
  const MergeOperator* merge_operator = nullptr;  // of that name, if it is registered; set before others see the tree
  std::atomic<bool> dropped{false};
  std::atomic<bool> flush_queued{false};
  // Steps of cursors over what is erased in the active memtable, of moves with too many of them (note_in_the_way).
  std::atomic<std::uint64_t> in_the_way{0};
  std::atomic<bool> collecting{false};  // garbage of its blob files

 private:
  void publish(const ReadView* next) LIGHTNING_REQUIRES(mutex_);

  base::EpochDomain& epochs_;
  base::MemoryBudget& budget_;
  mutable base::Mutex mutex_{base::LockRank::kTreeView};  // one change at a time
  std::atomic<const ReadView*> view_{nullptr};
  std::atomic<memtable::MemTable*> active_{nullptr};
  std::atomic<bool> kept_{false};
  std::atomic<const Keeper*> keeper_now_{nullptr};
  std::shared_ptr<const Keeper> keeper_ LIGHTNING_GUARDED_BY(mutex_);
  alignas(64) std::atomic<std::uint64_t> records_{0};
};

}  // namespace lightning::engine
