// Transactions, conditional writes and merges see values in blob files as any other.
#include <gtest/gtest.h>

#include "txn/world.h"

namespace lightning::txn {
namespace {

using namespace std::chrono_literals;

class LargeValues : public testing::Test {
 protected:
  LargeValues() { world_.config().blob_threshold = 256; }
  static std::string large(char fill) { return std::string(1000, fill); }
  // Whatever was written lies in a blob file, and its reference in a table.
  static void separate(Database& db, const Keyspace& keyspace) {
    EXPECT_OK(db.flush());
    EXPECT_OK(db.compact_range(keyspace));
    EXPECT_GT(db.stats().blobs.records, 0u);
  }
  static void expect_sound(Database& db) {
    const auto report = db.check();
    ASSERT_OK(report);
    for (const CheckFinding& finding : report->findings) ADD_FAILURE() << finding.error.to_string();
  }

  World world_;
};

TEST_F(LargeValues, AreReadComparedAndLockedByTransactions) {
  for (const Concurrency mode : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
    world_.run([&](Database& db) {
      EXPECT_OK(db.put("a", large('a')));
      EXPECT_OK(db.put("b", large('b')));
      separate(db, db.default_keyspace());
      auto txn = db.begin({.isolation = Isolation::kSerializable, .concurrency = mode});
      ASSERT_OK(txn);
      EXPECT_EQ(value_or(txn->get("a")), large('a'));
      EXPECT_EQ(value_or(txn->get_for_update("b")), large('b'));
      EXPECT_OK(txn->put("c", large('c')));
      auto it = txn->iterate();
      std::string seen;
      for (it.seek_to_first(); it.valid(); it.next()) seen += std::string(it.key()) + it.value()[0] + it.value().back();
      EXPECT_OK(it.status());
      EXPECT_EQ(seen, "aaabbbccc");
      it = {};
      EXPECT_OK(txn->put("a", large('x')));
      EXPECT_EQ(value_or(txn->get("a")), large('x'));
      ASSERT_OK(txn->commit());
      separate(db, db.default_keyspace());
      EXPECT_EQ(value_or(db.get("a")), large('x'));
      EXPECT_EQ(value_or(db.get("c")), large('c'));

      // One that was overwritten behind a transaction's back is a conflict, wherever it lies.
      auto loser = db.begin({.isolation = Isolation::kSnapshot, .concurrency = Concurrency::kOptimistic});
      ASSERT_OK(loser);
      EXPECT_EQ(value_or(loser->get("a")), large('x'));
      EXPECT_OK(db.put("a", large('y')));
      separate(db, db.default_keyspace());
      EXPECT_EQ(value_or(loser->get("a")), large('x'));
      EXPECT_OK(loser->put("a", large('z')));
      EXPECT_FALSE(loser->commit());
      EXPECT_EQ(value_or(db.get("a")), large('y'));
      expect_sound(db);
    });
  }
}

TEST_F(LargeValues, AreComparedByConditionalWrites) {
  world_.run([&](Database& db) {
    EXPECT_OK(db.put("k", large('a')));
    separate(db, db.default_keyspace());
    auto refused = db.compare_and_set("k", large('b'), large('c'));
    ASSERT_OK(refused);
    EXPECT_FALSE(refused->applied);
    refused = db.put_if_absent("k", "new");
    ASSERT_OK(refused);
    EXPECT_FALSE(refused->applied);
    const auto applied = db.compare_and_set("k", large('a'), large('c'));
    ASSERT_OK(applied);
    EXPECT_TRUE(applied->applied);
    EXPECT_EQ(value_or(db.get("k")), large('c'));
    separate(db, db.default_keyspace());
    const auto erased = db.compare_and_set("k", large('c'), std::nullopt);
    ASSERT_OK(erased);
    EXPECT_TRUE(erased->applied);
    EXPECT_EQ(value_or(db.get("k")), "-");
    EXPECT_OK(db.compact_range());
    EXPECT_EQ(db.stats().blobs.files, 0u);
    expect_sound(db);
  });
}

TEST_F(LargeValues, AreWhatOperandsAreMergedInto) {
  world_.run([&](Database& db) {
    auto texts = db.create_keyspace("texts", {.merge_operator = "append"});
    ASSERT_OK(texts);
    EXPECT_OK(db.put(*texts, "k", large('a')));
    separate(db, *texts);
    EXPECT_OK(db.merge(*texts, "k", "+1"));
    EXPECT_EQ(value_or(db.get(*texts, "k")), large('a') + "+1");
    EXPECT_OK(db.flush());  // the operand alone; its base is far below
    EXPECT_EQ(value_or(db.get(*texts, "k")), large('a') + "+1");
    auto txn = db.begin();
    ASSERT_OK(txn);
    EXPECT_OK(txn->merge(*texts, "k", "+2"));
    EXPECT_EQ(value_or(txn->get(*texts, "k")), large('a') + "+1+2");
    auto it = txn->iterate(*texts);
    it.seek_to_last();
    ASSERT_TRUE(it.valid());
    EXPECT_EQ(it.value(), large('a') + "+1+2");
    it = {};
    ASSERT_OK(txn->commit());
    separate(db, *texts);  // folded into a new large value
    EXPECT_EQ(value_or(db.get(*texts, "k")), large('a') + "+1+2");
    EXPECT_EQ(db.stats().blobs.garbage_bytes, 0u);
    expect_sound(db);
  });
}

TEST_F(LargeValues, ExpireWhereverTheyLieAndTheirFilesGo) {
  world_.run([&](Database& db) {
    EXPECT_OK(db.put("k", large('a'), {.ttl = 10s}));
    EXPECT_OK(db.put("stays", large('s'), {.ttl = 10h}));
    separate(db, db.default_keyspace());
    EXPECT_EQ(value_or(db.get("k")), large('a'));
    const auto left = db.ttl("k");
    ASSERT_OK(left);
    ASSERT_TRUE(left->remaining);
    EXPECT_LE(*left->remaining, 10s);
    const Snapshot before = db.snapshot();
    base::sleep_for(10s);
    EXPECT_EQ(value_or(db.get("k")), "-");
    EXPECT_EQ(value_or(db.get("k", {.snapshot = &before})), "-");
    Iterator it = db.iterate();
    it.seek_to_first();
    ASSERT_TRUE(it.valid());
    EXPECT_EQ(it.key(), "stays");
    it.next();
    EXPECT_FALSE(it.valid());
    it = {};
    std::vector<std::string_view> keys{"k", "stays"};
    std::vector<PinnedValue> values(2);
    EXPECT_OK(db.multi_get(db.default_keyspace(), keys, values));
    EXPECT_FALSE(values[0].found());
    EXPECT_EQ(values[1].value(), large('s'));
    const auto set = db.put_if_absent("k", large('n'));
    ASSERT_OK(set);
    EXPECT_TRUE(set->applied);
    EXPECT_OK(db.erase("k"));
    EXPECT_OK(db.compact_range());
    EXPECT_LT(db.stats().blobs.live_bytes, 1200u);
    expect_sound(db);
  });
}

TEST_F(LargeValues, UnderErasedRangesAreGarbage) {
  world_.run([&](Database& db) {
    for (int i = 10; i < 60; ++i) EXPECT_OK(db.put("k" + std::to_string(i), large('a')));
    separate(db, db.default_keyspace());
    const Snapshot before = db.snapshot();
    auto txn = db.begin();
    ASSERT_OK(txn);
    EXPECT_OK(txn->erase_range({.start = "k20", .end = "k60"}));
    EXPECT_EQ(value_or(txn->get("k20")), "-");
    ASSERT_OK(txn->commit());
    EXPECT_OK(db.put("k30", large('n')));
    EXPECT_OK(db.flush());
    EXPECT_EQ(value_or(db.get("k20")), "-");
    EXPECT_EQ(value_or(db.get("k20", {.snapshot = &before})), large('a'));
    EXPECT_EQ(value_or(db.get("k30")), large('n'));
    expect_sound(db);
  });
  world_.run([&](Database& db) {
    EXPECT_EQ(value_or(db.get("k20")), "-");
    EXPECT_OK(db.compact_range());
    EXPECT_OK(db.wait_for_background_work());
    expect_sound(db);
    const BlobStatistics blobs = db.stats().blobs;
    EXPECT_LE(blobs.live_bytes, 11u * 1200);
    EXPECT_OK(db.erase_range({}));
    EXPECT_OK(db.flush());
    EXPECT_OK(db.wait_for_background_work());  // whole tables under it go, and tell what they referred to
    EXPECT_EQ(db.stats().blobs.files, 0u);
    expect_sound(db);
  });
}

}  // namespace
}  // namespace lightning::txn
