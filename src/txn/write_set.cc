#include "txn/write_set.h"

#include <cstring>

namespace lightning::txn {

std::string_view WriteSet::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
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
      Version{operation.type, copy(operation.value), nullptr, nullptr};
  if (operation.type == format::EntryType::kMerge) version->under = written.newest;
  if (keep_undo_) {
    version->older = written.newest;
    undo_.push_back(&written);
  }
  if (written.newest == nullptr) ++live_;
  written.newest = version;
  ++changes_;
  ++edits_;
}

void WriteSet::undo_to(std::uint64_t mark) {
  ++edits_;
  while (!undo_.empty() && changes_ > mark) {
    Written& written = *undo_.back();
    undo_.pop_back();
    --changes_;
    written.newest = written.newest->older;
    if (written.newest == nullptr) --live_;
  }
}

std::uint32_t WriteSet::encode(std::string& batch) const {
  std::size_t bytes = 0;
  for (const auto& [key, written] : map_)
    for (const Version* version = written.newest; version != nullptr; version = version->under)
      bytes += format::operation_bytes({version->type, key.keyspace, key.bytes, version->value});
  batch.reserve(bytes);
  std::uint32_t operations = 0;
  std::vector<const Version*> newest_first;
  for (const auto& [key, written] : map_) {
    newest_first.clear();
    for (const Version* version = written.newest; version != nullptr; version = version->under)
      newest_first.push_back(version);
    for (auto version = newest_first.rbegin(); version != newest_first.rend(); ++version, ++operations)
      format::append_operation(batch, {(*version)->type, key.keyspace, key.bytes, (*version)->value});
  }
  return operations;
}

}  // namespace lightning::txn
