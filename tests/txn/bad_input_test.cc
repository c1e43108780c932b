// Calls that are wrong: each has a typed error, loses nothing, and applies nothing or all.
#include "base/coding.h"
#include "txn/world.h"

namespace lightning::txn {
namespace {

using std::chrono::milliseconds;

std::string number(std::int64_t value) {
  std::string bytes;
  base::append_le(bytes, static_cast<std::uint64_t>(value));
  return bytes;
}

std::string content(const Database& db, const Keyspace& keyspace) {
  std::string all;
  Iterator it = db.iterate(keyspace);
  for (it.seek_to_first(); it.valid(); it.next()) all += std::string(it.key()) + "=" + std::string(it.value()) + " ";
  EXPECT_OK(it.status());
  return all;
}

TEST(BadInput, ASecondCommitAppliesNothingMore) {
  World().run([](Database& db) {
    const Keyspace hits = *db.create_keyspace("hits", {.merge_operator = "add"});
    for (const auto concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
      ASSERT_OK(db.erase(hits, "k"));
      auto txn = db.begin({.concurrency = concurrency});
      ASSERT_OK(txn->merge(hits, "k", number(1)));
      ASSERT_OK(txn->commit());
      for (int again = 0; again < 2; ++again) {
        const auto refused = txn->commit();
        EXPECT_CODE(kTransactionEnded, refused);
        EXPECT_EQ(refused.error().outcome(), WriteOutcome::kApplied) << "what was asked for has been done";
      }
      EXPECT_CODE(kTransactionEnded, txn->rollback());
      EXPECT_EQ(value_or(db.get(hits, "k")), number(1));
      EXPECT_EQ(txn->state(), TransactionState::kCommitted);
    }
  });
}

TEST(BadInput, NoCallOfATransactionThatHasEndedDoesAnything) {
  World().run([](Database& db) {
    const Keyspace hits = *db.create_keyspace("hits", {.merge_operator = "add"});
    ASSERT_OK(db.create_index(db.default_keyspace(), "whole", {.extractor = ByteRange{.bytes = 9}}));
    ASSERT_OK(db.put("a", "1"));
    const auto ends = {
        +[](Database&, Transaction& txn) { ASSERT_OK(txn.commit()); },
        +[](Database&, Transaction& txn) { ASSERT_OK(txn.rollback()); },
        +[](Database& store, Transaction& txn) {  // by a conflict
          ASSERT_OK(txn.put("z", "1"));
          ASSERT_OK(store.put("z", "2"));
          EXPECT_CODE(kConflict, txn.commit());
        },
    };
    for (const auto& end : ends) {
      auto txn = db.begin();
      const auto savepoint = txn->set_savepoint();
      end(db, *txn);
      const std::string before = content(db, db.default_keyspace()) + content(db, hits);
      const milliseconds year(365 * 86'400'000ll);
      EXPECT_CODE(kTransactionEnded, txn->put("a", "2"));
      EXPECT_CODE(kTransactionEnded, txn->put("a", "2", {.ttl = year}));
      EXPECT_CODE(kTransactionEnded, txn->put("a", "2", {.ttl = -year}));
      EXPECT_CODE(kTransactionEnded, txn->merge(hits, "a", number(1)));
      EXPECT_CODE(kTransactionEnded, txn->erase("a"));
      EXPECT_CODE(kTransactionEnded, txn->erase_range({}));
      EXPECT_CODE(kTransactionEnded, txn->get("a"));
      EXPECT_CODE(kTransactionEnded, txn->get_for_update("a"));
      EXPECT_CODE(kTransactionEnded, txn->query_index(db.default_keyspace(), "whole", {}));
      EXPECT_CODE(kTransactionEnded, txn->rollback_to(*savepoint));
      EXPECT_CODE(kTransactionEnded, txn->commit({.durability = Durability::kSync}));
      EXPECT_CODE(kTransactionEnded, txn->commit({.ttl = year}));
      EXPECT_EQ(content(db, db.default_keyspace()) + content(db, hits), before);
      EXPECT_EQ(db.stats().transactions.locked_keys, 0u);
    }
  });
}

TEST(BadInput, AReadOnlyTransactionWritesNothingByAnyCall) {
  World().run([](Database& db) {
    const Keyspace hits = *db.create_keyspace("hits", {.merge_operator = "add"});
    const Keyspace counted = *db.create_keyspace("counted", {.counted = true});
    ASSERT_OK(db.put("a", "1"));
    ASSERT_OK(db.put(counted, "a", "1"));
    for (const auto concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
      auto txn = db.begin({.concurrency = concurrency, .read_only = true});
      EXPECT_CODE(kReadOnlyTransaction, txn->put("a", "2"));
      EXPECT_CODE(kReadOnlyTransaction, txn->put("a", "2", {.ttl = milliseconds(1000)}));
      EXPECT_CODE(kReadOnlyTransaction, txn->merge(hits, "a", number(1)));
      EXPECT_CODE(kReadOnlyTransaction, txn->erase("a"));
      EXPECT_CODE(kReadOnlyTransaction, txn->erase_range({}));
      EXPECT_CODE(kReadOnlyTransaction, txn->erase_range(counted, {}));
      EXPECT_CODE(kReadOnlyTransaction, txn->get_for_update("a"));
      EXPECT_EQ(txn->operations(), 0u);
      EXPECT_EQ(db.stats().transactions.locked_keys, 0u);
      EXPECT_EQ(value_or(txn->get("a")), "1") << "it goes on";
      ASSERT_OK(txn->commit());
    }
    EXPECT_EQ(content(db, db.default_keyspace()) + content(db, hits) + content(db, counted), "a=1 a=1 ");
  });
}

TEST(BadInput, ASavepointOfAnotherTransactionUndoesNothing) {
  World world;
  world.run([](Database& db) {
    auto elsewhere = DatabaseAccess::open_as_given(DatabaseAccess::env(db), "/elsewhere", {});
    ASSERT_OK(elsewhere);
    auto mine = db.begin(), other = db.begin(), foreign = elsewhere->begin();
    while (foreign->id() < mine->id()) foreign = elsewhere->begin();
    ASSERT_EQ(foreign->id(), mine->id()) << "ids are those of one database";
    ASSERT_OK(mine->put("a", "1"));
    ASSERT_OK(mine->set_savepoint());
    ASSERT_OK(mine->put("b", "2"));
    const auto of_other = other->set_savepoint(), of_foreign = foreign->set_savepoint();
    EXPECT_CODE(kInvalidArgument, mine->rollback_to(*of_other));
    EXPECT_CODE(kInvalidArgument, mine->rollback_to(*of_foreign));
    EXPECT_CODE(kInvalidArgument, mine->rollback_to(Savepoint()));
    EXPECT_EQ(mine->operations(), 2u);
    ASSERT_OK(mine->commit());
    EXPECT_EQ(content(db, db.default_keyspace()), "a=1 b=2 ");
    ASSERT_OK(foreign->rollback());
    ASSERT_OK(elsewhere->close());
  });
}

TEST(BadInput, AnOperandOfTheWrongSizeIsNotTaken) {
  World().run([](Database& db) {
    for (const char* kind : {"add", "min", "max"}) {
      const Keyspace keyspace = *db.create_keyspace(kind, {.merge_operator = kind});
      ASSERT_OK(db.merge(keyspace, "k", number(7)));
      auto txn = db.begin({.concurrency = Concurrency::kPessimistic});
      ASSERT_OK(txn->put(kind, "1"));
      for (const std::size_t size : {0, 1, 4, 7, 9, 16}) {
        const std::string operand(size, '\1');
        EXPECT_CODE(kInvalidArgument, txn->merge(keyspace, "k", operand));
        EXPECT_CODE(kInvalidArgument, db.merge(keyspace, "free", operand));
        EXPECT_CODE(kInvalidArgument, db.write(WriteBatch().put("half", "1").merge(keyspace, "free", operand)));
      }
      EXPECT_CODE(kInvalidArgument, txn->merge("no operator here", number(1)));
      EXPECT_EQ(value_or(txn->get(keyspace, "k")), number(7));
      ASSERT_OK(txn->commit());
      EXPECT_EQ(value_or(db.get(keyspace, "k")), number(7));
      EXPECT_EQ(value_or(db.get(keyspace, "free")) + value_or(db.get("half")) + value_or(db.get(kind)), "--1");
    }
  });
}

TEST(BadInput, ALifetimeThatIsNoneIsNotTaken) {
  World world;
  constexpr milliseconds kMost = milliseconds::max(), kLeast = milliseconds::min();
  world.run([&](Database& db) {
    auto txn = db.begin();
    ASSERT_OK(txn->put("kept", "1"));
    for (const Lifetime& wrong :
         {Lifetime{.ttl = milliseconds(0)}, Lifetime{.ttl = milliseconds(-1)}, Lifetime{.ttl = kLeast},
          Lifetime{.ttl = kMost}, Lifetime{.ttl = kMost - milliseconds(1)}, Lifetime{.expires_at = milliseconds(-1)},
          Lifetime{.expires_at = kLeast}, Lifetime{.expires_at = kMost - milliseconds(1)},
          Lifetime{.ttl = milliseconds(1), .expires_at = milliseconds(1)}}) {
      EXPECT_CODE(kInvalidArgument, txn->put("k", "v", wrong));
      const WriteOptions options{.ttl = wrong.ttl, .expires_at = wrong.expires_at};
      EXPECT_CODE(kInvalidArgument, db.put("k", "v", options));
      EXPECT_CODE(kInvalidArgument, db.compare_and_set("k", std::nullopt, "v", options));
      EXPECT_CODE(kInvalidArgument, db.write(WriteBatch().put("half", "1").put("k", "v", wrong)));
    }
    EXPECT_CODE(kInvalidArgument, txn->commit({.ttl = milliseconds(1000)}));
    EXPECT_TRUE(txn->active()) << "a commit has no lifetime; nothing is lost by asking for one";
    ASSERT_OK(txn->commit());
    for (const milliseconds wrong : {milliseconds(-1), kLeast, kMost, milliseconds(366ll * 1000 * 86'400'000)})
      EXPECT_CODE(kInvalidArgument, db.create_keyspace("wrong", {.default_ttl = wrong}));
    EXPECT_EQ(db.keyspaces().size(), 1u);
    EXPECT_EQ(content(db, db.default_keyspace()), "kept=1 ");
  });
  const auto refused = DatabaseAccess::open_as_given(world.env().env, "/new", world.config(), false, {},
                                                     {.default_keyspace = {.default_ttl = milliseconds(-1)}});
  EXPECT_CODE(kInvalidArgument, refused);
}

// A whole transaction is refused, or commits without an entry, as each index says.
TEST(BadInput, AnExtractorThatFailsRefusesTheTransactionOrLeavesTheRecordOut) {
  World world;
  const auto digits = [](std::string_view, std::string_view value) -> Result<std::optional<IndexValue>> {
    if (value.empty() || value[0] < '0' || value[0] > '9') return Error(ErrorCode::kInvalidArgument, "not a digit");
    return std::optional<IndexValue>(IndexValue(value[0] - '0'));
  };
  auto db = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), false, {},
                                          {.extractors = {{"digit", digits}}});
  ASSERT_OK(db);
  const Keyspace strict = *db->create_keyspace("strict"), lenient = *db->create_keyspace("lenient");
  const Extractor extractor = UserExtractor{"digit"};
  ASSERT_OK(db->create_index(strict, "d", {.extractor = extractor}));
  ASSERT_OK(
      db->create_index(lenient, "d", {.extractor = extractor, .on_extract_failure = OnExtractFailure::kLeaveOut}));
  for (const auto concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
    auto refused = db->begin({.concurrency = concurrency});
    ASSERT_OK(refused->put("elsewhere", "1"));
    ASSERT_OK(refused->put(lenient, "k", "5"));
    ASSERT_OK(refused->put(strict, "k", "no digit"));
    const auto committed = refused->commit();
    EXPECT_CODE(kExtractFailed, committed);
    EXPECT_EQ(committed.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_EQ(content(*db, db->default_keyspace()) + content(*db, strict) + content(*db, lenient), "");
    EXPECT_EQ(db->query_index(lenient, "d", {})->matches.size(), 0u);

    auto lets_out = db->begin({.concurrency = concurrency});
    ASSERT_OK(lets_out->put(lenient, "k", "no digit"));
    EXPECT_EQ(lets_out->query_index(lenient, "d", {})->matches.size(), 0u);
    ASSERT_OK(lets_out->commit());
    EXPECT_EQ(content(*db, lenient), "k=no digit ");
    EXPECT_EQ(db->query_index(lenient, "d", {})->matches.size(), 0u);
    ASSERT_OK(db->erase(lenient, "k"));
  }
  EXPECT_TRUE(db->check()->findings.empty());
  ASSERT_OK(db->close());
}

TEST(BadInput, AnIndexThatIsUnknownOrGoesMeanwhileHarmsNoTransaction) {
  World().run([](Database& db) {
    const Keyspace keyspace = db.default_keyspace();
    const IndexOptions options{.extractor = ByteRange{.bytes = 9}, .unique = true};
    ASSERT_OK(db.create_index(keyspace, "i", options));
    for (int i = 0; i < 5; ++i) ASSERT_OK(db.put("k" + std::to_string(i), std::to_string(i)));
    auto txn = db.begin({.isolation = Isolation::kSerializable});
    ASSERT_OK(txn->put("k5", "5"));
    EXPECT_CODE(kIndexNotFound, txn->query_index(keyspace, "unknown", {}));
    const auto page = txn->query_index(keyspace, "i", {.limit = 2});
    ASSERT_OK(page);
    ASSERT_OK(db.drop_index(keyspace, "i"));
    EXPECT_CODE(kIndexNotFound, db.drop_index(keyspace, "i"));
    EXPECT_CODE(kIndexNotFound, db.rebuild_index(keyspace, "i"));
    EXPECT_CODE(kIndexNotFound, db.query_index(keyspace, "i", {}));
    EXPECT_CODE(kIndexNotFound, txn->query_index(keyspace, "i", {.limit = 2, .continuation = page->continuation}));
    EXPECT_TRUE(txn->active());
    ASSERT_OK(txn->put("k6", "5"));  // which the index would not have let pass
    ASSERT_OK(txn->commit());
    EXPECT_EQ(content(db, keyspace), "k0=0 k1=1 k2=2 k3=3 k4=4 k5=5 k6=5 ");
    EXPECT_CODE(kNotUnique, db.create_index(keyspace, "i", options));
    EXPECT_TRUE(db.list_indexes().empty());
    EXPECT_TRUE(db.check()->findings.empty());
  });
}

}  // namespace
}  // namespace lightning::txn
