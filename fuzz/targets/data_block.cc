// sstable/block_view.h: a block that check_block() lets through is walked without looking where one steps.
#include "fuzz/support/target.h"
#include "sstable/block_builder.h"
#include "sstable/block_view.h"
#include "sstable/table.h"

namespace lightning::sstable {

namespace {

// Entries in order, heads and fingerprints those of their keys: as a writer makes it. What is not is found by
// Table::check(), and may only lead to wrong answers.
bool is_as_written(const BlockView& view, const std::vector<std::string>& keys) {
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const BlockView::Parts parts = view.at(i);
    if (view.head(i) != suffix_head(parts.suffix)) return false;
    if (view.fingerprint(i) != static_cast<std::uint8_t>(filter_hash(keys[i]))) return false;
    if (i > 0 && format::compare_entries(keys[i - 1], format::trailer_sequence(view.at(i - 1).trailer), keys[i],
                                         format::trailer_sequence(parts.trailer)) >= 0)
      return false;
  }
  return true;
}

void look_up(const BlockView& view, const std::vector<std::string>& keys, bool as_written) {
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const Sequence sequence = format::trailer_sequence(view.at(i).trailer);
    BlockView::Parts found;
    const auto at = view.find(keys[i], filter_hash(keys[i]), sequence, found);
    if (at) FUZZ_EXPECT(keys[*at] == keys[i] && format::trailer_sequence(found.trailer) <= sequence);
    const std::uint32_t bound = view.lower_bound(keys[i], sequence);
    FUZZ_EXPECT(bound <= view.count());
    if (as_written) FUZZ_EXPECT(at == i && bound == i);
  }
}

// What is as written can be written again.
void rebuild(const BlockView& view, const std::vector<std::string>& keys) {
  BlockBuilder builder(1u << 24);
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const BlockView::Parts parts = view.at(i);
    const format::Entry entry{keys[i], format::trailer_sequence(parts.trailer), format::trailer_type(parts.trailer),
                              parts.value};
    if (!builder.fits(entry)) return;
    builder.add(entry, filter_hash(keys[i]));
  }
  const std::string_view bytes = builder.finish();
  FUZZ_EXPECT(check_block(bytes));
  const BlockView again(bytes);
  FUZZ_EXPECT(again.count() == view.count());
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const BlockView::Parts a = view.at(i), b = again.at(i);
    FUZZ_EXPECT(std::string(again.prefix()).append(b.suffix) == keys[i] && a.value == b.value &&
                a.trailer == b.trailer);
  }
}

}  // namespace

LIGHTNING_FUZZ_TARGET(data_block) {
  if (!check_block(input)) return false;
  const BlockView view(input);
  std::vector<std::string> keys;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < view.count(); ++i) {
    const BlockView::Parts parts = view.at(i);
    bytes += parts.suffix.size() + parts.value.size();
    FUZZ_EXPECT(format::is_point(format::trailer_type(parts.trailer)));
    // Where many entries share a long prefix, their keys are more than the block: those of the first are enough.
    if (keys.size() * view.prefix().size() < (1u << 20))
      keys.push_back(std::string(view.prefix()).append(parts.suffix));
  }
  FUZZ_EXPECT(bytes <= input.size());
  for (const std::string_view key : {std::string_view(""), std::string_view("\xff\xff\xff\xff\xff"), view.prefix()}) {
    BlockView::Parts found;
    (void)view.find(key, filter_hash(key), format::kSequenceMax, found);
    FUZZ_EXPECT(view.lower_bound(key, 0) <= view.count());
  }
  if (keys.size() != view.count()) return true;
  const bool as_written = is_as_written(view, keys);
  look_up(view, keys, as_written);
  if (as_written) rebuild(view, keys);
  return true;
}

}  // namespace lightning::sstable
