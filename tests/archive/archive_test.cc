// What an archive promises: the database at each moment since a backup, or an error that says what is missing and how
// far one can go.
#include <gtest/gtest.h>

#include "archive/place.h"

namespace lightning::archive {
namespace {

void write_some(Database& db, const std::string& mark, int count = 40) {
  for (int i = 0; i < count; ++i) EXPECT_OK(db.put("k" + std::to_string(i), mark + std::to_string(i) + text(200, 'v')));
}

// Everything that a log can say, with a moment after each kind.
void write_every_kind(ArchivedStore& store, Database& db, const std::string& mark) {
  write_some(db, mark);
  store.mark(db);
  EXPECT_OK(db.erase_range({.start = "k1", .end = "k2"}));
  EXPECT_OK(db.erase("k3"));
  store.mark(db);
  EXPECT_OK(db.put("large", text(5000, mark[0])));
  auto stream = db.put_stream("streamed" + mark);
  ASSERT_OK(stream);
  for (int i = 0; i < 12; ++i) EXPECT_OK(stream->append(text(100'000, mark[0])));
  EXPECT_OK(stream->commit());
  store.mark(db);
  const auto merging = db.create_keyspace("merging" + mark, {.merge_operator = "append"});
  const auto counted = db.create_keyspace("counted" + mark, {.counted = true});
  ASSERT_OK(merging);
  ASSERT_OK(counted);
  for (const char* part : {"a", "b", "c"}) EXPECT_OK(db.merge(*merging, "list", part));
  for (int i = 0; i < 9; ++i) EXPECT_OK(db.put(*counted, "c" + std::to_string(i % 6), mark));
  store.mark(db);
  EXPECT_OK(db.erase("streamed" + mark));
  EXPECT_OK(db.flush());
  auto transaction = db.begin();
  ASSERT_OK(transaction);
  EXPECT_OK(transaction->put("t1", mark));
  EXPECT_OK(transaction->put(*counted, "t2", mark));
  EXPECT_OK(transaction->commit());
  WriteBatch batch;
  batch.put("b1", mark).put("b2", mark).erase("k5");
  EXPECT_OK(db.write(batch));
  store.mark(db);
}

TEST(PointInTime, RecoversEachMomentBeforeAndAfterTheNextBackup) {
  ArchivedStore store;
  store.run([&](Database& db) {
    write_some(db, "first");
    EXPECT_OK(db.create_backup("/backups"));
    write_every_kind(store, db, "x");
    EXPECT_OK(db.drop_keyspace("mergingx"));
    write_some(db, "between");
    store.mark(db);
    EXPECT_OK(db.create_backup("/backups"));
    write_every_kind(store, db, "y");
  });
  store.run([&](Database& db) {  // another life goes on with it
    write_some(db, "later");
    store.mark(db);
  });
  store.expect_each_mark();
  const auto report = check(store.env(), "/archive");
  ASSERT_OK(report);
  EXPECT_TRUE(report->findings.empty()) << report->findings.front().to_string();
  EXPECT_GT(report->files, 3u);
}

TEST(PointInTime, CountsAndIndexesAreThoseOfTheMoment) {
  ArchivedStore store;
  store.run([&](Database& db) {
    const auto people = db.create_keyspace("people", {.counted = true});
    ASSERT_OK(people);
    EXPECT_OK(db.create_backup("/backups"));
    for (int i = 0; i < 30; ++i) EXPECT_OK(db.put(*people, "p" + std::to_string(i), "v" + std::to_string(i % 3)));
    EXPECT_OK(db.create_index(*people, "by_value", {.extractor = ByteRange{.offset = 0, .bytes = 2}}));
    for (int i = 0; i < 10; ++i) EXPECT_OK(db.erase(*people, "p" + std::to_string(i)));
    store.mark(db);
    EXPECT_OK(db.drop_index(*people, "by_value"));
    EXPECT_OK(db.erase(*people, "p20"));
    store.mark(db);
  });
  const std::string path = store.new_directory();
  RecoverOptions wanted;
  wanted.to_sequence = store.marks[0].sequence;
  ASSERT_OK(store.recover_to(path, wanted));
  base::FiberScheduler fibers(1, {.steps_max = 20'000'000});
  LightningDbConfig config = store.world().config();
  config.archive_directory.clear();
  EXPECT_EQ(fibers.run([&] {
    auto db = DatabaseAccess::open_as_given(store.env(), path, config);
    ASSERT_OK(db);
    const auto people = db->keyspace("people");
    ASSERT_OK(people);
    const auto count = db->count(*people);
    ASSERT_OK(count);
    EXPECT_TRUE(count->exact);
    EXPECT_EQ(count->records, 20u);
    EXPECT_EQ(db->list_indexes(*people).size(), 1u);
    const auto report = db->check();
    ASSERT_OK(report);
    EXPECT_TRUE(report->findings.empty());
  }),
            base::WorldEnd::kFinished);
}

TEST(PointInTime, ADryRunTellsAllAndTouchesNothing) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_every_kind(store, db, "x");
  });
  RecoverOptions wanted;
  wanted.dry_run = true;
  const auto plan = store.recover_to("/nowhere", wanted);
  ASSERT_OK(plan);
  EXPECT_EQ(plan->backup, 1u);
  EXPECT_EQ(plan->backup_sequence, 0u);
  EXPECT_EQ(plan->sequence, store.marks.back().sequence);
  EXPECT_EQ(plan->range.first_sequence, 0u);
  EXPECT_EQ(plan->range.last_sequence, plan->sequence);
  EXPECT_EQ(plan->keyspace_changes, 2u);
  EXPECT_EQ(plan->blob_files, 1u);
  EXPECT_GT(plan->blob_bytes, 1'000u);
  EXPECT_FALSE(plan->archive_files.empty());
  EXPECT_FALSE(*store.env().files.exists("/nowhere"));
}

TEST(PointInTime, AMomentOutsideTheRangeIsRefusedWithTheRange) {
  ArchivedStore store;
  store.run([&](Database& db) {
    write_some(db, "a");
    store.mark(db);
    EXPECT_OK(db.put("x", "y"));
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "b");
    store.mark(db);
  });
  const Mark &before = store.marks[0], &last = store.marks[1];
  const auto refused = [&](std::optional<Sequence> sequence, std::optional<std::chrono::milliseconds> time) {
    RecoverOptions wanted;
    wanted.to_sequence = sequence;
    wanted.to_time = time;
    const auto plan = store.recover_to("/out", wanted);
    EXPECT_CODE(kInvalidArgument, plan);
    return plan ? std::string() : plan.error().message();
  };
  const std::string range = "there is sequences 41 to " + std::to_string(last.sequence);
  EXPECT_NE(refused(before.sequence, {}).find("lies before the oldest backup; " + range), std::string::npos)
      << refused(before.sequence, {});
  EXPECT_NE(refused({}, before.time).find("lies before the oldest backup; " + range), std::string::npos);
  EXPECT_NE(refused(last.sequence + 1, {}).find("lies behind the end of the archive; " + range), std::string::npos);
  EXPECT_NE(refused({}, last.time + std::chrono::hours(1)).find("lies behind the end"), std::string::npos);
  EXPECT_NE(refused(last.sequence, last.time).find("not to both"), std::string::npos);
  EXPECT_FALSE(*store.env().files.exists("/out"));
}

// A store with several files behind its backup.
class BehindABackup : public testing::Test {
 protected:
  BehindABackup() {
    store_.run([&](Database& db) {
      EXPECT_OK(db.create_backup("/backups"));
      for (const char* mark : {"a", "b", "c", "d"}) {
        write_some(db, mark, 120);
        store_.mark(db);
      }
    });
    files_ = names_in(store_.world(), "/archive");
    EXPECT_GE(files_.size(), 5u);
  }
  Result<RecoveryPlan> to_the_end() { return store_.recover_to("/out", {}); }
  std::string path(std::size_t file) const { return "/archive/" + files_[file]; }
  env::FileSystem& disk() { return store_.env().files; }
  void rewrite(const std::string& path, const std::string& bytes) {
    EXPECT_OK(disk().remove(path));
    auto file = disk().create_writable(path, env::FileClass::kOther);
    ASSERT_OK(file);
    EXPECT_OK((*file)->append(bytes));
    EXPECT_OK((*file)->close());
  }
  // The end of the file before: up to there it goes.
  void expect_up_to(std::size_t file) {
    const auto before = describe_history(store_.env(), path(file));
    ASSERT_OK(before);
    RecoverOptions wanted;
    wanted.to_sequence = before->end.last_sequence;
    const auto plan = store_.recover_to(store_.new_directory(), wanted);
    ASSERT_OK(plan);
    EXPECT_EQ(plan->sequence, before->end.last_sequence);
  }
  ArchivedStore store_;
  std::vector<std::string> files_;
};

TEST_F(BehindABackup, AMissingFileIsNamedAndSoIsTheLastMomentBeforeIt) {
  const auto before = describe_history(store_.env(), path(1)), gone = describe_history(store_.env(), path(2));
  ASSERT_OK(before);
  ASSERT_OK(gone);
  EXPECT_OK(disk().remove(path(2)));
  const auto plan = to_the_end();
  EXPECT_CODE(kWalMissing, plan);
  ASSERT_FALSE(plan);
  const std::string message = plan.error().message();
  EXPECT_NE(message.find(files_[2] + " is missing, with sequences " + std::to_string(gone->start.last_sequence + 1) +
                         " to " + std::to_string(gone->end.last_sequence)),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("before it, sequence " + std::to_string(before->end.last_sequence) + " ("), std::string::npos)
      << message;
  EXPECT_FALSE(*disk().exists("/out"));
  const auto report = check(store_.env(), "/archive");
  ASSERT_OK(report);
  EXPECT_EQ(report->findings.size(), 1u);
  expect_up_to(1);
}

TEST_F(BehindABackup, EachByteOfAFileCounts) {
  const auto bytes = disk().read_file(path(2), 1 << 20);
  ASSERT_OK(bytes);
  const std::size_t last = bytes->size() - 1;
  for (std::size_t at = 0; at <= last; at += at < 128 || at > last - 120 ? 5 : 1499) {
    std::string altered = *bytes;
    altered[at] = static_cast<char>(altered[at] ^ 0x40);
    rewrite(path(2), altered);
    const auto plan = to_the_end();
    ASSERT_FALSE(plan) << "byte " << at;
    const ErrorCode code = plan.error().code();
    EXPECT_TRUE(code == ErrorCode::kBackupCorrupt || code == ErrorCode::kFormatUnsupported)
        << "byte " << at << ": " << plan.error().to_string();
    EXPECT_NE(plan.error().message().find("before it, sequence "), std::string::npos) << plan.error().message();
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{50}, bytes->size() / 2, last}) {
    rewrite(path(2), bytes->substr(0, size));
    EXPECT_CODE(kBackupCorrupt, to_the_end());
  }
  EXPECT_FALSE(*disk().exists("/out"));
  expect_up_to(1);
  rewrite(path(2), *bytes);
  EXPECT_OK(to_the_end());
}

TEST_F(BehindABackup, AFileOfAnotherStoreIsNotTaken) {
  ArchivedStore other(99);
  other.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    for (const char* mark : {"a", "b", "c", "d"}) write_some(db, mark, 120);
  });
  const auto bytes = other.env().files.read_file(path(2), 1 << 20);
  ASSERT_OK(bytes);
  rewrite(path(2), *bytes);
  EXPECT_CODE(kInvalidArgument, to_the_end());
  EXPECT_FALSE(*disk().exists("/out"));
}

TEST_F(BehindABackup, AFullDirectoryIsLeftAlone) {
  EXPECT_OK(disk().create_directories("/out"));
  auto file = disk().create_writable("/out/mine", env::FileClass::kOther);
  ASSERT_OK(file);
  EXPECT_OK((*file)->close());
  EXPECT_CODE(kInvalidArgument, to_the_end());
  EXPECT_EQ(names_in(store_.world(), "/out"), std::vector<std::string>{"mine"});
}

TEST_F(BehindABackup, AnArchiveThatIsNotThereIsSaidSo) {
  EXPECT_CODE(kBackupNotFound, recover(store_.env(), "/backups", "/nothing", "/out", {}));
  EXPECT_CODE(kBackupNotFound, recover(store_.env(), "/nothing", "/archive", "/out", {}));
  EXPECT_CODE(kBackupNotFound, check(store_.env(), "/backups"));
}

TEST(Archiving, AMissingStreamedValueIsAnError) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_every_kind(store, db, "x");
  });
  std::string blob;
  for (const std::string& name : names_in(store.world(), "/archive"))
    if (name.ends_with(".blob")) blob = "/archive/" + name;
  ASSERT_FALSE(blob.empty());
  EXPECT_OK(store.env().files.remove(blob));
  const auto plan = store.recover_to("/out", {});
  EXPECT_CODE(kBlobMissing, plan);
  EXPECT_FALSE(*store.env().files.exists("/out"));
}

TEST(Archiving, KeepsTheLogUntilTheArchiveHasItAndTellsWhy) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    auto& files = store.world().env().files;
    // The archive's disk refuses everything.
    files.add_fault({.kind = env::IoKind::kCreate, .path_part = "/archive/0", .sticky = true, .os_error = 5});
    for (const char* mark : {"a", "b", "c"}) {
      write_some(db, mark, 100);
      EXPECT_OK(db.flush());
      store.mark(db);
    }
    base::sleep_for(std::chrono::seconds(5));
    const ArchiveStatistics failing = db.stats().archive;
    EXPECT_TRUE(failing.on);
    EXPECT_GT(failing.failures, 0u);
    EXPECT_NE(failing.error.find("/archive/"), std::string::npos) << failing.error;
    EXPECT_GT(failing.backlog_bytes, 30'000u);
    files.clear_faults();
    base::sleep_for(std::chrono::seconds(61));
    const ArchiveStatistics well = db.stats().archive;
    EXPECT_EQ(well.error, "");
    EXPECT_EQ(well.backlog_bytes, 0u);
    EXPECT_EQ(well.last_sequence, store.marks.back().sequence);
  });
  store.expect_each_mark();
}

TEST(Archiving, WritersWaitWhenTheArchiveIsTooFarBehind) {
  ArchivedStore store;
  store.world().config().archive_backlog_max = 64 << 10;
  store.world().config().write_stall_timeout = std::chrono::milliseconds(500);
  store.run([&](Database& db) {
    auto& files = store.world().env().files;
    files.add_fault({.kind = env::IoKind::kCreate, .path_part = "/archive/0", .sticky = true, .os_error = 5});
    Status stalled;
    for (int i = 0; i < 1000 && stalled; ++i) stalled = db.put("k" + std::to_string(i), text(1000, 'v'));
    EXPECT_CODE(kStalled, stalled);
    EXPECT_NE(stalled.error().message().find("archive_backlog_max"), std::string::npos) << stalled.error().message();
    EXPECT_GT(db.stats().archive.backlog_bytes, 64u << 10);
    files.clear_faults();
    base::sleep_for(std::chrono::seconds(61));
    EXPECT_OK(db.put("again", "1"));
  });
}

TEST(Archiving, WhatIsDurableIsInTheArchiveAfterTheTimeout) {
  ArchivedStore store;
  store.world().config().archive_timeout = std::chrono::seconds(10);
  store.run([&](Database& db) {
    EXPECT_OK(db.put("one", "1"));
    base::sleep_for(std::chrono::seconds(11));
    EXPECT_EQ(db.stats().archive.last_sequence, 1u);
  });
}

TEST(Archiving, AnArchiveOfAnotherHistoryIsRefused) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "a");
    store.mark(db);
  });
  const std::string path = store.new_directory();
  ASSERT_OK(store.recover_to(path, {}));
  base::FiberScheduler fibers(3, {.steps_max = 20'000'000});
  EXPECT_EQ(fibers.run([&] {
    EXPECT_CODE(kConfigInvalid, DatabaseAccess::open_as_given(store.env(), path, store.world().config()));
    LightningDbConfig config = store.world().config();
    config.archive_directory = path + "/inside";
    EXPECT_CODE(kConfigInvalid, DatabaseAccess::open_as_given(store.env(), path, config));
    config.archive_directory = "/archive-of-its-own";
    auto db = DatabaseAccess::open_as_given(store.env(), path, config);
    ASSERT_OK(db);
    EXPECT_OK(db->put("on", "1"));
    EXPECT_OK(db->close());
  }),
            base::WorldEnd::kFinished)
      << fibers.report();
  EXPECT_OK(list(store.env(), "/archive-of-its-own"));
}

TEST(Archiving, ALifeWithoutItLeavesAGapThatIsNamed) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "a");
    store.mark(db);
    EXPECT_OK(db.put("behind", "the mark"));
  });
  store.world().config().archive_directory.clear();
  store.run([&](Database& db) {
    EXPECT_EQ(db.recovery_report().notes.size(), 1u);
    write_some(db, "unseen");
    store.mark(db);
  });
  store.world().config().archive_directory = "/archive";
  store.run([&](Database& db) {
    write_some(db, "b");
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "c");
    store.mark(db);
  });
  RecoverOptions wanted;
  wanted.to_sequence = store.marks[1].sequence;
  const auto plan = store.recover_to("/out", wanted);
  EXPECT_CODE(kWalMissing, plan);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message().find("with sequences " + std::to_string(store.marks[0].sequence + 2) + " to " +
                                        std::to_string(store.marks[1].sequence) +
                                        " (or the database was open without its archive then)"),
            std::string::npos)
      << plan.error().message();
  store.marks.erase(store.marks.begin() + 1);
  store.expect_each_mark();
}

TEST(Archiving, ABackupFromBeforeTheArchiveIsNoBeginning) {
  ArchivedStore store;
  store.world().config().archive_directory.clear();
  store.run([&](Database& db) { EXPECT_OK(db.create_backup("/backups")); });
  store.world().config().archive_directory = "/archive";
  store.run([&](Database& db) { write_some(db, "a"); });
  const auto plan = store.recover_to("/out", {});
  EXPECT_CODE(kInvalidArgument, plan);
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "b");
    store.mark(db);
  });
  store.expect_each_mark();
}

// A keyspace is made where there is no archive, and no commit tells of it.
TEST(Archiving, AGapWithoutACommitIsAGap) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_some(db, "a");
  });
  store.world().config().archive_directory.clear();
  store.run([&](Database& db) { EXPECT_OK(db.create_keyspace("unseen")); });
  store.world().config().archive_directory = "/archive";
  store.run([&](Database& db) {
    const auto unseen = db.keyspace("unseen");
    ASSERT_OK(unseen);
    EXPECT_OK(db.put(*unseen, "k", "v"));
  });
  EXPECT_CODE(kWalMissing, store.recover_to("/out", {}));
}

TEST(Archiving, ARecoveryThatWasInterruptedIsNoDatabaseAndIsBegunAgain) {
  ArchivedStore store;
  store.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    write_every_kind(store, db, "x");
  });
  auto& files = store.world().env().files;
  LightningDbConfig plain = store.world().config();
  plain.archive_directory.clear();
  std::uint64_t refused = 0;
  for (std::uint64_t nth = 1; nth < 30; nth += 4) {
    files.add_fault({.kind = env::IoKind::kSync, .path_part = "/out", .nth = nth, .os_error = 5});
    const auto plan = store.recover_to("/out", {});
    files.clear_faults();
    if (plan) break;
    ++refused;
    EXPECT_FALSE(DatabaseAccess::open_as_given(store.env(), "/out", plain, true)) << nth;
  }
  EXPECT_GT(refused, 2u);
  if (!DatabaseAccess::open_as_given(store.env(), "/out", plain, true)) {
    EXPECT_OK(store.recover_to("/out", {}));
  }
  EXPECT_EQ(store.contents_at("/out"), store.marks.back().contents);
}

}  // namespace
}  // namespace lightning::archive
