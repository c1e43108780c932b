// Point reads. Hot path: no lock, no allocation, no write to a shared line; one epoch from the first pointer to the
// copy.
#include "engine/database_iterator.h"
#include "engine/engine.h"
#include "engine/value_stream.h"

namespace lightning::engine {

// The newest visible version of a key: where its value lies, and what keeps it there.
struct Engine::Found {
  format::EntryType type = format::EntryType::kErase;
  Sequence sequence = 0;
  std::string_view value;
  cache::Block* block = nullptr;  // null: in a memtable of the view
  bool block_pinned = false;
  const memtable::MemTable* memtable = nullptr;  // that one, if find_with_io() found it there
  std::uint32_t filter_checks = 0, filter_negatives = 0;
};

// Asked once the view is loaded: a view that lacks what the snapshot saw was made after it was marked.
bool Engine::too_old(const Snapshot* snapshot) {
  return snapshot != nullptr && snapshot->live_ != nullptr && snapshot->live_->let_go.load(std::memory_order_acquire);
}

Error Engine::snapshot_too_old(const Snapshot& snapshot) const {
  const std::string& owner = snapshot.live_->owner;
  return Error(ErrorCode::kSnapshotTooOld, "the snapshot" + (owner.empty() ? owner : " of " + owner) +
                                               " was let go: it was older than snapshot_age_max, " +
                                               std::to_string(config_.snapshot_age_max.count()) + " ms");
}

Sequence Engine::sequence_for(const Snapshot* snapshot) const {
  return snapshot != nullptr ? snapshot->sequence() : visible();
}

namespace {

void found_entry(const format::Entry& entry, auto& found) {
  found.type = entry.type;
  found.sequence = entry.sequence;
  found.value = entry.value;
}

}  // namespace

// The newest version, whether or not a range hides it.
[[gnu::always_inline]] inline Engine::Lookup Engine::find_newest(const ReadView& view, std::string_view key,
                                                                 Sequence at, Found& found) {
  if (const auto entry = view.active.table->get(key, at)) return found_entry(*entry, found), Lookup::kFound;
  for (const MemTableSpan& span : view.sealed)
    if (const auto entry = span.table->get(key, at)) return found_entry(*entry, found), Lookup::kFound;

  const std::uint64_t hash = sstable::filter_hash(key);
  const std::uint64_t head = base::head_of(key);
  sstable::TableLookup lookup;
  const auto look = [&](const manifest::TableHandle& table) {
    const auto answer = table.table->find_cached(key, hash, at, lookup);
    ++found.filter_checks;
    found.filter_negatives += lookup.filtered ? 1 : 0;
    if (answer == sstable::Table::Cached::kFound) {
      found.type = lookup.type;
      found.sequence = lookup.sequence;
      found.value = lookup.value;
      found.block = lookup.block;
      found.block_pinned = lookup.pinned;
    }
    return answer;
  };
  const manifest::Version& version = *view.version;
  for (const manifest::TablePtr& table : version.levels[0]) {  // newest first
    if (!table->covers(key, head)) continue;
    const auto answer = look(*table);
    if (answer != sstable::Table::Cached::kAbsent)
      return answer == sstable::Table::Cached::kFound ? Lookup::kFound : Lookup::kMiss;
  }
  for (std::uint32_t level = 1; level < manifest::kLevels; ++level) {
    if (version.levels[level].empty()) continue;
    const manifest::TableHandle* table = manifest::Version::find(version.levels[level], key, head);
    if (table == nullptr) continue;
    const auto answer = look(*table);
    if (answer != sstable::Table::Cached::kAbsent)
      return answer == sstable::Table::Cached::kFound ? Lookup::kFound : Lookup::kMiss;
  }
  return Lookup::kAbsent;
}

// Looks without I/O; kMiss: a block that may hold the key is not in memory. Inside an epoch guard, or with the view
// pinned and inside one.
Engine::Lookup Engine::find_in_memory(const ReadView& view, std::string_view key, Sequence at, Found& found) {
  const Lookup answer = find_newest(view, key, at, found);
  if (answer != Lookup::kFound || !view.active.table->ranges_to_look_at()) [[likely]]
    return answer;
  return found.sequence < view.covering(key, at) ? Lookup::kAbsent : answer;
}

// The same with reads from disk allowed. The view is pinned, and no epoch is held. What is older than `hidden` is, and
// tables that hold nothing newer are not looked into.
Result<bool> Engine::find_with_io(const ReadView& view, std::string_view key, Sequence at, Sequence hidden,
                                  bool fill_cache, Found& found) {
  const auto in_memory = [&](const MemTableSpan& span) {
    const auto entry = span.table->get(key, at);
    if (!entry) return false;
    found_entry(*entry, found);
    found.memtable = span.table.get();
    return true;
  };
  const auto shown = [&] {
    if (found.sequence >= hidden) return true;
    if (found.block_pinned) cache::BlockCache::release(found.block);
    found = {};
    return false;
  };
  if (in_memory(view.active)) return shown();
  for (const MemTableSpan& span : view.sealed)
    if (in_memory(span)) return shown();

  const std::uint64_t hash = sstable::filter_hash(key);
  const std::uint64_t head = base::head_of(key);
  sstable::TableLookup lookup;
  const auto look = [&](const manifest::TableHandle& table) -> Result<bool> {
    if (table.meta().largest_sequence < hidden) return false;
    auto there = table.table->find(key, hash, at, {.fill_cache = fill_cache}, lookup);
    if (!there) [[unlikely]] {
      note_damage(*view.version, there.error());
      return there.error();
    }
    if (*there) {
      found.type = lookup.type;
      found.sequence = lookup.sequence;
      found.value = lookup.value;
      found.block = lookup.block;
      found.block_pinned = lookup.pinned;
    }
    return there;
  };
  for (const manifest::TablePtr& table : view.version->levels[0]) {
    if (!table->covers(key, head)) continue;
    LIGHTNING_ASSIGN(const bool there, look(*table));
    if (there) return shown();
  }
  for (std::uint32_t level = 1; level < manifest::kLevels; ++level) {
    const manifest::TableHandle* table = manifest::Version::find(view.version->levels[level], key, head);
    if (table == nullptr) continue;
    LIGHTNING_ASSIGN(const bool there, look(*table));
    if (there) return shown();
  }
  return false;
}

// What erased ranges hide of the key: all that is older.
Sequence Engine::hidden_before(const ReadView& view, std::string_view key, Sequence at) {
  return view.active.table->ranges_to_look_at() ? view.covering(key, at) : 0;
}
// Large values of one view.
class Engine::LargeSource final : public LargeValueSource {
 public:
  LargeSource(Engine& engine, const ReadView& view, bool fill) : engine_(engine), view_(view), fill_(fill) {}
  Status load(std::string_view key, std::string_view reference, std::string& value) const override {
    return engine_.read_large(view_, key, reference, fill_, value);
  }

 private:
  Engine& engine_;
  const ReadView& view_;
  const bool fill_;
};

void Engine::count_filters(const Found& found) {
  if (found.filter_checks != 0) counters_.add(Counter::kFilterChecks, found.filter_checks);
  if (found.filter_negatives != 0) counters_.add(Counter::kFilterNegatives, found.filter_negatives);
}

// A record with a lifetime becomes a put while it lives, and an erase from then on. Not inlined: what plain puts run
// through stays as short as it was.
[[gnu::noinline]] Status Engine::expire(const ReadRules& rules, Found& found) {
  LIGHTNING_ASSIGN(const Held held, held_by(found.type, found.value, rules));
  found.type = held.present ? format::EntryType::kPut : format::EntryType::kErase;
  found.value = held.value;
  return {};
}

// Of a counter that many add to, a memtable holds thousands of operands: below the one that was found they are walked,
// not looked up. True if a base ends them, which is then in `found`; else `found` is the last operand.
bool Engine::walk_operands(std::string_view key, Sequence hidden, Found& found, Resolver& resolver) {
  if (found.sequence == 0) return false;
  const auto versions = found.memtable->iterator();
  for (versions->seek(key, found.sequence - 1); versions->valid(); versions->next()) {
    const format::Entry& entry = versions->entry();
    if (entry.key != key || entry.sequence < hidden) break;
    found_entry(entry, found);
    if (resolver.take(entry.type, entry.value) == Resolver::Next::kDone) return true;
  }
  return false;
}

// The versions of a key from its newest down, as far as they matter. `use` is called with what they come to while the
// bytes are in place; `found` is the base, if there is one, and its block is the caller's to let go of.
template <class Use>
Status Engine::resolve_versions(const ReadView& view, const ReadRules& rules, std::string_view key, Sequence at,
                                bool fill_cache, Found& found, const Use& use) {
  const LargeSource large(*this, view, fill_cache);
  ReadRules with_large = rules;
  with_large.large = &large;
  Resolver resolver(with_large);
  resolver.begin(key);
  const Sequence hidden = hidden_before(view, key, at);
  for (;;) {
    found = {};
    LIGHTNING_ASSIGN(const bool there, find_with_io(view, key, at, hidden, fill_cache, found));
    if (!there || resolver.take(found.type, found.value) == Resolver::Next::kDone) break;
    if (found.memtable != nullptr && walk_operands(key, hidden, found, resolver)) break;
    if (found.block_pinned) cache::BlockCache::release(found.block);
    const Sequence met = found.sequence;
    found = {};
    if (met == 0) break;
    at = met - 1;
  }
  auto held = resolver.resolve();
  if (!held) {
    if (found.block_pinned) cache::BlockCache::release(found.block);
    found = {};
    return std::move(held).error();
  }
  Status used = use(*held);
  if (!used && found.block_pinned) {
    cache::BlockCache::release(found.block);
    found = {};
  }
  return used;
}

Result<bool> Engine::get(const Keyspace& keyspace, std::string_view key, std::string& value,
                         const ReadOptions& options) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  const std::uint64_t start = begin_timing();
  counters_.add(Counter::kGets);
  bool present = false;
  PinnedView pinned;
  Sequence at = 0;
  {
    base::EpochDomain::Guard guard(epochs_);
    const ReadView& view = tree->view();  // before the sequence: what is visible at it lies in this view or is newer
    if (too_old(options.snapshot)) [[unlikely]]
      return snapshot_too_old(*options.snapshot);
    at = sequence_for(options.snapshot);
    Found found;
    const Lookup answer = find_in_memory(view, key, at, found);
    count_filters(found);
    if (answer == Lookup::kFound && found.type == format::EntryType::kPut) {
      value.assign(found.value);
      present = true;
    } else if (answer == Lookup::kFound && found.type == format::EntryType::kPutExpiring) [[unlikely]] {
      LIGHTNING_TRY(expire(read_rules(*tree), found));
      present = found.type == format::EntryType::kPut;
      if (present) value.assign(found.value);
    } else if (std::string_view large; answer == Lookup::kFound && found.type == format::EntryType::kBlobReference &&
                                       find_large_cached(view, key, found.value, large) != nullptr) {
      value.assign(large);
      present = true;
    } else if (answer == Lookup::kMiss || (answer == Lookup::kFound && found.type != format::EntryType::kErase)) {
      view.pin();
      pinned.reset(&view);
    }
  }
  if (pinned) {
    Found found;
    LIGHTNING_TRY(resolve_versions(*pinned, read_rules(*tree), key, at, options.fill_cache, found,
                                   [&](const Held& held) -> Status {
                                     present = held.present;
                                     if (held.large)
                                       return read_large(*pinned, key, held.value, options.fill_cache, value);
                                     if (present) value.assign(held.value);
                                     return {};
                                   }));
    if (found.block_pinned) cache::BlockCache::release(found.block);
  }
  if (present) {
    counters_.add(Counter::kGetHits);
    counters_.add(Counter::kUserBytesRead, key.size() + value.size());
  }
  if (start != 0) latencies_.get.record(env_.clock.monotonic_ns() - start);
  return present;
}

// Hands the caller the value and the pin that keeps it: of its block, or of the view whose memtable holds it.
void Engine::pin_found(const ReadView& view, const Found& found, std::string_view bytes, PinnedValue& value) {
  value.found_ = true;
  value.value_ = bytes;
  if (found.block != nullptr) {
    if (!found.block_pinned) cache::BlockCache::pin(found.block);
    value.pin_ = found.block;
    value.unpin_ = [](void* block) { cache::BlockCache::release(static_cast<cache::Block*>(block)); };
  } else {
    view.pin();
    value.pin_ = const_cast<ReadView*>(&view);
    value.unpin_ = [](void* pinned) { static_cast<const ReadView*>(pinned)->unpin(); };
  }
}

// The same for what several versions come to.
Status Engine::pin_resolved(const ReadView& view, const ReadRules& rules, std::string_view key, Sequence at,
                            bool fill_cache, PinnedValue& value) {
  Found found;
  bool kept = false;
  LIGHTNING_TRY(resolve_versions(view, rules, key, at, fill_cache, found, [&](const Held& held) -> Status {
    if (!held.present) return {};
    if (held.large) {
      Found read;
      LIGHTNING_ASSIGN(read.block, pin_large(view, key, held.value, fill_cache, read.value));
      read.block_pinned = true;
      pin_found(view, read, read.value, value);
      return {};
    }
    if (!held.merged) {
      pin_found(view, found, held.value, value);
      kept = true;
      return {};
    }
    auto* const merged = new std::string(held.value);
    value.found_ = true;
    value.value_ = *merged;
    value.pin_ = merged;
    value.unpin_ = [](void* bytes) { delete static_cast<std::string*>(bytes); };
    return {};
  }));
  if (!kept && found.block_pinned) cache::BlockCache::release(found.block);
  return {};
}

// Of the keys in `missing`, those that hold a large value and nothing above it: they are read together and leave the
// list.
Status Engine::pin_large_together(const ReadView& view, const ReadRules& rules, std::span<const std::string_view> keys,
                                  std::vector<std::size_t>& missing, Sequence at, bool fill_cache,
                                  std::span<PinnedValue> values) {
  std::vector<LargeRead> reads;
  std::vector<std::size_t> others;
  for (const std::size_t i : missing) {
    Found found;
    LIGHTNING_ASSIGN(const bool there,
                     find_with_io(view, keys[i], at, hidden_before(view, keys[i], at), fill_cache, found));
    if (there && found.type == format::EntryType::kBlobReference) {
      const auto held = held_by(found.type, found.value, rules);
      if (!held || held->present) reads.push_back({.key = keys[i], .encoded = std::string(found.value), .index = i});
    } else if (there) {
      others.push_back(i);
    }
    if (found.block_pinned) cache::BlockCache::release(found.block);
  }
  missing = std::move(others);
  const Status status = pin_many_large(view, reads, fill_cache);
  for (const LargeRead& read : reads) {
    if (read.block == nullptr) continue;
    Found found;
    found.block = read.block;
    found.block_pinned = true;
    pin_found(view, found, read.value, values[read.index]);
  }
  return status;
}

Result<std::unique_ptr<ValueSource>> Engine::get_stream(const Keyspace& keyspace, std::string_view key,
                                                        const ReadOptions& options) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  counters_.add(Counter::kGets);
  PinnedView view = tree->pin_view();
  if (too_old(options.snapshot)) return snapshot_too_old(*options.snapshot);
  const Sequence at = sequence_for(options.snapshot);
  const ReadRules rules = read_rules(*tree);
  std::unique_ptr<ValueSource> source;
  Found found;
  std::string reference;
  LIGHTNING_TRY(resolve_versions(*view, rules, key, at, options.fill_cache, found, [&](const Held& held) -> Status {
    if (held.large) reference = held.value;
    return {};
  }));
  if (found.block_pinned) cache::BlockCache::release(found.block);
  if (!reference.empty()) {
    LIGHTNING_ASSIGN(const LargeValue large, find_large(*view->version, reference));
    auto cursor = blob::ValueCursor::open(*large.blob->file, key, large.reference);
    if (!cursor) return large_damage(*view->version, key, cursor.error());
    source = std::make_unique<ValueSource>(shared_from_this(), std::move(view), key, std::move(*cursor));
  } else {
    PinnedValue value;
    LIGHTNING_TRY(pin_resolved(*view, rules, key, at, options.fill_cache, value));
    if (!value.found()) return source;
    source = std::make_unique<ValueSource>(std::move(value));
  }
  counters_.add(Counter::kGetHits);
  return source;
}

Status Engine::get(const Keyspace& keyspace, std::string_view key, PinnedValue& value, const ReadOptions& options) {
  return multi_get(keyspace, {&key, 1}, {&value, 1}, options);
}

Status Engine::multi_get(const Keyspace& keyspace, std::span<const std::string_view> keys,
                         std::span<PinnedValue> values, const ReadOptions& options) {
  if (keys.size() != values.size())
    return Error(ErrorCode::kInvalidArgument,
                 std::to_string(keys.size()) + " keys, but room for " + std::to_string(values.size()) + " values");
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  if (keys.empty()) return {};
  for (PinnedValue& value : values) value.reset();
  const std::uint64_t start = begin_timing();
  counters_.add(keys.size() == 1 ? Counter::kGets : Counter::kMultiGets, keys.size());

  PinnedView pinned;
  std::vector<std::size_t> missing;  // allocates only when the disk must be read
  Sequence at = 0;
  {
    base::EpochDomain::Guard guard(epochs_);
    const ReadView& view = tree->view();
    if (too_old(options.snapshot)) [[unlikely]]
      return snapshot_too_old(*options.snapshot);
    at = sequence_for(options.snapshot);
    // The lines that each look-up touches first are on their way before any is waited for.
    if (keys.size() > 1) prefetch(view, keys);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      Found found;
      const Lookup answer = find_in_memory(view, keys[i], at, found);
      count_filters(found);
      if (answer == Lookup::kFound && found.type == format::EntryType::kPut) {
        pin_found(view, found, found.value, values[i]);
      } else if (answer == Lookup::kFound && found.type == format::EntryType::kPutExpiring) [[unlikely]] {
        LIGHTNING_TRY(expire(read_rules(*tree), found));
        if (found.type == format::EntryType::kPut) pin_found(view, found, found.value, values[i]);
      } else if (answer == Lookup::kFound && found.type == format::EntryType::kBlobReference &&
                 (found.block = find_large_cached(view, keys[i], found.value, found.value)) != nullptr) {
        found.block_pinned = false;
        pin_found(view, found, found.value, values[i]);
      } else if (answer == Lookup::kMiss || (answer == Lookup::kFound && found.type != format::EntryType::kErase)) {
        missing.push_back(i);
      }
    }
    if (!missing.empty()) {
      view.pin();
      pinned.reset(&view);
    }
  }
  if (missing.size() > 1) load_missing(*pinned, keys, missing, at, options.fill_cache);
  if (missing.size() > 1 && !pinned->version->blobs.empty())
    LIGHTNING_TRY(pin_large_together(*pinned, read_rules(*tree), keys, missing, at, options.fill_cache, values));
  for (const std::size_t i : missing)
    LIGHTNING_TRY(pin_resolved(*pinned, read_rules(*tree), keys[i], at, options.fill_cache, values[i]));
  std::uint64_t hits = 0, bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!values[i].found()) continue;
    ++hits;
    bytes += keys[i].size() + values[i].value().size();
  }
  counters_.add(Counter::kGetHits, hits);
  counters_.add(Counter::kUserBytesRead, bytes);
  if (start != 0) latencies_.get.record((env_.clock.monotonic_ns() - start) / keys.size());
  return {};
}

void Engine::prefetch(const ReadView& view, std::span<const std::string_view> keys) const {
  for (const std::string_view key : keys) {
    const std::uint64_t hash = sstable::filter_hash(key), head = base::head_of(key);
    for (const manifest::TablePtr& table : view.version->levels[0])
      if (table->covers(key, head)) table->table->prefetch(hash);
    for (std::uint32_t level = 1; level < manifest::kLevels; ++level)
      if (const auto* table = manifest::Version::find(view.version->levels[level], key, head))
        table->table->prefetch(hash);
  }
}

// Reads the blocks that several look-ups wait for, many at a time, table by table from the newest down. Errors surface
// when the look-up itself reads.
void Engine::load_missing(const ReadView& view, std::span<const std::string_view> keys,
                          std::span<const std::size_t> missing, Sequence at, bool fill_cache) {
  if (!fill_cache) return;  // what is not kept need not be brought
  struct Wanted {
    const manifest::TableHandle* table = nullptr;
    std::vector<sstable::Table::Pending> keys;
  };
  std::map<format::FileNumber, Wanted, std::greater<>> wanted;  // newest first; by number, so that runs can be repeated
  for (const std::size_t i : missing) {
    const std::uint64_t hash = sstable::filter_hash(keys[i]), head = base::head_of(keys[i]);
    const Sequence hidden = hidden_before(view, keys[i], at);
    const auto want = [&](const manifest::TableHandle* table) {
      if (table->meta().largest_sequence < hidden || !table->table->may_contain(hash)) return;
      Wanted& here = wanted[table->meta().number];
      here.table = table;
      here.keys.push_back({keys[i], hash, at});
    };
    for (const manifest::TablePtr& table : view.version->levels[0])
      if (table->covers(keys[i], head)) want(table.get());
    for (std::uint32_t level = 1; level < manifest::kLevels; ++level)
      if (const auto* table = manifest::Version::find(view.version->levels[level], keys[i], head)) want(table);
  }
  for (const auto& [number, here] : wanted) here.table->table->load_many(here.keys, {.fill_cache = true});
}

Result<TimeToLive> Engine::ttl(const Keyspace& keyspace, std::string_view key, const ReadOptions& options) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  const PinnedView view = tree->pin_view();
  if (too_old(options.snapshot)) return snapshot_too_old(*options.snapshot);
  counters_.add(Counter::kGets);
  TimeToLive answer;
  Found found;
  LIGHTNING_TRY(resolve_versions(*view, read_rules(*tree), key, sequence_for(options.snapshot), options.fill_cache,
                                 found, [&](const Held& held) -> Status {
                                   answer.found = held.present;
                                   if (held.expires_ms == 0) return {};
                                   const auto at = static_cast<std::int64_t>(held.expires_ms);
                                   const auto now = static_cast<std::int64_t>(time_.now_ms());
                                   answer.expires_at = std::chrono::milliseconds(at);
                                   answer.remaining = std::chrono::milliseconds(std::max<std::int64_t>(at - now, 1));
                                   return {};
                                 }));
  if (found.block_pinned) cache::BlockCache::release(found.block);
  if (answer.found) counters_.add(Counter::kGetHits);
  return answer;
}

Status Engine::look_at(const Keyspace& keyspace, std::string_view key, const ReadOptions& options,
                       const std::function<void(const Held&)>& use) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  const PinnedView view = tree->pin_view();
  if (too_old(options.snapshot)) return snapshot_too_old(*options.snapshot);
  const auto look = [&](Held held) -> Status {
    std::string large;
    if (held.large) {
      LIGHTNING_TRY(read_large(*view, key, held.value, options.fill_cache, large));
      held.value = large;
      held.large = false;
    }
    use(held);
    return {};
  };
  Found found;
  LIGHTNING_TRY(
      resolve_versions(*view, read_rules(*tree), key, sequence_for(options.snapshot), options.fill_cache, found, look));
  if (found.block_pinned) cache::BlockCache::release(found.block);
  return {};
}

Result<std::unique_ptr<DatabaseIterator>> Engine::iterate(const Keyspace& keyspace, const IterateOptions& options) {
  LIGHTNING_ASSIGN(const Tree* tree, tree_of(keyspace));
  PinnedView view = tree->pin_view();
  if (too_old(options.snapshot)) return snapshot_too_old(*options.snapshot);
  const Sequence at = sequence_for(options.snapshot);
  return std::make_unique<DatabaseIterator>(shared_from_this(), tree->id, std::move(view), read_rules(*tree), at,
                                            options);
}

Snapshot Engine::snapshot(std::string_view owner) {
  auto live = std::make_unique<LiveSnapshot>();
  live->owner = owner;
  live->since_ns = env_.clock.monotonic_ns();
  take_snapshot(*live);
  return Snapshot(shared_from_this(), live.release());
}

}  // namespace lightning::engine
