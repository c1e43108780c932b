// What a transaction promises to its owner: own writes, savepoints, the end, and every call that is wrong.
#include <gtest/gtest.h>

#include <map>

#include "txn/world.h"

namespace lightning::txn {
namespace {

const TransactionOptions kEveryKind[] = {
    {.isolation = Isolation::kReadCommitted, .concurrency = Concurrency::kOptimistic},
    {.isolation = Isolation::kReadCommitted, .concurrency = Concurrency::kPessimistic},
    {.isolation = Isolation::kSnapshot, .concurrency = Concurrency::kOptimistic},
    {.isolation = Isolation::kSnapshot, .concurrency = Concurrency::kPessimistic},
    {.isolation = Isolation::kSerializable, .concurrency = Concurrency::kOptimistic},
    {.isolation = Isolation::kSerializable, .concurrency = Concurrency::kPessimistic},
};

std::string walk(Transaction& txn, const IterateOptions& options = {}) {
  std::string forward, backward;
  auto it = txn.iterate(options);
  for (it.seek_to_first(); it.valid(); it.next())
    forward += std::string(it.key()) + "=" + std::string(it.value()) + " ";
  EXPECT_OK(it.status());
  for (it.seek_to_last(); it.valid(); it.prev())
    backward = std::string(it.key()) + "=" + std::string(it.value()) + " " + backward;
  EXPECT_OK(it.status());
  EXPECT_EQ(forward, backward);
  return forward;
}

TEST(Transaction, SeesItsOwnWritesAndNobodyElseDoesBeforeTheCommit) {
  World world;
  world.run([](Database& db) {
    for (const TransactionOptions& options : kEveryKind) {
      ASSERT_OK(db.put("a", "old"));
      ASSERT_OK(db.erase("b"));
      auto txn = db.begin(options);
      ASSERT_OK(txn);
      ASSERT_OK(txn->put("a", "new"));
      ASSERT_OK(txn->put("b", "1"));
      EXPECT_EQ(value_or(txn->get("a")), "new");
      EXPECT_EQ(value_or(txn->get_for_update("b")), "1");
      ASSERT_OK(txn->erase("a"));
      EXPECT_EQ(value_or(txn->get("a")), "-");
      const std::string_view keys[] = {"a", "b", "c"};
      const auto many = txn->multi_get(db.default_keyspace(), keys);
      ASSERT_OK(many);
      EXPECT_EQ((*many)[0].value_or("-") + (*many)[1].value_or("-") + (*many)[2].value_or("-"), "-1-");
      EXPECT_EQ(value_or(db.get("a")) + value_or(db.get("b")), "old-");
      EXPECT_EQ(txn->operations(), 2u);
      const auto committed = txn->commit();
      ASSERT_OK(committed);
      EXPECT_EQ(*committed, db.snapshot().sequence());
      EXPECT_EQ(txn->state(), TransactionState::kCommitted);
      EXPECT_EQ(value_or(db.get("a")) + value_or(db.get("b")), "-1");
    }
  });
}

TEST(Transaction, IsForgottenByRollbackAndByItsDestructor) {
  World world;
  world.run([](Database& db) {
    for (const TransactionOptions& options : kEveryKind) {
      auto txn = db.begin(options);
      ASSERT_OK(txn->put("a", "1"));
      ASSERT_OK(txn->rollback());
      EXPECT_EQ(txn->state(), TransactionState::kRolledBack);
      {
        auto dropped = db.begin(options);
        ASSERT_OK(dropped->put("a", "2"));
      }
      EXPECT_EQ(value_or(db.get("a")), "-");
      EXPECT_TRUE(db.transactions().empty());
      EXPECT_EQ(db.stats().transactions.locked_keys, 0u);
      EXPECT_EQ(db.stats().live_snapshots, 0u);
    }
  });
}

TEST(Transaction, AnswersEveryCallAfterItsEndWithTransactionEnded) {
  World world;
  world.run([](Database& db) {
    for (const bool commit : {true, false}) {
      auto txn = db.begin();
      ASSERT_OK(txn->put("a", "1"));
      auto it = txn->iterate();
      it.seek_to_first();
      EXPECT_TRUE(it.valid());
      if (commit) {
        ASSERT_OK(txn->commit());
      } else {
        ASSERT_OK(txn->rollback());
      }
      EXPECT_CODE(kTransactionEnded, txn->commit());
      EXPECT_CODE(kTransactionEnded, txn->rollback());
      EXPECT_CODE(kTransactionEnded, txn->put("a", "2"));
      EXPECT_CODE(kTransactionEnded, txn->erase("a"));
      EXPECT_CODE(kTransactionEnded, txn->get("a"));
      EXPECT_CODE(kTransactionEnded, txn->get_for_update("a"));
      EXPECT_CODE(kTransactionEnded, txn->multi_get(db.default_keyspace(), {}));
      EXPECT_CODE(kTransactionEnded, txn->set_savepoint());
      EXPECT_CODE(kTransactionEnded, txn->rollback_to({}));
      EXPECT_CODE(kTransactionEnded, txn->iterate().status());
      EXPECT_FALSE(it.valid());
      it.seek_to_first();
      EXPECT_FALSE(it.valid());
      EXPECT_CODE(kTransactionEnded, it.status());
      EXPECT_EQ(txn->put("a", "2").error().outcome(), commit ? WriteOutcome::kApplied : WriteOutcome::kNotApplied);
    }
    Transaction never;
    EXPECT_CODE(kTransactionEnded, never.put("a", "1"));
    EXPECT_CODE(kTransactionEnded, never.commit());
    auto txn = db.begin();
    Transaction moved = std::move(*txn);
    EXPECT_CODE(kTransactionEnded, txn->get("a"));
    EXPECT_OK(moved.get("a"));
  });
}

TEST(Transaction, RefusesWrongArgumentsAndStaysAsItWas) {
  World world;
  world.run([](Database& db) {
    auto txn = db.begin();
    ASSERT_OK(txn->put("a", "1"));
    EXPECT_CODE(kKeyEmpty, txn->put("", "1"));
    EXPECT_CODE(kKeyTooLarge, txn->put(std::string(kKeyBytesMax + 1, 'k'), "1"));
    EXPECT_CODE(kInvalidArgument, txn->put(Keyspace(), "a", "1"));
    const Snapshot snapshot = db.snapshot();
    EXPECT_CODE(kInvalidArgument, txn->iterate({.snapshot = &snapshot}).status());
    EXPECT_OK(txn->commit());
    EXPECT_EQ(value_or(db.get("a")), "1");
    EXPECT_CODE(kInvalidArgument, db.begin({.lock_timeout = std::chrono::milliseconds(-1)}));
    EXPECT_CODE(kInvalidArgument, db.begin({.isolation = static_cast<Isolation>(9)}));
  });
}

TEST(Transaction, ReadOnlyRefusesWritesAndReadsOneMoment) {
  World world;
  world.run([](Database& db) {
    ASSERT_OK(db.put("a", "1"));
    auto txn = db.begin({.isolation = Isolation::kSerializable, .read_only = true});
    EXPECT_CODE(kReadOnlyTransaction, txn->put("a", "2"));
    EXPECT_CODE(kReadOnlyTransaction, txn->erase("a"));
    EXPECT_CODE(kReadOnlyTransaction, txn->get_for_update("a"));
    ASSERT_OK(db.put("a", "2"));
    EXPECT_EQ(value_or(txn->get("a")), "1");
    EXPECT_OK(txn->commit());
  });
}

TEST(Transaction, WritesToSeveralKeyspacesAtOneSequence) {
  World world;
  world.run([](Database& db) {
    const auto other = db.create_keyspace("other");
    auto txn = db.begin();
    ASSERT_OK(txn->put("a", "1"));
    ASSERT_OK(txn->put(*other, "a", "2"));
    EXPECT_EQ(value_or(txn->get(*other, "a")), "2");
    ASSERT_OK(txn->commit());
    EXPECT_EQ(value_or(db.get("a")) + value_or(db.get(*other, "a")), "12");

    auto late = db.begin();
    ASSERT_OK(late->put(*other, "a", "3"));
    ASSERT_OK(late->put("a", "3"));
    ASSERT_OK(db.drop_keyspace("other"));
    EXPECT_CODE(kKeyspaceNotFound, late->commit());
    EXPECT_EQ(value_or(db.get("a")), "1");
  });
}

TEST(Transaction, AnswersClosedOnceItsDatabaseIs) {
  World world;
  world.run([](Database& db) {
    for (const TransactionOptions& options : kEveryKind) {
      auto other = DatabaseAccess::open_as_given(DatabaseAccess::env(db), "/other", {});
      ASSERT_OK(other);
      auto reads = other->begin(options), writes = other->begin(options);
      ASSERT_OK(reads->get_for_update("a"));
      ASSERT_OK(writes->put("b", "1"));
      ASSERT_OK(other->close());
      EXPECT_CODE(kClosed, reads->get("a"));
      EXPECT_CODE(kClosed, writes->put("b", "2"));
      EXPECT_CODE(kClosed, writes->iterate().status());
      EXPECT_CODE(kClosed, reads->commit());
      EXPECT_CODE(kClosed, writes->commit());
      EXPECT_CODE(kClosed, other->begin(options));
      EXPECT_CODE(kClosed, other->put_if_absent("a", "1"));
    }
  });
}

TEST(Savepoint, UndoesWhatCameAfterIt) {
  World world;
  world.run([](Database& db) {
    for (const TransactionOptions& options : kEveryKind) {
      ASSERT_OK(db.put("a", "base"));
      auto txn = db.begin(options);
      ASSERT_OK(txn->put("a", "1"));
      const auto first = txn->set_savepoint();
      ASSERT_OK(txn->put("a", "2"));
      ASSERT_OK(txn->put("b", "2"));
      const auto second = txn->set_savepoint();
      ASSERT_OK(txn->erase("a"));
      ASSERT_OK(txn->put("a", "3"));
      ASSERT_OK(txn->put("c", "3"));
      ASSERT_OK(txn->rollback_to(*second));
      EXPECT_EQ(value_or(txn->get("a")) + value_or(txn->get("b")) + value_or(txn->get("c")), "22-");
      ASSERT_OK(txn->put("c", "4"));
      ASSERT_OK(txn->rollback_to(*first));
      EXPECT_EQ(value_or(txn->get("a")) + value_or(txn->get("b")) + value_or(txn->get("c")), "1--");
      EXPECT_EQ(walk(*txn), "a=1 ");
      EXPECT_EQ(txn->operations(), 1u);
      ASSERT_OK(txn->put("b", "5"));
      ASSERT_OK(txn->rollback_to(*first));
      EXPECT_CODE(kInvalidArgument, txn->rollback_to(*second));
      ASSERT_OK(txn->commit());
      EXPECT_EQ(value_or(db.get("a")) + value_or(db.get("b")) + value_or(db.get("c")), "1--");
    }
  });
}

TEST(Savepoint, OfAnotherTransactionIsRefused) {
  World world;
  world.run([](Database& db) {
    auto one = db.begin(), two = db.begin();
    const auto savepoint = one->set_savepoint();
    ASSERT_OK(two->set_savepoint());
    EXPECT_CODE(kInvalidArgument, two->rollback_to(*savepoint));
    EXPECT_CODE(kInvalidArgument, two->rollback_to(Savepoint()));
    EXPECT_TRUE(two->active());
  });
}

TEST(TransactionIterator, LaysOwnWritesOverTheDatabaseInBothDirections) {
  World world;
  world.run([](Database& db) {
    for (const TransactionOptions& options : kEveryKind) {
      for (const char* key : {"b", "d", "f", "h"}) ASSERT_OK(db.put(key, "0"));
      for (const char* key : {"a", "c", "i"}) ASSERT_OK(db.erase(key));
      auto txn = db.begin(options);
      EXPECT_EQ(walk(*txn), "b=0 d=0 f=0 h=0 ");
      ASSERT_OK(txn->put("a", "1"));
      ASSERT_OK(txn->put("d", "1"));
      ASSERT_OK(txn->erase("f"));
      ASSERT_OK(txn->erase("g"));
      ASSERT_OK(txn->put("i", "1"));
      EXPECT_EQ(walk(*txn), "a=1 b=0 d=1 h=0 i=1 ");
      EXPECT_EQ(walk(*txn, {.lower_bound = "b", .upper_bound = "h"}), "b=0 d=1 ");
      EXPECT_EQ(walk(*txn, {.prefix = "i"}), "i=1 ");
      EXPECT_EQ(walk(*txn, {.prefix = "z"}), "");
      auto it = txn->iterate();
      it.seek("e");
      EXPECT_EQ(it.key(), "h");
      it.prev();
      EXPECT_EQ(it.key(), "d");
      it.prev();
      EXPECT_EQ(it.key(), "b");
      it.next();
      EXPECT_EQ(it.key(), "d");
      it.next();
      EXPECT_EQ(it.key(), "h");
      it.seek_for_prev("g");
      EXPECT_EQ(it.key(), "d");
      it.next();
      EXPECT_EQ(it.key(), "h");
      it.next();
      EXPECT_EQ(it.key(), "i");
      it.next();
      EXPECT_FALSE(it.valid());
      ASSERT_OK(txn->rollback());
    }
  });
}

TEST(TransactionIterator, SeesWritesThatAreMadeWhileItMoves) {
  World world;
  world.run([](Database& db) {
    for (int i = 0; i < 10; ++i) ASSERT_OK(db.put("k" + std::to_string(i), "0"));
    auto txn = db.begin();
    auto it = txn->iterate();
    std::string seen;
    for (it.seek_to_first(); it.valid(); it.next()) {
      seen += std::string(it.key()) + " ";
      const std::string key(it.key());
      if (key == "k3") {
        ASSERT_OK(txn->put("k35", "1"));
      }
      if (key == "k5") {
        ASSERT_OK(txn->erase("k6"));
      }
      if (key == "k7") {
        ASSERT_OK(txn->put(key, "1"));
      }
      if (key.size() == 2) {
        ASSERT_OK(txn->erase(key));
      }
    }
    EXPECT_EQ(seen, "k0 k1 k2 k3 k35 k4 k5 k7 k8 k9 ");
    EXPECT_EQ(walk(*txn), "k35=1 ");
  });
}

// Random programs: the transaction's view is that of a map, whatever the mix of own writes and moves.
TEST(TransactionIterator, MovesLikeACursorOverAMap) {
  const char* chosen = std::getenv("LIGHTNING_TEST_SEED");
  for (std::uint64_t seed = chosen ? std::strtoull(chosen, nullptr, 10) : 1, end = chosen ? seed + 1 : 60; seed < end;
       ++seed) {
    SCOPED_TRACE("LIGHTNING_TEST_SEED=" + std::to_string(seed));
    World world(seed);
    world.run([&](Database& db) {
      env::Dice dice(seed);
      std::map<std::string, std::string> model;
      const auto random_key = [&] { return std::string(1, static_cast<char>('a' + dice.below(26))); };
      for (int i = 0; i < 15; ++i) {
        const std::string key = random_key();
        model[key] = "base";
        ASSERT_OK(db.put(key, "base"));
      }
      auto txn = db.begin(kEveryKind[dice.below(std::size(kEveryKind))]);
      auto it = txn->iterate();
      auto at = model.end();
      bool stands = false;
      for (int step = 0; step < 120; ++step) {
        const std::string key = random_key();
        switch (dice.below(8)) {
          case 7: {
            KeyRange range{.start = key, .end = random_key()};
            if (*range.end < *range.start) std::swap(range.start, range.end);
            if (stands && at->first >= *range.start && at->first < *range.end) break;
            ASSERT_OK(txn->erase_range(range));
            model.erase(model.lower_bound(*range.start), model.lower_bound(*range.end));
            break;
          }
          case 0:
            ASSERT_OK(txn->put(key, std::to_string(step)));
            if (stands && at->first == key) stands = false;  // its value may be that of before
            model[key] = std::to_string(step);
            break;
          case 1:
            if (stands && at->first == key) break;
            ASSERT_OK(txn->erase(key));
            model.erase(key);
            break;
          case 2:
            it.seek(key);
            at = model.lower_bound(key);
            stands = at != model.end();
            ASSERT_EQ(it.valid(), stands);
            break;
          case 3:
            it.seek_for_prev(key);
            at = model.upper_bound(key);
            stands = at != model.begin();
            if (stands) --at;
            ASSERT_EQ(it.valid(), stands);
            break;
          case 4:
          case 5:
            if (!stands) break;
            it.next();
            stands = ++at != model.end();
            ASSERT_EQ(it.valid(), stands);
            break;
          default:
            if (!stands) break;
            it.prev();
            stands = at != model.begin();
            if (stands) --at;
            ASSERT_EQ(it.valid(), stands);
        }
        if (!stands) continue;
        ASSERT_EQ(it.key(), at->first);
        ASSERT_EQ(it.value(), at->second);
      }
    });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Commit, ConflictNamesTheKeyAndTheOtherTransaction) {
  World world;
  world.run([](Database& db) {
    auto one = db.begin({.owner = "one"}), two = db.begin({.owner = "two"});
    ASSERT_OK(one->put("account:1", "secret"));
    ASSERT_OK(two->put("account:1", "secret"));
    ASSERT_OK(one->commit());
    const auto refused = two->commit();
    ASSERT_FALSE(refused);
    const Error& error = refused.error();
    EXPECT_EQ(error.code(), ErrorCode::kConflict);
    EXPECT_EQ(error.category(), ErrorCategory::kRetryable);
    EXPECT_EQ(error.outcome(), WriteOutcome::kNotApplied);
    EXPECT_NE(error.message().find("'account:1'"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("by transaction " + std::to_string(one->id())), std::string::npos)
        << error.message();
    EXPECT_EQ(error.to_string().find("secret"), std::string::npos);
    EXPECT_EQ(two->state(), TransactionState::kRolledBack);
    EXPECT_EQ(db.stats().transactions.conflicts, 1u);
  });
}

TEST(Commit, ConflictNamesTransactionsOfManyWritesToo) {
  World world;
  world.run([](Database& db) {
    for (const int writes : {2, 63, 64, 65, 1000, 5000}) {
      const auto key = [](int i) { return "k" + std::to_string(i); };
      auto large = db.begin();
      for (int i = 0; i < writes; ++i) ASSERT_OK(large->put(key(i), "1"));
      std::vector<Transaction> others;
      for (int i = 0; i < writes; i += std::max(1, writes / 3)) {
        others.push_back(*db.begin());
        ASSERT_OK(others.back().put(key(i), "2"));
      }
      ASSERT_OK(large->commit());
      for (Transaction& other : others) {
        const auto refused = other.commit();
        EXPECT_CODE(kConflict, refused);
        EXPECT_NE(refused.error().message().find("by transaction " + std::to_string(large->id())), std::string::npos)
            << writes << " writes: " << refused.error().message();
      }
      auto late = db.begin();
      ASSERT_OK(late->put("k0", "3"));
      ASSERT_OK(db.put("k0", "plain"));
      const auto refused = late->commit();
      EXPECT_CODE(kConflict, refused);
      EXPECT_NE(refused.error().message().find("by a plain write"), std::string::npos) << refused.error().message();
    }
  });
}

// A commit is as durable as it asks to be, or as its transaction does, or as the database is set.
TEST(Commit, IsAsDurableAsItWasAskedToBe) {
  for (const WalSyncMode mode : {WalSyncMode::kSync, WalSyncMode::kPeriodic, WalSyncMode::kAsync}) {
    World world;
    world.config().wal_sync_mode = mode;
    world.config().wal_sync_interval = std::chrono::hours(1);
    world.run([&](Database& db) {
      const auto durable = [&](Durability of_transaction, const WriteOptions* of_commit) {
        EXPECT_OK(db.sync());
        auto txn = db.begin({.durability = of_transaction});
        EXPECT_OK(txn->put("a", "1"));
        const auto committed = of_commit != nullptr ? txn->commit(*of_commit) : txn->commit();
        EXPECT_OK(committed);
        return db.stats().loss_window.last_durable >= *committed;
      };
      const WriteOptions as_set, async{.durability = Durability::kAsync}, sync{.durability = Durability::kSync};
      const bool by_default = mode == WalSyncMode::kSync;
      EXPECT_EQ(durable(Durability::kDefault, nullptr), by_default);
      EXPECT_FALSE(durable(Durability::kAsync, nullptr));
      EXPECT_TRUE(durable(Durability::kSync, nullptr));
      EXPECT_TRUE(durable(Durability::kAsync, &sync));
      EXPECT_FALSE(durable(Durability::kSync, &async));
      EXPECT_EQ(durable(Durability::kSync, &as_set), by_default) << "what the commit says counts";
    });
  }
}

TEST(Commit, MeetsPlainWritesToo) {
  World world;
  world.run([](Database& db) {
    for (const bool batch : {false, true}) {
      auto txn = db.begin();
      ASSERT_OK(txn->put("a", "1"));
      if (batch) {
        ASSERT_OK(db.write(WriteBatch().put("b", "2").erase("a")));
      } else {
        ASSERT_OK(db.put("a", "2"));
      }
      EXPECT_CODE(kConflict, txn->commit());
    }
  });
}

// The reason why validation looks at the data and not at a history of memtables: nothing that happens to files between
// begin and commit may hide a change, an erase whose key is gone from every file least of all.
TEST(Commit, FindsChangesThatWereFlushedAndCompactedMeanwhile) {
  World world;
  world.run([](Database& db) {
    for (const bool erase : {false, true})
      for (const bool serializable : {false, true}) {
        ASSERT_OK(db.put("a", "1"));
        ASSERT_OK(db.flush());
        ASSERT_OK(db.compact_range());
        auto txn = db.begin({.isolation = serializable ? Isolation::kSerializable : Isolation::kSnapshot});
        auto update = db.begin({.isolation = Isolation::kReadCommitted});
        ASSERT_OK(update->get_for_update("a"));
        ASSERT_OK(update->put("b", "1"));
        if (serializable) {
          ASSERT_OK(txn->get("a"));
        }
        ASSERT_OK(txn->put(serializable ? "c" : "a", "2"));
        ASSERT_OK(erase ? db.erase("a") : db.put("a", "3"));
        ASSERT_OK(db.flush());
        ASSERT_OK(db.compact_range());
        ASSERT_OK(db.put("z", "1"));
        ASSERT_OK(db.flush());
        ASSERT_OK(db.compact_range());
        EXPECT_CODE(kConflict, txn->commit());
        EXPECT_CODE(kConflict, update->commit());
      }
  });
}

TEST(Commit, OfASerializableTransactionFindsChangesInRangesThatItRead) {
  World world;
  world.run([](Database& db) {
    struct Case {
      const char* seek;
      int steps;          // > 0 forward, < 0 backward
      const char* write;  // by somebody else
      bool conflict;
    };
    // Keys: b d f h.
    const Case cases[] = {
        {"b", 1, "c", true},  {"b", 1, "d", true},   {"b", 1, "e", false},  {"b", 1, "a", false},  {"c", 0, "d", true},
        {"c", 0, "cc", true}, {"c", 0, "e", false},  {"c", 0, "bb", false}, {"b", 9, "z", true},   {"b", 9, "a", false},
        {"h", -1, "g", true}, {"h", -1, "f", true},  {"h", -1, "e", false}, {"h", -1, "i", false}, {"h", -9, "a", true},
        {"i", -1, "i", true}, {"i", -1, "j", false},
    };
    for (const bool flushed : {false, true})
      for (const Case& one : cases) {
        SCOPED_TRACE(std::string(one.seek) + " " + std::to_string(one.steps) + " " + one.write);
        for (char c = 'a'; c <= 'z'; ++c) ASSERT_OK(db.erase(std::string(1, c)));
        for (const char* key : {"bb", "cc"}) ASSERT_OK(db.erase(key));
        for (const char* key : {"b", "d", "f", "h"}) ASSERT_OK(db.put(key, "0"));
        auto txn = db.begin({.isolation = Isolation::kSerializable});
        auto it = txn->iterate();
        if (one.steps >= 0) {
          it.seek(one.seek);
          for (int i = 0; i < one.steps && it.valid(); ++i) it.next();
        } else {
          it.seek_for_prev(one.seek);
          for (int i = 0; i > one.steps && it.valid(); --i) it.prev();
        }
        ASSERT_OK(txn->put("own", "1"));
        ASSERT_OK(db.put(one.write, "1"));
        if (flushed) {
          ASSERT_OK(db.flush());
        }
        const auto committed = txn->commit();
        EXPECT_EQ(committed.has_value(), !one.conflict);
        if (!committed) {
          EXPECT_EQ(committed.error().code(), ErrorCode::kConflict);
        }
      }
  });
}

TEST(Commit, AnswersUnknownWhenTheSyncFailed) {
  World world;
  world.run(
      [&](Database& db) {
        auto txn = db.begin({.durability = Durability::kSync});
        ASSERT_OK(txn->put("a", "1"));
        world.env().files.add_fault({.kind = env::IoKind::kSync, .sticky = true});
        const auto committed = txn->commit();
        ASSERT_FALSE(committed);
        EXPECT_EQ(committed.error().outcome(), WriteOutcome::kUnknown);
        EXPECT_EQ(txn->state(), TransactionState::kUnknown);
        EXPECT_EQ(txn->get("a").error().outcome(), WriteOutcome::kUnknown);
        EXPECT_TRUE(db.transactions().empty());
        world.env().files.clear_faults();
      },
      /*closes=*/false);
}

TEST(ConditionalWrite, AppliesOnlyToTheExpectedValue) {
  World world;
  world.run([](Database& db) {
    auto put = db.put_if_absent("a", "1");
    ASSERT_OK(put);
    EXPECT_TRUE(put->applied);
    EXPECT_EQ(put->sequence, db.snapshot().sequence());
    put = db.put_if_absent("a", "2");
    ASSERT_OK(put);
    EXPECT_FALSE(put->applied);
    EXPECT_EQ(put->current, "1");
    EXPECT_FALSE(db.compare_and_set("a", "7", "8")->applied);
    EXPECT_TRUE(db.compare_and_set("a", "1", "8")->applied);
    EXPECT_EQ(value_or(db.get("a")), "8");
    EXPECT_FALSE(db.compare_and_set("a", std::nullopt, "9")->applied);
    EXPECT_TRUE(db.compare_and_set("a", "8", std::nullopt)->applied);
    EXPECT_EQ(value_or(db.get("a")), "-");
    const auto absent = db.compare_and_set("a", "8", "9");
    EXPECT_FALSE(absent->applied);
    EXPECT_EQ(absent->current, std::nullopt);
    EXPECT_TRUE(db.put_if_absent("a", "")->applied);
    EXPECT_TRUE(db.compare_and_set("a", "", "1")->applied);
    ASSERT_OK(db.flush());
    EXPECT_TRUE(db.compare_and_set("a", "1", "2")->applied);
    EXPECT_CODE(kKeyEmpty, db.put_if_absent("", "1"));
  });
}

TEST(ConditionalWrite, LosesNothingAmongManyThreads) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    if (seed % 2 == 0) world.config().wal_sync_mode = WalSyncMode::kSync;
    world.run([](Database& db) {
      constexpr int kThreads = 4, kEach = 15;
      ASSERT_OK(db.put("n", "0"));
      std::vector<base::Thread> threads;
      for (int t = 0; t < kThreads; ++t)
        threads.push_back(spawn([&db] {
          for (int i = 0; i < kEach;) {
            const std::string now = value_or(db.get("n"));
            const auto set = db.compare_and_set("n", now, std::to_string(std::stoi(now) + 1));
            ASSERT_OK(set);
            i += set->applied ? 1 : 0;
          }
        }));
      threads.clear();
      EXPECT_EQ(value_or(db.get("n")), std::to_string(kThreads * kEach));
    });
  }
}

TEST(RunTransaction, TriesAgainAfterConflictsAndKeepsEveryUpdate) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    World world(seed);
    if (seed % 2 == 0) world.config().wal_sync_mode = WalSyncMode::kSync;
    const TransactionOptions& options = kEveryKind[seed % std::size(kEveryKind)];
    world.run([&](Database& db) {
      constexpr int kThreads = 4, kEach = 10;
      ASSERT_OK(db.put("n", "0"));
      std::vector<base::Thread> threads;
      for (int t = 0; t < kThreads; ++t)
        threads.push_back(spawn([&] {
          for (int i = 0; i < kEach; ++i)
            ASSERT_OK(db.run_transaction(
                [](Transaction& txn) -> Status {
                  LIGHTNING_ASSIGN(const auto now, txn.get_for_update("n"));
                  return txn.put("n", std::to_string(std::stoi(now.value_or("0")) + 1));
                },
                options, {.retries = 1000}));
        }));
      threads.clear();
      EXPECT_EQ(value_or(db.get("n")), std::to_string(kThreads * kEach));
    });
  }
}

TEST(RunTransaction, GivesUpAfterItsRetriesAndReturnsOtherErrorsAtOnce) {
  World world;
  world.run([](Database& db) {
    int calls = 0;
    EXPECT_CODE(kConflict, db.run_transaction(
                               [&](Transaction& txn) -> Status {
                                 ++calls;
                                 LIGHTNING_TRY(txn.put("a", "1"));
                                 return db.put("a", "2");
                               },
                               {}, {.retries = 3}));
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(db.stats().transactions.retries, 3u);
    calls = 0;
    EXPECT_CODE(kKeyEmpty, db.run_transaction([&](Transaction& txn) -> Status {
      ++calls;
      return txn.put("", "1");
    }));
    EXPECT_EQ(calls, 1);
    EXPECT_OK(db.run_transaction([](Transaction& txn) -> Status {
      LIGHTNING_TRY(txn.put("b", "1"));
      return txn.rollback();
    }));
    EXPECT_EQ(value_or(db.get("b")), "-");
    // What ended it against its will is no success, even if the body does not say so.
    EXPECT_CODE(kConflict, db.run_transaction(
                               [&](Transaction& txn) -> Status {
                                 LIGHTNING_TRY(txn.get("a"));
                                 LIGHTNING_TRY(db.put("a", "3"));
                                 EXPECT_FALSE(txn.put("a", "4").has_value());
                                 return {};
                               },
                               {.concurrency = Concurrency::kPessimistic}, {.retries = 1}));
    EXPECT_THROW((void)db.run_transaction([](Transaction& txn) -> Status {
      (void)txn.put("c", "1").has_value();
      throw 1;
    }),
                 int);
    EXPECT_TRUE(db.transactions().empty());
  });
}

}  // namespace
}  // namespace lightning::txn
