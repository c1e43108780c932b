#include "txn/read_set.h"

#include <algorithm>
#include <cstring>

namespace lightning::txn {

void ReadSet::add(format::KeyspaceId keyspace, std::string_view key, std::uint64_t hash, Sequence after,
                  bool for_update) {
  if (!points_) points_ = std::make_unique<Points>();
  const auto found = points_->keys.lower_bound(WriteSet::Key{keyspace, key});
  if (found != points_->keys.end() && found->first == WriteSet::Key{keyspace, key}) {
    found->second.after = std::min(found->second.after, after);
    found->second.for_update |= for_update;
    return;
  }
  char* const to = static_cast<char*>(points_->arena.allocate(key.size(), 1));
  std::memcpy(to, key.data(), key.size());
  points_->keys.emplace_hint(found, WriteSet::Key{keyspace, {to, key.size()}}, Read{hash, after, for_update});
  key_bytes_ += sizeof(Keys::value_type) + 4 * sizeof(void*) + key.size();
}

void ReadSet::add_range(format::KeyspaceId keyspace, std::string_view start, KeyRanges::End end, Sequence after) {
  ranges_.add(keyspace, start, std::move(end));
  ranges_after_ = std::min(ranges_after_, after);
}

void ReadSet::shrink_to(std::uint64_t bytes) {
  if (key_bytes_ > bytes / 2) {
    for (const auto& [key, read] : points_->keys)
      add_range(key.keyspace, key.bytes, KeyRanges::after(key.bytes), read.after);
    points_.reset();
    key_bytes_ = 0;
  }
  for (std::size_t count = std::max<std::size_t>(ranges_.count() / 2, 1); this->bytes() > bytes; count /= 2) {
    ranges_.coarsen(std::max<std::size_t>(count, 1));
    if (count <= 1) return;
  }
}

}  // namespace lightning::txn
