// erase_range in transactions and beside them: own reads, conflicts, locks, and keyspaces whose keys are followed.
#include <gtest/gtest.h>

#include "txn/world.h"

namespace lightning::txn {
namespace {

constexpr Isolation kFixed[] = {Isolation::kSnapshot, Isolation::kSerializable};
constexpr Concurrency kBoth[] = {Concurrency::kOptimistic, Concurrency::kPessimistic};

std::string keys_of(Iterator it) {
  std::string forward, backward;
  for (it.seek_to_first(); it.valid(); it.next()) forward += it.key();
  for (it.seek_to_last(); it.valid(); it.prev()) backward.insert(0, it.key());
  EXPECT_OK(it.status());
  EXPECT_EQ(forward, backward);
  return forward;
}

void fill(Database& db, const std::string& keys) {
  WriteBatch batch;
  batch.erase_range({});
  for (const char key : keys) batch.put(std::string(1, key), "0");
  ASSERT_OK(db.write(batch));
}

TEST(EraseRange, InATransactionHidesWhatItWroteBeforeAndNotWhatItWritesAfterwards) {
  World().run([](Database& db) {
    for (const Isolation isolation : {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable})
      for (const Concurrency concurrency : kBoth) {
        fill(db, "acegi");
        auto txn = db.begin({.isolation = isolation, .concurrency = concurrency});
        ASSERT_OK(txn->put("b", "1"));
        ASSERT_OK(txn->put("h", "1"));
        const auto savepoint = txn->set_savepoint();
        ASSERT_OK(savepoint);
        ASSERT_OK(txn->erase_range({.start = "b", .end = "g"}));
        EXPECT_EQ(keys_of(txn->iterate()), "aghi");
        ASSERT_OK(txn->put("c", "1"));
        EXPECT_EQ(keys_of(txn->iterate()), "acghi");
        EXPECT_EQ(value_or(txn->get("b")) + value_or(txn->get("c")) + value_or(txn->get("e")), "-1-");
        EXPECT_EQ(value_or(txn->get_for_update("e")) + value_or(txn->get("g")), "-0");
        const std::string_view keys[] = {"b", "c", "e", "g"};
        const auto many = txn->multi_get(db.default_keyspace(), keys);
        ASSERT_OK(many);
        EXPECT_EQ(
            (*many)[0].value_or("-") + (*many)[1].value_or("-") + (*many)[2].value_or("-") + (*many)[3].value_or("-"),
            "-1-0");
        ASSERT_OK(txn->rollback_to(*savepoint));
        EXPECT_EQ(keys_of(txn->iterate()), "abceghi");
        EXPECT_EQ(value_or(txn->get("b")), "1");
        ASSERT_OK(txn->erase_range({.start = "h", .end = std::nullopt}));
        ASSERT_OK(txn->erase_range({.start = std::nullopt, .end = "b"}));
        EXPECT_EQ(keys_of(txn->iterate()), "bceg");
        EXPECT_EQ(keys_of(db.iterate()), "acegi") << "nobody else sees it yet";
        ASSERT_OK(txn->commit());
        EXPECT_EQ(keys_of(db.iterate()), "bceg");
      }
  });
}

TEST(EraseRange, WithoutRecordsCommitsAndWithoutKeysChangesNothing) {
  World().run([](Database& db) {
    fill(db, "ac");
    auto txn = db.begin();
    ASSERT_OK(txn->erase_range({.start = "b", .end = "b"}));
    ASSERT_OK(txn->erase_range({.start = std::nullopt, .end = ""}));
    EXPECT_EQ(keys_of(txn->iterate()), "ac");
    ASSERT_OK(txn->commit());
    EXPECT_EQ(keys_of(db.iterate()), "ac");
  });
}

TEST(EraseRange, ThatIsWrongIsRefusedAndTheTransactionStaysAsItWas) {
  World().run([](Database& db) {
    fill(db, "ac");
    auto txn = db.begin();
    EXPECT_CODE(kInvertedRange, txn->erase_range({.start = "c", .end = "a"}));
    EXPECT_CODE(kInvertedRange, txn->erase_range({.start = "c", .end = ""}));
    EXPECT_CODE(kKeyTooLarge, txn->erase_range({.start = std::string(kKeyBytesMax + 1, 'k'), .end = std::nullopt}));
    EXPECT_EQ(txn->operations(), 0u);
    EXPECT_EQ(keys_of(txn->iterate()), "ac");
    ASSERT_OK(txn->commit());
    EXPECT_CODE(kTransactionEnded, txn->erase_range({}));
    auto reader = db.begin({.read_only = true});
    EXPECT_CODE(kReadOnlyTransaction, reader->erase_range({}));
    EXPECT_CODE(kInvertedRange, db.erase_range({.start = "c", .end = "a"}));
    EXPECT_CODE(kInvertedRange, db.write(WriteBatch().put("x", "1").erase_range({.start = "c", .end = "a"})));
    EXPECT_EQ(keys_of(db.iterate()), "ac");
  });
}

// What somebody else writes between begin and commit, and whether the transaction that erases [c, g) may go on.
TEST(EraseRange, OfATransactionMeetsWhateverWasWrittenInIt) {
  World().run([](Database& db) {
    struct Case {
      const char* what;
      std::function<Status(Database&)> write;
      bool conflict;
    };
    const Case cases[] = {
        {"a record of it", [](Database& to) { return to.put("e", "1"); }, true},
        {"a new record in it", [](Database& to) { return to.put("d", "1"); }, true},
        {"its first key", [](Database& to) { return to.put("c", "1"); }, true},
        {"its end", [](Database& to) { return to.put("g", "1"); }, false},
        {"an erase in it", [](Database& to) { return to.erase("e"); }, true},
        {"a range that overlaps", [](Database& to) { return to.erase_range({.start = "f", .end = "z"}); }, true},
        {"a range that touches", [](Database& to) { return to.erase_range({.start = "g", .end = "z"}); }, false},
        {"nothing near", [](Database& to) { return to.put("a", "1"); }, false},
    };
    for (const Isolation isolation : kFixed)
      for (const Concurrency concurrency : kBoth)
        for (const bool flushed : {false, true})
          for (const Case& one : cases) {
            SCOPED_TRACE(std::string(one.what) + (flushed ? ", flushed" : ""));
            fill(db, "acegi");
            auto txn = db.begin({.isolation = isolation, .concurrency = concurrency});
            ASSERT_OK(txn->get("zz"));
            ASSERT_OK(txn->erase_range({.start = "c", .end = "g"}));
            ASSERT_OK(one.write(db));
            if (flushed) {
              ASSERT_OK(db.flush());
              ASSERT_OK(db.compact_range());
            }
            const auto committed = txn->commit();
            EXPECT_EQ(committed.has_value(), !one.conflict);
            if (!committed) {
              EXPECT_EQ(committed.error().code(), ErrorCode::kConflict) << committed.error().to_string();
              EXPECT_EQ(committed.error().outcome(), WriteOutcome::kNotApplied);
            }
          }
  });
}

TEST(EraseRange, AtReadCommittedErasesWhatWasCommittedMeanwhile) {
  World().run([](Database& db) {
    fill(db, "acegi");
    auto txn = db.begin({.isolation = Isolation::kReadCommitted});
    ASSERT_OK(txn->erase_range({.start = "c", .end = "g"}));
    ASSERT_OK(db.put("d", "1"));
    EXPECT_EQ(keys_of(txn->iterate()), "agi");
    ASSERT_OK(txn->commit());
    EXPECT_EQ(keys_of(db.iterate()), "agi");
  });
}

// The other way round: whoever read or wrote a key before it was erased in a range.
TEST(EraseRange, IsAWriteToEveryKeyOfItForOthers) {
  World().run([](Database& db) {
    for (const Concurrency concurrency : kBoth)
      for (const bool by_transaction : {false, true})
        for (const bool flushed : {false, true}) {
          const auto erase = [&] {
            if (by_transaction) {
              auto other = db.begin();
              ASSERT_OK(other->erase_range({.start = "c", .end = "g"}));
              ASSERT_OK(other->commit());
            } else {
              ASSERT_OK(db.erase_range({.start = "c", .end = "g"}));
            }
            if (flushed) {
              ASSERT_OK(db.flush());
              ASSERT_OK(db.compact_range());
            }
          };
          fill(db, "acegi");
          auto writer = db.begin({.isolation = Isolation::kSnapshot});
          ASSERT_OK(writer->put("d", "1"));
          auto reader = db.begin({.isolation = Isolation::kSerializable, .concurrency = Concurrency::kOptimistic});
          ASSERT_OK(reader->get("e"));
          ASSERT_OK(reader->put("r", "1"));
          auto scanner = db.begin({.isolation = Isolation::kSerializable, .concurrency = concurrency});
          EXPECT_EQ(keys_of(scanner->iterate({.lower_bound = "f", .upper_bound = "h"})), "g");
          ASSERT_OK(scanner->put("s", "1"));
          auto elsewhere = db.begin({.isolation = Isolation::kSerializable, .concurrency = concurrency});
          EXPECT_EQ(keys_of(elsewhere->iterate({.lower_bound = "g", .upper_bound = "i"})), "g");
          ASSERT_OK(elsewhere->put("t", "1"));
          erase();
          EXPECT_CODE(kConflict, writer->commit());
          EXPECT_CODE(kConflict, reader->commit());
          EXPECT_CODE(kConflict, scanner->commit());  // it saw nothing in [f, g), where something could have been
          EXPECT_OK(elsewhere->commit());
        }
  });
}

TEST(EraseRange, OfATransactionDoesNotPassLocksOfOthers) {
  World().run([](Database& db) {
    fill(db, "acegi");
    auto holder = db.begin({.concurrency = Concurrency::kPessimistic, .owner = "the holder"});
    ASSERT_OK(holder->get_for_update("e"));
    auto txn = db.begin();
    ASSERT_OK(txn->erase_range({.start = "c", .end = "g"}));
    const auto refused = txn->commit();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kConflict);
    EXPECT_NE(refused.error().message().find("'e'"), std::string::npos) << refused.error().message();
    EXPECT_NE(refused.error().message().find("the holder"), std::string::npos) << refused.error().message();
    auto beside = db.begin();
    ASSERT_OK(beside->erase_range({.start = "f", .end = std::nullopt}));
    EXPECT_OK(beside->commit());
    auto own = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(own->get_for_update("a"));
    ASSERT_OK(own->erase_range({.start = std::nullopt, .end = "c"}));
    EXPECT_OK(own->commit());  // its own locks are no hindrance
    ASSERT_OK(holder->put("e", "1"));
    ASSERT_OK(holder->commit());
    EXPECT_EQ(keys_of(db.iterate()), "ce");
  });
}

TEST(EraseRange, OfAPlainWriteWaitsForLocks) {
  World().run([](Database& db) {
    fill(db, "acegi");
    auto holder = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(holder->get_for_update("e"));
    ASSERT_OK(holder->put("e", "1"));
    bool erased = false;
    base::Thread other = spawn([&] {
      EXPECT_OK(db.erase_range({.start = "c", .end = "g"}));
      erased = true;
    });
    base::sleep_for(std::chrono::milliseconds(5));
    EXPECT_FALSE(erased);
    ASSERT_OK(holder->commit());
    other.join();
    EXPECT_EQ(keys_of(db.iterate()), "agi") << "it came after the transaction";
    auto stays = db.begin({.concurrency = Concurrency::kPessimistic});
    ASSERT_OK(stays->get_for_update("g"));
    EXPECT_CODE(kLockTimeout, db.erase_range({}));
    EXPECT_EQ(keys_of(db.iterate()), "agi");
  });
}

// Where keys are counted, each one that goes is met.
TEST(EraseRange, OfACountedKeyspaceKeepsTheCountExact) {
  World world;
  world.config().transaction_memory_bytes = 64 << 10;
  world.run([](Database& db) {
    const auto orders = db.create_keyspace("orders", {.counted = true});
    ASSERT_OK(orders);
    const auto expect_count = [&](std::uint64_t records) {
      const auto count = db.count(*orders);
      ASSERT_OK(count);
      EXPECT_TRUE(count->exact);
      EXPECT_EQ(count->records, records);
    };
    for (int i = 100; i < 200; ++i) ASSERT_OK(db.put(*orders, std::to_string(i), "v"));
    ASSERT_OK(db.erase_range(*orders, {.start = "110", .end = "120"}));
    expect_count(90);
    ASSERT_OK(db.erase_range(*orders, {.start = "110", .end = "120"}));
    expect_count(90);
    auto txn = db.begin();
    ASSERT_OK(txn->put(*orders, "115", "v"));
    ASSERT_OK(txn->erase_range(*orders, {.start = "100", .end = "130"}));
    ASSERT_OK(txn->put(*orders, "100", "v"));
    expect_count(90);
    ASSERT_OK(txn->commit());
    expect_count(71);
    EXPECT_CODE(kNotSupported, db.write(WriteBatch().put("x", "1").erase_range(*orders, {})));
    EXPECT_CODE(kInvertedRange, db.erase_range(*orders, {.start = "b", .end = "a"}));
    expect_count(71);
    EXPECT_EQ(value_or(db.get("x")), "-") << "all of a batch or nothing";
    // Beside it, in one batch, ranges of others are ranges.
    ASSERT_OK(db.put("gone", "1"));
    ASSERT_OK(db.write(
        WriteBatch().put(*orders, "900", "v").erase_range({}).put("there", "1").erase(*orders, "901").put("x", "1")));
    expect_count(72);
    EXPECT_EQ(value_or(db.get("gone")) + value_or(db.get("there")) + value_or(db.get("x")), "-11");
    ASSERT_OK(db.erase_range(*orders, {}));
    expect_count(0);
    for (int i = 1000; i < 3000; ++i) ASSERT_OK(db.put(*orders, std::to_string(i), "v"));
    const auto refused = db.erase_range(*orders, {});
    EXPECT_CODE(kTransactionTooLarge, refused);
    EXPECT_NE(refused.error().message().find("in parts"), std::string::npos) << refused.error().message();
    expect_count(2000);
    EXPECT_TRUE(db.transactions().empty());
    for (const Concurrency concurrency : kBoth) {
      auto all_or_none = db.begin({.concurrency = concurrency});
      ASSERT_OK(all_or_none->put(*orders, "1000", "w"));
      EXPECT_CODE(kTransactionTooLarge, all_or_none->erase_range(*orders, {}));
      EXPECT_EQ(all_or_none->operations(), 1u);
      ASSERT_OK(all_or_none->erase_range(*orders, {.start = "2900", .end = std::nullopt}));
      ASSERT_OK(all_or_none->rollback());
    }
    const auto report = db.check();
    ASSERT_OK(report);
    EXPECT_TRUE(report->findings.empty());
  });
}

// Whatever else is written into the range, the outcome is that of some order.
TEST(EraseRange, OfACountedKeyspaceMeetsWhatIsWrittenInItMeanwhile) {
  World().run([](Database& db) {
    const auto orders = db.create_keyspace("orders", {.counted = true});
    ASSERT_OK(orders);
    for (const Isolation isolation : kFixed)
      for (const Concurrency concurrency : kBoth)
        for (const char* key : {"c", "d", "f"}) {
          SCOPED_TRACE(key);
          for (const char* filled : {"a", "c", "e"}) ASSERT_OK(db.put(*orders, filled, "0"));
          auto txn = db.begin({.isolation = isolation, .concurrency = concurrency});
          ASSERT_OK(txn->get(*orders, "a"));
          const bool locked = concurrency == Concurrency::kPessimistic && *key == 'c';
          ASSERT_OK(txn->erase_range(*orders, {.start = "b", .end = "f"}));
          if (locked) {
            EXPECT_CODE(kLockTimeout, db.put(*orders, key, "1"));
          } else {
            ASSERT_OK(db.put(*orders, key, "1"));
          }
          const auto committed = txn->commit();
          if (locked || *key == 'f') {
            EXPECT_OK(committed);
          } else {
            EXPECT_CODE(kConflict, committed);
          }
          const auto count = db.count(*orders);
          EXPECT_EQ(count->records, keys_of(db.iterate(*orders)).size());
          ASSERT_OK(db.erase_range(*orders, {}));
          EXPECT_EQ(db.count(*orders)->records, 0u);
        }
    // The other way round: who read or wrote one of its keys before.
    ASSERT_OK(db.put(*orders, "c", "0"));
    auto writer = db.begin();
    ASSERT_OK(writer->put(*orders, "c", "1"));
    auto scanner = db.begin({.isolation = Isolation::kSerializable});
    EXPECT_EQ(keys_of(scanner->iterate(*orders)), "c");
    ASSERT_OK(scanner->put("z", "1"));
    ASSERT_OK(db.erase_range(*orders, {}));
    EXPECT_CODE(kConflict, writer->commit());
    EXPECT_CODE(kConflict, scanner->commit());
    EXPECT_EQ(db.count(*orders)->records, 0u);
  });
}

}  // namespace
}  // namespace lightning::txn
