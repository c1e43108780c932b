#include "manifest/version.h"

#include <algorithm>

namespace lightning::manifest {

void DamageMark::mark_damaged(const Error& finding) {
  base::MutexLock lock(mutex_);
  if (!damage_) damage_ = finding;
  damaged_.store(true, std::memory_order_release);
}

void DamageMark::mark_whole() {
  base::MutexLock lock(mutex_);
  damage_.reset();
  damaged_.store(false, std::memory_order_release);
}

std::optional<Error> DamageMark::damage() const {
  base::MutexLock lock(mutex_);
  return damage_;
}

TableHandle* Version::find(const Level& level, std::string_view key, std::uint64_t head) {
  std::size_t low = 0, high = level.size();  // first table whose largest key is not below `key`
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const TableHandle& table = *level[middle];
    const bool below = table.largest_head < head || (table.largest_head == head && table.meta().largest().before(key));
    if (below) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == level.size()) return nullptr;
  TableHandle* table = level[low].get();
  const bool starts_after =
      table->smallest_head > head || (table->smallest_head == head && table->meta().smallest_key > key);
  return starts_after ? nullptr : table;
}

Version::Level Version::overlapping(const Level& level, std::string_view smallest, const format::UpperBound& largest) {
  Level found;
  for (const TablePtr& table : level)
    if (!table->meta().largest().before(smallest) && !largest.before(table->meta().smallest_key))
      found.push_back(table);
  return found;
}

std::uint64_t Version::level_bytes(std::uint32_t level) const {
  std::uint64_t bytes = 0;
  for (const TablePtr& table : levels[level]) bytes += table->meta().file_bytes;
  return bytes;
}

std::uint64_t Version::tables() const {
  std::uint64_t count = 0;
  for (const Level& level : levels) count += level.size();
  return count;
}

VersionPtr Version::with(const Change& change) const {
  auto next = std::make_shared<Version>(*this);
  bool other_ranges = false;
  for (const auto& [level, number] : change.drop) {
    const auto is_dropped = [&, wanted = number](const TablePtr& table) {
      if (table->meta().number != wanted) return false;
      other_ranges = other_ranges || table->table->ranges() != nullptr;
      return true;
    };
    std::erase_if(next->levels[level], is_dropped);
  }
  for (const auto& [level, table] : change.add) {
    Level& tables = next->levels[level];
    const auto before = [by_age = level == 0](const TablePtr& a, const TablePtr& b) {
      return by_age ? a->meta().largest_sequence > b->meta().largest_sequence
                    : a->meta().smallest_key < b->meta().smallest_key;
    };
    tables.insert(std::upper_bound(tables.begin(), tables.end(), table, before), table);
    other_ranges = other_ranges || table->table->ranges() != nullptr;
  }
  if (other_ranges) next->gather_ranges();
  if (change.add_blobs.empty() && change.drop_blobs.empty()) return next;
  for (const format::FileNumber number : change.drop_blobs)
    std::erase_if(next->blobs, [number](const BlobPtr& file) { return file->meta().number == number; });
  for (const BlobPtr& file : change.add_blobs) {
    const auto before = [](const BlobPtr& a, const BlobPtr& b) { return a->meta().number < b->meta().number; };
    next->blobs.insert(std::upper_bound(next->blobs.begin(), next->blobs.end(), file, before), file);
  }
  next->list_origins();
  return next;
}

void Version::list_origins() {
  origins_.clear();
  for (const BlobPtr& file : blobs) {
    const blob::FileMeta& meta = file->meta();
    if (meta.origins.empty()) origins_.emplace_back(meta.number, file.get());
    for (const format::FileNumber origin : meta.origins) origins_.emplace_back(origin, file.get());
  }
  std::sort(origins_.begin(), origins_.end());
}

BlobHandle* Version::blob_of(format::FileNumber origin) const {
  const auto found = std::lower_bound(origins_.begin(), origins_.end(), origin,
                                      [](const auto& each, format::FileNumber wanted) { return each.first < wanted; });
  return found != origins_.end() && found->first == origin ? found->second : nullptr;
}

void Version::gather_ranges() {
  std::vector<const format::RangeTombstones*> sets;
  for (const Level& level : levels)
    for (const TablePtr& table : level)
      if (const format::RangeTombstones* set = table->table->ranges()) sets.push_back(set);
  ranges.reset();
  if (!sets.empty()) ranges = std::make_shared<const format::RangeTombstones>(format::RangeTombstones::merge(sets));
}

Status Version::validate() const {
  for (std::uint32_t level = 1; level < kLevels; ++level) {
    for (std::size_t i = 1; i < levels[level].size(); ++i) {
      const sstable::TableMeta& left = levels[level][i - 1]->meta();
      const sstable::TableMeta& right = levels[level][i]->meta();
      if (!left.largest().before(right.smallest_key))
        return Error(ErrorCode::kInconsistentState, "tables " + std::to_string(left.number) + " and " +
                                                        std::to_string(right.number) + " of level " +
                                                        std::to_string(level) + " overlap");
    }
  }
  return {};
}

}  // namespace lightning::manifest
