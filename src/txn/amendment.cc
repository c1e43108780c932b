#include "txn/amendment.h"

#include <algorithm>
#include <map>

#include "engine/resolve.h"
#include "format/batch.h"
#include "format/expiry.h"
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
    if (operation.type == format::EntryType::kEraseRange) continue;  // such a batch is refused when it is to be applied
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
    const auto write = static_cast<std::uint32_t>(writes_.size());
    if (operation.type == format::EntryType::kMerge) {
      records_[place].operands.push_back(write);
    } else {
      records_[place].base = write;
      records_[place].operands.clear();
    }
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

// What the key holds now, even if it has expired: the entries that follow from it may still be there.
Result<std::optional<Amendment::Value>> Amendment::value_before(Record& record) const {
  std::string bytes;
  record.changes_ms = 0;
  LIGHTNING_ASSIGN(record.before, newest_version(*record.tree, record.key, record.hash, &bytes));
  if (!record.before.record()) return std::optional<Value>();
  if (record.before.type == format::EntryType::kPut) return std::optional<Value>(Value{std::move(bytes)});
  if (format::Expiring expiring;
      record.before.type == format::EntryType::kPutExpiring && format::split_expiring(bytes, expiring))
    return std::optional<Value>(Value{std::string(expiring.value), expiring.expires_ms});
  // Other types do not say it alone.
  const Snapshot applied = engine::Engine::unpinned(format::kSequenceMax);
  std::optional<Value> value;
  const Status looked = engine_.look_at(engine::Engine::handle_of(record.pin), record.key, {.snapshot = &applied},
                                        [&](const engine::Held& held) {
                                          record.changes_ms = held.base_expires_ms;
                                          if (held.present) value = Value{std::string(held.value), held.expires_ms};
                                        });
  // Nothing was ever derived from what cannot be read; it can be replaced, and not merged into.
  if (!looked && (looked.error().code() != ErrorCode::kMergeFailed || !record.base)) return looked.error();
  return value;
}

// What it will hold once the batch is applied.
Result<std::optional<Amendment::Value>> Amendment::value_after(const Record& record,
                                                               const std::optional<Value>& before) const {
  const engine::ReadRules rules = engine_.read_rules(*record.tree);
  std::optional<std::string_view> base;
  std::string large;
  std::uint64_t expires_ms = 0;
  if (!record.base) {
    if (before && (before->expires_ms == 0 || before->expires_ms > rules.clock->now_ms())) {
      base = before->bytes;
      expires_ms = before->expires_ms != 0 ? before->expires_ms : record.changes_ms;
    }
  } else if (const Write& write = writes_[*record.base]; write.type == format::EntryType::kPut) {
    base = write.value;
  } else if (format::Expiring expiring;
             write.type == format::EntryType::kPutExpiring && format::split_expiring(write.value, expiring)) {
    base = expiring.value;
    expires_ms = expiring.expires_ms;
  } else if (write.type == format::EntryType::kBlobReference) {
    LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(write.value));
    LIGHTNING_TRY(engine::Engine::load_large(*record.tree->pin_view()->version, record.key, write.value, large));
    base = large;
    expires_ms = reference.expiry_ms.value_or(0);
  }
  if (record.operands.empty()) return base ? std::optional<Value>(Value{std::string(*base), expires_ms}) : std::nullopt;
  if (expires_ms != 0)
    return Error(ErrorCode::kNotSupported, "record " + key_text(record.key) +
                                               " has a lifetime: in a keyspace with indexes nothing can be merged into "
                                               "it, since what is left when it expires would be in no index")
        .in_key_range(key_text(record.key));
  engine::Resolver resolver(rules);
  resolver.begin(record.key);
  for (auto operand = record.operands.rbegin(); operand != record.operands.rend(); ++operand)
    resolver.take(format::EntryType::kMerge, writes_[*operand].value);
  LIGHTNING_ASSIGN(const engine::Held held, resolver.resolve_over(base.has_value(), base.value_or(std::string_view())));
  return held.present ? std::optional<Value>(Value{std::string(held.value)}) : std::nullopt;
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
  for (Record& record : records_) {
    if (!record.keeper && tries_ == 1) continue;  // looked up under the latch; only if that fails, brought from disk
    if (!record.keeper || record.keeper->idle()) {
      LIGHTNING_ASSIGN(record.before, newest_version(*record.tree, record.key, record.hash));
      continue;
    }
    LIGHTNING_ASSIGN(const std::optional<Value> before, value_before(record));
    LIGHTNING_ASSIGN(const std::optional<Value> after, value_after(record, before));
    engine::RecordChange change{.key = record.key, .before = {}, .after = {}};
    if (before) {
      change.before = before->bytes;
      change.before_expires_ms = before->expires_ms;
    }
    if (after) {
      change.after = after->bytes;
      change.after_expires_ms = after->expires_ms;
    }
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
  releasing_.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool same =
        i > 0 && entry(all[i]) == std::tuple(planned_.back().tree->id, std::string_view(planned_.back().key));
    if (!same) {
      planned_.emplace_back();
      of_.push_back(all[i].keeper);
      releasing_.emplace_back();
    }
    engine::Derived& kept = planned_.back();
    if (same && kept.value) return all[i].keeper->twice(kept, all[i].derived);
    kept = std::move(all[i].derived);
    if (!kept.value) releasing_.back().push_back(kept.record);
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
  derived_.clear();
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
    if (record.changes_ms != 0 && record.changes_ms <= engine_.now_ms()) return false;
    record.before = *newest;
  }
  LIGHTNING_ASSIGN(const bool settled, settle_exclusive());
  if (!settled) return false;
  build();
  return true;
}

Result<bool> Amendment::settle_exclusive() {
  std::string current;
  for (std::size_t i = 0; i < planned_.size() && prepared_; ++i) {
    const engine::Derived& one = planned_[i];
    if (one.exclusive) {
      auto newest = newest_in_memory(*one.tree, one.key, key_hash(one.key), &current);
      if (!newest) {
        if (tries_ < kPatience) return false;
        LIGHTNING_ASSIGN(newest, newest_version(*one.tree, one.key, key_hash(one.key), &current));
      }
      LIGHTNING_ASSIGN(const bool writes,
                       of_[i]->settle(one, releasing_[i], value_of(*newest, current, engine_.now_ms())));
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
    if (one.value) {
      append_put(amended_, one.tree->id, one.key, *one.value, one.expires_ms);
    } else {
      format::append_operation(amended_, {format::EntryType::kErase, one.tree->id, one.key, {}});
    }
    ++operations_;
  }
}

}  // namespace lightning::txn
