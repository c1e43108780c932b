// Compaction around damaged tables: what goes on in level 0 while some table can be neither merged nor moved.
//
// A damaged table stays where it is until somebody restores it. Two orders must hold around it: nothing newer may sink
// beneath it, since reads would find the older version first; and levels below 0 stay disjoint. So a table of level 1
// and below that overlaps damage below it waits. Runs of level 0 usually span all keys and cannot wait: they would pile
// up because of a narrow table. They are split by key instead. What may sink is merged into the base level; what damage
// holds back stays in level 0, as a run of its own that holds nothing else.
//
// Damaged runs cut level 0 into segments by age. A segment is held back in spans: the ranges of all runs that are older
// than it and of the damaged tables of the base level. A run is settled if it lies inside one span: it cannot get any
// further. Settled runs of one span are merged with each other, small ones first, so that their number stays
// logarithmic. Levels below the base level are not looked at here: they cannot be reached from level 0.
#pragma once

#include <functional>

#include "compaction/pick.h"

namespace lightning::compaction {

bool any_damaged(const std::vector<manifest::TablePtr>& tables);

struct Segment {
  std::vector<manifest::TablePtr> runs;  // newest first
  std::vector<KeySpan> spans;            // sorted, disjoint
  // The index of the span that holds all of `table`, or none.
  std::optional<std::size_t> span_around(const manifest::TableHandle& table) const;
  // Runs that are not settled, and the settled ones of the span that has most.
  std::size_t depth() const;
};
// Oldest first.
std::vector<Segment> segments(const manifest::Version& version, std::uint32_t base_level);

// The next step for level 0 where a segment's depth has reached `trigger`, or none.
std::optional<Plan> pick_level0_around_damage(const manifest::Version& version, std::uint32_t base_level,
                                              std::size_t trigger, double score);
// The next step that brings runs for which `wanted` holds out of level 0, or none.
std::optional<Plan> pick_range_around_damage(const manifest::Version& version, std::uint32_t base_level,
                                             const std::function<bool(const manifest::TableHandle&)>& wanted);

}  // namespace lightning::compaction
