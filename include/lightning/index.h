// Secondary indexes: records found by what is in them.
//
//   LIGHTNING_TRY(db.create_index(orders, "by_city", {.extractor = JsonPointer{"/address/city"}}));
//   LIGHTNING_ASSIGN(IndexPage page, db.query_index(orders, "by_city", IndexQuery::equal("Oslo")));
//   for (const IndexMatch& match : page.matches) use(match.key);
//
// An index is kept by the same commit as its records: whoever sees the one sees the other, also after a crash. What it
// costs: a write to the keyspace reads what its key holds, runs the extractor on both values, and, if what was
// extracted has changed, writes an entry that goes and one that comes.
//
// An entry expires with its record. A merge is resolved when it is written, and refused if that fails (kMergeFailed) or
// if the record has a lifetime (kNotSupported): what is left when that ends could be in no index.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning {

class Snapshot;

// What is extracted from a record. Values are in order: false, true, numbers by size (integers and others together,
// exactly), strings by bytes. A string literal is a string, not a boolean. Implicit, to be written as what it holds.
class IndexValue {
 public:
  using Any = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;
  // NOLINTBEGIN(google-explicit-constructor)
  IndexValue(std::string text) : any_(std::move(text)) {}
  IndexValue(std::string_view text) : any_(std::string(text)) {}
  IndexValue(const char* text) : any_(std::string(text)) {}
  IndexValue(bool value) : any_(value) {}
  IndexValue(int value) : any_(std::int64_t{value}) {}
  IndexValue(std::int64_t value) : any_(value) {}
  IndexValue(std::uint64_t value) : any_(value) {}
  IndexValue(double value) : any_(value) {}
  // NOLINTEND(google-explicit-constructor)
  const Any& any() const { return any_; }
  bool operator==(const IndexValue&) const = default;

 private:
  Any any_;
};

// --- extractors: what of a record is indexed. The first three are data, so that every tool can use them. -------------

// The value is JSON (UTF-8, nested at most 64 deep); `pointer` names a part of it (RFC 6901: "/address/city",
// "/tags/0"). A string, number or boolean is indexed; a record whose part is absent or null has no entry; an array, an
// object, or text that is not JSON is a failure.
struct JsonPointer {
  std::string pointer;
  bool operator==(const JsonPointer&) const = default;
};
// Bytes `offset` .. `offset + bytes` of the value, or of the key; what is there of them; no entry if that is nothing.
struct ByteRange {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  bool of_key = false;
  bool operator==(const ByteRange&) const = default;
};
// The field with this number, from 0, of a value (or key) that `delimiter` separates. No entry if there are fewer.
struct DelimitedField {
  std::uint32_t field = 0;
  char delimiter = ',';
  bool of_key = false;
  bool operator==(const DelimitedField&) const = default;
};
// User code, registered by name when the database is opened (open_options.h), each time: without it, writes to the
// keyspace answer kExtractorMissing, and queries go on.
struct UserExtractor {
  std::string name;
  bool operator==(const UserExtractor&) const = default;
};
using Extractor = std::variant<JsonPointer, ByteRange, DelimitedField, UserExtractor>;

// What user code is: the value to index, none for no entry, or an error: a failure. It must depend on its arguments
// alone, and never change under the same name. Called by any number of threads at once; it must not call the database.
using ExtractFunction = std::function<Result<std::optional<IndexValue>>(std::string_view key, std::string_view value)>;

// What becomes of a record in which extraction fails, or whose entry would be too long (an encoded value above 16 KiB,
// or with the key above 64 KiB).
enum class OnExtractFailure : std::uint8_t {
  kRejectWrite,  // the write is refused: kExtractFailed
  kLeaveOut,     // the record has no entry
};

struct IndexProgress {
  std::uint64_t records = 0;        // looked at
  std::uint64_t records_total = 0;  // about
};

struct IndexOptions {
  Extractor extractor = JsonPointer{};
  bool unique = false;  // no two records with the same value: kNotUnique names both
  OnExtractFailure on_extract_failure = OnExtractFailure::kRejectWrite;
  // False: create_index() and rebuild_index() return when building has begun; list_indexes() tells how far it is.
  bool wait = true;
  // Called now and then while building, from the thread that builds; it must not make, drop or rebuild indexes. False
  // cancels: kCancelled, and the index is dropped.
  std::function<bool(const IndexProgress&)> progress = {};
};

enum class IndexState : std::uint8_t {
  kBuilding,  // kept in step, not yet complete; after a crash, building begins anew by itself
  kReady,
  kFailed,  // building met records that it could not index; not kept in step: drop or rebuild it
};

struct IndexInfo {
  std::string keyspace, name;
  Extractor extractor;
  bool unique = false;
  OnExtractFailure on_extract_failure = OnExtractFailure::kRejectWrite;
  IndexState state = IndexState::kBuilding;
  IndexProgress progress;   // while building
  std::string error;        // kFailed: why
  std::uint64_t bytes = 0;  // stored, about
};

// Which entries, in which order, how many.
struct IndexQuery {
  struct Bound {
    IndexValue value;
    bool inclusive = true;
  };
  // Without bounds: all. With one: values of the same kind (boolean, number, string) on that side of it.
  std::optional<Bound> from = {}, to = {};
  std::optional<std::string> prefix = {};  // strings that begin with this; not together with bounds
  bool reverse = false;                    // from the largest value down
  std::uint32_t limit = 100;               // matches in a page, 1 .. 100,000
  std::string continuation = {};           // of the page before, of the same query
  bool with_records = false;               // values of the records, too
  const Snapshot* snapshot = nullptr;      // null: the newest visible write. Not in a transaction, which has its own

  static IndexQuery equal(const IndexValue& value) { return {.from = Bound{value, true}, .to = Bound{value, true}}; }
  static IndexQuery starting_with(std::string prefix) { return {.prefix = std::move(prefix)}; }
  static IndexQuery between(const IndexValue& from, const IndexValue& to) {
    return {.from = Bound{from, true}, .to = Bound{to, true}};
  }
};

struct IndexMatch {
  IndexValue value;    // what was extracted
  std::string key;     // of the record
  std::string record;  // its value, if asked for
};

struct IndexPage {
  std::vector<IndexMatch> matches;  // by value, then by key
  // Empty: this was the last page. Else the next page goes on behind the last match, whatever was written meanwhile:
  // nothing that stays is met twice or left out. Opaque; good as long as the index.
  std::string continuation;
};

}  // namespace lightning
