// A database whose tables are whole, and hold what no writer would have put there: values without their expiry,
// references to nowhere, operands of no operator, entries of indexes that index nothing. It opens or does not; what it
// answers is an answer or an error; it is checked, written to and compacted.
//
// Input: flags of the keyspace, a piece with the definition of an index, then entries: which keyspace, type and length
// of the key in a byte, the sequence in another, then key and value.
#include <map>
#include <set>

#include "api/database_access.h"
#include "base/fiber.h"
#include "engine/engine.h"
#include "env/simulated_world.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"
#include "lightning/database.h"
#include "manifest/manifest.h"
#include "sstable/table.h"

namespace lightning::engine {

namespace {

using format::EntryType;

struct Version {
  EntryType type;
  std::string_view value;
};
// Of one keyspace: by key, then newest first.
using Versions = std::map<std::pair<std::string_view, Sequence>, Version>;

constexpr Sequence kSequences = 256;  // above all that entries have

struct Contents {
  std::uint8_t flags = 0;
  std::string_view definition;
  Versions keyspaces[2];  // the default one, and what is attached to it
  std::vector<format::RangeTombstone> ranges;
};

Contents take_apart(std::string_view input) {
  constexpr std::size_t kEntriesMax = 100;
  Contents contents;
  contents.flags = fuzz::take_number<std::uint8_t>(input);
  contents.definition = fuzz::take_piece(input);
  for (std::size_t n = 0; !input.empty() && n < kEntriesMax; ++n) {
    const auto shape = fuzz::take_number<std::uint8_t>(input);
    const Sequence sequence = 1 + fuzz::take_number<std::uint8_t>(input);
    const std::size_t key_bytes = 1 + (shape >> 4 & 7);
    const std::string_view key = input.substr(0, key_bytes);
    input.remove_prefix(key.size());
    const std::size_t value_bytes = fuzz::take_number<std::uint8_t>(input);
    const std::string_view value = input.substr(0, value_bytes);
    input.remove_prefix(value.size());
    const auto type = static_cast<EntryType>((shape & 7) % 6);
    if (key.empty()) break;
    if (type == EntryType::kEraseRange) {
      contents.ranges.push_back({key, value.substr(0, 8), sequence});
    } else {
      contents.keyspaces[shape >> 7].insert(
          {{key, kSequences - sequence}, {type, type == EntryType::kErase ? std::string_view() : value}});
    }
  }
  return contents;
}

// A table of these versions, if there are any; false if none.
bool write_table(env::SimulatedWorld& world, const format::Uid& store, format::FileNumber number,
                 const Versions& versions, const std::vector<format::RangeTombstone>& ranges,
                 sstable::TableMeta& meta) {
  const format::RangeTombstones set(ranges);
  if (versions.empty() && set.empty()) return false;
  auto file = world.files.create_writable(Paths("/db").table(number), env::FileClass::kTable);
  FUZZ_EXPECT(file);
  sstable::TableWriter writer(std::move(*file), store, world.random.uid(), number,
                              {.block_bytes = 256, .tags = base::TagAlgorithm::kXxh3});
  for (const auto& [place, version] : versions)
    FUZZ_EXPECT(writer.add({place.first, kSequences - place.second, version.type, version.value}));
  if (!set.empty()) writer.set_ranges(set);
  auto finished = writer.finish();
  FUZZ_EXPECT(finished);
  meta = std::move(*finished);
  return true;
}

void make_database(env::SimulatedWorld& world, const Contents& contents) {
  const Paths paths("/db");
  for (const std::string& directory : {paths.root, paths.wal(), paths.tables(), paths.blobs()})
    FUZZ_EXPECT(world.files.create_directories(directory));
  manifest::Superblock superblock;
  superblock.store_id = world.random.uid();
  manifest::VersionEdit edit;
  KeyspaceOptions options;
  constexpr const char* kOperators[] = {"", "add", "append", "max"};
  options.merge_operator = kOperators[contents.flags & 3];
  options.counted = (contents.flags & 4) != 0;
  if ((contents.flags & 8) != 0) options.default_ttl = std::chrono::hours(1);
  edit.add_keyspaces = {{0, "default", options}};
  const format::KeyspaceId keyspaces = contents.definition.empty() ? 1 : 2;
  if (keyspaces == 2) {
    edit.add_keyspaces.push_back({1, attached_name("default", "index")});
    edit.attach = {{1, 0, std::string(contents.definition)}};
  }
  if (options.counted) edit.counts = {{0, contents.flags}};
  edit.durable = edit.log_floor = kSequences;
  edit.log_anchor = wal::LogPosition{kSequences, 0};
  for (format::KeyspaceId id = 0; id < keyspaces; ++id) edit.flushed.push_back({id, kSequences});
  edit.next_keyspace = 2;
  sstable::TableMeta meta;
  for (format::KeyspaceId id = 0; id < keyspaces; ++id)
    if (write_table(world, superblock.store_id, 10 + id, contents.keyspaces[id],
                    id == 0 ? contents.ranges : std::vector<format::RangeTombstone>(), meta))
      edit.add_tables.push_back({id, (contents.flags & 16) != 0 ? 0u : 3u, meta});
  manifest::State state;
  FUZZ_EXPECT(state.apply(edit));
  FUZZ_EXPECT(manifest::Manifest::create(world.env, "/db", superblock, state));
}

void read_all(const Database& db) {
  Iterator cursor = db.iterate();
  std::set<std::string> seen;
  std::string last;
  for (cursor.seek_to_first(); cursor.valid(); cursor.next()) {
    const std::string key(cursor.key());
    FUZZ_EXPECT(seen.empty() || last < key);
    const std::string value(cursor.value());
    if (!cursor.valid()) break;  // a large value that cannot be read
    (void)cursor.expires_at();
    const auto got = db.get(key);
    if (got) FUZZ_EXPECT(*got && **got == value);
    seen.insert(key);
    last = key;
  }
  const bool whole = cursor.status().has_value();
  std::size_t backwards = 0;
  for (cursor.seek_to_last(); cursor.valid(); cursor.prev()) {
    FUZZ_EXPECT(!whole || seen.contains(std::string(cursor.key())));
    ++backwards;
  }
  if (whole && cursor.status()) FUZZ_EXPECT(backwards == seen.size());
  (void)db.ttl("k");
  (void)db.count();
  if (const auto keyspace = db.keyspace("default")) {
    for (const IndexInfo& index : db.list_indexes(*keyspace)) {
      IndexQuery all;
      for (int pages = 0; pages < 5; ++pages) {
        const auto page = db.query_index(*keyspace, index.name, all);
        if (!page || page->continuation.empty()) break;
        all.continuation = page->continuation;
      }
    }
  }
  (void)db.check();
}

bool use(env::SimulatedWorld& world, bool read_only) {
  LightningDbConfig config;
  config.cache_size = 8 << 20;
  config.wal_segment_bytes = 64 << 10;
  config.memtable_bytes = 48 << 10;
  config.compaction_threads = 1;
  bool taken = false;
  base::FiberScheduler fibers(1, {.strategy = base::Strategy::kUniform, .steps_max = 1'000'000});
  const base::WorldEnd end = fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(world.env, "/db", config, read_only);
    if (!db) return;
    taken = true;
    read_all(*db);
    if (!read_only) {
      (void)db->put("k", "value");
      (void)db->merge("m", "12345678");
      (void)db->erase("e");
      (void)db->flush();
      (void)db->compact_range(KeyRange{}, {});
      read_all(*db);
    }
    (void)db->close();
  });
  FUZZ_EXPECT(end == base::WorldEnd::kFinished);
  return taken;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(contents) {
  const Contents contents = take_apart(input);
  env::SimulatedWorld world(1);
  make_database(world, contents);
  const bool taken = use(world, true);
  return use(world, false) && taken;
}

}  // namespace lightning::engine
