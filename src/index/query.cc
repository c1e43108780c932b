#include "index/query.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "engine/cursor.h"
#include "engine/database_iterator.h"
#include "index/index_keeper.h"
#include "index/value_order.h"
#include "txn/changes.h"
#include "txn/key_ranges.h"
#include "txn/key_text.h"

namespace lightning::index {

namespace {

constexpr std::uint32_t kLimitMax = 100'000;
constexpr char kContinuationVersion = 1;

Error invalid(std::string what) {
  return Error(ErrorCode::kInvalidArgument, "the query of the index " + std::move(what));
}

// The entries that a query is about, as bounds of their keys.
struct Span {
  std::string first;
  std::optional<std::string> end;  // exclusive
};

Result<Span> span_of(const IndexQuery& query) {
  Span span;
  if (query.prefix) {
    if (query.from || query.to) return invalid("has a prefix and bounds");
    append_string_prefix(span.first, *query.prefix);
    span.end = after_prefix(span.first);
    return span;
  }
  const auto encoded = [](const IndexValue& value, std::string& to) -> Status {
    if (!append_value(to, value)) return invalid("has a bound that is not a number");
    return {};
  };
  if (query.from) {
    LIGHTNING_TRY(encoded(query.from->value, span.first));
    if (!query.from->inclusive) span.first = *after_prefix(std::move(span.first));  // begins with a tag: there is one
    span.end = kind_of(query.from->value).end;
  }
  if (query.to) {
    std::string end;
    LIGHTNING_TRY(encoded(query.to->value, end));
    span.end = query.to->inclusive ? after_prefix(std::move(end)) : std::move(end);
    if (!query.from) span.first = kind_of(query.to->value).first;
  }
  if (span.end && *span.end < span.first) {
    if (query.from && query.to && kind_of(query.from->value).first != kind_of(query.to->value).first)
      return invalid("has bounds of two kinds in the wrong order");
    if (query.from && query.to && *span.end + '\xff' < span.first)
      return Error(ErrorCode::kInvertedRange, "the range of the index query ends before it starts");
    span.end = span.first;  // nothing lies between
  }
  return span;
}

// Behind the last match of the page before.
Status go_on(Span& span, const IndexQuery& query) {
  const std::string& token = query.continuation;
  if (token.empty()) return {};
  if (token.size() < 2 || token.front() != kContinuationVersion) return invalid("has a continuation that is none");
  std::string last = token.substr(1);
  if (last < span.first || (span.end && last >= *span.end)) return invalid("has a continuation of another query");
  if (query.reverse) {
    span.end = std::move(last);
  } else {
    span.first = std::move(last);
    span.first.push_back('\0');
  }
  return {};
}

struct Found {
  std::shared_ptr<const engine::Keeper> keeper;  // keeps the index alive
  const Index* index = nullptr;
};

Result<Found> find_index(engine::Engine& engine, const Keyspace& owner, std::string_view name, Sequence at) {
  LIGHTNING_ASSIGN(const engine::Tree* tree, engine.tree_of(owner));
  Found found{tree->keeper(), nullptr};
  if (found.keeper) found.index = static_cast<const IndexKeeper&>(*found.keeper).find(name);
  if (found.index == nullptr)
    return Error(ErrorCode::kIndexNotFound, "keyspace '" + owner.name() + "' has no index '" + std::string(name) + "'");
  const Definition& definition = found.index->definition;
  const std::string text = "index '" + std::string(name) + "' of keyspace '" + owner.name() + "' ";
  if (definition.state == Definition::State::kFailed)
    return Error(ErrorCode::kIndexNotReady, text + "could not be built: " + definition.error)
        .with_advice("correct the records, then rebuild or drop the index");
  if (definition.state != Definition::State::kReady) return Error(ErrorCode::kIndexNotReady, text + "is being built");
  if (at < definition.ready)
    return Error(ErrorCode::kIndexNotReady, text + "was completed at sequence " + std::to_string(definition.ready) +
                                                ", behind the snapshot at " + std::to_string(at));
  return found;
}

Error damaged(const Index& index, std::string_view what) {
  return Error(ErrorCode::kInconsistentState, "index '" + index.definition.name + "' " + std::string(what))
      .with_advice("run lightning_db check, then rebuild the index");
}

// A walk over entries, one way.
class Walk {
 public:
  Walk(engine::Cursor& cursor, bool reverse) : cursor_(&cursor), reverse_(reverse) {
    reverse_ ? cursor_->seek_to_last() : cursor_->seek_to_first();
  }
  bool valid() const { return cursor_->valid(); }
  std::string_view key() const { return cursor_->key(); }
  std::string_view held() const { return cursor_->value(); }
  std::uint64_t expires_ms() const { return cursor_->expires_ms(); }
  void next() { reverse_ ? cursor_->prev() : cursor_->next(); }
  Status status() const { return cursor_->status(); }

 private:
  engine::Cursor* const cursor_;
  const bool reverse_;
};

// What a transaction has written: the entries that follow from it, and the records whose stored entries do not count.
struct Own {
  struct Entry {
    std::string key, record;
  };
  std::vector<Entry> entries;  // in the order of the walk
  std::unordered_set<std::string> records;
  // Erased before there was an index: from then on they are erased key by key.
  txn::KeyRanges ranges;
  format::KeyspaceId owner = 0;

  bool none() const { return records.empty() && ranges.empty(); }
  bool hides(std::string_view record) const {
    return records.contains(std::string(record)) || ranges.contains(owner, record);
  }
};

Result<Own> own_of(txn::Core& core, const Keyspace& owner, const Index& index, const Span& span, bool reverse) {
  Own own;
  std::vector<std::string> merged;
  const auto add = [&](std::string_view record, std::string_view value) -> Status {
    LIGHTNING_ASSIGN(auto entry, index.entry_of(record, value));
    if (entry && *entry >= span.first && (!span.end || *entry < *span.end))
      own.entries.push_back({std::move(*entry), std::string(record)});
    return {};
  };
  const std::uint64_t now_ms = core.engine().now_ms();
  const auto visit = [&](std::string_view record, const txn::WriteSet::Version& written) -> Status {
    own.records.emplace(record);
    if (written.type == format::EntryType::kMerge) merged.emplace_back(record);
    const auto value = txn::value_of({.sequence = 1, .type = written.type}, written.value, now_ms);
    if (value) LIGHTNING_TRY(add(record, *value));
    return {};
  };
  LIGHTNING_TRY(core.visit_writes(owner, visit));
  LIGHTNING_ASSIGN(own.ranges, core.erased_ranges(owner));
  own.owner = engine::Engine::tree_behind(owner)->id;
  // What they come to may depend on what the database holds: it is read, and part of what was read.
  for (const std::string& record : merged) {
    std::string value;
    LIGHTNING_ASSIGN(const bool there, core.get(owner, record, value));
    if (there) LIGHTNING_TRY(add(record, value));
  }
  std::sort(own.entries.begin(), own.entries.end(), [](const Own::Entry& a, const Own::Entry& b) {
    return std::tie(a.key, a.record) < std::tie(b.key, b.record);
  });
  if (reverse) std::reverse(own.entries.begin(), own.entries.end());
  return own;
}

// One page: stored entries and own ones, merged. `mortal` gets the records that expire some day.
Result<IndexPage> collect(const Index& index, const IndexQuery& query, engine::Cursor& stored, const Own& own,
                          std::unordered_set<std::string>* mortal = nullptr) {
  IndexPage page;
  std::string last;
  const auto add = [&](std::string_view key, std::string_view value) -> Status {
    const std::optional<Entry> entry = parse_entry(key, value, index.definition.unique);
    if (!entry) return damaged(index, "holds an entry that is none");
    page.matches.push_back({entry->value, std::string(entry->record), {}});
    last.assign(key);
    return {};
  };
  Walk walk(stored, query.reverse);
  auto mine = own.entries.begin();
  for (;;) {
    while (walk.valid() && !own.none()) {
      const std::optional<Entry> entry = parse_entry(walk.key(), walk.held(), index.definition.unique);
      if (!entry || !own.hides(entry->record)) break;
      walk.next();
    }
    LIGHTNING_TRY(walk.status());
    const bool have_mine = mine != own.entries.end();
    if (!walk.valid() && !have_mine) return page;
    if (page.matches.size() == query.limit) {
      page.continuation = kContinuationVersion + last;
      return page;
    }
    const bool takes_mine =
        have_mine && (!walk.valid() || (query.reverse ? mine->key > walk.key() : mine->key < walk.key()));
    if (takes_mine) {
      LIGHTNING_TRY(add(mine->key, entry_value(mine->record, index.definition.unique)));
      ++mine;
    } else {
      LIGHTNING_TRY(add(walk.key(), walk.held()));
      if (mortal != nullptr && walk.expires_ms() != 0) mortal->insert(page.matches.back().key);
      walk.next();
    }
  }
}

Result<Span> prepare(const IndexQuery& query) {
  if (query.limit == 0 || query.limit > kLimitMax)
    return invalid("has a limit of " + std::to_string(query.limit) + "; it must be 1 to " + std::to_string(kLimitMax));
  LIGHTNING_ASSIGN(Span span, span_of(query));
  LIGHTNING_TRY(go_on(span, query));
  return span;
}

IterateOptions options_of(const Span& span, const Snapshot* snapshot) {
  return {.snapshot = snapshot, .lower_bound = span.first, .upper_bound = span.end};
}

}  // namespace

Result<IndexPage> query(engine::Engine& engine, const Keyspace& owner, std::string_view name, const IndexQuery& query) {
  LIGHTNING_ASSIGN(const Span span, prepare(query));
  // Entries and records are read at one moment.
  Snapshot own;
  const Snapshot* at = query.snapshot;
  if (at == nullptr && query.with_records) {
    own = engine.snapshot("query of index " + std::string(name));
    at = &own;
  }
  LIGHTNING_ASSIGN(const Found found,
                   find_index(engine, owner, name, at != nullptr ? at->sequence() : engine.visible()));
  LIGHTNING_ASSIGN(const auto cursor, engine.iterate(found.index->entries, options_of(span, at)));
  std::unordered_set<std::string> mortal;
  LIGHTNING_ASSIGN(IndexPage page, collect(*found.index, query, *cursor, {}, query.with_records ? &mortal : nullptr));
  if (!query.with_records) return page;
  for (auto match = page.matches.begin(); match != page.matches.end();) {
    LIGHTNING_ASSIGN(const bool there, engine.get(owner, match->key, match->record, {.snapshot = at}));
    if (!there && !mortal.contains(match->key))
      return damaged(*found.index, "names record " + txn::key_text(match->key) + ", which is not there");
    match = there ? std::next(match) : page.matches.erase(match);  // or it has expired just now
  }
  return page;
}

Result<IndexPage> query(txn::Core& core, const Keyspace& owner, std::string_view name, const IndexQuery& query) {
  if (query.snapshot != nullptr) return invalid("is made in a transaction, which has a snapshot of its own");
  LIGHTNING_ASSIGN(const Span span, prepare(query));
  LIGHTNING_ASSIGN(const Found found, find_index(core.engine(), owner, name, core.snapshot_sequence()));
  LIGHTNING_ASSIGN(const Own own, own_of(core, owner, *found.index, span, query.reverse));
  LIGHTNING_ASSIGN(const auto cursor, core.iterate(found.index->entries, options_of(span, nullptr)));
  LIGHTNING_ASSIGN(IndexPage page, collect(*found.index, query, *cursor, own));
  if (!query.with_records) return page;
  for (auto match = page.matches.begin(); match != page.matches.end();) {
    LIGHTNING_ASSIGN(const bool there, core.get(owner, match->key, match->record));
    // At read committed each read has its own moment: what is gone by now is no match.
    match = there ? std::next(match) : page.matches.erase(match);
  }
  return page;
}

}  // namespace lightning::index
