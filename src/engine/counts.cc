// How many records a keyspace holds: its counter, or a guess from what tables and memtables say of themselves.
//
// The counter is one number in memory (Tree::records). What changes it lies in the log, as a bit of the operation that
// did (docs/format/batch.md); its value is put on record with each flush, for the sequence up to which the tables then
// reach, and replay adds what came later.
#include <algorithm>

#include "engine/engine.h"

namespace lightning::engine {

namespace {

// Keys of the table that lie in ranges erased after it was written, by their share of its bytes.
std::uint64_t hidden_keys(const manifest::TableHandle& table, const format::RangeCover& cover) {
  const sstable::TableMeta& meta = table.meta();
  const std::uint64_t bytes = table.table->properties().data_stored_bytes;
  if (bytes == 0) return 0;  // it holds ranges alone, or cannot be read
  std::uint64_t hidden_bytes = 0;
  for (std::string_view key = meta.smallest_key;;) {
    const auto stretch = cover.stretch_at(key);
    const bool last = stretch.end.empty() || meta.largest().before(stretch.end);
    if (stretch.sequence > meta.largest_sequence)
      hidden_bytes += (last ? bytes : table.table->approximate_offset(stretch.end)) -
                      (key == meta.smallest_key ? 0 : table.table->approximate_offset(key));
    if (last) break;
    key = stretch.end;
  }
  const auto share = static_cast<double>(hidden_bytes) / static_cast<double>(bytes);
  return static_cast<std::uint64_t>(share * static_cast<double>(table.table->properties().distinct_keys));
}

// Of the entries of a memtable those that are hidden, so far as a bounded look finds them.
std::uint64_t hidden_entries(const memtable::MemTable& memtable, const format::RangeCover& cover) {
  std::uint64_t hidden = 0, looks = 4096;
  const auto entries = memtable.iterator();
  for (entries->seek_to_first(); entries->valid() && looks > 0; --looks) {
    const auto stretch = cover.stretch_at(entries->entry().key);
    if (stretch.sequence == 0) {
      if (stretch.end.empty()) break;
      entries->seek(stretch.end, format::kSequenceMax);
      continue;
    }
    for (; entries->valid() && looks > 0 && stretch.holds(entries->entry().key); entries->next(), --looks)
      hidden += entries->entry().sequence < stretch.sequence ? 1 : 0;
    if (looks == 0) break;
  }
  return hidden;
}

}  // namespace

Result<RecordCount> Engine::count(const Keyspace& keyspace) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  if (tree->counted()) return RecordCount{.records = tree->records(), .exact = true};
  const PinnedView view = tree->pin_view();
  const auto cover = view->cover(format::kSequenceMax);
  std::uint64_t keys = 0, hidden = 0;
  const auto look = [&](const memtable::MemTable& memtable) {
    keys += memtable.entries() - memtable.erased().count();
    if (cover) hidden += hidden_entries(memtable, *cover);
  };
  look(*view->active.table);
  for (const MemTableSpan& span : view->sealed) look(*span.table);
  for (const auto& level : view->version->levels)
    for (const manifest::TablePtr& table : level) {
      keys += table->table->properties().distinct_keys;
      hidden += 2 * table->meta().tombstones;  // itself, and most likely one record below
      if (cover) hidden += hidden_keys(*table, *cover);
    }
  return RecordCount{.records = keys - std::min(keys, hidden), .exact = false};
}

// With the gate closed nothing changes the number; what it counts is visible once those who have left the gate have
// waited for the disk.
Result<CountedMoment> Engine::counted_moment(const Keyspace& keyspace) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  if (access_ == Access::kReadOnly) return CountedMoment{snapshot("check"), tree->records()};
  const WriteGate::Closure closed(gate_);
  for (base::Backoff backoff; visible() < wal_->last_reserved(); backoff.pause())
    if (writes_stopped_.load(std::memory_order_acquire)) return CountedMoment{snapshot("check"), std::nullopt};
  return CountedMoment{snapshot("check"), tree->records()};
}

Status Engine::wait_for_writes() {
  const Sequence through = wal_->last_reserved();
  for (base::Backoff backoff; visible() < through; backoff.pause()) LIGHTNING_TRY(check_writable());
  return {};
}

}  // namespace lightning::engine
