// What a simulated disk forgets, and what it must not.
#include "env/simulated_file_system.h"

#include <cerrno>
#include <map>
#include <set>

#include "place.h"

namespace lightning::env {
namespace {

constexpr std::uint64_t kSeeds = 200;

std::unique_ptr<WritableFile> create(SimulatedFileSystem& files, const std::string& path,
                                     FileClass file_class = FileClass::kTable) {
  return must(files.create_writable(path, file_class));
}

// A file whose name and content are on the disk.
void put_durably(SimulatedFileSystem& files, const std::string& path, std::string_view bytes) {
  write_whole(files, path, bytes);
  EXPECT_OK(files.sync_directory("/"));
}

bool exists(SimulatedFileSystem& files, const std::string& path) { return must(files.exists(path)); }

// What `after` says of each of kSeeds disks that were prepared alike.
std::map<std::string, int> outcomes(const std::function<void(SimulatedFileSystem&)>& prepare,
                                    const std::function<std::string(SimulatedFileSystem&)>& after,
                                    const SimulatedDiskOptions& options = {}) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem files(seed, options);
    prepare(files);
    files.crash(CrashMode::kRandom);
    ++seen[after(files)];
  }
  return seen;
}

// --- contents -----------------------------------------------------------------------------------------------------

TEST(PowerCutContents, UnsyncedBytesMayBeKeptLostTornZeroedOrGarbage) {
  std::string text = pattern(512, 7);
  for (char& c : text)
    if (c == 'o' || c == '\0') c = 'p';  // so that each fate shows in each byte
  const auto seen = outcomes(
      [&](SimulatedFileSystem& files) {
        put_durably(files, "a", std::string(512, 'o'));
        auto file = must(files.open_updatable("a", FileClass::kSuperblock, 0));
        EXPECT_OK(file->write(0, text));
      },
      [&](SimulatedFileSystem& files) -> std::string {
        const std::string now = files.content("a");
        if (now.size() != 512) return "resized";
        if (now == text) return "new";
        if (now == std::string(512, 'o')) return "old";
        if (now == std::string(512, '\0')) return "zeros";
        const auto [end, ignored] = std::mismatch(now.begin(), now.end(), text.begin());
        return std::all_of(end, now.end(), [](char c) { return c == 'o'; }) ? "torn" : "garbage";
      });
  EXPECT_EQ(seen.count("resized"), 0u);
  for (const char* fate : {"new", "old", "torn", "zeros", "garbage"}) EXPECT_GT(seen.count(fate), 0u) << fate;
}

TEST(PowerCutContents, UnsyncedGrowthMayBeCutAnywhere) {
  std::set<std::uint64_t> sizes;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulatedFileSystem files(seed);
    {
      auto file = create(files, "a");
      EXPECT_OK(file->append(std::string(100, 'd')));
      EXPECT_OK(file->sync());
      EXPECT_OK(files.sync_directory("/"));
      EXPECT_OK(file->append(std::string(2000, 'n')));
      EXPECT_OK(file->flush());
    }
    files.crash(CrashMode::kRandom);
    const std::string now = files.content("a");
    ASSERT_GE(now.size(), 100u);
    EXPECT_EQ(now.substr(0, 100), std::string(100, 'd')) << "seed " << seed;
    sizes.insert(now.size());
  }
  EXPECT_TRUE(sizes.contains(100));
  EXPECT_TRUE(sizes.contains(2100));
  EXPECT_GT(sizes.size(), 10u);
}

// Random stores and syncs against a model that knows, for each byte, what it may be after a power cut.
TEST(PowerCutContents, SyncedBytesAreNeverLost) {
  constexpr std::uint64_t kBytes = 6000;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Dice dice(seed);
    SimulatedFileSystem files(seed, {.write_back = seed % 2 == 0});
    std::string durable(kBytes, '\0');
    std::vector<bool> pending(kBytes);
    {
      auto log = must(files.create_log("log", kBytes));
      EXPECT_OK(files.sync_directory("/"));
    }
    for (int life = 0; life < 3; ++life) {
      auto log = must(files.reuse_log("log"));
      for (int step = 0; step < 30; ++step) {
        const std::uint64_t offset = dice.below(kBytes),
                            bytes = 1 + dice.below(std::min<std::uint64_t>(kBytes - offset, 900));
        if (dice.one_in(3)) {
          EXPECT_OK(log->sync(offset, bytes));
          for (std::uint64_t i = offset; i < offset + bytes; ++i) {
            durable[i] = log->data()[i];
            pending[i] = false;
          }
        } else {
          log->write(offset, pattern(bytes, static_cast<unsigned>(seed * 1000 + static_cast<std::uint64_t>(step))));
          for (std::uint64_t i = offset; i < offset + bytes; ++i) pending[i] = true;
        }
      }
      files.crash(CrashMode::kRandom);
      const std::string now = files.content("log");
      ASSERT_EQ(now.size(), kBytes);
      for (std::uint64_t i = 0; i < kBytes; ++i)
        ASSERT_TRUE(pending[i] || now[i] == durable[i]) << "seed " << seed << ", offset " << i;
      durable = now;
      pending.assign(kBytes, false);
    }
  }
}

TEST(PowerCutContents, TheFixedModesKeepAllOrNothing) {
  for (const CrashMode mode : {CrashMode::kKeepAll, CrashMode::kDropAll}) {
    SimulatedFileSystem files(1);
    put_durably(files, "a", "old");
    {
      auto log = must(files.create_log("log", 10'000));
      EXPECT_OK(files.sync_directory("/"));
      log->write(600, "record");
      auto file = must(files.open_updatable("a", FileClass::kSuperblock, 0));
      EXPECT_OK(file->write(0, "new and longer"));
      auto fresh = create(files, "fresh");
    }
    files.crash(mode);
    const bool kept = mode == CrashMode::kKeepAll;
    EXPECT_EQ(files.content("a"), kept ? "new and longer" : "old");
    EXPECT_EQ(files.content("log").substr(600, 6), kept ? "record" : std::string(6, '\0'));
    EXPECT_EQ(exists(files, "fresh"), kept);
    EXPECT_EQ(files.unsynced_sectors("log"), 0u);
  }
}

TEST(PowerCutContents, OneWriteMayFareOtherwiseThanAllOthers) {
  for (const CrashMode mode : {CrashMode::kKeepOne, CrashMode::kLoseOne}) {
    constexpr int kWrites = 4;
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 1; seed < 200; ++seed) {
      SimulatedFileSystem files(seed);
      {
        auto log = must(files.create_log("log", 10'000));
        EXPECT_OK(log->sync(0, 10'000));
        EXPECT_OK(files.sync_directory("/"));
        for (int i = 0; i < kWrites; ++i) log->write(static_cast<std::uint64_t>(i) * 512, "x");
      }
      files.crash(mode);
      std::string kept;
      for (int i = 0; i < kWrites; ++i)
        kept += files.content("log")[static_cast<std::size_t>(i) * 512] == 'x' ? '1' : '0';
      outcomes.insert(kept);
    }
    const bool one = mode == CrashMode::kKeepOne;
    const std::set<std::string> expected = one ? std::set<std::string>{"0000", "1000", "0100", "0010", "0001"}
                                               : std::set<std::string>{"1111", "0111", "1011", "1101", "1110"};
    EXPECT_EQ(outcomes, expected);
  }
}

TEST(PowerCutContents, AnAppendedEndIsKeptWholeOrNotAtAllWhenItIsTheOne) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 1; seed < 100; ++seed) {
    SimulatedFileSystem files(seed);
    put_durably(files, "a", "old");
    {
      auto file = must(files.open_updatable("a", FileClass::kOther, 0));
      EXPECT_OK(file->write(3, std::string(2000, 'n')));
    }
    files.crash(CrashMode::kKeepOne);
    outcomes.insert(files.content("a"));
  }
  EXPECT_TRUE(outcomes.contains("old"));
  EXPECT_TRUE(outcomes.contains("old" + std::string(2000, 'n')));
}

TEST(PowerCutContents, ASyncOfARangeSaysNothingAboutTheRest) {
  SimulatedFileSystem files(1);
  auto log = must(files.create_log("log", 100'000));
  EXPECT_OK(files.sync_directory("/"));
  log->write(0, "first");
  log->write(50'000, "second");
  EXPECT_EQ(files.unsynced_sectors("log"), 2u);
  EXPECT_OK(log->sync(0, 5));
  EXPECT_EQ(files.unsynced_sectors("log"), 1u);
  log.reset();
  files.crash(CrashMode::kDropAll);
  EXPECT_EQ(files.content("log").substr(0, 5), "first");
  EXPECT_EQ(files.content("log").substr(50'000, 6), std::string(6, '\0'));
}

TEST(PowerCutContents, WriteBackCanLeaveAStateBetweenTwoSyncs) {
  const auto seen = outcomes(
      [](SimulatedFileSystem& files) {
        put_durably(files, "a", "1111");
        auto file = must(files.open_updatable("a", FileClass::kSuperblock, 0));
        for (int i = 0; i < 20; ++i) EXPECT_OK(file->write(0, "2222"));
        for (int i = 0; i < 20; ++i) EXPECT_OK(file->write(0, "3333"));
      },
      [](SimulatedFileSystem& files) { return files.content("a"); }, {.write_back = true});
  EXPECT_GT(seen.count("1111"), 0u);
  EXPECT_GT(seen.count("2222"), 0u);
  EXPECT_GT(seen.count("3333"), 0u);
}

// --- names --------------------------------------------------------------------------------------------------------

TEST(PowerCutNames, AFileIsThereOnlyAfterItsDirectoryWasSynced) {
  const auto after = [](SimulatedFileSystem& files) { return exists(files, "a") ? "there" : "gone"; };
  const auto unsynced = outcomes([](SimulatedFileSystem& files) { write_whole(files, "a", "x"); }, after);
  EXPECT_GT(unsynced.count("there"), 0u);
  EXPECT_GT(unsynced.count("gone"), 0u);
  const auto synced = outcomes([](SimulatedFileSystem& files) { put_durably(files, "a", "x"); }, after);
  EXPECT_EQ(synced, (std::map<std::string, int>{{"there", kSeeds}}));
}

TEST(PowerCutNames, AnUnsyncedRenameMayOrMayNotHaveHappenedButNeverHalf) {
  const auto prepare = [](bool synced) {
    return [synced](SimulatedFileSystem& files) {
      put_durably(files, "current", "old");
      put_durably(files, "next", "new");
      EXPECT_OK(files.rename("next", "current"));
      if (synced) EXPECT_OK(files.sync_directory("/"));
    };
  };
  const auto after = [](SimulatedFileSystem& files) {
    return files.content("current") + (exists(files, "next") ? "+" + files.content("next") : "");
  };
  const auto unsynced = outcomes(prepare(false), after);
  EXPECT_EQ(unsynced.size(), 2u);
  EXPECT_GT(unsynced.count("old+new"), 0u);
  EXPECT_GT(unsynced.count("new"), 0u);
  EXPECT_EQ(outcomes(prepare(true), after), (std::map<std::string, int>{{"new", kSeeds}}));
}

TEST(PowerCutNames, ARenameBetweenDirectoriesKeepsBothHalvesOrNeither) {
  const auto after = [](SimulatedFileSystem& files) {
    return std::string(exists(files, "x/f") ? "x" : "") + (exists(files, "y/f") ? "y" : "");
  };
  for (const char* synced : {"", "x", "y"}) {
    const auto seen = outcomes(
        [&](SimulatedFileSystem& files) {
          EXPECT_OK(files.create_directories("x"));
          EXPECT_OK(files.create_directories("y"));
          write_whole(files, "x/f", "moved");
          if (*synced == '\0') EXPECT_OK(files.sync_directory("x"));
          EXPECT_OK(files.rename("x/f", "y/f"));
          if (*synced != '\0') EXPECT_OK(files.sync_directory(synced));
        },
        after);
    if (*synced == '\0')
      EXPECT_TRUE(seen.size() == 2 && seen.contains("x") && seen.contains("y"));
    else
      EXPECT_EQ(seen, (std::map<std::string, int>{{"y", kSeeds}})) << synced;
  }
}

TEST(PowerCutNames, ChangesOfADirectoryAreKeptFromTheFirstOnUnlessReordered) {
  const auto prepare = [](SimulatedFileSystem& files) {
    for (const char* name : {"a", "b", "c"}) write_whole(files, name, "x");
  };
  const auto after = [](SimulatedFileSystem& files) {
    std::string names;
    for (const std::string& name : must(files.list("/"))) names += name;
    return names;
  };
  const auto ordered = outcomes(prepare, after);
  EXPECT_EQ(ordered.size(), 4u);
  for (const char* names : {"", "a", "ab", "abc"}) EXPECT_GT(ordered.count(names), 0u) << names;
  EXPECT_EQ(outcomes(prepare, after, {.reorder_names = true}).size(), 8u);
}

TEST(PowerCutNames, ARemovalCanBeUndoneWithTheContentThatWasSynced) {
  const auto seen = outcomes(
      [](SimulatedFileSystem& files) {
        put_durably(files, "a", "content");
        EXPECT_OK(files.remove("a"));
      },
      [](SimulatedFileSystem& files) { return files.content("a"); });
  EXPECT_GT(seen.count("content"), 0u);
  EXPECT_GT(seen.count(""), 0u);
}

TEST(PowerCutNames, WhatIsInALostDirectoryIsLost) {
  SimulatedFileSystem files(1, {.ignore_directory_syncs = true});
  EXPECT_OK(files.create_directories("d"));
  write_whole(files, "d/a", "x");
  files.crash(CrashMode::kDropAll);
  EXPECT_FALSE(exists(files, "d"));
  EXPECT_EQ(must(files.free_bytes("/")), std::uint64_t{1} << 40);
}

// --- failures -----------------------------------------------------------------------------------------------------

TEST(SimulatedFaults, AFailedSyncLosesItsDataEvenIfALaterOneSucceeds) {
  SimulatedFileSystem files(1);
  {
    auto file = create(files, "a");
    EXPECT_OK(files.sync_directory("/"));
    EXPECT_OK(file->append("durable "));
    EXPECT_OK(file->sync());
    EXPECT_OK(file->append("lost"));
    files.add_fault({.kind = IoKind::kSync});
    EXPECT_CODE(kSyncFailed, file->sync());
    EXPECT_CODE(kSyncFailed, file->sync());
    EXPECT_CODE(kSyncFailed, file->append("more"));
    EXPECT_CODE(kSyncFailed, file->flush());
  }
  EXPECT_EQ(files.content("a"), "durable lost") << "the page cache still shows it";
  {
    auto again = must(files.open_updatable("a", FileClass::kOther, 0));
    EXPECT_OK(again->sync());
  }
  files.crash(CrashMode::kKeepAll);
  EXPECT_EQ(files.content("a"), std::string("durable \0\0\0\0", 12));
}

TEST(SimulatedFaults, AFailedSyncOfALogSegmentIsFinal) {
  SimulatedFileSystem files(1);
  auto log = must(files.create_log("log", 4096));
  EXPECT_OK(files.sync_directory("/"));
  log->write(0, "lost");
  files.add_fault({.file_class = FileClass::kLog});
  EXPECT_CODE(kSyncFailed, log->sync(0, 4));
  EXPECT_CODE(kSyncFailed, log->sync(0, 4));
  EXPECT_EQ(std::string_view(log->data(), 4), "lost");
  log.reset();
  files.crash(CrashMode::kKeepAll);
  EXPECT_EQ(files.content("log").substr(0, 4), std::string(4, '\0'));
}

TEST(SimulatedFaults, TheNthMatchingCallFailsOnce) {
  SimulatedFileSystem files(1);
  files.add_fault({.kind = IoKind::kCreate, .file_class = FileClass::kTable, .nth = 2});
  auto manifest = create(files, "m1", FileClass::kManifest);
  auto first = create(files, "t1");
  auto other = create(files, "m2", FileClass::kManifest);
  EXPECT_CODE(kIo, files.create_writable("t2", FileClass::kTable));
  auto third = create(files, "t3");
  EXPECT_FALSE(exists(files, "t2"));
}

TEST(SimulatedFaults, AStickyFaultStaysUntilCleared) {
  SimulatedFileSystem files(1);
  put_durably(files, "bad", "x");
  put_durably(files, "good", "x");
  files.add_fault({.kind = IoKind::kRead, .path_part = "bad", .sticky = true});
  for (int i = 0; i < 3; ++i) {
    EXPECT_CODE(kIo, files.read_file("bad", 10));
    EXPECT_OK(files.read_file("good", 10));
  }
  files.clear_faults();
  EXPECT_OK(files.read_file("bad", 10));
}

TEST(SimulatedFaults, AFailedAppendMayHaveWrittenSomeAndPoisonsTheFile) {
  std::set<std::uint64_t> sizes;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedFileSystem files(seed);
    auto file = create(files, "a");
    EXPECT_OK(file->append(pattern(1000)));
    files.add_fault({.kind = IoKind::kWrite, .os_error = ENOSPC});
    EXPECT_CODE(kNoSpace, file->flush());
    EXPECT_CODE(kNoSpace, file->append("x"));
    EXPECT_CODE(kNoSpace, file->sync());
    EXPECT_CODE(kNoSpace, file->close());
    sizes.insert(files.content("a").size());
    EXPECT_EQ(files.content("a"), pattern(1000).substr(0, files.content("a").size()));
  }
  EXPECT_GT(sizes.size(), 10u);
}

TEST(SimulatedFaults, AFailedDirectorySyncMakesNothingDurable) {
  SimulatedFileSystem files(1);
  write_whole(files, "a", "x");
  files.add_fault({.kind = IoKind::kSyncDirectory});
  EXPECT_CODE(kSyncFailed, files.sync_directory("/"));
  files.crash(CrashMode::kDropAll);
  EXPECT_FALSE(exists(files, "a"));
}

TEST(SimulatedCapacity, AFullDiskTakesWhatFitsAndRemovalMakesRoom) {
  SimulatedFileSystem files(1, {.capacity_bytes = 10'000});
  write_whole(files, "a", pattern(6000));
  EXPECT_EQ(must(files.free_bytes("/")), 4000u);
  auto file = create(files, "b");
  EXPECT_OK(file->append(pattern(5000)));
  EXPECT_CODE(kNoSpace, file->flush());
  EXPECT_EQ(files.content("b").size(), 4000u);
  EXPECT_CODE(kNoSpace, files.create_log("log", 4096));
  EXPECT_FALSE(exists(files, "log"));
  auto reader = must(files.open_random_access("a", FileClass::kTable));
  EXPECT_OK(files.remove("a"));
  EXPECT_EQ(must(files.free_bytes("/")), 0u) << "an open file keeps its space";
  reader.reset();
  EXPECT_EQ(must(files.free_bytes("/")), 6000u);
  EXPECT_OK(files.create_log("log", 4096));
  files.set_capacity(20'000);
  EXPECT_EQ(must(files.free_bytes("/")), 20'000u - 8096u);
}

TEST(SimulatedCapacity, FileHandlesRunOutAndComeBack) {
  SimulatedFileSystem files(1, {.open_files_max = 2});
  auto a = create(files, "a");
  auto b = create(files, "b");
  EXPECT_CODE(kInsufficientResources, files.create_writable("c", FileClass::kTable));
  EXPECT_CODE(kInsufficientResources, files.open_random_access("a", FileClass::kTable));
  EXPECT_FALSE(exists(files, "c"));
  a.reset();
  auto c = create(files, "c");
}

// --- crashes ------------------------------------------------------------------------------------------------------

TEST(SimulatedCrash, CanBeAskedForAtEachCountedCall) {
  // What the disk shows after a crash at call n of: create, write, sync, rename, sync of the directory.
  const auto run = [](std::uint64_t nth, CrashStage stage) {
    SimulatedFileSystem files(3);
    files.set_crash_at(nth, stage);
    (void)[&]()->Status {
      LIGHTNING_ASSIGN(auto file, files.create_writable("a", FileClass::kTable));
      LIGHTNING_TRY(file->append("0123456789"));
      LIGHTNING_TRY(file->sync());
      LIGHTNING_TRY(files.rename("a", "b"));
      return files.sync_directory("/");
    }
    ();
    EXPECT_CODE(kClosed, files.exists("a"));  // the machine stands still
    files.process_death();
    return std::string(exists(files, "a") ? "a" : "") + (exists(files, "b") ? "b" : "") +
           std::to_string(files.content("a").size() + files.content("b").size()) + "," +
           std::to_string(files.unsynced_sectors("a") + files.unsynced_sectors("b"));
  };
  EXPECT_EQ(run(1, CrashStage::kBefore), "0,0");
  EXPECT_EQ(run(1, CrashStage::kAfter), "a0,0");
  EXPECT_EQ(run(2, CrashStage::kBefore), "a0,0");
  EXPECT_NE(run(2, CrashStage::kDuring), "a10,1");
  EXPECT_EQ(run(2, CrashStage::kAfter), "a10,1");
  EXPECT_EQ(run(3, CrashStage::kBefore), "a10,1");
  EXPECT_EQ(run(3, CrashStage::kAfter), "a10,0");
  EXPECT_EQ(run(4, CrashStage::kBefore), "a10,0");
  EXPECT_EQ(run(4, CrashStage::kAfter), "b10,0");
  EXPECT_EQ(run(5, CrashStage::kAfter), "b10,0");
}

TEST(SimulatedCrash, AStoreIntoALogSegmentIsACrashPoint) {
  SimulatedFileSystem files(5);
  auto log = must(files.create_log("log", 4096));
  int crashes = 0;
  files.set_crash_at(2, CrashStage::kDuring, [&] {
    ++crashes;
    files.halt();
  });
  log->write(0, std::string(100, 'a'));
  EXPECT_EQ(crashes, 0);
  log->write(100, std::string(100, 'b'));
  EXPECT_EQ(crashes, 1);
  log->write(200, std::string(100, 'c'));
  EXPECT_CODE(kClosed, log->sync(0, 300));
  log.reset();
  files.process_death();
  const std::string now = files.content("log");
  EXPECT_EQ(now.substr(0, 100), std::string(100, 'a'));
  EXPECT_LT(std::count(now.begin(), now.end(), 'b'), 100);
  EXPECT_EQ(std::count(now.begin(), now.end(), 'c'), 0) << "nothing arrives at a machine that stands still";
}

TEST(SimulatedCrash, ADeadProcessKeepsWhatItWroteAndLosesWhatItBuffered) {
  SimulatedFileSystem files(1);
  auto lock = must(files.lock("LOCK", "first"));
  auto log = must(files.create_log("log", 4096));
  log->write(0, "stored");
  auto file = create(files, "a");
  EXPECT_OK(file->append("flushed"));
  EXPECT_OK(file->flush());
  EXPECT_OK(file->append("buffered"));
  files.process_death();

  EXPECT_EQ(files.content("log").substr(0, 6), "stored");
  EXPECT_EQ(files.content("a"), "flushed");
  auto second = must(files.lock("LOCK", "second"));
  EXPECT_CODE(kClosed, file->append("x"));
  EXPECT_CODE(kClosed, file->sync());
  log->write(0, "zombie");
  EXPECT_CODE(kClosed, log->sync(0, 6));
  lock.reset();
  file.reset();
  log.reset();
  EXPECT_TRUE(must(files.is_locked("LOCK"))) << "the first owner's end must not release the second's lock";
  EXPECT_EQ(files.content("a"), "flushed");
  EXPECT_EQ(files.content("log").substr(0, 6), "stored");
}

// A little program that does a bit of everything; returns what is left after the power cut.
std::string run_program(std::uint64_t seed, std::uint64_t crash_at, std::uint64_t& trace) {
  SimulatedFileSystem files(seed);
  files.set_crash_at(crash_at, CrashStage::kDuring);
  (void)[&]()->Status {
    LIGHTNING_TRY(files.create_directories("d/e"));
    LIGHTNING_ASSIGN(auto log, files.create_log("d/log", 5000));
    for (unsigned i = 0; i < 20; ++i) {
      log->write(i * 200, pattern(150, i));
      if (i % 7 == 0) LIGHTNING_TRY(log->sync(i * 200, 150));
      LIGHTNING_ASSIGN(auto file, files.create_writable("d/e/" + std::to_string(i), FileClass::kTable));
      LIGHTNING_TRY(file->append(pattern(i * 100, i)));
      if (i % 3 == 0) LIGHTNING_TRY(file->sync());
      if (i % 5 == 0) LIGHTNING_TRY(files.sync_directory("d/e"));
      if (i % 4 == 0) LIGHTNING_TRY(files.rename("d/e/" + std::to_string(i), "d/" + std::to_string(i)));
    }
    return {};
  }
  ();
  trace = files.trace_hash();
  files.crash(CrashMode::kRandom);
  std::string left = files.content("d/log");
  for (const char* directory : {"d", "d/e"})
    if (exists(files, directory))
      for (const std::string& name : must(files.list(directory)))
        left += name + "=" + files.content(std::string(directory) + "/" + name) + ";";
  return left;
}

TEST(SimulatedCrash, TheSameSeedLeavesTheSame) {
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t trace1 = 0, trace2 = 0;
    const std::string left = run_program(seed, 100 + seed, trace1);
    EXPECT_EQ(left, run_program(seed, 100 + seed, trace2));
    EXPECT_EQ(trace1, trace2);
    different.insert(left);
  }
  EXPECT_GT(different.size(), 10u);
}

TEST(PlantedBugs, AMissingSyncShowsAfterAPowerCut) {
  const auto keeps_its_promise = [](SimulatedDiskOptions options) {
    SimulatedFileSystem files(1, std::move(options));
    put_durably(files, "table", "synced");
    files.crash(CrashMode::kDropAll);
    return files.content("table") == "synced";
  };
  EXPECT_TRUE(keeps_its_promise({}));
  EXPECT_TRUE(keeps_its_promise({.ignored_syncs = {FileClass::kTable}})) << "written as kOther";
  EXPECT_FALSE(keeps_its_promise({.ignored_syncs = {FileClass::kTable, FileClass::kOther}}));
  EXPECT_FALSE(keeps_its_promise({.ignore_directory_syncs = true}));
}

// --- damage at rest -----------------------------------------------------------------------------------------------

TEST(DamageAtRest, ChangesTheCacheAndTheDisk) {
  SimulatedFileSystem files(1);
  put_durably(files, "a", "abcdef");
  EXPECT_TRUE(files.flip_bit("a", 1, 0));
  EXPECT_TRUE(files.overwrite("a", 4, "XY"));
  EXPECT_EQ(files.content("a"), "accdXY");
  EXPECT_FALSE(files.flip_bit("a", 6));
  EXPECT_FALSE(files.flip_bit("b", 0));
  EXPECT_FALSE(files.overwrite("a", 5, "XY"));
  EXPECT_TRUE(files.truncate_file("a", 3));
  files.crash(CrashMode::kDropAll);
  EXPECT_EQ(files.content("a"), "acc");
  EXPECT_TRUE(files.truncate_file("a", 5));
  EXPECT_EQ(files.content("a"), std::string("acc\0\0", 5));
  EXPECT_TRUE(files.put_file("a", "other"));
  EXPECT_TRUE(files.put_file("b", "new"));
  EXPECT_TRUE(files.delete_file("a"));
  EXPECT_FALSE(files.delete_file("a"));
  files.crash(CrashMode::kDropAll);
  EXPECT_FALSE(exists(files, "a"));
  EXPECT_EQ(files.content("b"), "new");
}

}  // namespace
}  // namespace lightning::env
