// Indexes of records that expire, and of records that are merged into.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/coding.h"
#include "index/world.h"

namespace lightning::index {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const IndexOptions kByField{.extractor = kSecondField};
const IndexOptions kUniqueByField{.extractor = kSecondField, .unique = true};

// What check() finds, as one text.
std::string findings(const Database& db) {
  const auto report = db.check();
  if (!report) return report.error().to_string();
  std::string text;
  for (const CheckFinding& finding : report->findings) text += finding.error.to_string() + "\n";
  return text;
}

TEST(IndexOfMortals, ForgetsARecordAtItsMoment) {
  World world;
  world.run([&](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("sessions");
    ASSERT_OK(db.put(keyspace, "before", "x,old", {.ttl = 20s}));
    ASSERT_OK(db.create_index(keyspace, "a", kByField));
    ASSERT_OK(db.create_index(keyspace, "u", kUniqueByField));
    ASSERT_OK(db.put(keyspace, "ever", "x,ever"));
    ASSERT_OK(db.put(keyspace, "short", "x,short", {.ttl = 10s}));
    ASSERT_OK(db.write(WriteBatch().put(keyspace, "long", "x,long", Lifetime{.ttl = 20s}).put(keyspace, "b", "x,b")));
    ASSERT_OK(db.put_if_absent(keyspace, "if", "x,if", {.ttl = 10s}));
    ASSERT_OK(db.run_transaction([&](Transaction& txn) -> Status {
      LIGHTNING_TRY(txn.put(keyspace, "txn", "x,txn", Lifetime{.ttl = 10s}));
      EXPECT_EQ(all_of(txn, keyspace, "a").size(), 7u);
      return {};
    }));
    const Snapshot then = db.snapshot();
    const auto expect = [&](std::size_t records) {
      const Pairs wanted = expected(db, keyspace);
      EXPECT_EQ(wanted.size(), records);
      for (const char* name : {"a", "u"})
        for (const Snapshot* at : {static_cast<const Snapshot*>(nullptr), &then}) {
          EXPECT_EQ(all_of(db, keyspace, name, {.snapshot = at}), wanted);
          EXPECT_EQ(all_of(db, keyspace, name, {.with_records = true, .snapshot = at}), wanted);
          EXPECT_EQ(all_of(db, keyspace, name, {.reverse = true, .snapshot = at}),
                    Pairs(wanted.rbegin(), wanted.rend()));
        }
      auto txn = db.begin();
      EXPECT_EQ(all_of(*txn, keyspace, "a"), wanted);
      EXPECT_EQ(findings(db), "");
    };
    expect(7);
    world.env().clock.advance(11s);
    expect(4);
    ASSERT_OK(db.flush());
    expect(4);
    world.env().clock.advance(10s);
    expect(2);
    ASSERT_OK(db.compact_range(keyspace));
    expect(2);
    EXPECT_CODE(kNotUnique, db.put(keyspace, "other", "x,ever"));
  });
}

TEST(IndexOfMortals, FollowsALifetimeThatChanges) {
  World world;
  world.run([&](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("sessions", {.default_ttl = 10s});
    for (const IndexOptions& options : {kByField, kUniqueByField}) {
      ASSERT_OK(db.create_index(keyspace, "a", options));
      ASSERT_OK(db.put(keyspace, "longer", "x,longer"));
      ASSERT_OK(db.put(keyspace, "shorter", "x,shorter"));
      ASSERT_OK(db.put(keyspace, "ever", "x,ever"));
      world.env().clock.advance(5s);
      // The same values, so the entries keep their keys.
      ASSERT_OK(db.put(keyspace, "longer", "x,longer"));
      ASSERT_OK(db.put(keyspace, "shorter", "x,shorter", {.ttl = 1s}));
      ASSERT_OK(db.put(keyspace, "ever", "x,ever", {.expires_at = kNeverExpires}));
      EXPECT_EQ(findings(db), "");
      world.env().clock.advance(2s);
      EXPECT_THAT(all_of(db, keyspace, "a"), ElementsAre(Pair("ever", "ever"), Pair("longer", "longer")));
      world.env().clock.advance(4s);
      EXPECT_THAT(all_of(db, keyspace, "a"), ElementsAre(Pair("ever", "ever"), Pair("longer", "longer")));
      world.env().clock.advance(10s);
      EXPECT_THAT(all_of(db, keyspace, "a"), ElementsAre(Pair("ever", "ever")));
      EXPECT_EQ(findings(db), "");
      ASSERT_OK(db.drop_index(keyspace, "a"));
    }
  });
}

TEST(IndexOfMortals, FreesAUniqueValueWhenItsRecordExpires) {
  World world;
  world.run([&](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("sessions");
    ASSERT_OK(db.create_index(keyspace, "u", kUniqueByField));
    const auto unique = [&](const Pairs& pairs) {
      EXPECT_EQ(all_of(db, keyspace, "u"), pairs);
      EXPECT_EQ(findings(db), "");
    };
    ASSERT_OK(db.put(keyspace, "a", "x,v", {.ttl = 10s}));
    EXPECT_CODE(kNotUnique, db.put(keyspace, "c", "x,v"));
    world.env().clock.advance(11s);
    unique({});
    ASSERT_OK(db.put(keyspace, "c", "x,v"));
    unique({{"v", "c"}});
    // What the dead record had is another's by now: it cannot take it back, give it away, or take it along.
    EXPECT_CODE(kNotUnique, db.put(keyspace, "a", "x,v"));
    EXPECT_CODE(kNotUnique, db.write(WriteBatch().erase(keyspace, "a").put(keyspace, "b", "x,v")));
    EXPECT_CODE(kNotUnique, db.write(WriteBatch().put(keyspace, "a", "x,w").put(keyspace, "b", "x,v")));
    unique({{"v", "c"}});
    ASSERT_OK(db.erase(keyspace, "a"));
    unique({{"v", "c"}});
    // Of two records that let go of the same entry, one dead, the living one's goes, whatever their order.
    for (const char* dead : {"b", "d"}) {
      ASSERT_OK(db.put(keyspace, dead, "x,w", {.ttl = 10s}));
      world.env().clock.advance(11s);
      ASSERT_OK(db.put(keyspace, "c", "x,w"));
      unique({{"w", "c"}});
      ASSERT_OK(db.write(WriteBatch().erase(keyspace, dead).erase(keyspace, "c")));
      unique({});
    }
    // And both at once to a third.
    ASSERT_OK(db.put(keyspace, "b", "x,w", {.ttl = 10s}));
    world.env().clock.advance(11s);
    ASSERT_OK(db.put(keyspace, "c", "x,w"));
    ASSERT_OK(db.write(WriteBatch().erase(keyspace, "b").erase(keyspace, "c").put(keyspace, "e", "x,w")));
    unique({{"w", "e"}});

    // Building meets dead and living ones, too.
    ASSERT_OK(db.put(keyspace, "f", "x,q", {.ttl = 10s}));
    world.env().clock.advance(11s);
    ASSERT_OK(db.put(keyspace, "g", "x,q", {.ttl = 10s}));
    ASSERT_OK(db.rebuild_index(keyspace, "u"));
    unique({{"q", "g"}, {"w", "e"}});
    world.env().clock.advance(11s);
    unique({{"w", "e"}});
  });
}

TEST(IndexOfMerges, FollowsOperands) {
  World().run([](Database& db) {
    const Keyspace lines = *db.create_keyspace("lines", {.merge_operator = "append", .counted = true});
    ASSERT_OK(db.merge(lines, "before", "x,ol"));
    ASSERT_OK(db.merge(lines, "before", "d"));
    ASSERT_OK(db.create_index(lines, "a", kByField));
    ASSERT_OK(db.create_index(lines, "u", kUniqueByField));
    const auto expect = [&](std::size_t records) {
      const Pairs wanted = expected(db, lines);
      EXPECT_EQ(wanted.size(), records);
      EXPECT_EQ(all_of(db, lines, "a"), wanted);
      EXPECT_EQ(all_of(db, lines, "u"), wanted);
      EXPECT_EQ(findings(db), "");
    };
    expect(1);
    ASSERT_OK(db.merge(lines, "k", "x,a"));
    ASSERT_OK(db.merge(lines, "k", "b"));
    ASSERT_OK(db.merge(lines, "before", "er"));
    EXPECT_THAT(all_of(db, lines, "a"), ElementsAre(Pair("ab", "k"), Pair("older", "before")));
    ASSERT_OK(db.write(
        WriteBatch().merge(lines, "k", "c").merge(lines, "k", "d").put(lines, "l", "y,").merge(lines, "l", "z")));
    expect(3);
    ASSERT_OK(db.flush());
    ASSERT_OK(db.merge(lines, "k", "e"));
    ASSERT_OK(db.compact_range(lines));
    expect(3);
    ASSERT_OK(db.run_transaction([&](Transaction& txn) -> Status {
      LIGHTNING_TRY(txn.merge(lines, "k", "f"));
      LIGHTNING_TRY(txn.merge(lines, "new", "x,n"));
      EXPECT_THAT(all_of(txn, lines, "a"),
                  ElementsAre(Pair("abcdef", "k"), Pair("n", "new"), Pair("older", "before"), Pair("z", "l")));
      return {};
    }));
    expect(4);
    // A merge can take a value that is another's.
    ASSERT_OK(db.put(lines, "t", "x,olde"));
    EXPECT_CODE(kNotUnique, db.merge(lines, "t", "r"));
    EXPECT_EQ(*db.get(lines, "t"), "x,olde");
    ASSERT_OK(db.erase(lines, "k"));
    ASSERT_OK(db.merge(lines, "k", "no field"));
    expect(4);  // with t, without k
    EXPECT_EQ(db.count(lines)->records, 5u);
  });
}

TEST(IndexOfMerges, RefusesWhatItCouldNotFollow) {
  World world;
  world.run([&](Database& db) {
    const Keyspace lines = *db.create_keyspace("lines", {.merge_operator = "append"});
    ASSERT_OK(db.put(lines, "k", "x,a", {.ttl = 10s}));
    ASSERT_OK(db.merge(lines, "k", "b"));
    // When the base expires, another value is left.
    const Status refused = db.create_index(lines, "a", kByField);
    EXPECT_CODE(kNotSupported, refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("'k'"));
    EXPECT_THAT(db.list_indexes(), IsEmpty());
    world.env().clock.advance(11s);
    ASSERT_OK(db.create_index(lines, "a", {.extractor = ByteRange{0, 1}}));
    EXPECT_THAT(all_of(db, lines, "a"), ElementsAre(Pair("b", "k")));

    ASSERT_OK(db.put(lines, "m", "mortal", {.ttl = 10s}));
    const Status merged = db.merge(lines, "m", "x");
    EXPECT_CODE(kNotSupported, merged);
    EXPECT_EQ(merged.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_CODE(
        kNotSupported,
        db.write(
            WriteBatch().put(lines, "good", "g").put(lines, "n", "n", Lifetime{.ttl = 1s}).merge(lines, "n", "x")));
    EXPECT_FALSE(db.get(lines, "good")->has_value());
    EXPECT_EQ(*db.get(lines, "m"), "mortal");
    world.env().clock.advance(11s);
    ASSERT_OK(db.merge(lines, "m", "new"));
    ASSERT_OK(db.put(lines, "m", "again", {.ttl = 10s}));
    EXPECT_THAT(all_of(db, lines, "a"), ElementsAre(Pair("a", "m"), Pair("b", "k")));
    EXPECT_EQ(findings(db), "");
  });
}

TEST(IndexOfMerges, RefusesAMergeThatFailsAndTakesWhatReplacesIt) {
  World().run([](Database& db) {
    const auto number = [](std::int64_t value) {
      std::string bytes;
      base::append_le(bytes, static_cast<std::uint64_t>(value));
      return bytes;
    };
    const Keyspace counters = *db.create_keyspace("counters", {.merge_operator = "add"});
    const std::string most = number(std::numeric_limits<std::int64_t>::max());
    ASSERT_OK(db.merge(counters, "unreadable", most));
    ASSERT_OK(db.merge(counters, "unreadable", number(1)));
    const IndexOptions options{.extractor = ByteRange{0, 8}};
    EXPECT_CODE(kMergeFailed, db.create_index(counters, "a", options));
    EXPECT_THAT(db.list_indexes(), IsEmpty());
    ASSERT_OK(db.put(counters, "unreadable", number(7)));
    ASSERT_OK(db.create_index(counters, "a", options));
    ASSERT_OK(db.merge(counters, "k", most));
    EXPECT_CODE(kMergeFailed, db.merge(counters, "k", number(1)));  // here it is who writes that is told
    EXPECT_EQ(*db.get(counters, "k"), most);
    EXPECT_EQ(all_of(db, counters, "a").size(), 2u);
    EXPECT_EQ(findings(db), "");
  });
}

}  // namespace
}  // namespace lightning::index
