// Limits: how many, how long, how large; and what lists and statistics say about it.
#include <gtest/gtest.h>

#include "txn/world.h"

namespace lightning::txn {
namespace {

using std::chrono::milliseconds;

TEST(Limits, OneTransactionTooManyIsRefusedUntilAnotherEnds) {
  World world;
  world.config().max_active_transactions = 3;
  world.run([](Database& db) {
    std::vector<Transaction> held;
    for (int i = 0; i < 3; ++i) held.push_back(std::move(*db.begin({.owner = "holder" + std::to_string(i)})));
    const auto refused = db.begin();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kTooManyTransactions);
    EXPECT_EQ(refused.error().category(), ErrorCategory::kRetryable);
    EXPECT_NE(refused.error().message().find("holder0"), std::string::npos) << refused.error().message();
    held.pop_back();
    EXPECT_OK(db.begin());
    EXPECT_EQ(db.stats().transactions.refused, 1u);
  });
}

TEST(Limits, AnIdleTransactionIsRolledBack) {
  World world;
  world.config().transaction_idle_timeout = milliseconds(100);
  world.run([](Database& db) {
    auto txn = db.begin();
    for (int i = 0; i < 5; ++i) {
      base::sleep_for(milliseconds(60));
      ASSERT_OK(txn->put("a", "1"));  // each call begins anew
    }
    base::sleep_for(milliseconds(120));
    const auto late = txn->get("a");
    EXPECT_CODE(kTransactionExpired, late);
    EXPECT_EQ(late.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_CODE(kTransactionExpired, txn->commit());
    EXPECT_EQ(txn->state(), TransactionState::kExpired);
    EXPECT_EQ(value_or(db.get("a")), "-");
    EXPECT_EQ(db.stats().transactions.expired, 1u);
    EXPECT_EQ(db.stats().live_snapshots, 0u);
  });
}

TEST(Limits, ATransactionThatTakesTooLongInAllIsRolledBack) {
  World world;
  world.run([](Database& db) {
    auto txn = db.begin({.total_timeout = milliseconds(100)});
    auto it = txn->iterate();
    Status last;
    for (int i = 0; i < 10 && last; ++i) {
      base::sleep_for(milliseconds(20));
      last = txn->put("a", "1");
    }
    EXPECT_CODE(kTransactionExpired, last);
    it.seek_to_first();
    EXPECT_FALSE(it.valid());
    EXPECT_CODE(kTransactionExpired, it.status());
  });
}

// The owner never calls again: the lock must go all the same, and what it pinned.
TEST(Limits, LocksOfAnIdleTransactionGoWhenSomebodyWaitsForThem) {
  World world;
  world.config().transaction_idle_timeout = milliseconds(100);
  world.config().lock_timeout = milliseconds(10'000);
  world.run([](Database& db) {
    auto idle = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(idle->put("a", "idle"));
    auto other = db.begin({.concurrency = Concurrency::kPessimistic, .idle_timeout = milliseconds(0)});
    EXPECT_OK(other->put("a", "other"));
    EXPECT_OK(other->commit());
    EXPECT_EQ(idle->state(), TransactionState::kExpired);

    auto again = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(again->put("a", "again"));
    EXPECT_OK(db.put("a", "plain"));
    EXPECT_EQ(again->state(), TransactionState::kExpired);
    EXPECT_EQ(value_or(db.get("a")), "plain");

    auto pins = db.begin();
    base::sleep_for(milliseconds(200));
    ASSERT_OK(db.flush());
    EXPECT_EQ(db.stats().live_snapshots, 0u);
  });
}

TEST(Limits, AWriteThatWouldNotFitIsRefusedAndTheRestCommits) {
  World world;
  world.config().transaction_memory_bytes = 64 << 10;
  world.run([](Database& db) {
    for (const auto concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
      auto txn = db.begin({.concurrency = concurrency});
      int written = 0;
      Status last;
      for (; written < 1000; ++written) {
        last = txn->put("key" + std::to_string(written), std::string(500, 'v'));
        if (!last) break;
        ASSERT_LE(txn->bytes(), 64u << 10);
      }
      EXPECT_CODE(kTransactionTooLarge, last);
      EXPECT_GT(written, 50);
      EXPECT_EQ(txn->operations(), static_cast<std::uint64_t>(written));
      EXPECT_OK(txn->commit());
      EXPECT_EQ(value_or(db.get("key" + std::to_string(written))), "-");
      EXPECT_EQ(value_or(db.get("key" + std::to_string(written - 1))), std::string(500, 'v'));
      for (int i = 0; i < written; ++i) ASSERT_OK(db.erase("key" + std::to_string(i)));
    }
  });
}

// What was read never makes a transaction fail: it is remembered more coarsely, and still every change is found.
TEST(Limits, ReadingMuchIsRememberedWithinTheMemoryAndForgetsNothing) {
  World world;
  world.config().transaction_memory_bytes = 64 << 10;
  world.run([](Database& db) {
    const auto key = [](int i) { return "key" + std::to_string(100'000 + i * 3); };
    for (const int changed : {0, 1, 700, 1999}) {
      auto txn = db.begin({.isolation = Isolation::kSerializable});
      for (int i = 0; i < 2000; ++i) {
        ASSERT_OK(txn->get(key(i)));
        ASSERT_LE(txn->bytes(), 64u << 10);
      }
      ASSERT_OK(txn->put("own", "1"));
      ASSERT_OK(db.put(key(changed), "1"));
      EXPECT_CODE(kConflict, txn->commit());
    }
    auto undisturbed = db.begin({.isolation = Isolation::kSerializable});
    for (int i = 0; i < 2000; ++i) ASSERT_OK(undisturbed->get(key(i)));
    ASSERT_OK(undisturbed->put("own", "1"));
    ASSERT_OK(db.put("zzz", "1"));
    EXPECT_OK(undisturbed->commit());
  });
}

TEST(Limits, ASnapshotThatIsTooOldIsLetGoAndSaysSo) {
  World world;
  world.config().snapshot_age_max = milliseconds(100);
  world.run([](Database& db) {
    ASSERT_OK(db.put("a", "1"));
    ASSERT_OK(db.flush());
    const Snapshot old = db.snapshot("report");
    auto txn = db.begin();
    Iterator it = db.iterate({.snapshot = &old});
    base::sleep_for(milliseconds(200));
    const Snapshot young = db.snapshot();
    ASSERT_OK(db.put("a", "2"));
    EXPECT_EQ(value_or(db.get("a", {.snapshot = &old})), "1");  // nobody has asked for the room yet
    ASSERT_OK(db.flush());
    ASSERT_OK(db.compact_range());
    const auto late = db.get("a", {.snapshot = &old});
    EXPECT_CODE(kSnapshotTooOld, late);
    EXPECT_NE(late.error().message().find("report"), std::string::npos);
    PinnedValue pinned;
    EXPECT_CODE(kSnapshotTooOld, db.get(db.default_keyspace(), "a", pinned, {.snapshot = &old}));
    EXPECT_CODE(kSnapshotTooOld, db.iterate({.snapshot = &old}).status());
    it.seek_to_first();  // made before: it keeps its files
    EXPECT_EQ(it.value(), "1");
    EXPECT_EQ(value_or(db.get("a", {.snapshot = &young})), "1");
    EXPECT_EQ(value_or(txn->get("a")), "1");
    EXPECT_EQ(db.snapshots().size(), 2u);
  });
}

TEST(Lists, SayWhoIsActiveForHowLongAndWhatIsPinned) {
  World world;
  world.run([](Database& db) {
    ASSERT_OK(db.put("a", "1"));
    const Snapshot snapshot = db.snapshot("report");
    auto txn = db.begin(
        {.isolation = Isolation::kSerializable, .concurrency = Concurrency::kPessimistic, .owner = "transfer"});
    ASSERT_OK(txn->put("a", "2"));
    base::sleep_for(milliseconds(30));
    for (int i = 0; i < 10; ++i) ASSERT_OK(db.put("b", std::string(100, 'v')));
    const auto transactions = db.transactions();
    ASSERT_EQ(transactions.size(), 1u);
    const TransactionInfo& info = transactions.front();
    EXPECT_EQ(info.id, txn->id());
    EXPECT_EQ(info.owner, "transfer");
    EXPECT_EQ(info.isolation, Isolation::kSerializable);
    EXPECT_EQ(info.concurrency, Concurrency::kPessimistic);
    EXPECT_GE(info.age, milliseconds(30));
    EXPECT_GE(info.idle, milliseconds(30));
    EXPECT_EQ(info.snapshot, txn->snapshot_sequence());
    EXPECT_EQ(info.writes_since, 10u);
    EXPECT_GT(info.pinned_bytes, 500u);
    EXPECT_EQ(info.locks, 1u);
    EXPECT_GT(info.bytes, 0u);
    EXPECT_EQ(info.waits_for, "");
    const auto snapshots = db.snapshots();
    ASSERT_EQ(snapshots.size(), 2u);
    EXPECT_EQ(snapshots[0].owner, "report");
    EXPECT_EQ(snapshots[0].transaction, 0u);
    EXPECT_EQ(snapshots[1].owner, "transfer");
    EXPECT_EQ(snapshots[1].transaction, txn->id());
    EXPECT_GE(snapshots[1].age, milliseconds(30));
    auto waits = spawn([&db] {
      auto other = db.begin({.concurrency = Concurrency::kPessimistic});
      EXPECT_CODE(kLockTimeout, other->put("a", "3"));
      EXPECT_TRUE(other->active());
    });
    std::string waits_for;
    while (waits_for.empty()) {
      base::sleep_for(milliseconds(1));
      for (const auto& each : db.transactions()) waits_for += each.waits_for;
    }
    EXPECT_EQ(waits_for, "'a'");
    waits.join();
    ASSERT_OK(txn->commit());
    const TransactionStatistics statistics = db.stats().transactions;
    EXPECT_EQ(statistics.begun, 2u);
    EXPECT_EQ(statistics.committed, 1u);
    EXPECT_EQ(statistics.rolled_back, 1u);
    EXPECT_EQ(statistics.lock_timeouts, 1u);
    EXPECT_EQ(statistics.lock_waits, 1u);
    EXPECT_GE(statistics.lock_wait_us, 50'000u);
    EXPECT_EQ(statistics.active, 0u);
  });
}

TEST(Locks, DeadlockNamesTheCycleAndRollsTheOneBackThatWouldCloseIt) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    world.config().lock_timeout = milliseconds(60'000);
    world.run([](Database& db) {
      auto one = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "one"});
      auto two = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "two"});
      ASSERT_OK(one->put("a", "1"));
      ASSERT_OK(two->put("b", "2"));
      Status of_one;
      auto waits = spawn([&] { of_one = one->put("b", "1"); });
      while (db.transactions().front().waits_for.empty()) base::sleep_for(milliseconds(1));
      const Status of_two = two->put("a", "2");
      ASSERT_FALSE(of_two);
      EXPECT_EQ(of_two.error().code(), ErrorCode::kDeadlock);
      EXPECT_NE(of_two.error().message().find("transaction " + std::to_string(two->id()) +
                                              " (two) at key 'a', which waits for transaction " +
                                              std::to_string(one->id()) + " (one) at key 'b'"),
                std::string::npos)
          << of_two.error().message();
      EXPECT_EQ(two->state(), TransactionState::kRolledBack);
      waits.join();
      EXPECT_OK(of_one);
      EXPECT_OK(one->commit());
      EXPECT_EQ(value_or(db.get("a")) + value_or(db.get("b")), "11");
      EXPECT_EQ(db.stats().transactions.deadlocks, 1u);
    });
  }
}

TEST(Locks, DeadlocksAreLeftToTheTimeoutWhereDetectionIsOff) {
  World world;
  world.config().enable_deadlock_detection = false;
  world.run([](Database& db) {
    auto one = db.begin({.concurrency = Concurrency::kPessimistic});
    auto two = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(one->put("a", "1"));
    ASSERT_OK(two->put("b", "2"));
    auto waits = spawn([&] { EXPECT_CODE(kLockTimeout, one->put("b", "1")); });
    while (db.transactions().front().waits_for.empty()) base::sleep_for(milliseconds(1));
    EXPECT_CODE(kLockTimeout, two->put("a", "2"));
    waits.join();
    EXPECT_EQ(db.stats().transactions.deadlocks, 0u);
    EXPECT_OK(one->commit());
    EXPECT_OK(two->commit());
  });
}

TEST(Locks, PlainWritesWaitForThemAndThenGoOn) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    world.config().lock_timeout = milliseconds(60'000);
    world.run([](Database& db) {
      auto txn = db.begin({.concurrency = Concurrency::kPessimistic});
      ASSERT_OK(txn->get_for_update("a"));
      bool ended = false;
      std::vector<base::Thread> writers;
      for (const char* key : {"a", "c"})
        writers.push_back(spawn([&, key] {
          ASSERT_OK(db.write(WriteBatch().put("b", "plain").put(key, "plain")));
          EXPECT_TRUE(ended || *key == 'c');
        }));
      base::sleep_for(milliseconds(5));
      EXPECT_EQ(value_or(db.get("a")) + value_or(db.get("c")), "-plain");
      ASSERT_OK(txn->put("a", "txn"));
      ended = true;
      ASSERT_OK(txn->commit());
      writers.clear();
      EXPECT_EQ(value_or(db.get("a")), "plain");
      EXPECT_EQ(db.stats().transactions.locked_keys, 0u);
    });
  }
}

TEST(Locks, PlainWritesGiveUpAtTheTimeout) {
  World world;
  world.config().lock_timeout = milliseconds(10);
  world.run([](Database& db) {
    auto txn = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "holder"});
    ASSERT_OK(txn->put("a", "txn"));
    const Status refused = db.put("a", "plain");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kLockTimeout);
    EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_NE(refused.error().message().find("(holder)"), std::string::npos) << refused.error().message();
    EXPECT_CODE(kLockTimeout, db.compare_and_set("a", std::nullopt, "cas"));
    auto optimistic = db.begin();
    ASSERT_OK(optimistic->put("a", "optimistic"));
    EXPECT_CODE(kConflict, optimistic->commit());
    ASSERT_OK(txn->commit());
    EXPECT_EQ(value_or(db.get("a")), "txn");
  });
}

// What a pessimistic transaction sees moves on while all that it read is locked: no conflict, whatever happened before.
TEST(Locks, ALockTakenLateSeesTheNewestValueIfNothingElseWasRead) {
  World world;
  world.run([](Database& db) {
    ASSERT_OK(db.put("a", "1"));
    ASSERT_OK(db.put("b", "1"));
    for (const auto isolation : {Isolation::kSnapshot, Isolation::kSerializable}) {
      auto txn = db.begin({.isolation = isolation, .concurrency = Concurrency::kPessimistic});
      ASSERT_OK(db.put("a", "2"));
      EXPECT_EQ(value_or(txn->get_for_update("a")), "2");
      ASSERT_OK(db.put("b", "2"));
      EXPECT_EQ(value_or(txn->get_for_update("b")), "2");
      ASSERT_OK(txn->put("b", "3"));
      EXPECT_OK(txn->commit());

      auto reader = db.begin({.isolation = isolation, .concurrency = Concurrency::kPessimistic});
      auto it = reader->iterate();
      it.seek_to_first();  // no lock protects what it saw
      ASSERT_OK(db.put("a", "9"));
      EXPECT_CODE(kConflict, reader->get_for_update("a"));
    }
  });
}

}  // namespace
}  // namespace lightning::txn
