#include "format/batch.h"
#include "format/expiry.h"
#include "format/range_tombstones.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"

namespace lightning::fuzz {

namespace {

using format::EntryType;

std::string batch_of(const std::vector<format::Operation>& operations) {
  std::string encoded;
  for (const format::Operation& operation : operations) format::append_operation(encoded, operation);
  return encoded;
}

std::string merging(std::uint8_t which, const std::vector<std::string>& base_and_operands) {
  std::string input(1, static_cast<char>(which));
  for (const std::string& piece : base_and_operands) append_piece(input, piece);
  return input;
}

std::string number(std::int64_t value) {
  std::string bytes;
  base::append_le(bytes, value);
  return bytes;
}

}  // namespace

void add_format_seeds(Seeds& seeds) {
  std::string expiring;
  format::append_expiring(expiring, {.expires_ms = 1'900'000'000'000, .value = "soon gone"});
  SeedsOfTarget& batch = seeds["batch"];
  batch["valid-every-type"] = batch_of({{EntryType::kPut, 0, "key", "value"},
                                        {EntryType::kErase, 1, "gone", ""},
                                        {EntryType::kMerge, 300, "sum", "12345678"},
                                        {EntryType::kEraseRange, 2, "from", "to"},
                                        {EntryType::kPutExpiring, 0, "session", expiring},
                                        {EntryType::kBlobReference, 0, "large", std::string(40, 'r')}});
  batch["valid-counted"] = batch_of({{EntryType::kPut, 7, "a", "", true}, {EntryType::kErase, 7, "b", "", true}});
  batch["valid-open-range"] = batch_of({{EntryType::kEraseRange, 0, "a", ""}, {EntryType::kEraseRange, 0, "", ""}});
  batch["valid-empty"] = "";
  batch["hostile-sizes"] = std::string("\1\0\xff\xff\xff\xff\x0f", 7) + "key";
  batch["hostile-keyspace"] = "\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\3key";
  batch["hostile-never-expires"] = batch_of({{EntryType::kPutExpiring, 0, "k", "short"}});
  batch["hostile-inverted-range"] = batch_of({{EntryType::kEraseRange, 0, "z", "a"}});
  batch["hostile-type"] = "\x7f";

  SeedsOfTarget& ranges = seeds["range_tombstones"];
  ranges["valid-nested"] =
      format::RangeTombstones({{"a", "z", 9}, {"c", "f", 20}, {"d", "e", 5}, {"x", "", 30}, {"", "b", 2}}).encode();
  ranges["valid-one"] = format::RangeTombstones({{"from", "to", 1}}).encode();
  ranges["hostile-count"] = "\xff\xff\xff\xff\x0f";
  ranges["hostile-order"] = std::string("\2\1b\1c\1\5\1a\1b\1\5", 13);

  SeedsOfTarget& merges = seeds["merge_operators"];
  for (std::uint8_t which = 0; which < 4; ++which)
    merges["valid-numbers-" + std::to_string(which)] = merging(which, {number(40), number(2), number(-7), number(1)});
  merges["valid-append"] = merging(1, {"a", "b", "", "c"});
  for (std::uint8_t which = 0; which < 4; ++which)
    merges["hostile-limits-" + std::to_string(which)] =
        merging(which, {number(INT64_MAX), number(INT64_MAX), number(INT64_MIN), number(-1), number(INT64_MIN)});
  merges["hostile-sizes"] = merging(0, {"short", number(1), "x"});
}

}  // namespace lightning::fuzz
