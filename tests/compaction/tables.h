// Real tables on a simulated disk, and versions made of them from text.
//
//   L0: 7[a..f] 5[c..k]        newest first
//   L6: 3[a..d 20k] 4[e..m !]  20k: about 20 KiB; !: nothing but tombstones; *: being compacted; x: damaged;
//                              +: two versions of its first key; ~: a range tombstone over its keys, the last one not
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/epoch.h"
#include "cache/block_cache.h"
#include "compaction/merge.h"
#include "compaction/pick.h"
#include "env/simulated_world.h"
#include "support/row.h"

namespace lightning::compaction {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}
inline void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

using testing_support::Row;

// A range tombstone that owns its keys; `end` empty: no end.
struct Erased {
  std::string start, end;
  Sequence sequence = 0;
};
inline format::RangeTombstones set_of(const std::vector<Erased>& ranges) {
  std::vector<format::RangeTombstone> all;
  for (const Erased& range : ranges) all.push_back({range.start, range.end, range.sequence});
  return format::RangeTombstones(std::move(all));
}
inline bool erases(const std::vector<Erased>& ranges, const Row& row, Sequence at) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Erased& range) {
    return range.sequence <= at && range.sequence > row.sequence && row.key >= range.start &&
           !format::ends_before(range.end, row.key);
  });
}

// What a reader at `at` sees: the brute-force truth.
inline std::map<std::string, std::string> visible_at(const std::vector<Row>& rows, Sequence at,
                                                     const std::vector<Erased>& ranges = {}) {
  std::map<std::string, const Row*> newest;
  for (const Row& row : rows) {
    if (row.sequence > at || erases(ranges, row, at)) continue;
    const Row*& best = newest[row.key];
    if (best == nullptr || row.sequence > best->sequence) best = &row;
  }
  std::map<std::string, std::string> seen;
  for (const auto& [key, row] : newest)
    if (row->type == format::EntryType::kPut) seen[key] = row->value;
  return seen;
}

class Rows final : public format::EntryIterator {
 public:
  explicit Rows(std::vector<Row> rows) : rows_(std::move(rows)) {}
  bool valid() const override { return at_ < rows_.size(); }
  void seek_to_first() override { go(0); }
  void seek_to_last() override { go(rows_.size() - 1); }
  void seek(std::string_view key, Sequence sequence) override {
    const Row target{std::string(key), sequence, {}, {}};
    go(static_cast<std::size_t>(std::lower_bound(rows_.begin(), rows_.end(), target) - rows_.begin()));
  }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    const Row target{std::string(key), sequence, {}, {}};
    go(static_cast<std::size_t>(std::upper_bound(rows_.begin(), rows_.end(), target) - rows_.begin()) - 1);
  }
  void next() override { go(at_ + 1); }
  void prev() override { go(at_ - 1); }
  const format::Entry& entry() const override { return entry_; }
  Status status() const override { return {}; }

 private:
  void go(std::size_t at) {
    at_ = std::min(at, rows_.size());
    if (valid()) entry_ = entry_of(rows_[at_]);
  }
  const std::vector<Row> rows_;
  std::size_t at_ = 0;
  format::Entry entry_;
};

class Tables : public testing::Test {
 protected:
  Tables() { must(world_.files.create_directories("/t")); }

  static std::string path_of(format::FileNumber number) { return "/t/" + std::to_string(number); }

  // An output whose tables hold about `table_bytes`.
  OutputOptions output(std::uint64_t table_bytes) {
    OutputOptions options;
    options.table.block_bytes = 1024;
    options.table.compression = Compression::kNone;
    options.table_bytes = table_bytes;
    options.store_id = store_id_;
    options.create = [this]() -> Result<OutputOptions::Target> {
      OutputOptions::Target target{.number = next_number_++, .uid = world_.random.uid(), .file = nullptr};
      LIGHTNING_ASSIGN(target.file, world_.files.create_writable(path_of(target.number), env::FileClass::kTable));
      return target;
    };
    options.discard = [this](format::FileNumber number) { must(world_.files.remove(path_of(number))); };
    options.progress = [](std::uint64_t) -> Status { return {}; };
    return options;
  }
  manifest::TablePtr open(const sstable::TableMeta& meta) {
    return std::make_shared<manifest::TableHandle>(
        must(sstable::Table::open(world_.env, path_of(meta.number), store_id_, meta, cache_, budget_)),
        [](format::FileNumber) {});
  }
  manifest::TablePtr table(format::FileNumber number, const std::vector<Row>& rows,
                           const std::vector<Erased>& ranges = {}) {
    if (must(world_.files.exists(path_of(number)))) must(world_.files.remove(path_of(number)));  // of another drawing
    auto file = must(world_.files.create_writable(path_of(number), env::FileClass::kTable));
    sstable::TableWriter writer(std::move(file), store_id_, world_.random.uid(), number,
                                {.block_bytes = 1024, .compression = Compression::kNone});
    for (const Row& row : rows) must(writer.add(entry_of(row)));
    writer.set_ranges(set_of(ranges));
    next_number_ = std::max(next_number_, number + 1);
    return open(must(writer.finish()));
  }
  static std::vector<Row> rows_of(const manifest::TablePtr& table) {
    std::vector<Row> rows;
    const auto cursor = table->table->iterator({});
    for (cursor->seek_to_first(); cursor->valid(); cursor->next()) {
      const format::Entry& entry = cursor->entry();
      rows.push_back({std::string(entry.key), entry.sequence, entry.type, std::string(entry.value)});
    }
    must(cursor->status());
    return rows;
  }

  manifest::Version version(const std::string& text) {
    manifest::Version result;
    Sequence sequence = 1'000'000;  // falls: what stands first is newest
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t name = line.find('L');
      if (name == std::string::npos) continue;
      const auto level = static_cast<std::size_t>(line.at(name + 1) - '0');
      for (std::size_t open_at = line.find('['); open_at != std::string::npos; open_at = line.find('[', open_at + 1)) {
        const std::size_t number_at = line.rfind(' ', open_at) + 1;
        std::istringstream inside(line.substr(open_at + 1, line.find(']', open_at) - open_at - 1));
        std::string bounds, mark;
        inside >> bounds;
        std::uint64_t kib = 1;
        bool tombstones = false, busy = false, damaged = false, versions = false, range = false;
        while (inside >> mark) {
          if (mark.back() == 'k') kib = std::stoull(mark);
          tombstones = tombstones || mark == "!";
          busy = busy || mark == "*";
          damaged = damaged || mark == "x";
          versions = versions || mark == "+";
          range = range || mark == "~";
        }
        const format::FileNumber number = std::stoull(line.substr(number_at));
        result.levels[level].push_back(range ? table(number, {}, {{first_of(bounds), last_of(bounds), sequence--}})
                                             : shaped(number, bounds, kib, tombstones, versions, sequence--));
        result.levels[level].back()->compacting = busy;
        if (damaged) result.levels[level].back()->mark_damaged(Error(ErrorCode::kTableCorrupt, "drawn so"));
      }
    }
    must(result.validate());
    result.gather_ranges();
    return result;
  }

  // "L0 {7 5} + L6 {3 4} -> L6 bottommost"; "but a..c": what is held back
  static std::string text_of(const std::optional<Plan>& plan) {
    if (!plan) return "nothing";
    std::ostringstream text;
    const auto list = [&](std::uint32_t level, const std::vector<manifest::TablePtr>& tables) {
      text << 'L' << level << " {";
      for (std::size_t i = 0; i < tables.size(); ++i) text << (i == 0 ? "" : " ") << tables[i]->meta().number;
      text << '}';
    };
    list(plan->input_level, plan->inputs);
    if (!plan->overlapped.empty()) {
      text << " + ";
      list(plan->output_level, plan->overlapped);
    }
    for (const KeySpan& span : plan->held_back) text << " but " << span.smallest << ".." << span.largest;
    text << " -> L" << plan->output_level << (plan->bottommost ? " bottommost" : "")
         << (plan->erased           ? " erased"
             : plan->trivial_move() ? " moved"
                                    : "");
    return text.str();
  }

  env::SimulatedWorld world_{1};
  base::MemoryBudget budget_{64 << 20};
  base::EpochDomain epochs_;
  cache::BlockCache cache_{budget_, epochs_};
  format::Uid store_id_{{1, 2, 3}};
  format::FileNumber next_number_ = 1;

 private:
  static std::string first_of(const std::string& bounds) { return bounds.substr(0, bounds.find("..")); }
  static std::string last_of(const std::string& bounds) { return bounds.substr(bounds.find("..") + 2); }
  manifest::TablePtr shaped(format::FileNumber number, const std::string& bounds, std::uint64_t kib, bool tombstones,
                            bool versions, Sequence sequence) {
    const std::string first = first_of(bounds), last = last_of(bounds);
    std::vector<Row> rows;
    const auto add = [&](const std::string& key, std::uint64_t bytes) {
      const auto type = tombstones ? format::EntryType::kErase : format::EntryType::kPut;
      rows.push_back({key, sequence, type, tombstones ? std::string() : std::string(bytes, 'v')});
    };
    add(first, kib * 1024);
    if (versions) rows.push_back({first, sequence - 100, format::EntryType::kPut, "older"});
    if (last != first) add(last, 1);
    return table(number, rows);
  }
};

}  // namespace lightning::compaction
