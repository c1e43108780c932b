// Counted keyspaces: the number is right after every kind of write, after every crash, and beside any other writer.
#include <gtest/gtest.h>

#include "support/child_process.h"
#include "support/simulated_seeds.h"
#include "txn/world.h"

namespace lightning::txn {
namespace {

std::uint64_t scanned(const Database& db, const Keyspace& keyspace) {
  std::uint64_t keys = 0;
  Iterator it = db.iterate(keyspace);
  for (it.seek_to_first(); it.valid(); it.next()) ++keys;
  EXPECT_OK(it.status());
  return keys;
}

void expect_count(const Database& db, const Keyspace& keyspace, std::uint64_t records) {
  const auto count = db.count(keyspace);
  ASSERT_OK(count);
  EXPECT_TRUE(count->exact);
  EXPECT_EQ(count->records, records);
}

TEST(Count, FollowsEveryKindOfWrite) {
  World().run([](Database& db) {
    const auto made = db.create_keyspace("orders", {.counted = true});
    ASSERT_OK(made);
    const Keyspace& orders = *made;
    expect_count(db, orders, 0);
    ASSERT_OK(db.put(orders, "a", "1"));
    ASSERT_OK(db.put(orders, "a", "2"));
    expect_count(db, orders, 1);
    ASSERT_OK(db.erase(orders, "nothing"));
    ASSERT_OK(db.erase(orders, "a"));
    ASSERT_OK(db.erase(orders, "a"));
    expect_count(db, orders, 0);

    ASSERT_OK(db.write(WriteBatch().put(orders, "b", "1").put(orders, "c", "1").put(orders, "b", "2")));
    expect_count(db, orders, 2);
    ASSERT_OK(db.write(WriteBatch().erase(orders, "b").put(orders, "b", "3").erase(orders, "c").put("other", "x")));
    expect_count(db, orders, 1);
    ASSERT_OK(db.write(WriteBatch().put(orders, "d", "1").erase(orders, "d").erase(orders, "d")));
    expect_count(db, orders, 1);

    ASSERT_OK(db.put_if_absent(orders, "e", "1"));
    ASSERT_OK(db.put_if_absent(orders, "e", "2"));
    expect_count(db, orders, 2);
    ASSERT_OK(db.compare_and_set(orders, "e", "1", std::nullopt));
    ASSERT_OK(db.compare_and_set(orders, "e", "1", std::nullopt));
    expect_count(db, orders, 1);

    auto txn = db.begin();
    ASSERT_OK(txn);
    ASSERT_OK(txn->put(orders, "f", "1"));
    ASSERT_OK(txn->put(orders, "g", "1"));
    ASSERT_OK(txn->erase(orders, "b"));
    expect_count(db, orders, 1);
    ASSERT_OK(txn->commit());
    expect_count(db, orders, 2);
    auto undone = db.begin();
    ASSERT_OK(undone);
    ASSERT_OK(undone->put(orders, "h", "1"));
    ASSERT_OK(undone->rollback());
    expect_count(db, orders, 2);
    EXPECT_EQ(scanned(db, orders), 2u);
  });
}

TEST(Count, IsThereAfterReopeningWithAndWithoutTables) {
  World world;
  world.run([](Database& db) {
    const auto orders = db.create_keyspace("orders", {.counted = true});
    ASSERT_OK(orders);
    for (int i = 0; i < 300; ++i) ASSERT_OK(db.put(*orders, "key " + std::to_string(i), "v"));
    ASSERT_OK(db.flush());
    for (int i = 0; i < 100; ++i) ASSERT_OK(db.erase(*orders, "key " + std::to_string(i)));
    expect_count(db, *orders, 200);
  });
  for (int life = 0; life < 3; ++life)
    world.run([life](Database& db) {
      const auto orders = db.keyspace("orders");
      ASSERT_OK(orders);
      EXPECT_TRUE(orders->options().counted);
      expect_count(db, *orders, 200u + static_cast<unsigned>(life));
      ASSERT_OK(db.put(*orders, "life " + std::to_string(life), "v"));
      if (life == 1) ASSERT_OK(db.compact_range(*orders));
    });
  const auto reader = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), true);
  ASSERT_OK(reader);
  const auto orders = reader->keyspace("orders");
  ASSERT_OK(orders);
  expect_count(*reader, *orders, 203);
}

TEST(Count, OfAnotherKeyspaceIsAnEstimateThatSaysSo) {
  World().run([](Database& db) {
    for (int i = 0; i < 1000; ++i) ASSERT_OK(db.put("key " + std::to_string(i), "v"));
    ASSERT_OK(db.flush());
    const auto count = db.count();
    ASSERT_OK(count);
    EXPECT_FALSE(count->exact);
    EXPECT_EQ(count->records, 1000u);
    EXPECT_CODE(kInvalidArgument, db.count(Keyspace()));
  });
}

TEST(Count, ARefusedWriteChangesNothing) {
  World().run([](Database& db) {
    const auto orders = db.create_keyspace("orders", {.counted = true});
    const auto gone = db.create_keyspace("gone");
    ASSERT_OK(gone);
    ASSERT_OK(db.drop_keyspace("gone"));
    EXPECT_CODE(kKeyspaceNotFound, db.write(WriteBatch().put(*orders, "a", "1").put(*gone, "b", "1")));
    EXPECT_CODE(kKeyEmpty, db.write(WriteBatch().put(*orders, "a", "1").put(*orders, "", "1")));
    EXPECT_CODE(kKeyEmpty, db.put(*orders, "", "1"));
    expect_count(db, *orders, 0);
  });
}

// Writers of every kind on a small disk that dies; after each death, what is counted is what is there.
void live_and_die(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  env::Dice dice(seed);
  env::SimulatedDiskOptions disk;
  disk.write_back = dice.one_in(2);
  env::SimulatedWorld world(seed, disk);
  LightningDbConfig config = sim::small_config();
  config.wal_sync_mode = dice.one_in(2) ? WalSyncMode::kSync : WalSyncMode::kAsync;
  config.memtable_bytes = dice.one_in(2) ? 2 << 10 : 32 << 10;
  config.lock_timeout = std::chrono::milliseconds(5);

  const auto write = [](Database& db, const Keyspace& orders, env::Dice& choice) {
    const auto key = [&] { return "key " + std::to_string(choice.below(40)); };
    switch (choice.below(7)) {
      case 0:
        return db.erase(orders, key()).has_value();
      case 1:
        return db.write(WriteBatch().put(orders, key(), "b").erase(orders, key()).put(orders, key(), "c")).has_value();
      case 2:
        return db.put_if_absent(orders, key(), "d").has_value();
      case 3:
        return db.compare_and_set(orders, key(), "d", std::nullopt).has_value();
      case 4: {
        TransactionOptions options;
        options.concurrency = choice.one_in(2) ? Concurrency::kOptimistic : Concurrency::kPessimistic;
        auto txn = db.begin(options);
        if (!txn) return false;
        for (int i = 0; i < 3; ++i)
          if (!(choice.one_in(2) ? txn->put(orders, key(), "t") : txn->erase(orders, key()))) return true;
        return txn->commit().has_value() || true;
      }
      case 5:
        if (choice.one_in(8)) return db.flush().has_value();
        [[fallthrough]];
      default:
        return db.put(orders, key(), std::string(choice.below(60), 'v')).has_value();
    }
  };
  for (int life = 0; life < 4; ++life) {
    if (life < 3)
      world.files.set_crash_at(10 + dice.below(400), static_cast<env::CrashStage>(dice.below(3)),
                               [] { base::FiberScheduler::current()->kill_world(); });
    base::FiberScheduler fibers(dice.next(), {.steps_max = 30'000'000});
    const base::WorldEnd end = fibers.run([&] {
      auto db = DatabaseAccess::open_as_given(world.env, "/store", config);
      ASSERT_OK(db);
      auto orders = db->get_or_create_keyspace("orders", {.counted = true});
      if (!orders) return;
      expect_count(*db, *orders, scanned(*db, *orders));
      std::vector<base::Thread> writers;
      for (int w = 0; w < 3; ++w)
        writers.push_back(spawn([&, own = dice.next()] {
          env::Dice choice(own);
          for (int i = 0; i < 40; ++i) write(*db, *orders, choice);
        }));
      writers.clear();
      expect_count(*db, *orders, scanned(*db, *orders));
      ASSERT_OK(db->close());
    });
    world.files.cancel_crash();
    ASSERT_TRUE(end == base::WorldEnd::kFinished || end == base::WorldEnd::kKilled) << fibers.report();
    if (end == base::WorldEnd::kKilled) world.files.crash(static_cast<env::CrashMode>(dice.below(3)));
  }
}

TEST(Count, EqualsAScanAfterEveryCrash) {
  constexpr std::uint64_t kSeeds = testing_support::simulated_seeds(300), kTogether = 60;
  for (std::uint64_t first = 1; first <= kSeeds; first += kTogether)
    EXPECT_TRUE(testing_support::passes_in_child([first] {
      for (std::uint64_t seed = first; seed < first + kTogether && seed <= kSeeds && !testing::Test::HasFailure();
           ++seed)
        live_and_die(seed);
    })) << "seeds from "
        << first;
}

// On real threads: nobody sees half a batch counted.
TEST(Count, NeverShowsHalfABatch) {
  env::SimulatedWorld world(1);
  auto db = DatabaseAccess::open_as_given(world.env, "/store", sim::small_config());
  ASSERT_OK(db);
  const auto orders = db->create_keyspace("orders", {.counted = true});
  ASSERT_OK(orders);
  std::atomic<bool> done{false};
  std::vector<base::Thread> threads;
  for (int w = 0; w < 3; ++w)
    threads.push_back(spawn([&, w] {
      const std::string a = "a" + std::to_string(w), b = "b" + std::to_string(w);
      for (int i = 0; i < 2000; ++i) {
        EXPECT_OK(db->write(WriteBatch().put(*orders, a, "1").put(*orders, b, "1")));
        EXPECT_OK(db->write(WriteBatch().erase(*orders, b).erase(*orders, a)));
      }
    }));
  threads.push_back(spawn([&] {
    while (!done.load()) {
      const auto count = db->count(*orders);
      EXPECT_EQ(count->records % 2, 0u);
      EXPECT_LE(count->records, 6u);
    }
  }));
  for (int w = 0; w < 3; ++w) threads[static_cast<std::size_t>(w)].join();
  done.store(true);
  threads.clear();
  expect_count(*db, *orders, 0);
}

}  // namespace
}  // namespace lightning::txn
