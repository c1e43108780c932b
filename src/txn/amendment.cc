#include "txn/amendment.h"

#include <algorithm>
#include <map>

#include "format/batch.h"
#include "txn/key_text.h"

namespace lightning::txn {

namespace {

// So often a block may be evicted between one look and the next; then the gate waits for the disk.
constexpr std::uint32_t kPatience = 8;

}  // namespace

// Records and writes, from the batch. False if none of its keyspaces is kept. Inside the gate.
bool Amendment::collect() {
  records_.clear();
  writes_.clear();
  operations_given_ = 0;
  std::map<std::pair<format::KeyspaceId, std::string_view>, std::uint32_t> places;
  std::size_t offset = 0;
  for (format::BatchReader reader(batch_, format::BatchReader::Source::kCaller); reader.next();
       offset = reader.offset(), ++operations_given_) {
    const format::Operation& operation = reader.operation();
    engine::Tree* tree = engine_.tree_of(operation.keyspace);
    if (tree == nullptr || !tree->kept()) continue;
    auto place = static_cast<std::uint32_t>(records_.size());
    // One operation needs no map; the second one brings the first along.
    if (!records_.empty()) {
      if (places.empty()) places.emplace(std::pair(records_[0].tree->id, records_[0].key), 0);
      place = places.emplace(std::pair(operation.keyspace, operation.key), place).first->second;
    }
    if (place == records_.size()) {
      Record& record = records_.emplace_back();
      record.tree = tree;
      record.key = operation.key;
      record.hash = key_hash(operation.key);
    }
    records_[place].last = static_cast<std::uint32_t>(writes_.size());
    writes_.push_back({offset, operation.type, place, operation.value});
  }
  return !writes_.empty();
}

Status Amendment::prepare() {
  prepared_ = false;
  if (!engine_.keeps()) return {};
  if (tries_++ == 0 && !engine_.has_keepers()) return {};
  {
    const auto inside = engine_.pass_gate();
    if (!collect()) return {};
    for (Record& record : records_) {
      record.pin = record.tree->shared_from_this();
      if (record.tree->keeper_now() != nullptr) record.keeper = record.tree->keeper();
    }
  }
  LIGHTNING_TRY(derive());
  prepared_ = true;
  return {};
}

// What the records hold, and what follows from the change.
Status Amendment::derive() {
  planned_.clear();
  of_.clear();
  struct Planned {
    engine::Derived derived;
    const engine::Keeper* keeper;
    std::size_t place;  // keeps the order of equals
  };
  std::vector<Planned> all;
  std::vector<engine::Derived> some;
  std::string before;
  for (Record& record : records_) {
    if (!record.keeper && tries_ == 1) continue;  // looked up under the latch; only if that fails, brought from disk
    LIGHTNING_ASSIGN(record.before, newest_version(*record.tree, record.key, record.hash, &before));
    if (!record.keeper) continue;
    engine::RecordChange change{.key = record.key, .before = {}, .after = {}};
    if (record.before.record()) change.before = before;
    const Write& last = writes_[record.last];
    if (last.type != format::EntryType::kErase) change.after = last.value;
    some.clear();
    LIGHTNING_TRY(record.keeper->derive(change, some));
    for (engine::Derived& one : some) all.push_back({std::move(one), record.keeper.get(), all.size()});
  }
  // Entry by entry, erases first: one record may let go of what another one takes.
  const auto entry = [](const Planned& planned) {
    return std::tuple(planned.derived.tree->id, std::string_view(planned.derived.key));
  };
  const auto rank = [&](const Planned& planned) {
    return std::tuple(entry(planned), planned.derived.value.has_value(), planned.place);
  };
  std::sort(all.begin(), all.end(), [&](const Planned& a, const Planned& b) { return rank(a) < rank(b); });
  released_.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool same =
        i > 0 && entry(all[i]) == std::tuple(planned_.back().tree->id, std::string_view(planned_.back().key));
    if (!same) {
      planned_.push_back(std::move(all[i].derived));
      of_.push_back(all[i].keeper);
      released_.push_back(false);
      continue;
    }
    engine::Derived& kept = planned_.back();
    if (kept.value && all[i].derived.value) return all[i].keeper->twice(kept, all[i].derived);
    if (!kept.value && all[i].derived.value) released_.back() = true;
    kept = std::move(all[i].derived);
  }
  // Who owns them is asked under their latches, where nobody should have to wait for the disk.
  for (const engine::Derived& one : planned_)
    if (one.exclusive) LIGHTNING_TRY(newest_version(*one.tree, one.key, key_hash(one.key)));
  return {};
}

void Amendment::need_latches(CommitLatches::Held& latches) const {
  if (!prepared_) return;
  for (const engine::Derived& one : planned_)
    if (one.exclusive) latches.need(in_keyspace(key_hash(one.key), one.tree->id));
}

Result<bool> Amendment::settle() {
  amended_.clear();
  if (!engine_.keeps()) return true;
  if (!prepared_) {
    if (!collect()) return true;
    for (const Record& record : records_)
      if (record.tree->keeper_now() != nullptr) return false;  // it was not there when this write was prepared
  }
  for (Record& record : records_) {
    if (record.tree->keeper_now() != record.keeper.get()) return false;
    auto newest = newest_in_memory(*record.tree, record.key, record.hash);
    if (!newest) {
      if (tries_ < kPatience) return false;
      LIGHTNING_ASSIGN(newest, newest_version(*record.tree, record.key, record.hash));
    }
    if (record.keeper &&
        (newest->record() ? newest->sequence : 0) != (record.before.record() ? record.before.sequence : 0))
      return false;
    record.before = *newest;
  }
  LIGHTNING_ASSIGN(const bool settled, settle_exclusive());
  if (!settled) return false;
  build();
  return true;
}

Result<bool> Amendment::settle_exclusive() {
  derived_.clear();
  std::string current;
  for (std::size_t i = 0; i < planned_.size() && prepared_; ++i) {
    const engine::Derived& one = planned_[i];
    if (one.exclusive) {
      std::optional<std::string_view> held;
      if (!released_[i]) {
        auto newest = newest_in_memory(*one.tree, one.key, key_hash(one.key), &current);
        if (!newest) {
          if (tries_ < kPatience) return false;
          LIGHTNING_ASSIGN(newest, newest_version(*one.tree, one.key, key_hash(one.key), &current));
        }
        if (newest->record()) held = current;
      }
      LIGHTNING_ASSIGN(const bool writes, of_[i]->settle(one, held));
      if (!writes) continue;
    }
    derived_.push_back(one);
  }
  return true;
}

// The batch as it came, with the bit of those that change the count, and what was derived behind it.
void Amendment::build() {
  amended_.assign(batch_);
  operations_ = operations_given_;
  for (const Write& write : writes_) {
    Record& record = records_[write.record];
    const bool erases = write.type == format::EntryType::kErase;
    if (record.tree->counted() && record.before.record() == erases)
      amended_[write.offset] =
          static_cast<char>(static_cast<std::uint8_t>(amended_[write.offset]) | format::kChangesCount);
    record.before.type = write.type;
  }
  for (const engine::Derived& one : derived_) {
    format::append_operation(amended_, {one.value ? format::EntryType::kPut : format::EntryType::kErase, one.tree->id,
                                        one.key, one.value ? std::string_view(*one.value) : std::string_view()});
    ++operations_;
  }
}

}  // namespace lightning::txn
