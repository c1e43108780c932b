// Backups of a database that is in use, what is made of them again, and whatever can be wrong with the asking.
#include <gtest/gtest.h>

#include "backup/place.h"

namespace lightning::backup {
namespace {

TEST(Backup, RestoresToWhatWasThereAtItsMoment) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_OK(db.create_index(db.default_keyspace(), "by_tail", {.extractor = ByteRange{.offset = 1, .bytes = 100}}));
    const auto lasting = db.create_keyspace("lasting", {.default_ttl = std::chrono::hours(1)});
    ASSERT_OK(lasting);
    EXPECT_OK(db.put(*lasting, "x", "y"));
    const Contents expected = contents_of(db);
    const Sequence sequence = db.snapshot().sequence();
    const auto made = db.create_backup("/backups");
    ASSERT_OK(made);
    EXPECT_EQ(made->number, 1u);
    EXPECT_EQ(made->sequence, sequence);
    EXPECT_EQ(made->new_files, made->files);
    EXPECT_EQ(made->keyspaces, db.keyspaces());
    fill(db, "b");  // is not in it

    const auto restored = restore_to(world, "/restored");
    ASSERT_OK(restored);
    EXPECT_EQ(restored->number, 1u);
    EXPECT_EQ(contents_at(world, "/restored", /*read_only=*/true), expected);
    EXPECT_EQ(contents_at(world, "/restored"), expected);

    auto again = DatabaseAccess::open_as_given(world.env().env, "/restored", world.config());
    ASSERT_OK(again);
    EXPECT_EQ(again->snapshot().sequence(), sequence);
    const auto counted = again->keyspace("counted");
    ASSERT_OK(counted);
    const auto count = again->count(*counted);
    ASSERT_OK(count);
    EXPECT_TRUE(count->exact);
    EXPECT_EQ(count->records, expected.at("counted").size());
    const auto ttl = again->ttl(*again->keyspace("lasting"), "x");
    ASSERT_OK(ttl);
    EXPECT_TRUE(ttl->expires_at.has_value());
    EXPECT_EQ(again->list_indexes().size(), 1u);
    const auto page = again->query_index(again->default_keyspace(), "by_tail", {.limit = 1000});
    ASSERT_OK(page);
    EXPECT_EQ(page->matches.size(), expected.at("default").size());
    // It takes writes, and keeps them.
    EXPECT_OK(again->put("new", "one"));
    EXPECT_OK(again->close());
    Contents more = expected;
    more["default"]["new"] = "one";
    EXPECT_EQ(contents_at(world, "/restored"), more);
  });
}

TEST(Backup, SharesWhatEarlierOnesHold) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_OK(db.compact_range());
    EXPECT_OK(db.flush());
    EXPECT_OK(db.wait_for_background_work());
    const Contents first_state = contents_of(db);
    const auto first = db.create_backup("/backups");
    ASSERT_OK(first);
    EXPECT_OK(db.put("one", "more"));
    const std::uint64_t created = world.env().files.io_count(env::IoKind::kCreate);
    const auto second = db.create_backup("/backups");
    ASSERT_OK(second);
    EXPECT_EQ(second->new_files, 1u);
    EXPECT_LT(second->new_bytes, first->new_bytes / 2);
    EXPECT_LE(world.env().files.io_count(env::IoKind::kCreate) - created, 4u);  // a table, its copy, the catalogue
    const auto third = db.create_backup("/backups");
    ASSERT_OK(third);
    EXPECT_EQ(third->new_files, 0u);

    const auto all = list(world.env().env, "/backups");
    ASSERT_OK(all);
    ASSERT_EQ(all->size(), 3u);
    EXPECT_EQ((*all)[1].number, 2u);
    EXPECT_EQ((*all)[1].sequence, second->sequence);
    EXPECT_EQ((*all)[0].store_id, (*all)[2].store_id);
    EXPECT_OK(restore_to(world, "/first", {.number = 1}));
    EXPECT_EQ(contents_at(world, "/first"), first_state);
    EXPECT_OK(restore_to(world, "/newest"));
    EXPECT_EQ(contents_at(world, "/newest"), contents_of(db));
  });
}

TEST(Backup, OfAnEmptyDatabaseIsOneToo) {
  World world;
  world.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    EXPECT_OK(restore_to(world, "/restored"));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

TEST(Backup, WorksThroughAReaderBesideAWriter) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    auto reader = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), true);
    ASSERT_OK(reader);
    const Contents expected = contents_of(*reader);
    // What the reader saw is merged away before it gets to copying it.
    fill(db, "b");
    EXPECT_OK(db.compact_range({}, {.bottom = BottomLevel::kRewrite}));
    EXPECT_OK(db.wait_for_background_work());
    const auto made = reader->create_backup("/backups");
    ASSERT_OK(made);
    const auto restored = restore_to(world, "/restored");
    ASSERT_OK(restored);
    const Contents found = contents_at(world, "/restored");
    EXPECT_TRUE(found == expected || found == contents_of(db));
    EXPECT_OK(reader->close());
  });
}

// Nothing flushes here: what a reader has in memory becomes tables of the backup.
TEST(Backup, HoldsWhatIsInTheLogOnly) {
  World world;
  world.config().memtable_bytes = 1 << 20;
  world.config().wal_bytes_max = 8 << 20;
  world.run([&](Database& db) {
    for (int i = 0; i < 50; ++i) EXPECT_OK(db.put(std::to_string(i), text(2000, 'v')));
    auto reader = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), true);
    ASSERT_OK(reader);
    EXPECT_OK(reader->create_backup("/backups"));
    EXPECT_TRUE(names_in(world, "/store/tables").empty());
    EXPECT_OK(restore_to(world, "/restored"));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

TEST(Backup, OfADamagedDatabaseNamesTheFileAndIsNotMade) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_OK(db.create_backup("/backups"));
    EXPECT_OK(db.put("more", "1"));
    EXPECT_OK(db.flush());
    const std::string path = "/store/tables/" + names_in(world, "/store/tables").back();
    world.env().files.flip_bit(path, 700);
    const auto made = db.create_backup("/backups");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::kTableCorrupt) << made.error().to_string();
    EXPECT_EQ(made.error().context().file, path);
    EXPECT_EQ(list(world.env().env, "/backups")->size(), 1u);
    for (const std::string& name : names_in(world, "/backups/files")) EXPECT_FALSE(name.ends_with(".part")) << name;
    world.env().files.flip_bit(path, 700);
    EXPECT_OK(db.create_backup("/backups"));
  });
}

TEST(Backup, ThatWasCancelledGoesOnWhereItStopped) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_OK(db.compact_range());
    std::uint64_t files = 0;
    const auto stopped = db.create_backup("/backups", {.progress = [&](const BackupProgress& now) {
                                            EXPECT_LE(now.done_bytes, now.total_bytes);
                                            files = now.total_files;
                                            return now.done_files < 3;
                                          }});
    EXPECT_CODE(kCancelled, stopped);
    ASSERT_GT(files, 4u);
    EXPECT_TRUE(list(world.env().env, "/backups")->empty());
    const std::size_t there = names_in(world, "/backups/files").size();
    EXPECT_GE(there, 3u);
    const std::uint64_t created = world.env().files.io_count(env::IoKind::kCreate);
    BackupProgress last;
    const auto made = db.create_backup("/backups", {.progress = [&](const BackupProgress& now) {
                                         last = now;
                                         return true;
                                       }});
    ASSERT_OK(made);
    EXPECT_EQ(last.done_files, last.total_files);
    EXPECT_EQ(last.done_bytes, last.total_bytes);
    EXPECT_EQ(made->new_files, made->files);
    EXPECT_LE(world.env().files.io_count(env::IoKind::kCreate) - created, files - 3 + 1);
    EXPECT_OK(restore_to(world, "/restored"));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

TEST(Backup, ReplacesWhatAKilledRunLeftUnfinishedOrWrong) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    env::SimulatedFileSystem& files = world.env().files;
    const std::vector<std::string> names = names_in(world, "/backups/files");
    ASSERT_GE(names.size(), 3u);
    // As if no catalogue had come to be; one file is cut, one is wrong, one whole, and there are leftovers.
    files.delete_file("/backups/backups/" + catalogue_name(1));
    files.truncate_file("/backups/files/" + names[0], 100);
    files.flip_bit("/backups/files/" + names[1], 50);
    files.put_file("/backups/files/77.sst.part", "abc");
    files.put_file("/backups/files/00ff-00ff.sst", "of nobody");
    files.put_file("/backups/backups/000000000001.backup.part", "abc");
    ASSERT_OK(db.create_backup("/backups"));
    EXPECT_EQ(names_in(world, "/backups/files"), names);
    EXPECT_EQ(names_in(world, "/backups/backups").size(), 1u);
    EXPECT_TRUE(check(world.env().env, "/backups", {})->findings.empty());
    EXPECT_OK(restore_to(world, "/restored"));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

TEST(Backup, ChecksWhatItSharesIfAskedTo) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    const std::string victim = "/backups/files/" + names_in(world, "/backups/files").front();
    world.env().files.flip_bit(victim, 99);
    EXPECT_OK(db.create_backup("/backups"));
    EXPECT_EQ(check(world.env().env, "/backups", {})->damaged, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_OK(db.create_backup("/backups", {.check_shared = true}));
    EXPECT_TRUE(check(world.env().env, "/backups", {})->findings.empty()) << "all three share the file";
  });
}

TEST(Backup, KeepsToItsRate) {
  World world;
  world.config().compression_enabled = false;
  world.run([&](Database& db) {
    fill(db, "a");
    const std::uint64_t before = world.env().clock.monotonic_ns();
    const auto made = db.create_backup("/backups", {.bytes_per_second = 1 << 20});
    ASSERT_OK(made);
    const double seconds = static_cast<double>(world.env().clock.monotonic_ns() - before) / 1e9;
    EXPECT_GT(seconds, static_cast<double>(made->bytes) / (1 << 20) - 1.1);  // the last piece is not waited for
    EXPECT_GT(seconds, 0.5);
  });
}

// --- a reader of the repository
// ---------------------------------------------------------------------------------------

TEST(Check, NamesEachDamagedFileAndTheBackupsThatNeedIt) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    const std::vector<std::string> of_first = names_in(world, "/backups/files");
    fill(db, "b");
    ASSERT_OK(db.create_backup("/backups"));
    std::string of_second;
    for (const std::string& name : names_in(world, "/backups/files"))
      if (std::ranges::find(of_first, name) == of_first.end()) of_second = name;
    world.env().files.flip_bit("/backups/files/" + of_second, 10);
    auto report = check(world.env().env, "/backups", {});
    ASSERT_OK(report);
    EXPECT_EQ(report->damaged, std::vector<std::uint64_t>{2});
    ASSERT_EQ(report->findings.size(), 1u);
    EXPECT_EQ(report->findings[0].code(), ErrorCode::kBackupCorrupt);
    EXPECT_EQ(report->findings[0].context().file, "/backups/files/" + of_second);
    report = check(world.env().env, "/backups", {.number = 1});
    EXPECT_TRUE(report->findings.empty());
    EXPECT_CODE(kBackupCorrupt, restore_to(world, "/restored"));
    EXPECT_CODE(kNotADatabase, DatabaseAccess::open_as_given(world.env().env, "/restored", world.config()));
    // What is gone can be copied again while the database has it.
    world.env().files.delete_file("/backups/files/" + of_second);
    EXPECT_FALSE(check(world.env().env, "/backups", {})->findings.empty());
    EXPECT_OK(db.create_backup("/backups"));
    EXPECT_TRUE(check(world.env().env, "/backups", {})->findings.empty());
    // A restore that failed can be begun again.
    EXPECT_OK(restore_to(world, "/restored", {.number = 2}));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

TEST(List, TellsADamagedCatalogue) {
  World world;
  world.run([&](Database& db) {
    ASSERT_OK(db.create_backup("/backups"));
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    world.env().files.flip_bit("/backups/backups/" + catalogue_name(1), 60);
    const auto all = list(world.env().env, "/backups");
    ASSERT_EQ(all->size(), 2u);
    ASSERT_TRUE((*all)[0].damage);
    EXPECT_EQ((*all)[0].damage->code(), ErrorCode::kBackupCorrupt);
    EXPECT_FALSE((*all)[1].damage);
    EXPECT_EQ(check(world.env().env, "/backups", {})->damaged, std::vector<std::uint64_t>{1});
    EXPECT_CODE(kBackupCorrupt, restore_to(world, "/restored", {.number = 1}));
    EXPECT_FALSE(*world.env().files.exists("/restored"));
    // It keeps nobody from making new ones, but no file is removed that it may need.
    EXPECT_OK(db.create_backup("/backups"));
    EXPECT_CODE(kBackupCorrupt, prune(world.env().env, "/backups", 3));
    EXPECT_EQ(prune(world.env().env, "/backups", 2)->removed, std::vector<std::uint64_t>{1});
  });
}

TEST(Prune, KeepsTheNewestAndWhatTheyNeed) {
  World world;
  world.run([&](Database& db) {
    std::map<std::uint64_t, Contents> states;
    for (const char* mark : {"a", "b", "c", "d"}) {
      fill(db, mark);
      EXPECT_OK(db.compact_range());
      const auto made = db.create_backup("/backups");
      ASSERT_OK(made);
      states[made->number] = contents_of(db);
    }
    const std::size_t before = names_in(world, "/backups/files").size();
    const auto pruned = prune(world.env().env, "/backups", 2);
    ASSERT_OK(pruned);
    EXPECT_EQ(pruned->removed, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_GT(pruned->files, 0u);
    EXPECT_GT(pruned->bytes, 0u);
    EXPECT_EQ(names_in(world, "/backups/files").size() + pruned->files, before);
    EXPECT_TRUE(check(world.env().env, "/backups", {})->findings.empty());
    for (const std::uint64_t number : {3, 4}) {
      const std::string path = "/restored" + std::to_string(number);
      EXPECT_OK(restore_to(world, path, {.number = number}));
      EXPECT_EQ(contents_at(world, path), states[number]);
    }
    EXPECT_CODE(kBackupNotFound, restore_to(world, "/gone", {.number = 1}));
    EXPECT_EQ(prune(world.env().env, "/backups", 2)->files, 0u);
    EXPECT_EQ(db.create_backup("/backups")->number, 5u);
    EXPECT_CODE(kInvalidArgument, prune(world.env().env, "/backups", 0));
    EXPECT_CODE(kBackupNotFound, prune(world.env().env, "/nothing", 1));
  });
}

// --- what is refused
// ----------------------------------------------------------------------------------------------------

TEST(BackupRefuses, DirectoriesThatAreNoRepository) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    for (const char* inside : {"/store", "/store/", "/store/backups", "/store/tables/deeper/still"}) {
      const auto made = db.create_backup(inside);
      ASSERT_FALSE(made) << inside;
      EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(made.error().message().find("directory of a database"), std::string::npos);
    }
    EXPECT_FALSE(*world.env().files.exists("/store/backups"));
    EXPECT_OK(world.env().files.create_directories("/home"));
    world.env().files.put_file("/home/letter.txt", "dear");
    const auto made = db.create_backup("/home");
    EXPECT_CODE(kInvalidArgument, made);
    EXPECT_NE(made.error().message().find("letter.txt"), std::string::npos);
    EXPECT_CODE(kInvalidArgument, db.create_backup("/home/letter.txt"));
    EXPECT_CODE(kInvalidArgument, db.create_backup(""));
    EXPECT_CODE(kBackupNotFound, list(world.env().env, "/home"));
    EXPECT_CODE(kBackupNotFound, list(world.env().env, "/nothing"));
    EXPECT_CODE(kBackupNotFound, check(world.env().env, "/nothing", {}));
    EXPECT_CODE(kBackupNotFound, restore_to(world, "/restored"));
  });
}

TEST(BackupRefuses, ARepositoryOfAnotherDatabase) {
  World world;
  world.run([&](Database& db) {
    EXPECT_OK(db.create_backup("/backups"));
    auto other = DatabaseAccess::open_as_given(world.env().env, "/other", world.config());
    ASSERT_OK(other);
    const auto made = other->create_backup("/backups");
    EXPECT_CODE(kInvalidArgument, made);
    EXPECT_NE(made.error().message().find("another database"), std::string::npos);
    EXPECT_OK(other->close());
  });
}

TEST(BackupRefuses, TwoAtOnce) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    bool asked = false;
    const auto ask = [&](const BackupProgress&) {
      if (std::exchange(asked, true)) return true;
      const auto second = db.create_backup("/backups");
      EXPECT_CODE(kLockHeld, second);
      EXPECT_NE(second.error().message().find("pid "), std::string::npos) << second.error().to_string();
      EXPECT_CODE(kLockHeld, prune(world.env().env, "/backups", 1));
      return true;
    };
    const auto first = db.create_backup("/backups", {.progress = ask});
    EXPECT_OK(first);
    EXPECT_TRUE(asked);
    EXPECT_OK(db.create_backup("/backups"));
  });
}

TEST(BackupRefuses, AClosedDatabase) {
  World world;
  world.run([&](Database& db) {
    auto other = DatabaseAccess::open_as_given(world.env().env, "/other", world.config());
    EXPECT_OK(other->close());
    EXPECT_CODE(kClosed, other->create_backup("/backups"));
    EXPECT_OK(db.create_backup("/backups"));
  });
}

// --- restore
// ------------------------------------------------------------------------------------------------------------

TEST(Restore, GoesIntoNewOrEmptyDirectoriesOnly) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    EXPECT_OK(world.env().files.create_directories("/home"));
    world.env().files.put_file("/home/letter.txt", "dear");
    const auto into_home = restore_to(world, "/home");
    EXPECT_CODE(kInvalidArgument, into_home);
    EXPECT_NE(into_home.error().message().find("letter.txt"), std::string::npos);
    EXPECT_EQ(names_in(world, "/home").size(), 1u);
    EXPECT_CODE(kInvalidArgument, restore_to(world, "/home/letter.txt"));
    EXPECT_CODE(kInvalidArgument, restore_to(world, "/backups"));
    EXPECT_CODE(kInvalidArgument, restore_to(world, "/backups/files/new"));
    EXPECT_CODE(kInvalidArgument, restore_to(world, ""));
    EXPECT_OK(world.env().files.create_directories("/empty"));
    EXPECT_OK(restore_to(world, "/empty"));
    EXPECT_CODE(kInvalidArgument, restore_to(world, "/empty"));
    EXPECT_EQ(contents_at(world, "/empty"), contents_of(db));
  });
}

TEST(Restore, ReplacesADatabaseOnlyWhenTold) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    const Contents old_state = contents_of(db);
    ASSERT_OK(db.create_backup("/backups"));
    fill(db, "b");
    EXPECT_CODE(kLockHeld, restore_to(world, "/store", {.replace = true}));

    EXPECT_OK(restore_to(world, "/other"));
    auto other = DatabaseAccess::open_as_given(world.env().env, "/other", world.config());
    ASSERT_OK(other);
    fill(*other, "c");
    const Contents of_other = contents_of(*other);
    EXPECT_OK(other->close());
    world.env().files.put_file("/other/notes.txt", "stays");
    EXPECT_CODE(kInvalidArgument, restore_to(world, "/other"));
    // Of a backup that is damaged, nothing: the database stays.
    const std::string victim = "/backups/files/" + names_in(world, "/backups/files").back();
    world.env().files.flip_bit(victim, 20);
    EXPECT_CODE(kBackupCorrupt, restore_to(world, "/other", {.replace = true}));
    EXPECT_EQ(contents_at(world, "/other"), of_other);
    world.env().files.flip_bit(victim, 20);
    EXPECT_OK(restore_to(world, "/other", {.replace = true}));
    EXPECT_EQ(contents_at(world, "/other"), old_state);
    EXPECT_EQ(world.env().files.content("/other/notes.txt"), "stays");
  });
}

TEST(Restore, TakesSomeKeyspacesUnderOtherNames) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    const auto people = db.create_keyspace("people");
    ASSERT_OK(people);
    EXPECT_OK(db.create_index(*people, "by_first", {.extractor = ByteRange{.bytes = 1}}));
    EXPECT_OK(db.put(*people, "1", "Ada"));
    ASSERT_OK(db.create_backup("/backups"));
    const Contents all = contents_of(db);
    ASSERT_OK(restore_to(world, "/some", {.keyspaces = {{.name = "people", .as = "folk"}, {.name = "merging"}}}));
    EXPECT_EQ(contents_at(world, "/some"),
              (Contents{{"default", {}}, {"folk", all.at("people")}, {"merging", all.at("merging")}}));
    auto some = DatabaseAccess::open_as_given(world.env().env, "/some", world.config());
    ASSERT_OK(some);
    const auto folk = some->keyspace("folk");
    ASSERT_OK(folk);
    EXPECT_OK(some->put(*folk, "2", "Bob"));
    EXPECT_EQ(some->query_index(*folk, "by_first", {})->matches.size(), 2u);
    EXPECT_OK(some->create_keyspace("people"));
    EXPECT_OK(some->close());
    EXPECT_OK(restore_to(world, "/default", {.keyspaces = {{.name = "default"}}}));
    EXPECT_EQ(contents_at(world, "/default"), (Contents{{"default", all.at("default")}}));

    using Chosen = std::vector<RestoredKeyspace>;
    EXPECT_CODE(kKeyspaceNotFound, restore_to(world, "/no", {.keyspaces = {{.name = "nobody"}}}));
    for (const Chosen& wrong : {Chosen{{.name = "default", .as = "other"}}, Chosen{{.name = "people", .as = "default"}},
                                Chosen{{.name = "people"}, {.name = "people", .as = "folk"}},
                                Chosen{{.name = "people", .as = "x"}, {.name = "merging", .as = "x"}},
                                Chosen{{.name = "people", .as = "a\nb"}}})
      EXPECT_CODE(kInvalidArgument, restore_to(world, "/no", {.keyspaces = wrong}));
    EXPECT_FALSE(*world.env().files.exists("/no"));
  });
}

// Segments of the log of the database that was backed up are not taken for its own.
TEST(Restore, PartsItsHistoryFromThatOfTheOriginal) {
  World world;
  world.run([&](Database& db) {
    EXPECT_OK(db.put("a", "1"));
    ASSERT_OK(db.create_backup("/backups"));
    EXPECT_OK(db.put("b", "of the original"));
    EXPECT_OK(restore_to(world, "/restored"));
    auto restored = DatabaseAccess::open_as_given(world.env().env, "/restored", world.config());
    ASSERT_OK(restored);
    EXPECT_OK(restored->put("b", "of the copy"));
    EXPECT_OK(restored->close());
    EXPECT_OK(db.sync());
    for (const std::string& name : names_in(world, "/restored/wal"))
      world.env().files.delete_file("/restored/wal/" + name);
    for (const std::string& name : names_in(world, "/store/wal"))
      world.env().files.put_file("/restored/wal/" + name, world.env().files.content("/store/wal/" + name));
    const auto opened = DatabaseAccess::open_as_given(world.env().env, "/restored", world.config());
    EXPECT_FALSE(opened) << "took the log of another history";
  });
}

TEST(Restore, OfAnInterruptedOneNothingCanBeOpened) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    ASSERT_OK(db.create_backup("/backups"));
    EXPECT_CODE(kCancelled, restore_to(world, "/restored",
                                       {.progress = [](const BackupProgress& now) { return now.done_files < 2; }}));
    for (const bool read_only : {false, true}) {
      const auto opened = DatabaseAccess::open_as_given(world.env().env, "/restored", world.config(), read_only);
      EXPECT_CODE(kNotADatabase, opened);
      EXPECT_NE(opened.error().message().find("being restored"), std::string::npos) << opened.error().to_string();
    }
    EXPECT_OK(restore_to(world, "/restored"));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
  });
}

}  // namespace
}  // namespace lightning::backup
