// Databases with odd contents; see targets/contents.cc.
#include "blob/layout.h"
#include "format/entry.h"
#include "format/expiry.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "index/definition.h"

namespace lightning::fuzz {

namespace {

using format::EntryType;

std::string begin(std::uint8_t flags, std::string_view definition = {}) {
  std::string input(1, static_cast<char>(flags));
  append_piece(input, definition);
  return input;
}

void append_entry(std::string& input, bool attached, EntryType type, std::uint8_t sequence, std::string_view key,
                  std::string_view value) {
  const auto key_shape = static_cast<unsigned>(key.size() - 1) << 4;
  input += static_cast<char>(static_cast<unsigned>(type) | key_shape | (attached ? 0x80u : 0u));
  input += static_cast<char>(sequence);
  input += key;
  input += static_cast<char>(value.size());
  input += value;
}

}  // namespace

void add_contents_seeds(Seeds& seeds) {
  SeedsOfTarget& contents = seeds["contents"];
  std::string expiring;
  format::append_expiring(expiring, {.expires_ms = 1'900'000'000'000, .value = "v"});
  const std::string reference = blob::encode(
      blob::Reference{.id = {5, 0}, .offset = 96, .stored_bytes = 400, .value_bytes = 300, .tag = {}, .expiry_ms = {}});

  std::string& plain = contents["valid-every-type"] = begin(1);
  append_entry(plain, false, EntryType::kPut, 1, "a", "value");
  append_entry(plain, false, EntryType::kPut, 9, "b", "12345678");
  append_entry(plain, false, EntryType::kMerge, 20, "b", std::string("\1\0\0\0\0\0\0\0", 8));
  append_entry(plain, false, EntryType::kErase, 30, "a", "");
  append_entry(plain, false, EntryType::kPutExpiring, 2, "c", expiring);
  append_entry(plain, false, EntryType::kEraseRange, 3, "a", "b");
  append_entry(plain, false, EntryType::kPut, 2, "later", "z");

  index::Definition definition{.name = "index", .extractor = DelimitedField{0, ',', false}, .error = {}};
  definition.state = index::Definition::State::kReady;
  std::string& indexed = contents["valid-index"] = begin(16, index::encode(definition));
  std::string entry;
  index::append_entry_key(entry, IndexValue("x"), "a", false);
  append_entry(indexed, false, EntryType::kPut, 1, "a", "x,y");
  append_entry(indexed, true, EntryType::kPut, 1, entry, "");

  std::string& odd = contents["hostile-values"] = begin(5);
  append_entry(odd, false, EntryType::kPutExpiring, 1, "short", "1234");
  append_entry(odd, false, EntryType::kPutExpiring, 1, "never", std::string(8, '\0'));
  append_entry(odd, false, EntryType::kPutExpiring, 1, "late", std::string(8, '\xff'));
  append_entry(odd, false, EntryType::kMerge, 1, "sum", "not a number");
  append_entry(odd, false, EntryType::kBlobReference, 1, "nowhere", reference);
  append_entry(odd, false, EntryType::kBlobReference, 1, "garbage", "garbage");
  append_entry(odd, false, EntryType::kMerge, 9, "garbage", "12345678");
  append_entry(odd, false, EntryType::kEraseRange, 200, "s", "");
  std::string& foreign = contents["hostile-index"] = begin(0, index::encode(definition));
  append_entry(foreign, true, EntryType::kPut, 1, "noentry", "value");
  append_entry(foreign, true, EntryType::kMerge, 1, "\5open", "value");
  contents["hostile-definition"] = begin(0, "\x01\x01x");
}

}  // namespace lightning::fuzz
