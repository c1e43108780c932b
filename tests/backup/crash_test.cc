// The machine dies at each I/O of making, pruning and restoring backups, before, during and after it. A backup exists
// as a whole or not at all, those that there were stay, and what is restored is all of it or no database.
#include <gtest/gtest.h>

#include "backup/place.h"
#include "support/child_process.h"

namespace lightning::backup {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr std::uint64_t kStride = 11;  // one thread: a sample will do
#else
constexpr std::uint64_t kStride = 1;
#endif

// A store and a repository with two backups; what is killed runs on this one thread alone, since a reader needs no
// other.
class Deaths {
 public:
  explicit Deaths(std::uint64_t seed) : world_(seed) {
    world_.config().wal_segment_bytes = 16 << 10;
    world_.run([&](Database& db) {
      for (const char* mark : {"a", "b", "c"}) {
        for (int i = 0; i < 12; ++i) EXPECT_OK(db.put("key" + std::to_string(i), mark + std::to_string(i)));
        EXPECT_OK(db.put(std::string("large") + mark, text(1500, *mark)));
        states_.push_back(contents_of(db));
        if (*mark != 'c') EXPECT_OK(db.create_backup("/backups"));
      }
    });
  }
  World& world() { return world_; }
  env::SimulatedFileSystem& files() { return world_.env().files; }
  // Of backups 1 and 2, and of the store, which all later ones are of.
  const Contents& state(std::uint64_t number) const { return states_[std::min<std::uint64_t>(number, 3) - 1]; }

  // False if `body` came to its end before.
  bool die_in(std::uint64_t nth, env::CrashStage stage, env::CrashMode mode, const std::function<void()>& body) {
    bool dead = false;
    files().set_crash_at(nth, stage, [&] {
      dead = true;
      files().halt();
    });
    body();
    files().cancel_crash();
    if (!dead) return false;
    files().crash(mode);
    return true;
  }
  void expect_whole(std::uint64_t first, const std::string& what) {
    const auto all = list(world_.env().env, "/backups");
    ASSERT_OK(all);
    ASSERT_GE(all->size(), 1u) << what;
    EXPECT_LE(all->front().number, first) << what;
    for (const BackupInfo& info : *all) ASSERT_FALSE(info.damage) << what << ": " << info.damage->to_string();
    const auto report = check(world_.env().env, "/backups", {});
    ASSERT_OK(report);
    for (const Error& finding : report->findings) ADD_FAILURE() << what << ": " << finding.to_string();
    newest_ = all->back().number;
  }
  std::uint64_t newest() const { return newest_; }
  std::string new_directory() { return "/out" + std::to_string(++directories_); }

 private:
  World world_;
  std::vector<Contents> states_;
  std::uint64_t newest_ = 0, directories_ = 0;
};

std::string describe(std::uint64_t nth, int stage, int mode) {
  return "I/O " + std::to_string(nth) + ", stage " + std::to_string(stage) + ", mode " + std::to_string(mode);
}

// `attempt` is killed at each of its calls; then `afterwards` looks. What a power cut keeps by chance is drawn `draws`
// times.
void sweep(int draws, const std::function<void(Deaths&)>& attempt,
           const std::function<void(Deaths&, const std::string&)>& afterwards) {
  constexpr std::uint64_t kMax = 400;
  std::uint64_t nth = 1;
  for (bool died = true; died && nth < kMax; nth += kStride) {
    for (int stage = 0; stage < 3; ++stage) {
      for (int draw = 0; draw < draws + 2; ++draw) {
        const int mode = draw < draws ? 0 : draw - draws + 1;
        Deaths deaths(nth * 1000 + static_cast<std::uint64_t>(stage * 100 + draw));
        died = deaths.die_in(nth, static_cast<env::CrashStage>(stage), static_cast<env::CrashMode>(mode),
                             [&] { attempt(deaths); });
        afterwards(deaths, describe(nth, stage, mode));
        if (testing::Test::HasFailure()) return;
      }
    }
  }
  EXPECT_GT(nth, 4u);
  EXPECT_LT(nth, kMax) << "it has no end";
}

void restores_to(Deaths& deaths, std::uint64_t number, const Contents& expected, const std::string& what) {
  const std::string path = deaths.new_directory();
  const auto restored = restore_to(deaths.world(), path, {.number = number});
  ASSERT_TRUE(restored) << what << ": " << restored.error().to_string();
  EXPECT_EQ(contents_at(deaths.world(), path, true), expected) << what;
}

void expect_all(Deaths& deaths, std::uint64_t first, const std::string& what) {
  deaths.expect_whole(first, what);
  for (std::uint64_t number = first; number <= deaths.newest() && !testing::Test::HasFailure(); ++number)
    restores_to(deaths, number, deaths.state(number), what);
}

void die_while_making() {
  sweep(
      1,
      [](Deaths& deaths) {
        auto db = DatabaseAccess::open_as_given(deaths.world().env().env, "/store", deaths.world().config(), true);
        if (db) (void)db->create_backup("/backups").has_value();
      },
      [](Deaths& deaths, const std::string& what) {
        expect_all(deaths, 1, what);
        EXPECT_LE(deaths.newest(), 3u);
        // And on: the next one is not hindered by what was left.
        deaths.world().run([&](Database& db) { EXPECT_OK(db.create_backup("/backups")); });
        const std::uint64_t before = deaths.newest();
        deaths.expect_whole(1, what);
        EXPECT_EQ(deaths.newest(), before + 1) << what;
        restores_to(deaths, before + 1, deaths.state(3), what);
        for (const std::string& name : names_in(deaths.world(), "/backups/files"))
          EXPECT_FALSE(name.ends_with(".part")) << what << ": " << name;
      });
}

void die_while_pruning() {
  sweep(
      8, [](Deaths& deaths) { (void)prune(deaths.world().env().env, "/backups", 1).has_value(); },
      [](Deaths& deaths, const std::string& what) {
        deaths.expect_whole(2, what);
        EXPECT_EQ(deaths.newest(), 2u) << what;
        restores_to(deaths, 2, deaths.state(2), what);
        const auto pruned = prune(deaths.world().env().env, "/backups", 1);
        EXPECT_OK(pruned);
        deaths.expect_whole(2, what);
        const auto catalogue = Repository::open(deaths.world().env().env, "/backups")->read(2);
        ASSERT_OK(catalogue);
        EXPECT_EQ(names_in(deaths.world(), "/backups/files").size(), files_of(catalogue->state).size()) << what;
      });
}

void die_while_restoring(bool replacing) {
  sweep(
      1,
      [&](Deaths& deaths) {
        (void)restore_to(deaths.world(), replacing ? "/store" : "/restored", {.number = 2, .replace = replacing})
            .has_value();
      },
      [&](Deaths& deaths, const std::string& what) {
        const std::string path = replacing ? "/store" : "/restored";
        env::Env& env = deaths.world().env().env;
        const bool there = *env.files.exists(path) && manifest::read_superblock(env, path).has_value();
        if (there) {
          const Contents found = contents_at(deaths.world(), path);
          EXPECT_TRUE(found == deaths.state(2) || (replacing && found == deaths.state(3))) << what;
        } else {
          EXPECT_FALSE(DatabaseAccess::open_as_given(env, path, deaths.world().config(), true)) << what;
        }
        deaths.expect_whole(1, what);
        if (there && !replacing) {
          EXPECT_CODE(kInvalidArgument, restore_to(deaths.world(), path));
          return;
        }
        EXPECT_OK(restore_to(deaths.world(), path, {.number = 2, .replace = replacing}));
        EXPECT_EQ(contents_at(deaths.world(), path), deaths.state(2)) << what;
      });
}

TEST(DeathAtEachIo, OfMakingABackupTakesNoBackup) { EXPECT_TRUE(testing_support::passes_in_child(die_while_making)); }
TEST(DeathAtEachIo, OfPruningTakesNoBackupThatStays) {
  EXPECT_TRUE(testing_support::passes_in_child(die_while_pruning));
}
TEST(DeathAtEachIo, OfRestoringLeavesAllOrNoDatabase) {
  EXPECT_TRUE(testing_support::passes_in_child([] { die_while_restoring(false); }));
}
TEST(DeathAtEachIo, OfReplacingLeavesOneOfTheTwoOrNoDatabase) {
  EXPECT_TRUE(testing_support::passes_in_child([] { die_while_restoring(true); }));
}

#if defined(LIGHTNING_PLANTED_BUGS) && !defined(__SANITIZE_THREAD__)  // a sample need not meet them

void expect_found(base::PlantedBug bug, const std::function<void()>& sweep) {
  EXPECT_FALSE(testing_support::passes_in_child([&] {
    base::plant(bug);
    sweep();
  }));
}

TEST(DeathAtEachIoShows, ACatalogueAheadOfTheNamesOfItsFiles) {
  expect_found(base::PlantedBug::kBackupBeforeItsFiles, die_while_making);
}
TEST(DeathAtEachIoShows, FilesRemovedBeforeTheCatalogueIsDurablyGone) {
  expect_found(base::PlantedBug::kPruneBeforeItIsDurable, die_while_pruning);
}
TEST(DeathAtEachIoShows, ASuperblockAheadOfTheTables) {
  expect_found(base::PlantedBug::kRestoreSuperblockFirst, [] { die_while_restoring(false); });
}

#endif

// --- faults
// -------------------------------------------------------------------------------------------------------------

struct Case {
  env::IoKind kind;
  int os_error;
};
class Fault : public testing::TestWithParam<Case> {};

// One call after the other fails. An error is told, nothing that was there is harmed, and the next try succeeds.
TEST_P(Fault, IsToldAndHarmsNothing) {
  EXPECT_TRUE(testing_support::passes_in_child([] {
    std::uint64_t met = 0;
    for (std::uint64_t nth = 1; nth < 60; nth += kStride) {
      Deaths deaths(nth);
      std::uint64_t errors = 0;
      deaths.files().add_fault({.kind = GetParam().kind, .nth = nth, .os_error = GetParam().os_error});
      auto db = DatabaseAccess::open_as_given(deaths.world().env().env, "/store", deaths.world().config(), true);
      if (db) {
        const auto made = db->create_backup("/backups");
        errors += made ? 0 : 1;
      }
      const auto restored = restore_to(deaths.world(), "/restored", {.number = 2});
      errors += restored ? 0 : 1;
      deaths.files().clear_faults();
      expect_all(deaths, 1, "fault " + std::to_string(nth));
      if (!restored) {
        EXPECT_OK(restore_to(deaths.world(), "/restored", {.number = 2}));
      }
      EXPECT_EQ(contents_at(deaths.world(), "/restored"), deaths.state(2)) << nth;
      if (db) {
        EXPECT_OK(db->create_backup("/backups"));
      }
      expect_all(deaths, 1, "after fault " + std::to_string(nth));
      met += errors;
      if (testing::Test::HasFailure() || (errors == 0 && nth > 40)) break;
    }
    if (GetParam().kind != env::IoKind::kRemove) {
      EXPECT_GT(met, kStride > 1 ? 0u : 3u);
    }
  }));
}
INSTANTIATE_TEST_SUITE_P(Of, Fault,
                         testing::Values(Case{env::IoKind::kCreate, 28}, Case{env::IoKind::kWrite, 28},
                                         Case{env::IoKind::kWrite, 5}, Case{env::IoKind::kSync, 5},
                                         Case{env::IoKind::kSyncDirectory, 5}, Case{env::IoKind::kRename, 5},
                                         Case{env::IoKind::kRemove, 5}));

}  // namespace
}  // namespace lightning::backup
