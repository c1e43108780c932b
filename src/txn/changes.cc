#include "txn/changes.h"

#include <memory>
#include <vector>

#include "base/epoch.h"
#include "cache/block_cache.h"
#include "engine/engine.h"
#include "format/batch.h"
#include "format/expiry.h"
#include "manifest/level_iterator.h"
#include "sstable/table.h"

namespace lightning::txn {

namespace {

// An erased range that holds the key is a write to it, wherever it lies.
Sequence newest_range(const engine::ReadView& view, std::string_view key) {
  return view.active.table->ranges_to_look_at() ? view.covering(key, format::kSequenceMax) : 0;
}

using engine::MemTableSpan;
using engine::ReadView;

enum class Seen : std::uint8_t { kNothing, kOlder, kNewer, kMiss };

// What look() found out; `value` is copied if asked for.
struct Newest {
  NewestVersion version;
  std::string* value = nullptr;
  void found(Sequence sequence, format::EntryType type, std::string_view bytes) {
    version = {sequence, type};
    if (value != nullptr) value->assign(bytes);
  }
  NewestVersion or_erased(Sequence range) const {
    return range > version.sequence ? NewestVersion{range, format::EntryType::kErase} : version;
  }
};

// Looks at one table, without I/O if `may_read` is false.
Result<Seen> look(const manifest::TableHandle& table, std::string_view key, std::uint64_t hash, Sequence after,
                  bool may_read, Newest& newest) {
  if (table.meta().largest_sequence <= after) return Seen::kNothing;
  sstable::TableLookup lookup;
  if (may_read) {
    LIGHTNING_ASSIGN(const bool found, table.table->find(key, hash, format::kSequenceMax, {}, lookup));
    if (!found) return Seen::kNothing;
  } else {
    const auto answer = table.table->find_cached(key, hash, format::kSequenceMax, lookup);
    if (answer == sstable::Table::Cached::kMiss) return Seen::kMiss;
    if (answer == sstable::Table::Cached::kAbsent) return Seen::kNothing;
  }
  newest.found(lookup.sequence, lookup.type, lookup.value);
  if (lookup.pinned) cache::BlockCache::release(lookup.block);
  return lookup.sequence > after ? Seen::kNewer : Seen::kOlder;
}

// Sources come newest first: the first that has the key has its newest write.
Result<Seen> look(const ReadView& view, std::string_view key, std::uint64_t hash, Sequence after, bool may_read,
                  Newest& newest) {
  const auto in_memory = [&](const MemTableSpan& span) {
    const auto entry = span.table->get(key, format::kSequenceMax);
    if (!entry) return Seen::kNothing;
    newest.found(entry->sequence, entry->type, entry->value);
    return entry->sequence > after ? Seen::kNewer : Seen::kOlder;
  };
  if (const Seen seen = in_memory(view.active); seen != Seen::kNothing) return seen;
  if (view.active.after <= after) return Seen::kNothing;  // the usual case: all that is newer is in the active one
  for (const MemTableSpan& span : view.sealed) {
    if (span.last <= after) return Seen::kNothing;  // and so is everything below
    if (const Seen seen = in_memory(span); seen != Seen::kNothing) return seen;
  }
  const std::uint64_t head = base::head_of(key);
  for (const manifest::TablePtr& table : view.version->levels[0]) {
    if (!table->covers(key, head)) continue;
    LIGHTNING_ASSIGN(const Seen seen, look(*table, key, hash, after, may_read, newest));
    if (seen != Seen::kNothing) return seen;
  }
  for (std::uint32_t level = 1; level < manifest::kLevels; ++level) {
    if (view.version->levels[level].empty()) continue;
    const manifest::TableHandle* table = manifest::Version::find(view.version->levels[level], key, head);
    if (table == nullptr) continue;
    LIGHTNING_ASSIGN(const Seen seen, look(*table, key, hash, after, may_read, newest));
    if (seen != Seen::kNothing) return seen;
  }
  return Seen::kNothing;
}

}  // namespace

Result<Sequence> newer_write(const engine::Tree& tree, std::string_view key, std::uint64_t hash, Sequence after) {
  Newest newest;
  engine::PinnedView pinned;
  {
    base::EpochDomain::Guard guard(const_cast<base::EpochDomain&>(tree.epochs()));
    const ReadView& view = tree.view();
    if (const Sequence range = newest_range(view, key); range > after) return range;
    LIGHTNING_ASSIGN(const Seen seen, look(view, key, hash, after, false, newest));
    if (seen != Seen::kMiss) return seen == Seen::kNewer ? newest.version.sequence : 0;
    view.pin();
    pinned.reset(&view);
  }
  LIGHTNING_ASSIGN(const Seen seen, look(*pinned, key, hash, after, true, newest));
  return seen == Seen::kNewer ? newest.version.sequence : 0;
}

namespace {

// A large value is not what its entry holds: it is brought, and then is as if it lay there. That may need the disk.
Status load_large(const ReadView& view, std::string_view key, Newest& newest) {
  if (newest.value == nullptr || newest.version.type != format::EntryType::kBlobReference) return {};
  const std::string encoded = std::move(*newest.value);
  LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(encoded));
  newest.value->clear();
  LIGHTNING_TRY(engine::Engine::load_large(*view.version, key, encoded, *newest.value));
  newest.version.type = format::EntryType::kPut;
  if (!reference.expiry_ms) return {};
  newest.version.type = format::EntryType::kPutExpiring;
  std::string expiring;
  format::append_expiring(expiring, {*reference.expiry_ms, *newest.value});
  *newest.value = std::move(expiring);
  return {};
}

}  // namespace

std::optional<NewestVersion> newest_in_memory(const engine::Tree& tree, std::string_view key, std::uint64_t hash,
                                              std::string* value) {
  Newest newest{{}, value};
  base::EpochDomain::Guard guard(const_cast<base::EpochDomain&>(tree.epochs()));
  const ReadView& view = tree.view();
  const Result<Seen> seen = look(view, key, hash, 0, false, newest);
  if (!seen || *seen == Seen::kMiss) return std::nullopt;  // who reads it from disk meets the error again
  if (value != nullptr && newest.version.type == format::EntryType::kBlobReference) return std::nullopt;
  return newest.or_erased(newest_range(view, key));
}

Result<NewestVersion> newest_version(const engine::Tree& tree, std::string_view key, std::uint64_t hash,
                                     std::string* value) {
  if (const auto newest = newest_in_memory(tree, key, hash, value)) return *newest;
  Newest newest{{}, value};
  const engine::PinnedView view = tree.pin_view();
  LIGHTNING_TRY(look(*view, key, hash, 0, true, newest));
  const Sequence range = newest_range(*view, key);
  if (range <= newest.version.sequence) LIGHTNING_TRY(load_large(*view, key, newest));
  return newest.or_erased(range);
}

std::optional<std::string_view> value_of(const NewestVersion& version, std::string_view bytes, std::uint64_t now_ms) {
  if (version.type == format::EntryType::kPut) return bytes;
  format::Expiring expiring;
  if (version.type != format::EntryType::kPutExpiring || !format::split_expiring(bytes, expiring) ||
      expiring.expires_ms <= now_ms)
    return std::nullopt;
  return expiring.value;
}

void append_put(std::string& batch, format::KeyspaceId keyspace, std::string_view key, std::string_view value,
                std::uint64_t expires_ms) {
  if (expires_ms == 0) return format::append_operation(batch, {format::EntryType::kPut, keyspace, key, value});
  std::string expiring;
  format::append_expiring(expiring, {expires_ms, value});
  format::append_operation(batch, {format::EntryType::kPutExpiring, keyspace, key, expiring});
}

bool all_newer_in_one_memtable(const engine::Tree& tree, Sequence after) {
  base::EpochDomain::Guard guard(const_cast<base::EpochDomain&>(tree.epochs()));
  return tree.view().active.after <= after;
}

Result<std::optional<RangeChange>> newer_write_in(const engine::Tree& tree, std::string_view start,
                                                  const KeyRanges::End& end, Sequence after) {
  const engine::PinnedView view = tree.pin_view();
  std::optional<RangeChange> change;
  const auto scan = [&](const std::unique_ptr<format::EntryIterator>& entries) -> Status {
    for (entries->seek(start, format::kSequenceMax); entries->valid(); entries->next()) {
      const format::Entry& entry = entries->entry();
      if (end && entry.key >= *end) return {};
      if (entry.sequence <= after) continue;
      change = RangeChange{std::string(entry.key), entry.sequence};
      return {};
    }
    return entries->status();
  };
  const auto scan_table = [&](const manifest::TableHandle& table) -> Status {
    const sstable::TableMeta& meta = table.meta();
    if (meta.largest_sequence <= after || meta.largest().before(start) || (end && meta.smallest_key >= *end)) return {};
    return scan(table.table->iterator({}));
  };
  const auto look_at = [&](const format::RangeTombstones& ranges) {
    const auto newer = ranges.newer_in(start, end ? std::string_view(*end) : std::string_view(), after);
    if (newer) change = RangeChange{std::string(std::max(newer->start, start)), newer->sequence};
  };
  const auto look_at_memtable = [&](const MemTableSpan& span) {
    if (const auto* sets = span.table->erased().sets())
      for (const auto& set : *sets)
        if (!change) look_at(*set);
  };
  look_at_memtable(view->active);
  for (const MemTableSpan& span : view->sealed) look_at_memtable(span);
  if (!change && view->version->ranges) look_at(*view->version->ranges);
  if (change) return change;
  LIGHTNING_TRY(scan(view->active.table->iterator()));
  if (change) return change;
  if (view->active.after <= after) return change;
  for (const MemTableSpan& span : view->sealed) {
    if (span.last <= after) continue;
    LIGHTNING_TRY(scan(span.table->iterator()));
    if (change) return change;
  }
  for (const auto& level : view->version->levels)
    for (const manifest::TablePtr& table : level) {
      LIGHTNING_TRY(scan_table(*table));
      if (change) return change;
    }
  return change;
}

}  // namespace lightning::txn
