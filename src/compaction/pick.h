// What to compact next: a pure function of a version and the options.
//
// Level 0 holds runs that overlap, newest first; it is merged into the base level, the first level below it that holds
// data or should. Levels grow by a fixed factor towards the last one, whose size decides all the others (dynamic level
// sizes, as RocksDB calls them), so that most of the data lies in the last level and little space is held twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lightning/config.h"
#include "lightning/database.h"
#include "manifest/version.h"

namespace lightning::compaction {

struct PickOptions {
  std::uint32_t level0_trigger = 8;
  std::uint32_t size_multiplier = 10;
  std::uint64_t base_bytes = 256ull << 20;  // smallest target of a level that is not the last
  std::uint64_t now_ms = 0;                 // by the engine's clock; 0: nothing has expired
  double expired_share = 0.25;              // of a table's keys and values: with more of it, the table is written anew
  // A table with more tombstones than this side by side is compacted, so that no seek has to pass more; 0: no bound.
  std::uint64_t tombstone_run_max = 0;
  // The oldest sequence at which somebody may still read: newer tombstones cannot be got rid of yet.
  Sequence oldest_reader = 0;
  // What blob files may take: so many percent of the live values in them, and so many bytes more.
  std::uint32_t max_space_amplification = 150;
  std::uint64_t blob_slack_bytes = 64ull << 20;
};

// Keys from `smallest` to `largest`, both included; or, where it is open, up to `largest`, as an UpperBound says.
struct KeySpan {
  std::string smallest, largest;
  bool open = false;
  format::UpperBound end() const { return {largest, open}; }
  // The first key behind it; empty: there is none. Inside the span: a string ends with a zero byte anyway.
  std::string_view behind() const { return {largest.c_str(), largest.size() + (open ? 0 : 1)}; }
};

struct Plan {
  std::uint32_t input_level = 0, output_level = 0;
  std::vector<manifest::TablePtr> inputs;      // of input_level
  std::vector<manifest::TablePtr> overlapped;  // of output_level
  bool bottommost = false;                     // nothing older lies below: tombstones that no snapshot needs may go
  double score = 0;
  // The inputs lie wholly under range tombstones that every reader sees: they go, and nothing is written. Nothing is
  // read, either, but for references to blob files.
  bool erased = false;
  // Around damage (around_damage.h). Entries of the inputs in these spans stay in level 0; sorted, disjoint.
  std::vector<KeySpan> held_back = {};
  // Keys at which an output ends: a table of the output level that stays begins there.
  std::vector<std::string> cuts = {};

  // Moves instead of merging: one level's tables overlap nothing below.
  bool trivial_move() const {
    return input_level != output_level && overlapped.empty() && held_back.empty() && inputs.size() == 1;
  }
  std::uint64_t input_bytes() const;
};

// From the first to the last key of all tables of `plan`.
KeySpan keys_of(const Plan& plan);

// Where level 0 goes, and how large each level may be.
struct LevelTargets {
  std::uint32_t base_level = manifest::kLevels - 1;
  std::array<std::uint64_t, manifest::kLevels> bytes{};
};
LevelTargets targets(const manifest::Version& version, const PickOptions& options);

// The most urgent compaction whose tables are all free, or none. Urgent: score >= 1. What costs nothing comes first:
// tables that are erased whole. Then what levels hold in excess. Then tables that only parity keeps whole. Then long
// rows of tombstones, which are brought down a level, and rewritten where nothing lies below.
std::optional<Plan> pick(const manifest::Version& version, const PickOptions& options);

// Bytes of keys and values in `table` that have expired, at least.
std::uint64_t expired_bytes(const manifest::TableHandle& table, std::uint64_t now_ms);

// What compact_range asks for.
struct RangeRequest {
  std::optional<std::string_view> start = {}, end = {};  // [start, end); none = open
  // Runs of level 0 that hold only later writes are no reason for a step: so the steps come to an end beside a writer.
  Sequence through = format::kSequenceMax;
  BottomLevel bottom = BottomLevel::kReclaim;
  // The oldest sequence at which somebody may still read: of what lies at or below it, only newest versions count.
  Sequence oldest_reader = format::kSequenceMax;
  // Tables with numbers from here on were written since the request: they are not rewritten in place once more.
  format::FileNumber before = ~format::FileNumber{0};
};

// The next step that brings the range one level down; once all of it lies in one level, the next that rewrites some of
// it there, as request.bottom says. None when that is done, or when nothing more can be done.
std::optional<Plan> pick_range(const manifest::Version& version, const PickOptions& options,
                               const RangeRequest& request);

// Runs of level 0 that count towards its triggers: all of them, but for those that damage keeps apart
// (around_damage.h).
std::size_t level0_runs(const manifest::Version& version, const PickOptions& options);

// Of the garbage that blob files may hold, this share may be unknown; the rest is for what is known.
inline constexpr double kHiddenShare = 1.0 / 3;
// How much of what blob files hold may be garbage that nobody knows of, because a reference that was overwritten or
// erased is only found when tables meet: as a share of what is allowed. From 1 on, tables are to be brought together.
double hidden_garbage(const manifest::Version& version, const PickOptions& options);

// Bytes that wait to be compacted: what level 0 and overfull levels hold beyond their targets.
std::uint64_t debt_bytes(const manifest::Version& version, const PickOptions& options);

}  // namespace lightning::compaction
