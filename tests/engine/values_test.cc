// What a key holds: merges and lifetimes, wherever the versions lie.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <random>

#include "api/database_access.h"
#include "base/coding.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string number(std::int64_t value) {
  std::string bytes;
  base::append_le(bytes, static_cast<std::uint64_t>(value));
  return bytes;
}

// Joins operands with commas; "!" cannot be merged, "?" cannot be combined.
class Join final : public MergeOperator {
 public:
  std::string_view name() const override { return "join"; }
  Status check(std::string_view operand) const override {
    if (operand == "bad") return Error(ErrorCode::kInvalidArgument, "a bad operand");
    return {};
  }
  Status merge(std::string_view, std::optional<std::string_view> base, std::span<const std::string_view> operands,
               std::string& value) const override {
    if (base) value = *base;
    for (const std::string_view operand : operands) {
      if (operand.find('!') != operand.npos) return Error(ErrorCode::kInvalidArgument, "it says !");
      if (operand == "throw") throw std::runtime_error("thrown");
      if (!value.empty()) value += ',';
      value += operand;
    }
    return {};
  }
  bool combine(std::string_view, std::string_view older, std::string_view newer, std::string& combined) const override {
    if (older.find('?') != older.npos || newer.find('?') != newer.npos) return false;
    combined = std::string(older) + "," + std::string(newer);
    return true;
  }
};

class Values : public ::testing::Test {
 protected:
  Database open(bool with_join = true) {
    OpenOptions options;
    if (with_join) options.merge_operators.push_back(std::make_shared<Join>());
    return must(DatabaseAccess::open(world_.env, "/store", config_, false, options));
  }
  milliseconds now() const { return milliseconds(static_cast<std::int64_t>(world_.clock.wall_ns() / 1'000'000)); }
  env::SimulatedWorld world_{1};
  LightningDbConfig config_;
};

std::optional<std::string> forward(const Database& db, const Keyspace& keyspace, std::string_view key) {
  auto it = db.iterate(keyspace);
  it.seek(key);
  must(it.status());
  if (!it.valid() || it.key() != key) return std::nullopt;
  return std::string(it.value());
}
std::optional<std::string> backward(const Database& db, const Keyspace& keyspace, std::string_view key) {
  auto it = db.iterate(keyspace);
  it.seek_for_prev(key);
  must(it.status());
  if (!it.valid() || it.key() != key) return std::nullopt;
  return std::string(it.value());
}
void expect_everywhere(const Database& db, const Keyspace& keyspace, std::string_view key,
                       const std::optional<std::string>& value) {
  EXPECT_EQ(must(db.get(keyspace, key)), value);
  EXPECT_EQ(forward(db, keyspace, key), value);
  EXPECT_EQ(backward(db, keyspace, key), value);
  PinnedValue pinned;
  must(db.get(keyspace, key, pinned));
  EXPECT_EQ(pinned.found(), value.has_value());
  EXPECT_EQ(pinned.value(), value.value_or(""));
  EXPECT_EQ(must(db.ttl(keyspace, key)).found, value.has_value());
}

// --- merges ---------------------------------------------------------------------------------------------------------

TEST_F(Values, AreWhatOperandsMakeOfTheirBaseWhereverTheyLie) {
  Database db = open();
  const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
  must(db.put(join, "k", "base"));
  must(db.merge(join, "k", "1"));
  expect_everywhere(db, join, "k", "base,1");
  must(db.flush());
  must(db.merge(join, "k", "2"));
  must(db.merge(join, "fresh", "x"));
  expect_everywhere(db, join, "k", "base,1,2");
  expect_everywhere(db, join, "fresh", "x");
  must(db.flush());
  const Snapshot before = db.snapshot();
  must(db.merge(join, "k", "3"));
  must(db.erase(join, "fresh"));
  must(db.merge(join, "fresh", "y"));
  expect_everywhere(db, join, "k", "base,1,2,3");
  expect_everywhere(db, join, "fresh", "y");
  must(db.compact_range(join));
  expect_everywhere(db, join, "k", "base,1,2,3");
  expect_everywhere(db, join, "fresh", "y");
  EXPECT_EQ(must(db.get(join, "k", {.snapshot = &before})), "base,1,2");
  EXPECT_EQ(must(db.get(join, "fresh", {.snapshot = &before})), "x");
  must(db.close());
  Database again = open();
  expect_everywhere(again, must(again.keyspace("join")), "k", "base,1,2,3");
}

TEST_F(Values, OfACounterAreSummedByCompactionsIntoOneEntry) {
  Database db = open();
  const Keyspace hits = must(db.create_keyspace("hits", {.merge_operator = "add"}));
  for (int i = 0; i < 1000; ++i) {
    must(db.merge(hits, "a", number(i)));
    if (i % 250 == 0) must(db.flush());
  }
  must(db.compact_range(hits));
  EXPECT_EQ(must(db.get(hits, "a")), number(499'500));
  const Statistics stats = db.stats();
  EXPECT_EQ(stats.merges, 1000u);
  std::uint64_t entries = 0;
  for (const auto& keyspace : stats.keyspaces)
    if (keyspace.name == "hits")
      for (const auto& level : keyspace.levels) entries += level.entries;
  EXPECT_EQ(entries, 1u);
}

TEST_F(Values, BuiltInOperatorsDoWhatTheirNamesSay) {
  Database db = open();
  const Keyspace add = must(db.create_keyspace("add", {.merge_operator = "add"}));
  const Keyspace least = must(db.create_keyspace("min", {.merge_operator = "min"}));
  const Keyspace most = must(db.create_keyspace("max", {.merge_operator = "max"}));
  const Keyspace append = must(db.create_keyspace("append", {.merge_operator = "append"}));
  for (const Keyspace& numbers : {add, least, most})
    for (const std::int64_t value : {5, -7, 3}) must(db.merge(numbers, "k", number(value)));
  for (const char* word : {"a", "", "bc"}) must(db.merge(append, "k", word));
  for (int round = 0; round < 2; ++round) {
    expect_everywhere(db, add, "k", number(1));
    expect_everywhere(db, least, "k", number(-7));
    expect_everywhere(db, most, "k", number(5));
    expect_everywhere(db, append, "k", "abc");
    for (const Keyspace& keyspace : {add, least, most, append}) must(db.compact_range(keyspace));
  }
}

TEST_F(Values, WhatIsNoOperandIsRefusedWhenItIsWritten) {
  Database db = open();
  const Keyspace add = must(db.create_keyspace("add", {.merge_operator = "add"}));
  const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
  EXPECT_CODE(kInvalidArgument, db.merge(add, "k", "seven b"));
  EXPECT_CODE(kInvalidArgument, db.merge(add, "k", ""));
  EXPECT_CODE(kInvalidArgument, db.merge(join, "k", "bad"));
  EXPECT_CODE(kInvalidArgument, db.merge("k", "no operator here"));
  EXPECT_CODE(kInvalidArgument, db.write(WriteBatch().put("other", "1").merge(add, "k", "123456789")));
  EXPECT_CODE(kInvalidArgument, db.merge(add, "k", number(1), {.ttl = 1s}));
  EXPECT_CODE(kInvalidArgument, db.create_keyspace("wrong", {.merge_operator = "multiply"}));
  EXPECT_EQ(must(db.get("other")), std::nullopt) << "all of a batch or nothing";
  expect_everywhere(db, add, "k", std::nullopt);
  must(db.write(WriteBatch().put(add, "k", number(1)).merge(add, "k", number(2)).merge(add, "k", number(3))));
  expect_everywhere(db, add, "k", number(6));
}

TEST_F(Values, ThatCannotBeMadeAreAnErrorAndStayAsTheyWere) {
  Database db = open();
  const Keyspace add = must(db.create_keyspace("add", {.merge_operator = "add"}));
  must(db.merge(add, "a", number(1)));
  must(db.put(add, "k", number(INT64_MAX)));
  must(db.merge(add, "k", number(1)));
  must(db.put(add, "odd", "not a number"));
  must(db.merge(add, "odd", number(1)));
  must(db.merge(add, "z", number(1)));
  for (int round = 0; round < 2; ++round) {
    EXPECT_CODE(kMergeFailed, db.get(add, "k"));
    EXPECT_CODE(kMergeFailed, db.get(add, "odd"));
    auto it = db.iterate(add);
    it.seek_to_first();
    ASSERT_TRUE(it.valid());
    it.next();
    EXPECT_FALSE(it.valid());
    EXPECT_CODE(kMergeFailed, it.status());
    it.seek("z");  // what is beside it can be read
    ASSERT_TRUE(it.valid());
    EXPECT_OK(it.status());
    it.prev();
    EXPECT_FALSE(it.valid());
    EXPECT_CODE(kMergeFailed, it.status());
    must(db.compact_range(add));
  }
  must(db.merge(add, "k", number(-1)));
  expect_everywhere(db, add, "k", number(INT64_MAX));
  must(db.put(add, "odd", number(2)));
  expect_everywhere(db, add, "odd", number(2));
}

TEST_F(Values, OfAnOperatorThatThrowsAreAnError) {
  Database db = open();
  const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
  must(db.merge(join, "k", "throw"));
  EXPECT_CODE(kMergeFailed, db.get(join, "k"));
  must(db.compact_range(join));
  EXPECT_CODE(kMergeFailed, db.get(join, "k"));
}

TEST_F(Values, WhoseOperatorIsMissingWaitForIt) {
  {
    Database db = open();
    const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
    must(db.put(join, "plain", "value"));
    must(db.merge(join, "k", "1"));
    must(db.merge(join, "k", "2?"));
    must(db.close());
  }
  {
    Database db = open(false);
    const Keyspace join = must(db.keyspace("join"));
    EXPECT_EQ(must(db.get(join, "plain")), "value");
    EXPECT_CODE(kMergeOperatorMissing, db.get(join, "k"));
    EXPECT_CODE(kMergeOperatorMissing, db.merge(join, "k", "3"));
    EXPECT_NE(db.get(join, "k").error().message().find("join"), std::string::npos);
    must(db.compact_range(join));
    must(db.close());
  }
  Database db = open();
  expect_everywhere(db, must(db.keyspace("join")), "k", "1,2?");
}

TEST_F(Values, OperatorsOfOneNameAreRefused) {
  OpenOptions options;
  options.merge_operators = {std::make_shared<Join>(), std::make_shared<Join>()};
  EXPECT_CODE(kInvalidArgument, DatabaseAccess::open(world_.env, "/store", config_, false, options));
  options.merge_operators = {nullptr};
  EXPECT_CODE(kInvalidArgument, DatabaseAccess::open(world_.env, "/store", config_, false, options));
}

TEST_F(Values, OfTheDefaultKeyspaceMayBeMergedIfItWasCreatedSo) {
  OpenOptions options;
  options.default_keyspace.merge_operator = "add";
  Database db = must(DatabaseAccess::open(world_.env, "/store", config_, false, options));
  must(db.merge("k", number(2)));
  EXPECT_EQ(must(db.get("k")), number(2));
}

// --- lifetimes ------------------------------------------------------------------------------------------------------

TEST_F(Values, AreGoneFromTheirMomentOnByEveryWayOfReading) {
  Database db = open();
  const Keyspace keyspace = db.default_keyspace();
  must(db.put("a", "for ever"));
  must(db.put("k", "older"));
  must(db.put("k", "v", {.ttl = 10s}));
  must(db.write(WriteBatch().put("batch", "v", {.ttl = 10s}).put("plain", "v")));
  must(db.put("moment", "v", {.expires_at = now() + 10s}));
  const Snapshot early = db.snapshot();
  for (int round = 0; round < 3; ++round) {
    for (const char* key : {"k", "batch", "moment"}) expect_everywhere(db, keyspace, key, "v");
    const TimeToLive ttl = must(db.ttl("k"));
    EXPECT_TRUE(ttl.found);
    EXPECT_EQ(ttl.expires_at, now() + *ttl.remaining);
    if (round == 0) must(db.flush());
    if (round == 1) must(db.compact_range());
  }
  EXPECT_EQ(must(db.ttl("a")).expires_at, std::nullopt);
  world_.clock.advance(10s - 1ms);
  auto standing = db.iterate();
  standing.seek("k");
  ASSERT_TRUE(standing.valid());
  EXPECT_EQ(standing.expires_at(), must(db.ttl("k")).expires_at);
  expect_everywhere(db, keyspace, "k", "v");
  world_.clock.advance(1ms);
  for (int round = 0; round < 3; ++round) {
    for (const char* key : {"k", "batch", "moment"}) {
      expect_everywhere(db, keyspace, key, std::nullopt);
      EXPECT_EQ(must(db.get(key, {.snapshot = &early})), std::nullopt) << "a snapshot does not hold time back";
    }
    expect_everywhere(db, keyspace, "plain", "v");
    std::vector<std::string> keys;
    auto it = db.iterate();
    for (it.seek_to_first(); it.valid(); it.next()) keys.emplace_back(it.key());
    EXPECT_EQ(keys, (std::vector<std::string>{"a", "plain"}));
    keys.clear();
    for (it.seek_to_last(); it.valid(); it.prev()) keys.emplace_back(it.key());
    EXPECT_EQ(keys, (std::vector<std::string>{"plain", "a"}));
    if (round == 0) must(db.flush());
    if (round == 1) must(db.compact_range());
  }
}

TEST_F(Values, OfAKeyspaceLiveAsLongAsItSaysUnlessTheySayOtherwise) {
  Database db = open();
  const Keyspace sessions = must(db.create_keyspace("sessions", {.default_ttl = 10s}));
  must(db.put(sessions, "default", "v"));
  must(db.put(sessions, "longer", "v", {.ttl = 20s}));
  must(db.put(sessions, "ever", "v", {.expires_at = kNeverExpires}));
  must(db.write(WriteBatch()
                    .put(sessions, "batch", "v")
                    .put(sessions, "batch longer", "v", {.ttl = 20s})
                    .put(sessions, "batch ever", "v", {.expires_at = kNeverExpires})
                    .put("elsewhere", "v")));
  EXPECT_TRUE(must(db.put_if_absent(sessions, "if absent", "v")).applied);
  Transaction txn = must(db.begin());
  must(txn.put(sessions, "txn", "v"));
  must(txn.put(sessions, "txn longer", "v", {.ttl = 20s}));
  must(txn.put(sessions, "txn ever", "v", {.expires_at = kNeverExpires}));
  must(txn.commit());
  world_.clock.advance(10s);
  for (const char* key : {"default", "batch", "if absent", "txn"}) expect_everywhere(db, sessions, key, std::nullopt);
  for (const char* key : {"longer", "batch longer", "txn longer"}) expect_everywhere(db, sessions, key, "v");
  world_.clock.advance(10s);
  for (const char* key : {"longer", "batch longer", "txn longer"}) expect_everywhere(db, sessions, key, std::nullopt);
  for (const char* key : {"ever", "batch ever", "txn ever"}) expect_everywhere(db, sessions, key, "v");
  EXPECT_EQ(must(db.get("elsewhere")), "v");
}

TEST_F(Values, WithALifetimeThatMakesNoSenseAreRefused) {
  Database db = open();
  Transaction txn = must(db.begin());
  for (const Lifetime& wrong : {Lifetime{.ttl = 0ms}, Lifetime{.ttl = -1ms}, Lifetime{.ttl = milliseconds::max()},
                                Lifetime{.ttl = milliseconds::min()}, Lifetime{.expires_at = -1ms},
                                Lifetime{.expires_at = kNeverExpires - 1ms}, Lifetime{.ttl = 1s, .expires_at = 5s}}) {
    const WriteOptions options{.ttl = wrong.ttl, .expires_at = wrong.expires_at};
    EXPECT_CODE(kInvalidArgument, db.put("k", "v", options));
    EXPECT_CODE(kInvalidArgument, db.put_if_absent("k", "v", options));
    EXPECT_CODE(kInvalidArgument, db.write(WriteBatch().put("k", "v"), options));
    EXPECT_CODE(kInvalidArgument, db.write(WriteBatch().put("other", "v").put("k", "v", wrong)));
    EXPECT_CODE(kInvalidArgument, txn.put("k", "v", wrong));
  }
  EXPECT_CODE(kInvalidArgument, db.erase("k", {.ttl = 1s}));
  EXPECT_EQ(must(db.get("k")), std::nullopt);
  EXPECT_EQ(must(db.get("other")), std::nullopt);
  must(db.put("past", "v", {.expires_at = 1ms}));
  EXPECT_EQ(must(db.get("past")), std::nullopt);
}

TEST_F(Values, ThatHaveExpiredAreAbsentToConditionalWritesAndAsABase) {
  Database db = open();
  must(db.put("k", "v", {.ttl = 10s}));
  EXPECT_FALSE(must(db.put_if_absent("k", "w")).applied);
  EXPECT_FALSE(must(db.compare_and_set("k", std::nullopt, "w")).applied);
  const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
  must(db.put(join, "k", "base", {.ttl = 10s}));
  must(db.merge(join, "k", "1"));
  expect_everywhere(db, join, "k", "base,1");
  EXPECT_EQ(must(db.compare_and_set(join, "k", "base", "w")).current, "base,1");
  must(db.flush());
  expect_everywhere(db, join, "k", "base,1");
  world_.clock.advance(10s);
  EXPECT_FALSE(must(db.compare_and_set("k", "v", "w")).applied);
  EXPECT_TRUE(must(db.put_if_absent("k", "w", {.ttl = 1s})).applied);
  EXPECT_EQ(must(db.get("k")), "w");
  world_.clock.advance(1s);
  EXPECT_EQ(must(db.get("k")), std::nullopt);
  expect_everywhere(db, join, "k", "1");
  must(db.compact_range(join));
  expect_everywhere(db, join, "k", "1");
  EXPECT_TRUE(must(db.compare_and_set(join, "k", "1", "set")).applied);
  expect_everywhere(db, join, "k", "set");
}

TEST_F(Values, StayGoneWhenTheClockIsSetBackOverARestart) {
  {
    Database db = open();
    must(db.put("k", "v", {.ttl = 10s}));
    must(db.put("long", "v", {.ttl = 1h}));
    world_.clock.advance(10s);
    EXPECT_EQ(must(db.get("k")), std::nullopt);
    must(db.put("later", "v"));
    must(db.close());
  }
  env::SimulatedClock earlier;  // of a machine whose battery failed
  ASSERT_LT(earlier.wall_ns(), world_.clock.wall_ns());
  env::Env env{world_.files, earlier, world_.random};
  for (int life = 0; life < 2; ++life) {
    Database db = must(DatabaseAccess::open(env, "/store", config_));
    EXPECT_EQ(must(db.get("k")), std::nullopt) << life;
    EXPECT_EQ(must(db.get("long")), "v");
    must(db.close());
  }
}

TEST_F(Values, OfACountedKeyspaceHaveNoLifetime) {
  Database db = open();
  const Keyspace counted = must(db.create_keyspace("counted", {.counted = true}));
  EXPECT_CODE(kNotSupported, db.create_keyspace("both", {.default_ttl = 1s, .counted = true}));
  EXPECT_CODE(kNotSupported, db.put(counted, "k", "v", {.ttl = 1s}));
  EXPECT_CODE(kNotSupported, db.write(WriteBatch().put(counted, "k", "v", {.ttl = 1s})));
  EXPECT_CODE(kNotSupported, db.put_if_absent(counted, "k", "v", {.ttl = 1s}));
  EXPECT_EQ(must(db.get(counted, "k")), std::nullopt);
  must(db.put(counted, "k", "v", {.expires_at = kNeverExpires}));
  const Keyspace hits = must(db.create_keyspace("hits", {.merge_operator = "add", .counted = true}));
  for (int i = 0; i < 3; ++i) must(db.merge(hits, "a", number(1)));
  must(db.merge(hits, "b", number(1)));
  must(db.erase(hits, "b"));
  must(db.compact_range(hits));
  EXPECT_EQ(must(db.count(hits)).records, 1u);
}

TEST_F(Values, ThatHaveExpiredAreReclaimedThoughNobodyWrites) {
  Database db = open();
  const std::string value(1000, 'v');
  for (int i = 0; i < 1000; ++i)
    must(db.put("k" + std::to_string(i), value, {.ttl = std::chrono::seconds(i % 2 == 0 ? 10 : 1000)}));
  for (int i = 0; i < 1000; ++i) must(db.put("plain" + std::to_string(i), value));
  must(db.compact_range());
  const auto facts = [&] { return db.stats().keyspaces.front(); };
  EXPECT_GT(facts().expiring_bytes, 1'000'000u);
  EXPECT_EQ(facts().expired_bytes, 0u);
  world_.clock.advance(10s);
  EXPECT_GT(facts().expired_bytes, 500'000u) << "a quarter of all";
  must(db.wait_for_background_work());
  EXPECT_EQ(facts().expired_bytes, 0u);
  EXPECT_GT(facts().expiring_bytes, 500'000u);
  EXPECT_LT(facts().expiring_bytes, 600'000u);
  world_.clock.advance(1000s);
  must(db.compact_range());
  EXPECT_EQ(facts().expiring_bytes, 0u);
  std::uint64_t entries = 0;
  for (const auto& level : facts().levels) entries += level.entries;
  EXPECT_EQ(entries, 1000u);
}

// --- transactions ---------------------------------------------------------------------------------------------------

TEST_F(Values, InATransactionAreItsOwnOperandsOverWhatItSees) {
  Database db = open();
  const Keyspace join = must(db.create_keyspace("join", {.merge_operator = "join"}));
  must(db.put(join, "k", "base"));
  must(db.merge(join, "k", "0"));
  for (const auto concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
    for (const auto isolation : {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable}) {
      Transaction txn = must(db.begin({.isolation = isolation, .concurrency = concurrency}));
      must(txn.merge(join, "k", "1"));
      EXPECT_EQ(must(txn.get(join, "k")), "base,0,1");
      const Savepoint savepoint = must(txn.set_savepoint());
      must(txn.merge(join, "k", "2"));
      must(txn.put(join, "own", "x"));
      must(txn.merge(join, "own", "y"));
      must(txn.put(join, "short", "x", {.ttl = 1s}));
      must(txn.merge(join, "none", "n"));
      EXPECT_CODE(kInvalidArgument, txn.merge(join, "k", "bad"));
      const auto look = [&] {
        std::vector<std::string> seen;
        auto it = txn.iterate(join);
        for (it.seek_to_first(); it.valid(); it.next())
          seen.push_back(std::string(it.key()) + "=" + std::string(it.value()));
        must(it.status());
        std::vector<std::string> back;
        for (it.seek_to_last(); it.valid(); it.prev())
          back.push_back(std::string(it.key()) + "=" + std::string(it.value()));
        must(it.status());
        std::reverse(back.begin(), back.end());
        EXPECT_EQ(seen, back);
        const std::vector<std::string_view> keys{"k", "none", "own", "short"};
        const auto many = must(txn.multi_get(join, keys));
        std::vector<std::string> got;
        for (std::size_t i = 0; i < keys.size(); ++i)
          if (many[i]) got.push_back(std::string(keys[i]) + "=" + *many[i]);
        EXPECT_EQ(got, seen);
        got.clear();
        for (const std::string_view key : keys)
          if (const auto value = must(txn.get_for_update(join, key))) got.push_back(std::string(key) + "=" + *value);
        EXPECT_EQ(got, seen);
        return seen;
      };
      EXPECT_EQ(look(), (std::vector<std::string>{"k=base,0,1,2", "none=n", "own=x,y", "short=x"}));
      world_.clock.advance(1s);
      EXPECT_EQ(look(), (std::vector<std::string>{"k=base,0,1,2", "none=n", "own=x,y"}));
      must(txn.rollback_to(savepoint));
      EXPECT_EQ(look(), (std::vector<std::string>{"k=base,0,1"}));
      must(txn.erase(join, "k"));
      must(txn.merge(join, "k", "3"));
      EXPECT_EQ(look(), (std::vector<std::string>{"k=3"}));
      must(txn.commit());
      expect_everywhere(db, join, "k", "3");
      must(db.put(join, "k", "base"));
      must(db.merge(join, "k", "0"));
    }
  }
}

TEST_F(Values, OfOperandsThatTwoTransactionsMergeAreNeverLost) {
  Database db = open();
  const Keyspace add = must(db.create_keyspace("add", {.merge_operator = "add"}));
  Transaction one = must(db.begin()), other = must(db.begin());
  must(one.merge(add, "k", number(1)));
  must(other.merge(add, "k", number(2)));
  must(one.commit());
  EXPECT_CODE(kConflict, other.commit());
  expect_everywhere(db, add, "k", number(1));
}

// --- against a model ------------------------------------------------------------------------------------------------

// All versions ever written, and what they come to by the letter of docs/guarantees.md.
class Model {
 public:
  enum class Kind : std::uint8_t { kPut, kErase, kMerge };
  struct Version {
    Sequence sequence;
    Kind kind;
    std::string value;
    std::optional<milliseconds> expires_at;
  };
  void add(const std::string& key, Version version) { keys_[key].push_back(std::move(version)); }
  std::optional<std::string> get(const std::string& key, Sequence at, milliseconds now) const {
    const auto found = keys_.find(key);
    std::optional<std::string> value;
    if (found == keys_.end()) return value;
    for (const Version& version : found->second) {
      if (version.sequence > at) break;
      if (version.kind == Kind::kMerge) {
        value = value && !value->empty() ? *value + "," + version.value : version.value;
      } else {
        value.reset();
        if (version.kind == Kind::kPut && (!version.expires_at || *version.expires_at > now)) value = version.value;
      }
    }
    return value;
  }
  std::map<std::string, std::string> all(Sequence at, milliseconds now) const {
    std::map<std::string, std::string> seen;
    for (const auto& [key, versions] : keys_)
      if (auto value = get(key, at, now)) seen.emplace(key, std::move(*value));
    return seen;
  }

 private:
  std::map<std::string, std::vector<Version>> keys_;
};

TEST_F(Values, AreAlwaysThoseOfTheModel) {
  const char* const given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const auto dice = [&](std::uint64_t sides) { return random() % sides; };
  std::optional<Database> db = open();
  Keyspace join = must(db->create_keyspace("join", {.merge_operator = "join"}));
  Model model;
  std::vector<Snapshot> snapshots;
  const auto check = [&] {
    const bool newest = snapshots.empty() || dice(2) == 0;
    const Snapshot* snapshot = newest ? nullptr : &snapshots[dice(snapshots.size())];
    const Sequence at = newest ? ~Sequence{0} : snapshot->sequence();
    const std::map<std::string, std::string> expected = model.all(at, now());
    std::map<std::string, std::string> seen;
    auto it = db->iterate(join, {.snapshot = snapshot});
    for (it.seek_to_first(); it.valid(); it.next()) seen.emplace(it.key(), it.value());
    EXPECT_OK(it.status());
    ASSERT_EQ(seen, expected) << "forward at " << at;
    seen.clear();
    for (it.seek_to_last(); it.valid(); it.prev()) seen.emplace(it.key(), it.value());
    EXPECT_OK(it.status());
    ASSERT_EQ(seen, expected) << "backward at " << at;
    for (int key = 0; key < 8; ++key) {
      const std::string name = "key" + std::to_string(key);
      ASSERT_EQ(must(db->get(join, name, {.snapshot = snapshot})), model.get(name, at, now())) << name << " at " << at;
    }
    // To and fro.
    it.seek("key" + std::to_string(dice(8)));
    for (int step = 0; step < 20 && it.valid(); ++step) {
      const auto here = expected.find(std::string(it.key()));
      ASSERT_NE(here, expected.end());
      ASSERT_EQ(it.value(), here->second);
      if (dice(2) == 0) {
        it.next();
        ASSERT_EQ(it.valid(), std::next(here) != expected.end());
      } else {
        it.prev();
        ASSERT_EQ(it.valid(), here != expected.begin());
      }
    }
  };
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    const std::string key = "key" + std::to_string(dice(8));
    const std::string value = std::to_string(step) + (dice(4) == 0 ? "?" : "");
    switch (dice(16)) {
      case 0:
      case 1:
        must(db->put(join, key, value));
        model.add(key, {db->stats().last_sequence, Model::Kind::kPut, value, {}});
        break;
      case 2:
      case 3: {
        const milliseconds ttl(1 + dice(2000));
        must(db->put(join, key, value, {.ttl = ttl}));
        model.add(key, {db->stats().last_sequence, Model::Kind::kPut, value, now() + ttl});
        break;
      }
      case 4:
        must(db->erase(join, key));
        model.add(key, {db->stats().last_sequence, Model::Kind::kErase, {}, {}});
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        must(db->merge(join, key, value));
        model.add(key, {db->stats().last_sequence, Model::Kind::kMerge, value, {}});
        break;
      case 9: {
        Transaction txn = must(db->begin());
        must(txn.merge(join, key, value));
        must(txn.put(join, "other" + key, value));
        must(txn.merge(join, "other" + key, value));
        const Sequence last = must(txn.commit());
        model.add(key, {last - 2, Model::Kind::kMerge, value, {}});
        model.add("other" + key, {last - 1, Model::Kind::kPut, value, {}});
        model.add("other" + key, {last, Model::Kind::kMerge, value, {}});
        break;
      }
      case 10:
        if (dice(3) == 0) must(db->flush());
        break;
      case 11:
        if (dice(8) == 0) must(db->compact_range(join));
        break;
      case 12:
        if (snapshots.size() < 4) snapshots.push_back(db->snapshot());
        break;
      case 13:
        if (!snapshots.empty())
          snapshots.erase(snapshots.begin() + static_cast<std::ptrdiff_t>(dice(snapshots.size())));
        break;
      case 14:
        world_.clock.advance(milliseconds(dice(600)));
        if (dice(100) == 0) {
          snapshots.clear();
          must(db->close());
          db.reset();
          db = open();
          join = must(db->keyspace("join"));
        }
        break;
      default:
        check();
    }
  }
  check();
  must(db->compact_range(join));
  check();
}

}  // namespace
}  // namespace lightning
