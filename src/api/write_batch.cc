#include "lightning/write_batch.h"

#include "format/batch.h"
#include "lightning/database.h"

namespace lightning {

namespace {

// An empty handle, the only one without a name, stands for no keyspace; Database::write says so.
format::KeyspaceId id_of(const Keyspace& keyspace) {
  return keyspace.name().empty() ? format::kNoKeyspace : keyspace.id();
}

}  // namespace

WriteBatch& WriteBatch::put(std::string_view key, std::string_view value) {
  append(static_cast<std::uint8_t>(format::EntryType::kPut), 0, key, value);
  return *this;
}
WriteBatch& WriteBatch::put(const Keyspace& keyspace, std::string_view key, std::string_view value) {
  append(static_cast<std::uint8_t>(format::EntryType::kPut), id_of(keyspace), key, value);
  return *this;
}
WriteBatch& WriteBatch::erase(std::string_view key) {
  append(static_cast<std::uint8_t>(format::EntryType::kErase), 0, key, {});
  return *this;
}
WriteBatch& WriteBatch::erase(const Keyspace& keyspace, std::string_view key) {
  append(static_cast<std::uint8_t>(format::EntryType::kErase), id_of(keyspace), key, {});
  return *this;
}

void WriteBatch::clear() {
  rep_.clear();
  count_ = 0;
}

void WriteBatch::append(std::uint8_t type, std::uint32_t keyspace_id, std::string_view key, std::string_view value) {
  format::append_operation(rep_, {static_cast<format::EntryType>(type), keyspace_id, key, value});
  ++count_;
}

}  // namespace lightning
