#include "sim/history/journal.h"

#include <charconv>

#include "base/coding.h"

namespace lightning::sim::history {

namespace {

constexpr std::size_t kTableDigits = 2, kRowDigits = 7;

std::string digits(std::uint64_t number, std::size_t count) {
  std::string text = std::to_string(number);
  return std::string(count - std::min(count, text.size()), '0') + text;
}

// Takes a number, and the character after it, from the front of `text`.
template <class Number>
bool take(std::string_view& text, Number& number) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end.ec != std::errc() || end.ptr == text.data() + text.size()) return false;
  text.remove_prefix(static_cast<std::size_t>(end.ptr - text.data()) + 1);
  return true;
}

}  // namespace

std::string Tables::name(Key key) {
  return "t" + digits(table_of(key), kTableDigits) + "/" + digits(row_of(key), kRowDigits);
}

std::optional<Key> Tables::key(std::string_view name) {
  std::uint32_t table = 0, row = 0;
  const std::string with_end = std::string(name) + "/";
  std::string_view rest = with_end;
  if (!rest.starts_with('t')) return std::nullopt;
  rest.remove_prefix(1);
  if (!take(rest, table) || !take(rest, row) || !rest.empty()) return std::nullopt;
  return key_of(table, row);
}

OpenOptions Tables::options() {
  OpenOptions options;
  options.default_keyspace.merge_operator = "append";
  return options;
}

Result<Tables> Tables::open(Database& db) {
  Tables tables;
  tables.keyspaces_[0] = db.default_keyspace();
  LIGHTNING_ASSIGN(tables.keyspaces_[1], db.get_or_create_keyspace("second", options().default_keyspace));
  LIGHTNING_ASSIGN(tables.keyspaces_[2], db.get_or_create_keyspace("sums", {.merge_operator = "add"}));
  return tables;
}

Result<std::map<Key, Found>> Tables::content(Database& db) const {
  std::map<Key, Found> content;
  const Snapshot now = db.snapshot();
  for (const Keyspace& keyspace : keyspaces_) {
    auto it = db.iterate(keyspace, {.snapshot = &now});
    for (it.seek_to_first(); it.valid(); it.next()) {
      const auto key = Tables::key(it.key());
      const auto found = key ? decode(*key, it.value()) : std::nullopt;
      if (!found) return Error(ErrorCode::kInconsistentState, "not a row: " + std::string(it.key()));
      content[*key] = *found;
    }
    LIGHTNING_TRY(it.status());
  }
  return content;
}

std::string encode_operand(Version version) { return "+" + std::to_string(version); }

std::string encode_number(std::int64_t number) {
  std::string bytes;
  base::append_le(bytes, static_cast<std::uint64_t>(number));
  return bytes;
}

std::string encode(const Found& found, std::size_t padding) {
  if (table_of(found.key) == kSums) return encode_number(found.number);
  std::string value = std::to_string(found.version) + " " + std::to_string(found.number) + " " +
                      std::to_string(found.list.size()) + " ";
  for (const Version version : found.list) value += std::to_string(version) + ",";
  value.append(padding, 'x');
  return value;
}

std::optional<Found> decode(Key key, std::string_view value) {
  Found found{.key = key};
  if (table_of(key) == kSums) {
    if (value.size() != sizeof found.number) return std::nullopt;
    found.version = kUnresolved;
    found.number = static_cast<std::int64_t>(base::load_le<std::uint64_t>(value.data()));
    return found;
  }
  std::string_view base = value.substr(0, value.find('+'));
  const std::string merged = std::string(value.substr(base.size())) + '+';  // each number has an end
  if (!base.empty()) {
    std::size_t count = 0;
    if (!take(base, found.version) || !take(base, found.number) || !take(base, count)) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      Version version = 0;
      if (!take(base, version)) return std::nullopt;
      found.list.push_back(version);
    }
  }
  if (merged.size() == 1) return value.empty() ? std::nullopt : std::optional(found);
  if (found.list.empty() && found.version != kAbsent) found.list.push_back(found.version);
  for (std::string_view rest = std::string_view(merged).substr(1); !rest.empty();) {
    if (!take(rest, found.version)) return std::nullopt;
    found.list.push_back(found.version);
  }
  return found;
}

}  // namespace lightning::sim::history
