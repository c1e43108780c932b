#include "txn/write_set.h"

#include <cstring>

namespace lightning::txn {

const WriteSet::Version WriteSet::kInErasedRange{.type = format::EntryType::kErase, .value = {}};

std::string_view WriteSet::copy(std::string_view bytes) {
  if (bytes.empty()) return "";
  char* const to = static_cast<char*>(arena_.allocate(bytes.size(), 1));
  std::memcpy(to, bytes.data(), bytes.size());
  return {to, bytes.size()};
}

void WriteSet::add(const format::Operation& operation, std::uint64_t hash) {
  bytes_ += cost(operation.key, operation.value);
  auto found = map_.lower_bound(Key{operation.keyspace, operation.key});
  if (found == map_.end() || found->first != Key{operation.keyspace, operation.key})
    found = map_.emplace_hint(found, Key{operation.keyspace, copy(operation.key)}, Written{.hash = hash});
  Written& written = found->second;
  auto* const version = new (arena_.allocate(sizeof(Version), alignof(Version)))
      Version{operation.type, copy(operation.value), nullptr, nullptr, changes_ + 1};
  if (operation.type == format::EntryType::kMerge)
    version->under = ranges_.empty() ? written.newest : or_erased(operation.keyspace, operation.key, written.newest);
  if (keep_undo_) {
    version->older = written.newest;
    undo_.push_back(&written);
  }
  if (written.newest == nullptr) ++live_;
  written.newest = version;
  ++changes_;
  ++edits_;
}

void WriteSet::add_range(const format::Operation& operation) {
  bytes_ += range_cost(operation.key, operation.value);
  ranges_.push_back({operation.keyspace, copy(operation.key), copy(operation.value), changes_ + 1});
  erased_made_ = false;
  if (keep_undo_) undo_.push_back(nullptr);
  ++changes_;
  ++edits_;
}

const format::RangeTombstones& WriteSet::erased(format::KeyspaceId keyspace) const {
  static const format::RangeTombstones kNone;
  if (ranges_.empty()) return kNone;
  if (!erased_made_) {
    std::map<format::KeyspaceId, std::vector<format::RangeTombstone>> all;
    for (const Range& range : ranges_) all[range.keyspace].push_back({range.start, range.end, range.change});
    erased_.clear();
    for (auto& [id, ranges] : all) erased_.emplace(id, format::RangeTombstones::newest_of(std::move(ranges)));
    erased_made_ = true;
  }
  const auto found = erased_.find(keyspace);
  return found == erased_.end() ? kNone : found->second;
}

const WriteSet::Version* WriteSet::or_erased(format::KeyspaceId keyspace, std::string_view key,
                                             const Version* newest) const {
  const Sequence range = erased(keyspace).covering(key, format::kSequenceMax);
  return range > (newest == nullptr ? 0 : newest->change) ? &kInErasedRange : newest;
}

void WriteSet::undo_to(std::uint64_t mark) {
  ++edits_;
  while (!undo_.empty() && changes_ > mark) {
    Written* const changed = undo_.back();
    undo_.pop_back();
    --changes_;
    if (changed == nullptr) {
      ranges_.pop_back();
      erased_made_ = false;
      continue;
    }
    Written& written = *changed;
    written.newest = written.newest->older;
    if (written.newest == nullptr) --live_;
  }
}

std::uint32_t WriteSet::encode(std::string& batch) const {
  std::size_t bytes = 0;
  std::uint32_t operations = 0;
  // An operand's way down ends where a range was erased: that one comes first.
  const auto each = [this](const auto& use) {
    for (const auto& [key, written] : map_) {
      const Version* version = written.newest;
      if (version != nullptr && !ranges_.empty()) version = or_erased(key.keyspace, key.bytes, version);
      use(key, version == &kInErasedRange ? nullptr : version);
    }
  };
  const auto below = [](const Version* version) {
    return version->under == &kInErasedRange ? nullptr : version->under;
  };
  for (const Range& range : ranges_)
    bytes += format::operation_bytes({format::EntryType::kEraseRange, range.keyspace, range.start, range.end});
  each([&](const Key& key, const Version* newest) {
    for (const Version* version = newest; version != nullptr; version = below(version))
      bytes += format::operation_bytes({version->type, key.keyspace, key.bytes, version->value});
  });
  batch.reserve(bytes);
  for (const Range& range : ranges_) {
    format::append_operation(batch, {format::EntryType::kEraseRange, range.keyspace, range.start, range.end});
    ++operations;
  }
  std::vector<const Version*> newest_first;
  each([&](const Key& key, const Version* newest) {
    newest_first.clear();
    for (const Version* version = newest; version != nullptr; version = below(version)) newest_first.push_back(version);
    for (auto version = newest_first.rbegin(); version != newest_first.rend(); ++version, ++operations)
      format::append_operation(batch, {(*version)->type, key.keyspace, key.bytes, (*version)->value});
  });
  return operations;
}

}  // namespace lightning::txn
