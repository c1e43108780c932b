// Repairs: what is damaged is named, and everything else is saved.
#include <gtest/gtest.h>

#include "base/coding.h"
#include "index/world.h"
#include "salvage/damaged_store.h"
#include "sstable/layout.h"

namespace lightning::salvage {
namespace {

class Repair : public testing::Test, protected DamagedStore {
 protected:
  // A byte of a table's part that the footer names.
  void damage_part(const std::string& path, const std::function<std::uint64_t(const sstable::Footer&)>& offset_of) {
    const std::string bytes = disk().content(path);
    const std::uint64_t footer_offset = bytes.size() - sstable::kTrailerBytes - sstable::kFooterBytes;
    const auto footer = sstable::decode_footer(bytes.substr(footer_offset, sstable::kFooterBytes), footer_offset);
    ASSERT_OK(footer);
    ASSERT_TRUE(disk().flip_bit(path, offset_of(*footer)));
  }
  std::string largest_table() { return largest_of(files_in("/tables")); }
  // The last byte of a segment that is not zero.
  std::uint64_t end_of(const std::string& path) { return disk().content(path).find_last_not_of('\0'); }
};

// --- nothing is damaged ---------------------------------------------------------------------------------------------

TEST_F(Repair, SavesAllOfAWholeDatabase) {
  live_long();
  const RepairReport report = repaired();
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.records, keys());
  EXPECT_GT(report.large_values, 0u);
  EXPECT_GT(report.last_sequence, 100u);
  EXPECT_NE(report.to_string().find("nothing was lost"), std::string::npos);
}

TEST_F(Repair, OfADatabaseThatDiedLosesNothingThatAnOpeningWouldHave) {
  world_.run(
      [&](Database& db) {
        backup::fill(db, "a");
        EXPECT_OK(db.sync());
        model_ = backup::contents_of(db);
        disk().process_death();
      },
      /*closes=*/false);
  EXPECT_TRUE(repaired().complete());
}

TEST_F(Repair, KeepsLifetimesCountsOptionsAndMakesIndexesAnew) {
  const auto far = std::chrono::milliseconds(4'000'000'000'000);
  live([&](Database& db) {
    const auto counted = db.create_keyspace("counted", {.counted = true});
    const auto fading = db.create_keyspace("fading", {.default_ttl = std::chrono::hours(1)});
    const auto people = db.create_keyspace("people", {.blob_threshold = 300});
    ASSERT_OK(db.create_index(*people, "city", {.extractor = index::kSecondField}));
    for (int i = 0; i < 50; ++i) {
      const std::string key = "k" + std::to_string(i);
      EXPECT_OK(db.put(*counted, key, "v"));
      EXPECT_OK(db.put(*fading, key, "v"));
      EXPECT_OK(db.put(key, "v", {.expires_at = far}));
      EXPECT_OK(db.put("large" + key, backup::text(2000, 'l'), {.expires_at = far}));
      EXPECT_OK(db.put(*people, key, key + ",city" + std::to_string(i % 5) + "," + backup::text(400, 'p')));
      if (i == 25) EXPECT_OK(db.flush());
    }
    EXPECT_OK(db.erase(*counted, "k7"));
  });
  const RepairReport report = repaired();
  EXPECT_TRUE(report.complete()) << report.to_string();
  EXPECT_EQ(report.indexes, 1u);

  base::FiberScheduler fibers(5, {.steps_max = 20'000'000});
  EXPECT_EQ(fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(world_.env().env, "/repaired", world_.config());
    ASSERT_OK(db);
    const auto counted = db->keyspace("counted");
    const auto count = db->count(*counted);
    ASSERT_OK(count);
    EXPECT_EQ(count->records, 49u);
    EXPECT_TRUE(count->exact);
    EXPECT_EQ(db->keyspace("fading")->options().default_ttl, std::chrono::hours(1));
    EXPECT_EQ(db->keyspace("people")->options().blob_threshold, 300u);
    for (const char* key : {"k3", "largek3"}) {
      Iterator it = db->iterate();
      it.seek(key);
      ASSERT_TRUE(it.valid());
      EXPECT_EQ(it.expires_at(), far) << key;
    }
    const auto people = db->keyspace("people");
    while (db->list_indexes()[0].state == IndexState::kBuilding) base::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(db->list_indexes()[0].state, IndexState::kReady);
    EXPECT_EQ(index::all_of(*db, *people, "city"), index::expected(*db, *people));
    const auto checked = db->check();
    EXPECT_TRUE(checked && checked->findings.empty());
    // It is a database like any other.
    EXPECT_OK(db->put("new", "1"));
    EXPECT_OK(db->close());
  }),
            base::WorldEnd::kFinished)
      << fibers.report();
}

// --- tables ---------------------------------------------------------------------------------------------------------

TEST_F(Repair, OfADamagedBlockLosesItsKeysAlone) {
  live_long();
  const std::string table = largest_table();
  ASSERT_TRUE(disk().flip_bit(table, 300));
  const RepairReport report = repaired();
  ASSERT_EQ(report.lost_keys.size(), 1u) << report.to_string();
  EXPECT_EQ(report.lost_keys[0].reason.context().file, table);
  EXPECT_GT(report.lost_keys[0].entries, 0u);
  EXPECT_TRUE(report.lost_keys[0].range.end.has_value());
  EXPECT_LT(saved_keys(report), keys());
  EXPECT_GT(saved_keys(report), keys() / 2);
  EXPECT_FALSE(report.complete());
  EXPECT_NE(report.to_string().find("lost: keyspace '"), std::string::npos);
}

TEST_F(Repair, RebuildsADamagedBlockFromParity) {
  world_.config().block_parity = true;
  live_long();
  ASSERT_TRUE(disk().flip_bit(largest_table(), 300));
  EXPECT_TRUE(repaired().complete());
}

TEST_F(Repair, OfADamagedFilterHeaderOrTrailerLosesNothing) {
  live_long();
  const std::string table = largest_table();
  damage_part(table, [](const auto& footer) { return footer.filter.offset + 70; });
  ASSERT_TRUE(disk().flip_bit(table, 20));
  ASSERT_TRUE(disk().flip_bit(table, disk().content(table).size() - 10));
  EXPECT_TRUE(repaired().complete());
}

TEST_F(Repair, OfADamagedLeafOfTheIndexLosesTheKeysOfItsBlocks) {
  live([](Database& db) {  // a leaf is 16 KiB: some hundred blocks
    for (int i = 0; i < 4000; ++i)
      EXPECT_OK(db.put("a key that is rather long, " + std::to_string(100'000 + i), backup::text(150, 'v')));
    EXPECT_OK(db.flush());
  });
  const std::string table = largest_table();
  damage_part(table, [](const auto& footer) { return footer.leaves_offset + 200; });
  const RepairReport report = repaired();
  ASSERT_EQ(report.lost_keys.size(), 1u) << report.to_string();
  EXPECT_LT(saved_keys(report), keys());
  EXPECT_GT(saved_keys(report), 0u);
}

TEST_F(Repair, OfADamagedFooterOrAMissingTableLosesTheKeysOfTheTable) {
  live_long();
  const std::string table = largest_table();
  ASSERT_TRUE(disk().flip_bit(table, disk().content(table).size() - sstable::kTrailerBytes - 100));
  RepairReport report = repaired();
  ASSERT_EQ(report.lost_keys.size(), 1u) << report.to_string();
  EXPECT_EQ(report.lost_keys[0].reason.code(), ErrorCode::kTableCorrupt);
  EXPECT_GT(saved_keys(report), 0u);

  ASSERT_TRUE(disk().delete_file(table));
  const auto again = try_repair("/again");
  ASSERT_OK(again);
  ASSERT_EQ(again->lost_keys.size(), 1u);
  EXPECT_EQ(again->lost_keys[0].reason.code(), ErrorCode::kTableMissing);
  EXPECT_EQ(again->lost_keys[0].range.start, report.lost_keys[0].range.start);
}

TEST_F(Repair, WhereErasedRangesAreDamagedWhatTheyHidIsNamed) {
  world_.config().level0_compaction_trigger = 8;
  live([](Database& db) {
    for (int i = 0; i < 100; ++i) EXPECT_OK(db.put("k" + std::to_string(100 + i), "old"));
    EXPECT_OK(db.flush());
    EXPECT_OK(db.erase_range({.start = "k120", .end = "k140"}));
    EXPECT_OK(db.put("k150", "new"));
    EXPECT_OK(db.flush());
  });
  std::string with_ranges;
  for (const std::string& path : files_in("/tables")) {
    const auto table = sstable::describe_table(world_.env().env, path);
    if (table && table->meta.range_tombstones > 0) with_ranges = path;
  }
  ASSERT_NE(with_ranges, "") << "the range was merged away";
  damage_part(with_ranges, [](const auto& footer) { return footer.ranges.offset + 2; });
  const RepairReport report = repaired();
  ASSERT_EQ(report.lost_keys.size(), 1u) << report.to_string();
  EXPECT_LE(*report.lost_keys[0].range.start, "k120");
  EXPECT_GE(*report.lost_keys[0].range.end, "k140");
}

// --- large values ---------------------------------------------------------------------------------------------------

TEST_F(Repair, OfADamagedLargeValueLosesItAlone) {
  live_long();
  const std::string blob = largest_of(files_in("/blobs"));
  ASSERT_TRUE(disk().flip_bit(blob, disk().content(blob).size() / 2));
  const RepairReport report = repaired();
  ASSERT_EQ(report.lost_values.size(), 1u) << report.to_string();
  EXPECT_TRUE(report.lost_keys.empty());
  EXPECT_EQ(report.lost_values[0].reason.context().file, blob);
}

TEST_F(Repair, NeedsNeitherHeaderNorFooterOfAFileOfLargeValues) {
  live([](Database& db) {
    for (int i = 0; i < 5; ++i) EXPECT_OK(db.put("k" + std::to_string(i), backup::text(5000, 'v')));
    EXPECT_OK(db.flush());
  });
  const std::string blob = largest_of(files_in("/blobs"));
  ASSERT_TRUE(disk().flip_bit(blob, 30));
  ASSERT_TRUE(disk().flip_bit(blob, disk().content(blob).size() - 20));
  EXPECT_TRUE(repaired().complete());
  ASSERT_TRUE(disk().delete_file(blob));
  const auto without = try_repair("/without");
  ASSERT_OK(without);
  EXPECT_EQ(without->lost_values.size(), 5u);
  EXPECT_EQ(without->lost_values[0].reason.code(), ErrorCode::kBlobMissing);
}

// --- the log --------------------------------------------------------------------------------------------------------

class RepairOfLog : public Repair {
 protected:
  // Synced one by one, in one segment.
  void write_keys(int count) {
    world_.config().wal_segment_bytes = 1 << 20;
    world_.config().memtable_bytes = 1 << 20;
    live([count](Database& db) {
      for (int i = 0; i < count; ++i)
        EXPECT_OK(db.put("k" + std::to_string(100 + i), backup::text(100, 'v'), {.durability = Durability::kSync}));
    });
  }
};

TEST_F(RepairOfLog, GoesOnBehindADamagedRecord) {
  write_keys(50);
  const std::string segment = largest_of(files_in("/wal"));
  const std::size_t at = disk().content(segment).find("k120");
  ASSERT_NE(at, std::string::npos);
  ASSERT_TRUE(disk().flip_bit(segment, at + 10));
  model_["default"].erase("k120");
  const RepairReport report = repaired();
  ASSERT_EQ(report.lost_writes.size(), 1u) << report.to_string();
  EXPECT_EQ(report.lost_writes[0].first, 21u);
  EXPECT_EQ(report.lost_writes[0].last, 21u);
  EXPECT_EQ(report.lost_writes[0].reason.context().file, segment);
}

TEST_F(RepairOfLog, NeedsOneOfTheTwoBlocksThatNameASegment) {
  write_keys(50);
  const std::string segment = largest_of(files_in("/wal"));
  ASSERT_TRUE(disk().flip_bit(segment, 60));  // the prepared block
  EXPECT_TRUE(repaired().complete());
}

TEST_F(RepairOfLog, NamesWhatASegmentThatIsGoneHeld) {
  world_.config().wal_segment_bytes = 64 << 10;
  world_.config().wal_bytes_max = 8 << 20;
  world_.config().memtable_bytes = 4 << 20;
  std::map<std::string, Sequence> written;
  live([&](Database& db) {
    for (int i = 0; i < 300; ++i) {
      const std::string key = "k" + std::to_string(1000 + i);
      WriteBatch batch;
      batch.put(key, backup::text(900, 'v'));
      const auto sequence = db.write(batch, {.durability = Durability::kSync});
      ASSERT_OK(sequence);
      written[key] = *sequence;
    }
  });
  std::vector<std::string> used;
  for (const std::string& segment : files_in("/wal"))
    if (disk().content(segment).find("k1") != std::string::npos) used.push_back(segment);
  ASSERT_GE(used.size(), 3u);
  ASSERT_TRUE(disk().delete_file(used[1]));
  const auto report = try_repair();
  ASSERT_OK(report);
  ASSERT_EQ(report->lost_writes.size(), 1u) << report->to_string();
  const LostWrites& lost = report->lost_writes[0];
  EXPECT_LT(lost.last - lost.first, 150u);
  for (const auto& [key, sequence] : written)
    if (sequence >= lost.first && sequence <= lost.last) model_["default"].erase(key);
  compare(*report);
}

TEST_F(RepairOfLog, TellsATornEnd) {
  write_keys(50);
  const std::string segment = largest_of(files_in("/wal"));
  const std::size_t at = disk().content(segment).find("k149");
  ASSERT_NE(at, std::string::npos);
  ASSERT_TRUE(disk().truncate_file(segment, at + 20));
  model_["default"].erase("k149");
  const RepairReport report = repaired();
  EXPECT_TRUE(!report.lost_writes.empty() || !report.notes.empty()) << report.to_string();
}

// --- manifest and superblock ----------------------------------------------------------------------------------------

TEST_F(Repair, WithoutAManifestTablesSpeakForThemselves) {
  live_long();
  for (const std::string& path : files_in(""))
    if (path.find("MANIFEST-") != std::string::npos) disk().delete_file(path);
  const RepairReport report = repaired();
  ASSERT_TRUE(report.manifest_damage) << report.to_string();
  EXPECT_EQ(report.manifest_damage->code(), ErrorCode::kManifestCorrupt);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(saved_keys(report), keys());
  // Options, too.
  base::FiberScheduler fibers(5, {.steps_max = 20'000'000});
  EXPECT_EQ(fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(world_.env().env, "/repaired", world_.config());
    ASSERT_OK(db);
    EXPECT_EQ(db->keyspace("merging")->options().merge_operator, "append");
    EXPECT_TRUE(db->keyspace("counted")->options().counted);
    EXPECT_OK(db->close());
  }),
            base::WorldEnd::kFinished);
}

TEST_F(Repair, OfADamagedManifestTakesWhatIsLeftOfItAndTheTablesItDoesNotName) {
  live_long();
  std::string manifest;
  for (const std::string& path : files_in(""))
    if (path.find("MANIFEST-") != std::string::npos) manifest = path;
  const std::uint64_t size = disk().content(manifest).size();
  ASSERT_TRUE(disk().flip_bit(manifest, size / 2));
  const RepairReport report = repaired();
  ASSERT_TRUE(report.manifest_damage) << report.to_string();
  EXPECT_EQ(saved_keys(report), keys());
}

TEST_F(Repair, WithoutASuperblockTheManifestSpeaksForItself) {
  live_long();
  ASSERT_TRUE(disk().delete_file("/store/SUPERBLOCK"));
  RepairReport report = repaired();
  EXPECT_TRUE(report.manifest_damage);
  EXPECT_EQ(saved_keys(report), keys());
}

TEST_F(Repair, OfADamagedSuperblockUsesTheOtherSlot) {
  live_long();
  live([](Database& db) { EXPECT_OK(db.put("k", "v")); });
  ASSERT_TRUE(disk().flip_bit("/store/SUPERBLOCK", 100));
  RepairReport report = repaired();
  EXPECT_EQ(saved_keys(report), keys());
}

// --- what it refuses ------------------------------------------------------------------------------------------------

TEST_F(Repair, GoesIntoANewDirectoryOnly) {
  live_long();
  EXPECT_CODE(kInvalidArgument, try_repair("/store"));
  EXPECT_CODE(kInvalidArgument, try_repair("/store/"));
  EXPECT_CODE(kInvalidArgument, try_repair("/store/repaired"));
  EXPECT_CODE(kInvalidArgument, try_repair(""));
  ASSERT_OK(disk().create_directories("/taken"));
  ASSERT_TRUE(disk().put_file("/taken/notes.txt", "mine"));
  EXPECT_CODE(kInvalidArgument, try_repair("/taken"));
  EXPECT_EQ(disk().content("/taken/notes.txt"), "mine");
  EXPECT_CODE(kInvalidArgument, try_repair("/taken/notes.txt"));
  EXPECT_OK(try_repair("/repaired"));
  EXPECT_CODE(kInvalidArgument, try_repair("/repaired"));
  EXPECT_CODE(kInvalidArgument, try_repair("/repaired/inside"));
}

TEST_F(Repair, RefusesWhatIsOpenWhatIsNoDatabaseAndWhatIsNewer) {
  EXPECT_CODE(kDatabaseNotFound, try_repair());
  ASSERT_OK(disk().create_directories("/store"));
  EXPECT_CODE(kDatabaseNotFound, try_repair());
  live([&](Database& db) {
    EXPECT_OK(db.put("k", "v"));
    EXPECT_CODE(kLockHeld, try_repair());
  });
  EXPECT_FALSE(*disk().exists("/repaired"));
  // Both slots say that they are of the next version, and verify.
  std::string superblock = disk().content("/store/SUPERBLOCK");
  for (const std::size_t slot : {std::size_t{0}, std::size_t{4096}}) {
    base::store_le<std::uint32_t>(superblock.data() + slot + 8, 2);
    const base::Tag tag =
        base::tag_of(base::TagAlgorithm::kBlake3, std::string_view(superblock).substr(slot, 4096 - 16));
    superblock.replace(slot + 4096 - 16, 16, base::as_bytes(tag.bytes));
  }
  ASSERT_TRUE(disk().put_file("/store/SUPERBLOCK", superblock));
  EXPECT_CODE(kFormatUnsupported, try_repair());
  EXPECT_FALSE(*disk().exists("/repaired"));
}

TEST_F(Repair, ThatWasStoppedIsNoDatabaseAndCanBeBegunAgain) {
  live([](Database& db) {
    for (int i = 0; i < 3000; ++i) EXPECT_OK(db.put("k" + std::to_string(i), backup::text(900, 'v')));
  });
  RepairOptions options;
  options.config = world_.config();
  std::uint64_t last = 0;
  options.progress = [&](const RepairProgress& now) {
    EXPECT_GE(now.done_bytes, last);
    EXPECT_LE(now.done_bytes, now.total_bytes);
    last = now.done_bytes;
    return false;
  };
  EXPECT_CODE(kCancelled, repair(world_.env().env, "/store", "/repaired", options));
  EXPECT_GT(last, 0u);
  EXPECT_CODE(kNotADatabase, DatabaseAccess::open_as_given(world_.env().env, "/repaired", world_.config(), true));
  EXPECT_CODE(kNotADatabase, repair(world_.env().env, "/repaired", "/elsewhere", {}));
  EXPECT_TRUE(repaired().complete());
}

TEST_F(Repair, SaysInJsonWhatWasLost) {
  live_long();
  ASSERT_TRUE(disk().flip_bit(largest_table(), 300));
  const std::string json = to_json(repaired());
  EXPECT_TRUE(json.starts_with(R"({"source":"/store","target":"/repaired","complete":false,"keyspaces":3)")) << json;
  EXPECT_NE(json.find(R"("lost_keys":[{"keyspace":")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("code":"LDB-4004","name":"TableCorrupt")"), std::string::npos) << json;
}

}  // namespace
}  // namespace lightning::salvage
