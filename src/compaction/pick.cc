#include "compaction/pick.h"

#include <algorithm>

#include "compaction/around_damage.h"
#include "format/range_cover.h"

namespace lightning::compaction {

using manifest::kLevels;
using manifest::TablePtr;
using manifest::Version;

namespace {

constexpr double kErasedScore = 1e9;
// A table with fewer entries for each of its range tombstones is brought down for their sake; others wait for their
// turn, since a range costs readers little, and what it hides of the tables below is a part of two of them at most.
constexpr std::uint64_t kEntriesForARange = 64;

bool any_busy(const std::vector<TablePtr>& tables) {
  return std::any_of(tables.begin(), tables.end(), [](const TablePtr& table) { return table->compacting; });
}
bool all_free(const std::vector<TablePtr>& tables) { return !any_busy(tables) && !any_damaged(tables); }

struct Bounds {
  std::string_view smallest;
  format::UpperBound largest;
};
Bounds bounds_of(const std::vector<TablePtr>& tables) {
  Bounds bounds{tables.front()->meta().smallest_key, tables.front()->meta().largest()};
  for (const TablePtr& table : tables) {
    bounds.smallest = std::min<std::string_view>(bounds.smallest, table->meta().smallest_key);
    bounds.largest = std::max(bounds.largest, table->meta().largest());
  }
  return bounds;
}

// No table outside the plan that may hold older versions of its keys.
bool nothing_below(const Version& version, std::uint32_t output_level, const Bounds& bounds) {
  for (std::uint32_t level = output_level + 1; level < kLevels; ++level)
    if (!Version::overlapping(version.levels[level], bounds.smallest, bounds.largest).empty()) return false;
  return true;
}

std::optional<Plan> complete(const Version& version, Plan plan) {
  if (plan.inputs.empty() || !all_free(plan.inputs)) return std::nullopt;
  const Bounds bounds = bounds_of(plan.inputs);
  plan.overlapped = Version::overlapping(version.levels[plan.output_level], bounds.smallest, bounds.largest);
  if (!all_free(plan.overlapped)) return std::nullopt;
  // The tables below are rewritten whole: their tombstones may hide keys outside the inputs' bounds.
  std::vector<TablePtr> all = plan.inputs;
  all.insert(all.end(), plan.overlapped.begin(), plan.overlapped.end());
  plan.bottommost = nothing_below(version, plan.output_level, bounds_of(all));
  return plan;
}

bool damage_near_level0(const Version& version, std::uint32_t base_level) {
  return any_damaged(version.levels[0]) || any_damaged(version.levels[base_level]);
}

// All of level 0, oldest included, into the base level. Runs that arrive meanwhile stay for the next time.
std::optional<Plan> pick_level0(const Version& version, std::uint32_t base_level, const PickOptions& options,
                                double score) {
  if (damage_near_level0(version, base_level))
    return pick_level0_around_damage(version, base_level, options.level0_trigger, score);
  Plan plan{
      .input_level = 0, .output_level = base_level, .inputs = version.levels[0], .overlapped = {}, .score = score};
  return complete(version, std::move(plan));
}

// The table of a level that costs least below per byte moved; tables full of tombstones are cheaper still.
std::optional<Plan> pick_level(const Version& version, std::uint32_t level, std::uint32_t output_level, double score) {
  std::optional<Plan> best;
  double best_cost = 0;
  for (const TablePtr& table : version.levels[level]) {
    if (table->compacting || table->damaged()) continue;
    auto plan = complete(
        version,
        Plan{.input_level = level, .output_level = output_level, .inputs = {table}, .overlapped = {}, .score = score});
    if (!plan) continue;
    std::uint64_t below = 0;
    for (const TablePtr& other : plan->overlapped) below += other->meta().file_bytes;
    const auto& meta = table->meta();
    const double tombstone_share =
        meta.entries == 0 ? 0 : static_cast<double>(meta.tombstones) / static_cast<double>(meta.entries);
    const double cost = static_cast<double>(below) / static_cast<double>(std::max<std::uint64_t>(meta.file_bytes, 1)) *
                        (1 - 0.9 * tombstone_share);
    if (!best || cost < best_cost) {
      best = std::move(plan);
      best_cost = cost;
    }
  }
  return best;
}

// The table with the largest expired share, if that is beyond the bound: it is written anew where it is. Level 0 goes
// down as a whole.
std::optional<Plan> pick_expired(const Version& version, std::uint32_t base_level, const PickOptions& options) {
  const auto share = [&](std::uint64_t expired, std::uint64_t all) {
    return expired == 0 ? 0 : static_cast<double>(expired) / static_cast<double>(std::max<std::uint64_t>(all, 1));
  };
  std::optional<Plan> best;
  double best_share = options.expired_share;
  for (std::uint32_t level = 1; level < kLevels; ++level) {
    for (const TablePtr& table : version.levels[level]) {
      if (table->compacting || table->damaged()) continue;
      const double expired = share(expired_bytes(*table, options.now_ms), table->meta().data_bytes);
      if (expired <= best_share) continue;
      best_share = expired;
      best = Plan{.input_level = level,
                  .output_level = level,
                  .inputs = {table},
                  .overlapped = {},
                  .bottommost = nothing_below(version, level, bounds_of({table})),
                  .score = expired};
    }
  }
  std::uint64_t expired = 0, all = 0;
  for (const TablePtr& run : version.levels[0]) {
    expired += expired_bytes(*run, options.now_ms);
    all += run->meta().data_bytes;
  }
  if (share(expired, all) > best_share && !any_damaged(version.levels[0]))
    if (auto plan = pick_level0(version, base_level, options, share(expired, all))) return plan;
  return best;
}

}  // namespace

std::uint64_t Plan::input_bytes() const {
  std::uint64_t bytes = 0;
  for (const TablePtr& table : inputs) bytes += table->meta().file_bytes;
  for (const TablePtr& table : overlapped) bytes += table->meta().file_bytes;
  return bytes;
}

KeySpan keys_of(const Plan& plan) {
  std::vector<TablePtr> all = plan.inputs;
  all.insert(all.end(), plan.overlapped.begin(), plan.overlapped.end());
  const Bounds bounds = bounds_of(all);
  return {std::string(bounds.smallest), std::string(bounds.largest.key), bounds.largest.open};
}

LevelTargets targets(const Version& version, const PickOptions& options) {
  LevelTargets result;
  std::uint32_t first_used = kLevels - 1;
  std::uint64_t largest = 0;
  for (std::uint32_t level = 1; level < kLevels; ++level) {
    const std::uint64_t bytes = version.level_bytes(level);
    if (bytes > 0) first_used = std::min(first_used, level);
    largest = std::max(largest, bytes);
  }
  result.bytes.fill(~std::uint64_t{0});
  // From the last level up: each holds a size_multiplier-th of the one below, until that is less than base_bytes.
  std::uint64_t target = largest;
  std::uint32_t base = kLevels - 1;
  for (std::uint32_t level = kLevels - 1; level > 1; --level) {
    target /= options.size_multiplier;
    if (target < options.base_bytes) break;
    base = level - 1;
    result.bytes[base] = target;
  }
  // Data above the computed base (a store that shrank) must still flow down: level 0 goes above it.
  result.base_level = std::min(base, first_used);
  for (std::uint32_t level = result.base_level; level < base; ++level) result.bytes[level] = options.base_bytes / 4;
  return result;
}

namespace {

// Tables of one level whose every entry is older than a range tombstone over it that all readers see. Tombstones that
// they hold themselves hide nothing that these do not.
std::optional<Plan> pick_erased(const Version& version, const PickOptions& options) {
  if (!version.ranges) return std::nullopt;
  const format::RangeCover cover({version.ranges.get()}, options.oldest_reader);
  if (cover.empty()) return std::nullopt;
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    Plan plan{.input_level = level,
              .output_level = level,
              .inputs = {},
              .overlapped = {},
              .score = kErasedScore,
              .erased = true};
    for (const TablePtr& table : version.levels[level]) {
      const sstable::TableMeta& meta = table->meta();
      if (table->compacting || table->damaged()) continue;
      const auto shown = cover.shown_from(meta.smallest_key, meta.largest_sequence);
      if (!shown || meta.largest().before(*shown)) plan.inputs.push_back(table);
    }
    if (!plan.inputs.empty()) return plan;
  }
  return std::nullopt;
}

// Long rows of tombstones; and below level 0 range tombstones, which nothing is left of at the bottom, once all readers
// see them: what is still under them is little, since tables that lie under them whole have gone.
std::optional<Plan> pick_tombstones(const Version& version, std::uint32_t base_level, const PickOptions& options) {
  const auto too_many = [&](const TablePtr& table) {
    return options.tombstone_run_max != 0 && table->meta().tombstone_run > options.tombstone_run_max;
  };
  // What damage below holds back would stay in level 0, as long a row as before.
  const auto& runs = version.levels[0];
  if (std::any_of(runs.begin(), runs.end(), too_many))
    if (auto plan = pick_level0(version, base_level, options, 1);
        plan && plan->output_level > 0 && plan->held_back.empty())
      return plan;
  for (std::uint32_t level = 1; level < kLevels; ++level) {
    for (const TablePtr& table : version.levels[level]) {
      const auto& meta = table->meta();
      const bool ranges =
          meta.range_tombstones * kEntriesForARange > meta.entries && meta.largest_sequence <= options.oldest_reader;
      if ((!ranges && !too_many(table)) || table->compacting || table->damaged()) continue;
      if (!nothing_below(version, level, bounds_of({table}))) {
        Plan down{.input_level = level, .output_level = level + 1, .inputs = {table}, .overlapped = {}, .score = 1};
        if (auto plan = complete(version, std::move(down))) return plan;
      } else if (meta.largest_sequence <= options.oldest_reader) {
        return Plan{.input_level = level,
                    .output_level = level,
                    .inputs = {table},
                    .overlapped = {},
                    .bottommost = true,
                    .score = 1};
      }
    }
  }
  return std::nullopt;
}

// A table that only parity keeps whole is written anew where it is, before it loses more. Level 0 goes down as a whole.
std::optional<Plan> pick_worn(const Version& version, std::uint32_t base_level, const PickOptions& options) {
  const auto worn = [](const TablePtr& table) { return table->table->worn() != 0 && !table->damaged(); };
  for (std::uint32_t level = 1; level < kLevels; ++level)
    for (const TablePtr& table : version.levels[level])
      if (worn(table) && !table->compacting)
        return Plan{.input_level = level,
                    .output_level = level,
                    .inputs = {table},
                    .overlapped = {},
                    .bottommost = nothing_below(version, level, bounds_of({table})),
                    .score = 1};
  const auto& runs = version.levels[0];
  return std::any_of(runs.begin(), runs.end(), worn) ? pick_level0(version, base_level, options, 1) : std::nullopt;
}

}  // namespace

std::optional<Plan> pick(const Version& version, const PickOptions& options) {
  if (auto plan = pick_erased(version, options)) return plan;
  const LevelTargets target = targets(version, options);
  std::vector<std::pair<double, std::uint32_t>> scores;
  scores.emplace_back(static_cast<double>(level0_runs(version, options)) / options.level0_trigger, 0);
  for (std::uint32_t level = target.base_level; level + 1 < kLevels; ++level) {
    if (version.levels[level].empty()) continue;
    scores.emplace_back(static_cast<double>(version.level_bytes(level)) / static_cast<double>(target.bytes[level]),
                        level);
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  for (const auto& [score, level] : scores) {
    if (score < 1) break;
    auto plan = level == 0 ? pick_level0(version, target.base_level, options, score)
                           : pick_level(version, level, level + 1, score);
    if (plan) return plan;
  }
  if (auto plan = pick_worn(version, target.base_level, options)) return plan;
  if (options.now_ms != 0)
    if (auto plan = pick_expired(version, target.base_level, options)) return plan;
  if (auto plan = pick_tombstones(version, target.base_level, options)) return plan;
  // Tables that hold little but references are too small to be merged for their own sake.
  if (hidden_garbage(version, options) >= 1) return pick_range(version, options, {.bottom = BottomLevel::kLeave});
  return std::nullopt;
}

std::uint64_t expired_bytes(const manifest::TableHandle& table, std::uint64_t now_ms) {
  return table.table->properties().expiring.expired_bytes(now_ms);
}

namespace {

// Of what `tables` refer to, what lies under ranges of `above` that every reader sees.
double erased_bytes(const std::vector<TablePtr>& tables, const std::vector<TablePtr>& above, Sequence oldest_reader) {
  double bytes = 0;
  for (const TablePtr& over : above) {
    const format::RangeTombstones* ranges = over->table->ranges();
    if (ranges == nullptr) continue;
    for (const TablePtr& table : tables) {
      const sstable::TableMeta& meta = table->meta();
      if (meta.blob_bytes == 0 || table == over) continue;
      for (std::size_t i = ranges->find(meta.smallest_key); i < ranges->size(); ++i) {
        const format::RangeTombstones::Fragment fragment = (*ranges)[i];
        if (meta.largest().before(fragment.start)) break;
        if (fragment.newest(oldest_reader) <= meta.smallest_sequence) continue;
        const std::uint64_t from = table->table->approximate_offset(fragment.start);
        const std::uint64_t to =
            fragment.end.empty() ? meta.file_bytes : table->table->approximate_offset(fragment.end);
        if (to <= from) continue;
        const double share = static_cast<double>(to - from) / static_cast<double>(meta.file_bytes);
        bytes += share * static_cast<double>(meta.blob_bytes);
      }
    }
  }
  return bytes;
}

}  // namespace

double hidden_garbage(const Version& version, const PickOptions& options) {
  const auto blob_bytes = [](const std::vector<TablePtr>& tables) {
    std::uint64_t bytes = 0;
    for (const TablePtr& table : tables) bytes += table->meta().blob_bytes;
    return bytes;
  };
  if (version.blobs.empty()) return 0;
  std::uint32_t lowest = 0;
  std::uint64_t total = 0, tombstones = 0, entries = 0;
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    if (!version.levels[level].empty()) lowest = level;
    total += blob_bytes(version.levels[level]);
  }
  // What lies lowest is hidden by nothing. Each entry above may hide one there.
  std::uint64_t bottom = 0;
  std::vector<TablePtr> at_bottom, above;
  if (lowest > 0) {
    at_bottom = version.levels[lowest];
    bottom = blob_bytes(at_bottom);
    for (const TablePtr& table : at_bottom) entries += table->meta().entries;
  } else {
    for (const TablePtr& table : version.levels[0]) {
      if (table->meta().blob_bytes < bottom) continue;
      at_bottom = {table};
      bottom = table->meta().blob_bytes;
      entries = table->meta().entries;
    }
  }
  for (std::uint32_t level = 0; level < std::max(lowest, 1u); ++level)
    above.insert(above.end(), version.levels[level].begin(), version.levels[level].end());
  for (const TablePtr& table : above) tombstones += table->meta().tombstones;
  std::uint64_t erased = entries == 0 ? 0 : bottom / entries * tombstones;
  if (version.ranges) erased += static_cast<std::uint64_t>(erased_bytes(at_bottom, above, options.oldest_reader));
  const std::uint64_t hidden = std::min(total, total - bottom + std::min(bottom, erased));
  const double allowed = (static_cast<double>(total) * (1 - 100.0 / options.max_space_amplification) * kHiddenShare) +
                         static_cast<double>(options.blob_slack_bytes);
  return static_cast<double>(hidden) / std::max(allowed, 1.0);
}

namespace {

std::optional<Plan> step_down(const Version& version, std::uint32_t level, std::vector<TablePtr> inputs) {
  return complete(
      version,
      Plan{.input_level = level, .output_level = level + 1, .inputs = std::move(inputs), .overlapped = {}, .score = 1});
}

// Whether a table that lies alone in its range would become smaller if it were written anew: it holds what has expired,
// tombstones, or versions behind newer ones, and nobody reads what is older than the table.
bool can_reclaim(const manifest::TableHandle& table, Sequence oldest_reader, std::uint64_t now_ms) {
  const auto& meta = table.meta();
  if (expired_bytes(table, now_ms) > 0) return true;
  return meta.largest_sequence <= oldest_reader &&
         (meta.tombstones > 0 || meta.range_tombstones > 0 || meta.entries > table.table->properties().distinct_keys);
}

// The first tables of `level` in the range, side by side, that are to be written anew where they are.
std::optional<Plan> rewrite(const Version& version, std::uint32_t level, const std::vector<TablePtr>& tables,
                            const RangeRequest& request, std::uint64_t now_ms) {
  constexpr std::size_t kTablesMax = 16;  // so much is held twice until the step is done
  const auto wanted = [&](const TablePtr& table) {
    return table->meta().number < request.before && !table->compacting && !table->damaged() &&
           nothing_below(version, level, bounds_of({table})) &&
           (request.bottom == BottomLevel::kRewrite || can_reclaim(*table, request.oldest_reader, now_ms));
  };
  Plan plan{
      .input_level = level, .output_level = level, .inputs = {}, .overlapped = {}, .bottommost = true, .score = 1};
  for (const TablePtr& table : tables) {
    bool taken = wanted(table);
    if (taken) {
      plan.inputs.push_back(table);
      if (!nothing_below(version, level, bounds_of(plan.inputs))) plan.inputs.pop_back(), taken = false;
    }
    if (plan.inputs.size() == kTablesMax || (!taken && !plan.inputs.empty())) break;
  }
  if (plan.inputs.empty()) return std::nullopt;
  return plan;
}

}  // namespace

std::optional<Plan> pick_range(const Version& version, const PickOptions& options, const RangeRequest& request) {
  const auto in_range = [&](const manifest::TableHandle& table) {
    return (!request.start || !table.meta().largest().before(*request.start)) &&
           (!request.end || table.meta().smallest_key < *request.end);
  };
  const auto tables_in_range = [&](std::uint32_t level) {
    std::vector<TablePtr> tables;
    std::copy_if(version.levels[level].begin(), version.levels[level].end(), std::back_inserter(tables),
                 [&](const TablePtr& table) { return in_range(*table); });
    return tables;
  };
  const auto wanted = [&](const manifest::TableHandle& run) {
    return in_range(run) && run.meta().smallest_sequence <= request.through;
  };
  const std::uint32_t base = targets(version, options).base_level;
  if (damage_near_level0(version, base)) {
    if (auto plan = pick_range_around_damage(version, base, wanted)) return plan;
  } else if (std::any_of(version.levels[0].begin(), version.levels[0].end(),
                         [&](const TablePtr& run) { return wanted(*run); })) {
    // all of level 0: its runs overlap, and the order of ages must be kept
    return complete(
        version,
        Plan{.input_level = 0, .output_level = base, .inputs = version.levels[0], .overlapped = {}, .score = 1});
  }
  std::uint32_t lowest = 0;
  for (std::uint32_t level = 1; level < kLevels; ++level)
    if (!tables_in_range(level).empty()) lowest = level;
  for (std::uint32_t level = 1; level < lowest; ++level) {
    auto tables = tables_in_range(level);
    if (tables.empty()) continue;
    if (!any_damaged(tables) && !any_damaged(tables_in_range(level + 1)))
      return step_down(version, level, std::move(tables));
    for (TablePtr& table : tables)  // what damage does not hold back, one by one
      if (auto plan = step_down(version, level, {std::move(table)})) return plan;
  }
  if (request.bottom == BottomLevel::kLeave) return std::nullopt;
  for (std::uint32_t level = 1; level <= lowest; ++level)
    if (auto plan = rewrite(version, level, tables_in_range(level), request, options.now_ms)) return plan;
  return std::nullopt;
}

std::size_t level0_runs(const Version& version, const PickOptions& options) {
  const std::uint32_t base = targets(version, options).base_level;
  if (!damage_near_level0(version, base)) return version.levels[0].size();
  std::size_t deepest = 0;
  for (const Segment& segment : segments(version, base)) deepest = std::max(deepest, segment.depth());
  return deepest;
}

std::uint64_t debt_bytes(const Version& version, const PickOptions& options) {
  const LevelTargets target = targets(version, options);
  std::uint64_t debt = version.levels[0].size() >= options.level0_trigger ? version.level_bytes(0) : 0;
  for (std::uint32_t level = target.base_level; level + 1 < kLevels; ++level) {
    const std::uint64_t bytes = version.level_bytes(level);
    if (bytes > target.bytes[level]) debt += bytes - target.bytes[level];
  }
  return debt;
}

}  // namespace lightning::compaction
