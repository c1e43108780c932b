#include "compaction/around_damage.h"

#include <algorithm>
#include <utility>

namespace lightning::compaction {

using manifest::TableHandle;
using manifest::TablePtr;
using manifest::Version;

namespace {

KeySpan span_of(const TableHandle& table) {
  return {table.meta().smallest_key, table.meta().largest_key, table.meta().largest_open};
}

void widen(KeySpan& span, const KeySpan& by) {
  span.smallest = std::min(span.smallest, by.smallest);
  if (span.end() < by.end()) span.largest = by.largest, span.open = by.open;
}

bool busy(const std::vector<TablePtr>& tables) {
  return std::any_of(tables.begin(), tables.end(), [](const TablePtr& table) { return table->compacting; });
}

// The same keys in disjoint spans, in order.
std::vector<KeySpan> joined(std::vector<KeySpan> spans) {
  std::sort(spans.begin(), spans.end(), [](const KeySpan& a, const KeySpan& b) { return a.smallest < b.smallest; });
  std::vector<KeySpan> result;
  for (KeySpan& span : spans) {
    if (!result.empty() && !result.back().end().before(span.smallest)) {
      widen(result.back(), span);
    } else {
      result.push_back(std::move(span));
    }
  }
  return result;
}

bool is_loose(const Segment& segment, const TablePtr& run) { return !segment.span_around(*run); }

// Inputs of one segment into the base level, but for what its spans hold back.
std::optional<Plan> sink(const Version& version, std::uint32_t base_level, const Segment& segment,
                         std::vector<TablePtr> inputs, double score) {
  Plan plan{
      .input_level = 0, .output_level = base_level, .inputs = std::move(inputs), .overlapped = {}, .score = score};
  KeySpan hull = span_of(*plan.inputs.front());
  const auto cover = [&hull](const TablePtr& table) { widen(hull, span_of(*table)); };
  std::for_each(plan.inputs.begin(), plan.inputs.end(), cover);
  for (const KeySpan& span : segment.spans)
    if (!span.end().before(hull.smallest) && !hull.end().before(span.smallest)) plan.held_back.push_back(span);
  for (const TablePtr& table : Version::overlapping(version.levels[base_level], hull.smallest, hull.end())) {
    if (is_loose(segment, table)) {
      plan.overlapped.push_back(table);
    } else {  // nothing reaches what lies inside a span, the damaged tables among it
      plan.cuts.push_back(table->meta().smallest_key);
    }
  }
  if (busy(plan.overlapped)) return std::nullopt;
  std::for_each(plan.overlapped.begin(), plan.overlapped.end(), cover);
  plan.bottommost = true;
  for (std::uint32_t level = base_level + 1; level < manifest::kLevels; ++level)
    if (!Version::overlapping(version.levels[level], hull.smallest, hull.end()).empty()) plan.bottommost = false;
  return plan;
}

// The newest runs of the fullest span into one, as long as the next one is not much larger than all before it.
Plan settle(const Segment& segment, double score) {
  std::vector<std::vector<TablePtr>> by_span(segment.spans.size());
  for (const TablePtr& run : segment.runs)
    if (const auto span = segment.span_around(*run)) by_span[*span].push_back(run);
  auto& runs = *std::max_element(by_span.begin(), by_span.end(),
                                 [](const auto& a, const auto& b) { return a.size() < b.size(); });
  std::size_t take = 0;
  std::uint64_t bytes = 0;
  for (; take < runs.size() && (take == 0 || runs[take]->meta().file_bytes <= 2 * bytes); ++take)
    bytes += runs[take]->meta().file_bytes;
  if (take > 1) runs.resize(take);
  return Plan{.input_level = 0, .output_level = 0, .inputs = std::move(runs), .overlapped = {}, .score = score};
}

}  // namespace

bool any_damaged(const std::vector<TablePtr>& tables) {
  return std::any_of(tables.begin(), tables.end(), [](const TablePtr& table) { return table->damaged(); });
}

std::optional<std::size_t> Segment::span_around(const TableHandle& table) const {
  for (std::size_t i = 0; i < spans.size(); ++i)
    if (table.meta().smallest_key >= spans[i].smallest && !(spans[i].end() < table.meta().largest())) return i;
  return std::nullopt;
}

std::size_t Segment::depth() const {
  std::size_t loose = 0;
  std::vector<std::size_t> settled(spans.size() + 1);
  for (const TablePtr& run : runs) {
    if (const auto span = span_around(*run)) {
      ++settled[*span];
    } else {
      ++loose;
    }
  }
  return loose + *std::max_element(settled.begin(), settled.end());
}

std::vector<Segment> segments(const Version& version, std::uint32_t base_level) {
  std::vector<KeySpan> held;
  for (const TablePtr& table : version.levels[base_level])
    if (table->damaged()) held.push_back(span_of(*table));
  std::vector<Segment> result;
  Segment current;
  const auto close = [&] {
    if (current.runs.empty()) return;
    current.spans = joined(held);
    for (const TablePtr& run : current.runs) held.push_back(span_of(*run));
    std::reverse(current.runs.begin(), current.runs.end());
    result.push_back(std::exchange(current, {}));
  };
  for (auto run = version.levels[0].rbegin(); run != version.levels[0].rend(); ++run) {
    if (!(*run)->damaged()) {
      current.runs.push_back(*run);
      continue;
    }
    close();
    held.push_back(span_of(**run));
  }
  close();
  return result;
}

std::optional<Plan> pick_level0_around_damage(const Version& version, std::uint32_t base_level, std::size_t trigger,
                                              double score) {
  if (busy(version.levels[0])) return std::nullopt;
  const std::vector<Segment> all = segments(version, base_level);
  const auto due = std::find_if(all.begin(), all.end(), [&](const Segment& each) { return each.depth() >= trigger; });
  if (due == all.end()) return std::nullopt;
  // The oldest first, due or not: what still can sink from there holds back all that is newer.
  for (const Segment& segment : all) {
    const auto oldest = std::find_if(segment.runs.rbegin(), segment.runs.rend(),
                                     [&](const TablePtr& run) { return is_loose(segment, run); });
    if (oldest == segment.runs.rend()) continue;
    return sink(version, base_level, segment, {segment.runs.begin(), oldest.base()}, score);
  }
  Plan plan = settle(*due, score);
  if (plan.inputs.size() < 2) return std::nullopt;
  return plan;
}

std::optional<Plan> pick_range_around_damage(const Version& version, std::uint32_t base_level,
                                             const std::function<bool(const TableHandle&)>& wanted) {
  if (busy(version.levels[0])) return std::nullopt;
  for (const Segment& segment : segments(version, base_level)) {
    const auto sinks = [&](const TablePtr& run) { return wanted(*run) && is_loose(segment, run); };
    if (std::any_of(segment.runs.begin(), segment.runs.end(), sinks))
      return sink(version, base_level, segment, segment.runs, 1);
  }
  return std::nullopt;
}

}  // namespace lightning::compaction
