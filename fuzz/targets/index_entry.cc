// index/value_order.h, definition.h: entries of indexes. Input: a byte whose lowest bit says whether the index is
// unique, a piece that is the entry's value, then its key.
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"
#include "index/definition.h"
#include "index/value_order.h"

namespace lightning::index {

namespace {

// Values in the order of their encodings, whatever the bytes say.
int order_of(const IndexValue& a, const IndexValue& b) {
  std::string x, y;
  FUZZ_EXPECT(append_value(x, a) && append_value(y, b));
  return x.compare(y);
}

void fuzz_values(std::string_view bytes) {
  const auto i = fuzz::take_number<std::int64_t>(bytes), j = fuzz::take_number<std::int64_t>(bytes);
  FUZZ_EXPECT((order_of(i, j) < 0) == (i < j));
  const auto u = static_cast<std::uint64_t>(i), v = static_cast<std::uint64_t>(j);
  FUZZ_EXPECT((order_of(u, v) < 0) == (u < v));
  FUZZ_EXPECT((order_of(i, v) < 0) == (i < 0 || static_cast<std::uint64_t>(i) < v));
  const auto x = std::bit_cast<double>(i), y = std::bit_cast<double>(j);
  if (x == x && y == y) FUZZ_EXPECT((order_of(x, y) < 0) == (x < y));
  const std::string a(bytes.substr(0, bytes.size() / 2)), b(bytes.substr(bytes.size() / 2));
  FUZZ_EXPECT((order_of(a, b) < 0) == (a < b));
}

}  // namespace

LIGHTNING_FUZZ_TARGET(index_entry) {
  const bool unique = (fuzz::take_number<std::uint8_t>(input) & 1) != 0;
  const std::string_view value = fuzz::take_piece(input);
  fuzz_values(input);

  std::string_view rest = input;
  const auto any = take_value(rest);
  if (any) {
    std::string encoded;
    FUZZ_EXPECT(append_value(encoded, *any) && encoded == input.substr(0, input.size() - rest.size()));
    (void)value_text(*any);
    const Kind kind = kind_of(*any);
    FUZZ_EXPECT(kind.first <= encoded && encoded < kind.end);
  }
  const auto entry = parse_entry(input, value, unique);
  if (!entry) return false;
  std::string key;
  if (append_entry_key(key, entry->value, entry->record, unique))
    FUZZ_EXPECT(key == input && entry_value(entry->record, unique) == value);
  return true;
}

}  // namespace lightning::index
