// format/range_tombstones.h: the block of a table, and sets made of any ranges.
#include "format/range_tombstones.h"

#include "format/entry.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"

namespace lightning::format {

namespace {

void expect_sound(const RangeTombstones& set) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    const RangeTombstones::Fragment fragment = set[i];
    FUZZ_EXPECT(!ends_before(fragment.end, fragment.start) && !fragment.sequences.empty());
    if (i > 0) FUZZ_EXPECT(ends_before(set[i - 1].end, fragment.start));
    FUZZ_EXPECT(set.find(fragment.start) == i);
    FUZZ_EXPECT(set.covering(fragment.start, kSequenceMax) == fragment.sequences.front());
    FUZZ_EXPECT(set.covering(fragment.start, fragment.sequences.back()) == fragment.sequences.back());
    FUZZ_EXPECT(set.smallest_sequence() <= fragment.sequences.back() &&
                set.largest_sequence() >= fragment.sequences.front());
    FUZZ_EXPECT(set.newer_in(fragment.start, fragment.end, fragment.sequences.front() - 1).has_value());
  }
  const std::string encoded = set.encode();
  const auto again = RangeTombstones::decode(encoded);
  FUZZ_EXPECT(again && again->size() == set.size());
  for (std::size_t i = 0; i < set.size(); ++i) FUZZ_EXPECT(set[i] == (*again)[i]);
}

// As many ranges as the input has, each of two short keys and a small number: they overlap.
void fuzz_sets(std::string_view input) {
  std::vector<RangeTombstone> ranges;
  while (!input.empty() && ranges.size() < 40) {
    const std::uint8_t sizes = fuzz::take_number<std::uint8_t>(input);
    const auto take = [&](std::size_t bytes) {
      const std::string_view key = input.substr(0, bytes);
      input.remove_prefix(key.size());
      return key;
    };
    const std::string_view start = take(sizes & 3), end = take(sizes >> 2 & 3);
    ranges.push_back({start, end, 1u + (sizes >> 4)});
  }
  const RangeTombstones all(ranges), newest = RangeTombstones::newest_of(ranges);
  expect_sound(all);
  expect_sound(newest);
  for (const RangeTombstone& range : ranges) {
    for (const std::string_view key : {range.start, range.end}) {
      for (const Sequence at : {Sequence{1}, range.sequence, kSequenceMax}) {
        Sequence expected = 0;
        for (const RangeTombstone& any : ranges)
          if (any.sequence <= at && any.start <= key && !ends_before(any.end, key))
            expected = std::max(expected, any.sequence);
        FUZZ_EXPECT(all.covering(key, at) == expected);
        if (at == kSequenceMax) FUZZ_EXPECT(newest.covering(key, at) == expected);
      }
    }
  }
}

}  // namespace

LIGHTNING_FUZZ_TARGET(range_tombstones) {
  fuzz_sets(input);
  const auto set = RangeTombstones::decode(input);
  if (!set) return false;
  expect_sound(*set);
  return true;
}

}  // namespace lightning::format
