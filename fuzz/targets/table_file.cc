// sstable/table.h: a whole table file, as it is and with its check values put right: described, opened, checked, walked
// and searched.
#include <algorithm>

#include "base/epoch.h"
#include "cache/block_cache.h"
#include "env/simulated_world.h"
#include "format/entry.h"
#include "fuzz/support/table_repair.h"
#include "fuzz/support/target.h"
#include "sstable/table.h"

namespace lightning::sstable {

namespace {

struct Version {
  std::string key;
  Sequence sequence;
  bool operator==(const Version&) const = default;
};

// All versions, or the first that have a megabyte of keys: a long prefix may be shared by many entries.
std::vector<Version> walk(format::EntryIterator& cursor, bool forward, bool& all_of_it) {
  std::vector<Version> all;
  std::size_t bytes = 0;
  for (forward ? cursor.seek_to_first() : cursor.seek_to_last(); cursor.valid() && bytes < (1u << 20);
       forward ? cursor.next() : cursor.prev()) {
    all.push_back({std::string(cursor.entry().key), cursor.entry().sequence});
    bytes += 32 + cursor.entry().key.size();
  }
  all_of_it = !cursor.valid();
  return all;
}

// `sound`: Table::check() found nothing.
void read_all(const Table& table, bool sound) {
  const auto cursor = table.iterator({});
  bool all_of_it = false;
  const std::vector<Version> forward = walk(*cursor, true, all_of_it);
  if (sound) FUZZ_EXPECT(cursor->status() && (!all_of_it || forward.size() == table.meta().entries));
  std::vector<Version> backward = walk(*cursor, false, all_of_it);
  std::ranges::reverse(backward);
  if (sound && all_of_it) FUZZ_EXPECT(forward == backward);
  for (const Version& version : forward) {
    TableLookup found;
    const std::uint64_t hash = filter_hash(version.key);
    const auto there = table.find(version.key, hash, version.sequence, {}, found);
    if (sound) FUZZ_EXPECT(there && *there && found.sequence == version.sequence);
    if (there && *there) cache::BlockCache::release(found.block);
    cursor->seek(version.key, version.sequence);
    if (sound) FUZZ_EXPECT(cursor->valid() && cursor->entry().key == version.key);
    cursor->seek_for_prev(version.key, version.sequence);
    if (sound) FUZZ_EXPECT(cursor->valid() && cursor->entry().key == version.key);
    (void)table.approximate_offset(version.key);
  }
  const std::vector<std::string> split = table.split_keys(4);
  FUZZ_EXPECT(std::ranges::is_sorted(split));
  std::vector<Table::Pending> lookups;
  for (const Version& version : forward) lookups.push_back({version.key, filter_hash(version.key), version.sequence});
  table.load_many(lookups, {});
}

bool fuzz_file(const std::string& bytes) {
  env::SimulatedWorld world(1);
  FUZZ_EXPECT(world.files.put_file("/t.sst", bytes));
  const auto described = describe_table(world.env, "/t.sst");
  if (!described) return false;
  base::MemoryBudget budget(16 << 20);
  base::EpochDomain epochs;
  cache::BlockCache cache(budget, epochs);
  const auto table = Table::open(world.env, "/t.sst", described->store_id, described->meta, cache, budget);
  if (!table) return false;
  bool sound = true;
  (*table)->check([&](const Error& finding) { return sound = false, !finding.to_string().empty(); }, {});
  read_all(**table, sound);
  return sound;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(table_file) {
  std::string bytes(input);
  const bool taken = fuzz_file(bytes);
  fuzz::repair_table(bytes);
  return bytes == input ? taken : fuzz_file(bytes) || taken;
}

}  // namespace lightning::sstable
