#include "engine/database_iterator.h"

#include <utility>

#include "base/compare.h"
#include "engine/engine.h"
#include "format/merging_iterator.h"
#include "manifest/level_iterator.h"

namespace lightning::engine {

namespace {

// The first string after all that start with `prefix`, or none if there is none.
std::optional<std::string> end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

ReadRules with_source(ReadRules rules, const LargeValueSource& source) {
  rules.large = &source;
  return rules;
}

}  // namespace

DatabaseIterator::DatabaseIterator(std::shared_ptr<Engine> engine, format::KeyspaceId keyspace, PinnedView view,
                                   const ReadRules& rules, Sequence at, const IterateOptions& options)
    : engine_(std::move(engine)),
      keyspace_(keyspace),
      view_(std::move(view)),
      at_(at),
      lower_(options.lower_bound),
      upper_(options.upper_bound),
      rules_(with_source(rules, *this)),
      resolver_(rules_),
      fill_cache_(options.fill_cache) {
  if (!options.prefix.empty()) {
    if (!lower_ || *lower_ < options.prefix) lower_ = options.prefix;
    if (auto end = end_of_prefix(options.prefix); end && (!upper_ || *end < *upper_)) upper_ = std::move(end);
  }
  const sstable::TableReadOptions read{.fill_cache = options.fill_cache};
  std::vector<std::unique_ptr<format::EntryIterator>> sources;  // newest first
  // What erased ranges hide is taken out of the sources, so that it is not read; all else happens as if it had never
  // been there.
  cover_ = view_->cover(at_);
  const auto add_memtable = [&](const MemTableSpan& span, std::uint64_t& passed) {
    auto entries = span.table->iterator();
    sources.push_back(!cover_ ? std::move(entries)
                              : format::without_hidden(std::move(entries), *cover_, {.newest = span.last}, &passed));
  };
  if (!view_->active.table->empty()) add_memtable(view_->active, passed_in_active_);
  for (const MemTableSpan& span : view_->sealed) add_memtable(span, passed_);
  const auto outside = [&](const manifest::TableHandle& table) {
    return (lower_ && table.meta().largest().before(*lower_)) || (upper_ && table.meta().smallest_key >= *upper_);
  };
  for (const manifest::TablePtr& table : view_->version->levels[0])
    if (!outside(*table)) sources.push_back(manifest::table_iterator(*table, read, cover_.get(), &passed_));
  for (std::uint32_t level = 1; level < manifest::kLevels; ++level) {
    manifest::Version::Level tables;
    for (const manifest::TablePtr& table : view_->version->levels[level])
      if (!outside(*table)) tables.push_back(table);
    if (tables.size() == 1) {
      sources.push_back(manifest::table_iterator(*tables.front(), read, cover_.get(), &passed_));
    } else if (!tables.empty()) {
      sources.push_back(manifest::level_iterator(std::move(tables), read, cover_.get(), &passed_));
    }
  }
  entries_ = format::merge(std::move(sources));
}

DatabaseIterator::~DatabaseIterator() {
  leave_large();
  if (!engine_) return;
  engine_->count(Counter::kScannedEntries, scanned_);
  engine_->count(Counter::kPassedTombstones, tombstones_passed());
  engine_->count(Counter::kSeeks, seeks_);
}

Status DatabaseIterator::status() const {
  LIGHTNING_TRY(Status(status_));
  if (!entries_) return {};
  Status status = entries_->status();
  if (!status) [[unlikely]]
    engine_->note_damage(*view_->version, status.error());
  return status;
}

Status DatabaseIterator::load(std::string_view key, std::string_view reference, std::string& value) const {
  return engine_->read_large(*view_, key, reference, fill_cache_, value);
}

std::string_view DatabaseIterator::large_value() const {
  if (large_block_ != nullptr || !valid_) return large_bytes_;
  const std::string_view reference = on_entry_ ? entries_->entry().value : value_;
  auto block = engine_->pin_large(*view_, key(), reference, fill_cache_, large_bytes_);
  if (block) {
    large_block_ = *block;
    return large_bytes_;
  }
  status_ = std::move(block).error();
  valid_ = false;
  return {};
}

void DatabaseIterator::leave_large() {
  large_ = false;
  large_bytes_ = {};
  if (large_block_ == nullptr) return;
  cache::BlockCache::release(large_block_);
  large_block_ = nullptr;
}

// Of what lies in memory the engine hears when it is much: only a flush takes it out of the way.
void DatabaseIterator::note_passed() {
  const std::uint64_t met = passed_in_active_ - std::exchange(noted_, passed_in_active_);
  const std::uint64_t most = engine_->config().tombstones_per_seek_max;
  if (most != 0 && met > most) engine_->note_in_the_way(keyspace_, view_->active.after, met);
}

bool DatabaseIterator::usable() {
  valid_ = false;
  if (!entries_) return false;
  status_ = {};
  ++seeks_;
  return !stopped();
}

// Damage has halted the database.
bool DatabaseIterator::stopped() {
  if (!engine_->is_halted()) [[likely]]
    return false;
  leave_large();
  valid_ = false;
  status_ = engine_->halted();
  return true;
}

void DatabaseIterator::seek_to_first() {
  if (!usable()) return;
  if (lower_) {
    entries_->seek(*lower_, format::kSequenceMax);
  } else {
    entries_->seek_to_first();
  }
  find_forward(false);
  end_move();
}

void DatabaseIterator::seek_to_last() {
  if (!usable()) return;
  if (upper_) {
    // Entries of the bound itself are beyond it: the newest of them is the first in entry order.
    entries_->seek_for_prev(*upper_, format::kSequenceMax);
    while (entries_->valid() && beyond_upper(entries_->entry().key)) entries_->prev();
  } else {
    entries_->seek_to_last();
  }
  find_backward();
  end_move();
}

void DatabaseIterator::seek(std::string_view target) {
  if (!usable()) return;
  const std::uint64_t begun_ns = engine_->begin_timing();
  entries_->seek(below_lower(target) ? std::string_view(*lower_) : target, at_);
  find_forward(false);
  end_move();
  engine_->end_seek(begun_ns);
}

void DatabaseIterator::seek_for_prev(std::string_view target) {
  if (beyond_upper(target)) return seek_to_last();
  if (!usable()) return;
  entries_->seek_for_prev(target, 0);
  find_backward();
  end_move();
}

void DatabaseIterator::next() {
  if (stopped()) return;
  if (!forward_) {
    // entries_ stands before every version of the saved key, or beyond the start.
    forward_ = true;
    entries_->seek(saved_key_, format::kSequenceMax);
  } else if (on_entry_) {
    saved_key_.assign(entries_->entry().key);
  }
  find_forward(true);
  end_move();
}

void DatabaseIterator::prev() {
  if (stopped()) return;
  if (forward_ && on_entry_) {
    saved_key_.assign(entries_->entry().key);
    do entries_->prev();
    while (entries_->valid() && entries_->entry().key == saved_key_);
  } else if (forward_) {
    entries_->seek_for_prev(saved_key_, format::kSequenceMax);
    while (entries_->valid() && entries_->entry().key == saved_key_) entries_->prev();
  }
  find_backward();
  end_move();
}

// From where entries_ stands: the next key that holds something. With skip_saved_key, versions of saved_key_ are passed
// over.
void DatabaseIterator::find_forward(bool skip_saved_key) {
  forward_ = true;
  valid_ = on_entry_ = false;
  if (large_) leave_large();
  bool skipping = skip_saved_key;
  while (entries_->valid()) {
    const format::Entry& entry = entries_->entry();
    if (beyond_upper(entry.key)) return;  // whatever its sequence: behind the bound nothing is looked at
    if (entry.sequence > at_ || (skipping && base::equal(entry.key, saved_key_))) {
      entries_->next();
      continue;
    }
    if (entry.type == format::EntryType::kPut) [[likely]] {
      skip_ = 0;
      expires_ms_ = 0;
      on_entry_ = true;
    } else {
      if (stand_on(entry)) return;
      skipping = true;  // what is left of saved_key_ does not matter
    }
    if (!on_entry_ && !valid_) continue;
    ++scanned_;
    valid_ = true;
    return;
  }
}

// The newest visible version of a key, of another type than a put: stands on it, or on what it comes to with older
// ones, if that is something. True if there was an error.
bool DatabaseIterator::stand_on(const format::Entry& entry) {
  if (entry.type == format::EntryType::kMerge) return resolve_forward();
  const auto held = held_by(entry.type, entry.value, rules_);
  if (!held) return fail(held.error());
  if (!held->present) {
    pass(entry.sequence);
    saved_key_.assign(entry.key);
    return false;
  }
  skip_ = entry.value.size() - held->value.size();
  large_ = held->large;
  expires_ms_ = held->expires_ms;
  on_entry_ = true;
  return false;
}

bool DatabaseIterator::resolve_forward() {
  saved_key_.assign(entries_->entry().key);
  resolver_.begin(saved_key_);
  for (; entries_->valid() && entries_->entry().key == saved_key_; entries_->next())
    if (resolver_.take(entries_->entry().type, entries_->entry().value) == Resolver::Next::kDone) break;
  if (!entries_->valid() && !entries_->status()) return true;  // the base may be behind the failure
  const auto held = resolver_.resolve();
  if (!held) return fail(held.error());
  if (held->present) stand_on_value(*held);
  return false;
}

void DatabaseIterator::stand_on_value(const Held& held) {
  value_ = held.value;
  large_ = held.large;
  expires_ms_ = held.expires_ms;
  base_expires_ms_ = held.base_expires_ms;
  valid_ = true;
}

bool DatabaseIterator::fail(Error error) {
  status_ = std::move(error);
  valid_ = on_entry_ = false;
  return true;
}

// From where entries_ stands, going back: a key's versions come oldest first.
void DatabaseIterator::find_backward() {
  forward_ = valid_ = on_entry_ = false;
  if (large_) leave_large();
  while (entries_->valid()) {
    if (below_lower(entries_->entry().key)) return;
    saved_key_.assign(entries_->entry().key);
    bool plain = true, live = false;  // plain: the newest one so far is a put (live) or a tombstone
    Sequence newest = 0;
    for (; entries_->valid() && entries_->entry().key == saved_key_; entries_->prev()) {
      const format::Entry& entry = entries_->entry();
      if (entry.sequence > at_) continue;
      newest = entry.sequence;
      if (entry.type == format::EntryType::kPut || entry.type == format::EntryType::kErase) [[likely]] {
        plain = true;
        live = entry.type == format::EntryType::kPut;
        if (live) saved_value_.assign(entry.value);
        continue;
      }
      if (plain) {
        resolver_.begin(saved_key_);
        resolver_.take_newer(live ? format::EntryType::kPut : format::EntryType::kErase, saved_value_);
        plain = false;
      }
      resolver_.take_newer(entry.type, entry.value);
    }
    if (!entries_->status()) return;  // the newest version may be behind the failure
    Held held{.present = live, .value = saved_value_};
    if (!plain) {
      auto resolved = resolver_.resolve();
      if (!resolved) {
        fail(std::move(resolved).error());
        return;
      }
      held = *resolved;
    }
    if (!held.present) {
      pass(newest);
      continue;
    }
    stand_on_value(held);
    ++scanned_;
    return;
  }
}

}  // namespace lightning::engine
