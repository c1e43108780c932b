#include "lightning/write_batch.h"

#include "format/batch.h"
#include "format/expiry.h"
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
WriteBatch& WriteBatch::put(std::string_view key, std::string_view value, const Lifetime& lifetime) {
  append_put(0, key, value, lifetime);
  return *this;
}
WriteBatch& WriteBatch::put(const Keyspace& keyspace, std::string_view key, std::string_view value,
                            const Lifetime& lifetime) {
  append_put(id_of(keyspace), key, value, lifetime);
  return *this;
}
WriteBatch& WriteBatch::merge(std::string_view key, std::string_view operand) {
  simple_ = false;
  append(static_cast<std::uint8_t>(format::EntryType::kMerge), 0, key, operand);
  return *this;
}
WriteBatch& WriteBatch::merge(const Keyspace& keyspace, std::string_view key, std::string_view operand) {
  simple_ = false;
  append(static_cast<std::uint8_t>(format::EntryType::kMerge), id_of(keyspace), key, operand);
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

WriteBatch& WriteBatch::erase_range(const KeyRange& range) {
  const format::Operation operation = format::erase_range(0, range.start, range.end);
  append(static_cast<std::uint8_t>(operation.type), operation.keyspace, operation.key, operation.value);
  return *this;
}
WriteBatch& WriteBatch::erase_range(const Keyspace& keyspace, const KeyRange& range) {
  const format::Operation operation = format::erase_range(id_of(keyspace), range.start, range.end);
  append(static_cast<std::uint8_t>(operation.type), operation.keyspace, operation.key, operation.value);
  return *this;
}

void WriteBatch::clear() {
  rep_.clear();
  count_ = 0;
  simple_ = true;
}

void WriteBatch::append_put(std::uint32_t keyspace_id, std::string_view key, std::string_view value,
                            const Lifetime& lifetime) {
  const std::uint64_t asked = format::ask(lifetime);
  if (asked == 0) return append(static_cast<std::uint8_t>(format::EntryType::kPut), keyspace_id, key, value);
  simple_ = false;
  std::string expiring;
  format::append_expiring(expiring, {asked, value});
  append(static_cast<std::uint8_t>(format::EntryType::kPutExpiring), keyspace_id, key, expiring);
}

void WriteBatch::append(std::uint8_t type, std::uint32_t keyspace_id, std::string_view key, std::string_view value) {
  format::append_operation(rep_, {static_cast<format::EntryType>(type), keyspace_id, key, value});
  ++count_;
}

}  // namespace lightning
