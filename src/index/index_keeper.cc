#include "index/index_keeper.h"

#include <algorithm>

#include "index/value_order.h"
#include "txn/key_text.h"

namespace lightning::index {

using txn::key_text;

Result<std::optional<std::string>> Index::entry_of(std::string_view record, std::string_view value) const {
  const auto failed = [&](const std::string& why) -> Result<std::optional<std::string>> {
    if (definition.on_extract_failure == OnExtractFailure::kLeaveOut) return std::optional<std::string>();
    return Error(ErrorCode::kExtractFailed, "index '" + definition.name + "' (" + describe(definition.extractor) +
                                                ") cannot take record " + key_text(record) + ": " + why)
        .in_key_range(key_text(record));
  };
  Result<std::optional<IndexValue>> extracted = (*extract)(record, value);
  if (!extracted) {
    const ErrorCode code = extracted.error().code();
    if (code != ErrorCode::kExtractFailed)
      return Error(extracted.error()).while_doing("index '" + definition.name + "'");
    return failed(extracted.error().message());
  }
  if (!*extracted) return std::optional<std::string>();
  std::string entry;
  if (!append_entry_key(entry, **extracted, record, definition.unique))
    return failed("its entry would be too long, or its value is not a number");
  return std::optional<std::string>(std::move(entry));
}

// Old entry out, new entry in, which expires with its record; nothing if they are the same. While the index is being
// built nobody knows whether the old entry is there already: then the new one is written in any case, and who builds
// leaves the record to us.
Status IndexKeeper::derive(const engine::RecordChange& change, std::vector<engine::Derived>& to) const {
  for (const IndexPtr& index : indexes_) {
    if (!index->definition.kept()) continue;
    std::optional<std::string> before, after;
    if (change.after) {
      LIGHTNING_ASSIGN(after, index->entry_of(change.key, *change.after));
    }
    if (change.before) {
      auto old = index->entry_of(change.key, *change.before);
      // What could not be indexed then has no entry now.
      if (!old && old.error().code() != ErrorCode::kExtractFailed) return std::move(old).error();
      if (old) before = std::move(*old);
    }
    const bool same = before == after;
    const bool rewritten = !same || change.before_expires_ms != change.after_expires_ms ||
                           index->definition.state == Definition::State::kBuilding;
    const bool unique = index->definition.unique;
    const auto add = [&](std::string entry, std::optional<std::string> value, std::uint64_t expires_ms) {
      to.push_back({.tree = index->tree,
                    .key = std::move(entry),
                    .value = std::move(value),
                    .expires_ms = expires_ms,
                    .exclusive = unique,
                    .record = change.key});
    };
    if (before && !same) add(std::move(*before), std::nullopt, 0);
    if (after && rewritten) add(std::move(*after), entry_value(change.key, unique), change.after_expires_ms);
  }
  return {};
}

bool IndexKeeper::idle() const {
  return std::ranges::none_of(indexes_, [](const IndexPtr& index) { return index->definition.kept(); });
}

Result<bool> IndexKeeper::settle(const engine::Derived& entry, std::span<const std::string_view> releasing,
                                 std::optional<std::string_view> current) const {
  // The entry may belong to another record with the same value, and is not ours to erase: while the index is being
  // built, which will find out; and after ours had expired.
  const bool ours = !current || *current == entry.record || std::ranges::find(releasing, *current) != releasing.end();
  if (!entry.value) return current && ours;
  if (!ours) return not_unique(*of(entry.tree), entry.key, *current, entry.record);
  return true;
}

Error IndexKeeper::twice(const engine::Derived& one, const engine::Derived& other) const {
  return not_unique(*of(one.tree), one.key, one.record, other.record);
}

const Index* IndexKeeper::of(const engine::Tree* tree) const {
  for (const IndexPtr& index : indexes_)
    if (index->tree == tree) return index.get();
  return nullptr;
}

const Index* IndexKeeper::find(std::string_view name) const {
  for (const IndexPtr& index : indexes_)
    if (index->definition.name == name) return index.get();
  return nullptr;
}

Error not_unique(const Index& index, std::string_view entry, std::string_view holder, std::string_view comer) {
  const std::optional<IndexValue> value = take_value(entry);
  return Error(ErrorCode::kNotUnique, "index '" + index.definition.name + "' is unique: records " + key_text(holder) +
                                          " and " + key_text(comer) + " both have the value " +
                                          (value ? value_text(*value) : std::string("?")))
      .in_key_range(key_text(comer));
}

}  // namespace lightning::index
