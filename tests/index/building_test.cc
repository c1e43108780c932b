// Building indexes beside writers, on real threads; what ends it, and what is left if it cannot be done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "index/world.h"

namespace lightning::index {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const IndexOptions kByField{.extractor = kSecondField};
const IndexOptions kUniqueByField{.extractor = kSecondField, .unique = true};

// On a simulated disk, with real threads.
class Building : public testing::Test {
 protected:
  Database open() {
    auto db = DatabaseAccess::open_as_given(
        world_.env, "/store", sim::small_config(), false, {},
        {.extractors = {{"throws", [](std::string_view, std::string_view value) -> Result<std::optional<IndexValue>> {
                           if (value == "throw") throw std::runtime_error("thrown");
                           return std::optional<IndexValue>(IndexValue(value));
                         }}}});
    EXPECT_OK(db);
    return std::move(*db);
  }
  static void fill(Database& db, const Keyspace& keyspace, int records) {
    for (int i = 0; i < records; ++i) ASSERT_OK(db.put(keyspace, "k" + std::to_string(i), "x," + std::to_string(i)));
  }
  static IndexState state(const Database& db, const Keyspace& keyspace) {
    for (const IndexInfo& info : db.list_indexes(keyspace)) return info.state;
    ADD_FAILURE() << "there is no index";
    return IndexState::kFailed;
  }
  static void expect_clean(const Database& db) {
    const auto report = db.check();
    ASSERT_OK(report);
    for (const CheckFinding& finding : report->findings) ADD_FAILURE() << finding.error.to_string();
  }

  env::SimulatedWorld world_{1};
};

TEST_F(Building, TellsHowFarItIsAndCanBeCancelled) {
  Database db = open();
  const Keyspace people = *db.create_keyspace("people");
  fill(db, people, 2000);
  ASSERT_OK(db.flush());
  std::vector<IndexProgress> seen;
  IndexOptions options = kByField;
  options.progress = [&](const IndexProgress& progress) {
    seen.push_back(progress);
    EXPECT_EQ(state(db, people), IndexState::kBuilding);
    EXPECT_CODE(kIndexNotReady, db.query_index(people, "city", {}));
    return seen.size() < 3;
  };
  EXPECT_CODE(kCancelled, db.create_index(people, "city", options));
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_LT(seen[0].records, seen[2].records);
  EXPECT_EQ(seen[0].records_total, 2000u);
  EXPECT_THAT(db.list_indexes(), IsEmpty());
  options.progress = {};
  ASSERT_OK(db.create_index(people, "city", options));
  EXPECT_EQ(all_of(db, people, "city", {}, 1000), expected(db, people));
}

TEST_F(Building, GoesOnAfterTheDatabaseWasClosed) {
  {
    Database db = open();
    const Keyspace people = *db.create_keyspace("people");
    fill(db, people, 2000);
    IndexOptions options = kUniqueByField;
    options.wait = false;
    std::atomic<bool> begun{false};
    options.progress = [&](const IndexProgress&) { return begun = true; };
    ASSERT_OK(db.create_index(people, "city", options));
    while (!begun) base::sleep_for(std::chrono::milliseconds(1));
    ASSERT_OK(db.close());
  }
  Database db = open();
  const Keyspace people = *db.keyspace("people");
  while (state(db, people) == IndexState::kBuilding) base::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(all_of(db, people, "city", {}, 1000), expected(db, people));
  expect_clean(db);
}

TEST_F(Building, KeepsStepWithWritersOfEveryKind) {
  Database db = open();
  const Keyspace people = *db.create_keyspace("people", {.counted = true});
  fill(db, people, 500);
  std::atomic<bool> enough{false};
  std::vector<base::Thread> writers;
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    writers.push_back(base::Thread::spawn("writer", [&db, &people, &enough, seed] {
      env::Dice dice(seed);
      for (int i = 0; i < 200 || !enough; ++i) {
        const std::string key = "k" + std::to_string(dice.below(600)),
                          value = "x," + std::to_string(dice.below(100'000));
        Status status;
        if (dice.one_in(4)) {
          status = db.erase(people, key);
        } else if (dice.one_in(3)) {
          status = db.run_transaction([&](Transaction& txn) -> Status {
            LIGHTNING_TRY(txn.put(people, key, "first,thought"));
            LIGHTNING_TRY(txn.put(people, key, value));  // a key that is written twice
            return txn.erase(people, "k" + std::to_string(dice.below(600)));
          });
        } else {
          status = db.put(people, key, value);
        }
        if (!status) {
          EXPECT_EQ(status.error().code(), ErrorCode::kNotUnique) << status.error().to_string();
        }
      }
    }));
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(db.create_index(people, "city", kByField));
    const Status unique = db.create_index(people, "unique", kUniqueByField);
    if (!unique) {
      EXPECT_CODE(kNotUnique, unique);
    }
    ASSERT_OK(db.rebuild_index(people, "city"));
    expect_clean(db);
    ASSERT_OK(db.drop_index(people, "city"));
    if (unique) ASSERT_OK(db.drop_index(people, "unique"));
  }
  ASSERT_OK(db.create_index(people, "city", kByField));
  enough = true;
  writers.clear();
  EXPECT_EQ(all_of(db, people, "city", {}, 1000), expected(db, people));
  expect_clean(db);
}

TEST_F(Building, OfAUniqueIndexLetsOneOfManyWritersHaveAValue) {
  Database db = open();
  const Keyspace people = *db.create_keyspace("people");
  ASSERT_OK(db.create_index(people, "u", kUniqueByField));
  constexpr int kThreads = 4, kRounds = 200;
  std::array<std::atomic<int>, kRounds> winners{};
  {
    std::vector<base::Thread> writers;
    for (int t = 0; t < kThreads; ++t)
      writers.push_back(base::Thread::spawn("writer", [&db, &people, &winners, t] {
        for (int round = 0; round < kRounds; ++round) {
          const std::string key = "k" + std::to_string(t) + "." + std::to_string(round);
          const Status put = db.put(people, key, "x," + std::to_string(round));
          if (put) {
            ++winners[static_cast<std::size_t>(round)];
          } else {
            EXPECT_EQ(put.error().code(), ErrorCode::kNotUnique) << put.error().to_string();
          }
        }
      }));
  }
  for (int round = 0; round < kRounds; ++round) EXPECT_EQ(winners[static_cast<std::size_t>(round)], 1) << round;
  EXPECT_EQ(all_of(db, people, "u", {}, 1000).size(), static_cast<std::size_t>(kRounds));
  expect_clean(db);
}

TEST_F(Building, ThatFailsLeavesARebuiltIndexWhichHindersNobody) {
  Database db = open();
  const Keyspace people = *db.create_keyspace("people");
  const IndexOptions options{.extractor = UserExtractor{"throws"}};
  ASSERT_OK(db.put(people, "bad", "throw"));
  const Status refused = db.create_index(people, "i", options);
  EXPECT_CODE(kExtractFailed, refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("thrown"));
  EXPECT_THAT(db.list_indexes(), IsEmpty());
  IndexOptions later = options;
  later.wait = false;
  ASSERT_OK(db.create_index(people, "i", later));  // nobody waits who could be told: the index stays, as failed
  while (state(db, people) == IndexState::kBuilding) base::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(state(db, people), IndexState::kFailed);
  EXPECT_THAT(db.list_indexes()[0].error, HasSubstr("'bad'"));
  EXPECT_CODE(kIndexNotReady, db.query_index(people, "i", {}));
  ASSERT_OK(db.put(people, "worse", "throw"));
  EXPECT_CODE(kExtractFailed, db.rebuild_index(people, "i"));
  ASSERT_OK(db.erase(people, "worse"));
  ASSERT_OK(db.put(people, "bad", "good"));
  EXPECT_CODE(kIndexNotReady, db.query_index(people, "i", {}));
  ASSERT_OK(db.rebuild_index(people, "i"));
  EXPECT_CODE(kExtractFailed, db.put(people, "bad", "throw"));
  EXPECT_THAT(all_of(db, people, "i"), ElementsAre(Pair("good", "bad")));
}

}  // namespace
}  // namespace lightning::index
