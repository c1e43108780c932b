// How many records a keyspace holds: its counter, or a guess from what tables and memtables say of themselves.
//
// The counter is one number in memory (Tree::records). What changes it lies in the log, as a bit of the operation that
// did (docs/format/batch.md); its value is put on record with each flush, for the sequence up to which the tables then
// reach, and replay adds what came later.
#include <algorithm>

#include "engine/engine.h"

namespace lightning::engine {

Result<RecordCount> Engine::count(const Keyspace& keyspace) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  if (tree->counted()) return RecordCount{.records = tree->records(), .exact = true};
  const PinnedView view = tree->pin_view();
  std::uint64_t keys = view->active.table->entries(), hidden = 0;
  for (const MemTableSpan& span : view->sealed) keys += span.table->entries();
  for (const auto& level : view->version->levels)
    for (const manifest::TablePtr& table : level) {
      keys += table->table->properties().distinct_keys;
      hidden += 2 * table->meta().tombstones;  // itself, and most likely one record below
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
