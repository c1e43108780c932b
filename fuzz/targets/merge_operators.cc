// format/merge_operators.h: the built-in operators on operands and values of any bytes. Input: which operator, then
// pieces: the base and the operands.
#include "format/merge_operators.h"

#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"

namespace lightning::format {

LIGHTNING_FUZZ_TARGET(merge_operators) {
  const MergeOperators operators;
  const std::vector<std::string_view> names = operators.names();
  const std::uint8_t choice = fuzz::take_number<std::uint8_t>(input);
  const MergeOperator* const chosen = operators.find(names[choice % names.size()]);
  FUZZ_EXPECT(chosen != nullptr);
  const std::string_view base = fuzz::take_piece(input);
  std::vector<std::string_view> operands;
  bool all_good = true;
  while (!input.empty() && operands.size() < 20) {
    operands.push_back(fuzz::take_piece(input));
    all_good = all_good && check_operand(*chosen, operands.back()).has_value();
  }
  if (operands.empty()) return false;

  for (const bool with_base : {true, false}) {
    const std::optional<std::string_view> start = with_base ? std::optional(base) : std::nullopt;
    std::string at_once;
    const bool merged = full_merge(*chosen, "key", start, operands, at_once).has_value();
    if (!merged) continue;
    // One after the other; a sum may be out of range on the way.
    std::string step(base), next;
    bool in_range = true;
    for (std::size_t i = 0; i < operands.size() && in_range; ++i) {
      next.clear();
      const auto from = i > 0 || with_base ? std::optional<std::string_view>(step) : std::nullopt;
      in_range = full_merge(*chosen, "key", from, std::span(&operands[i], 1), next).has_value();
      step.swap(next);
    }
    FUZZ_EXPECT(!in_range || step == at_once);
    // Folded into one operand first, as compaction does.
    std::string folded(operands[0]), combined;
    bool foldable = true;
    for (std::size_t i = 1; i < operands.size() && foldable; ++i) {
      combined.clear();
      foldable = partial_merge(*chosen, "key", folded, operands[i], combined);
      folded.swap(combined);
    }
    if (!foldable || !all_good) continue;
    const std::string_view operand = folded;
    std::string of_folded;
    FUZZ_EXPECT(full_merge(*chosen, "key", start, std::span(&operand, 1), of_folded) && of_folded == at_once);
  }
  return all_good;
}

}  // namespace lightning::format
