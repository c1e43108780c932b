// What an index promises: in step with its records whatever is written, and queries that page through it.
#include "lightning/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "index/world.h"

namespace lightning::index {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(Index, FollowsEveryKindOfWrite) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.put(keyspace, "before", "x,Oslo"));
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    const auto all = [&] { return all_of(db, keyspace, "by_city"); };
    EXPECT_THAT(all(), ElementsAre(Pair("Oslo", "before")));
    ASSERT_OK(db.put(keyspace, "ann", "1,Bergen"));
    ASSERT_OK(db.put(keyspace, "bob", "2,Oslo"));
    EXPECT_THAT(all(), ElementsAre(Pair("Bergen", "ann"), Pair("Oslo", "before"), Pair("Oslo", "bob")));
    ASSERT_OK(db.put(keyspace, "ann", "1,Oslo"));
    ASSERT_OK(db.erase(keyspace, "before"));
    ASSERT_OK(db.put(keyspace, "bob", "no city"));
    EXPECT_THAT(all(), ElementsAre(Pair("Oslo", "ann")));
    ASSERT_OK(db.write(WriteBatch()
                           .put(keyspace, "cid", "3,Alta")
                           .put(keyspace, "cid", "3,Hamar")
                           .erase(keyspace, "ann")
                           .put(keyspace, "dan", "4,Alta")
                           .erase(keyspace, "dan")));
    EXPECT_THAT(all(), ElementsAre(Pair("Hamar", "cid")));
    ASSERT_OK(db.put_if_absent(keyspace, "eva", "5,Alta"));
    ASSERT_OK(db.put_if_absent(keyspace, "eva", "5,Molde"));
    ASSERT_OK(db.compare_and_set(keyspace, "cid", "3,Hamar", "3,Moss"));
    EXPECT_THAT(all(), ElementsAre(Pair("Alta", "eva"), Pair("Moss", "cid")));
    ASSERT_OK(db.run_transaction([&](Transaction& txn) -> Status {
      LIGHTNING_TRY(txn.put(keyspace, "fay", "6,Bodo"));
      LIGHTNING_TRY(txn.erase(keyspace, "eva"));
      return {};
    }));
    EXPECT_THAT(all(), ElementsAre(Pair("Bodo", "fay"), Pair("Moss", "cid")));
    EXPECT_EQ(all(), expected(db, keyspace));
    EXPECT_THAT(db.keyspaces(), ElementsAre("default", "people"));
    EXPECT_FALSE(db.keyspace(std::string("\x01people\x01") + "by_city").has_value());
  });
}

TEST(Index, LosesTheEntriesOfWhatIsErasedInARange) {
  World().run([](Database& db) {
    for (const bool counted : {false, true}) {
      SCOPED_TRACE(counted);
      const Keyspace people = *db.create_keyspace(counted ? "counted" : "plain", {.counted = counted});
      ASSERT_OK(db.create_index(people, "city", {.extractor = kSecondField}));
      ASSERT_OK(db.create_index(people, "id", {.extractor = DelimitedField{0, ','}, .unique = true}));
      const auto refill = [&] {
        ASSERT_OK(db.erase_range(people, {}));
        for (const char* name : {"ann", "bob", "cid", "dan", "eva"})
          ASSERT_OK(db.put(people, name, std::string("id-") + name + ",Oslo"));
      };
      const auto expect_records = [&](std::uint64_t records) {
        EXPECT_EQ(all_of(db, people, "city"), expected(db, people));
        EXPECT_EQ(all_of(db, people, "city").size(), records);
        EXPECT_EQ(all_of(db, people, "id").size(), records);
        EXPECT_TRUE(!counted || db.count(people)->records == records);
        const auto report = db.check();
        ASSERT_OK(report);
        EXPECT_TRUE(report->findings.empty());
      };
      refill();
      ASSERT_OK(db.erase_range(people, {.start = "b", .end = "d"}));
      expect_records(3);
      ASSERT_OK(db.put(people, "zoe", "id-bob,Oslo"));  // what was unique is free again
      ASSERT_OK(db.erase(people, "zoe"));
      for (const Isolation isolation : {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable})
        for (const Concurrency concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
          refill();
          auto txn = db.begin({.isolation = isolation, .concurrency = concurrency});
          ASSERT_OK(txn->put(people, "bea", "id-bea,Moss"));
          const auto savepoint = txn->set_savepoint();
          ASSERT_OK(txn->erase_range(people, {}));
          EXPECT_THAT(all_of(*txn, people, "city"), IsEmpty());
          ASSERT_OK(txn->rollback_to(*savepoint));
          EXPECT_EQ(all_of(*txn, people, "city").size(), 6u);
          ASSERT_OK(txn->erase_range(people, {.start = "b", .end = "e"}));
          ASSERT_OK(txn->put(people, "cid", "id-bob,Voss"));
          EXPECT_EQ(all_of(*txn, people, "city").size(), 3u);
          ASSERT_OK(txn->commit());
          expect_records(3);
        }
      refill();
      EXPECT_CODE(kNotSupported, db.write(WriteBatch().put(people, "fay", "id-fay,Oslo").erase_range(people, {})));
      expect_records(5);
      ASSERT_OK(db.flush());
      ASSERT_OK(db.erase_range(people, {}));
      expect_records(0);
    }
  });
}

TEST(Index, MadeAfterATransactionErasedARangeIsAConflict) {
  World().run([](Database& db) {
    const Keyspace people = *db.create_keyspace("people");
    for (const char* name : {"ann", "bob", "cid"}) ASSERT_OK(db.put(people, name, "x,Oslo"));
    auto txn = db.begin();
    ASSERT_OK(txn->erase_range(people, {.start = "b", .end = std::nullopt}));
    ASSERT_OK(db.create_index(people, "city", {.extractor = kSecondField}));
    EXPECT_CODE(kConflict, txn->commit());
    EXPECT_EQ(all_of(db, people, "city").size(), 3u);
    int tries = 0;
    ASSERT_OK(db.run_transaction([&](Transaction& again) -> Status {
      if (tries++ == 0) LIGHTNING_TRY(db.drop_index(people, "city"));
      LIGHTNING_TRY(again.erase_range(people, {.start = "b", .end = std::nullopt}));
      if (tries == 1) LIGHTNING_TRY(db.create_index(people, "city", {.extractor = kSecondField}));
      return {};
    }));
    EXPECT_EQ(tries, 2);
    EXPECT_THAT(all_of(db, people, "city"), ElementsAre(Pair("Oslo", "ann")));
    EXPECT_TRUE(db.check()->findings.empty());
  });
}

TEST(Index, MadeAfterATransactionErasedARangeShowsThatTransactionNothingOfIt) {
  World().run([](Database& db) {
    const Keyspace people = *db.create_keyspace("people");
    for (const char* name : {"ann", "bob", "cid", "dan"}) ASSERT_OK(db.put(people, name, "x,Oslo"));
    auto txn = db.begin({.isolation = Isolation::kReadCommitted});
    ASSERT_OK(txn->put(people, "bea", "x,Moss"));
    ASSERT_OK(txn->erase_range(people, {.start = "b", .end = "d"}));
    ASSERT_OK(txn->put(people, "cid", "x,Voss"));
    ASSERT_OK(db.create_index(people, "city", {.extractor = kSecondField}));
    for (const bool with_records : {false, true}) {
      const IndexQuery forwards{.with_records = with_records}, backwards{.reverse = true, .with_records = with_records};
      EXPECT_THAT(all_of(*txn, people, "city", forwards, 1),
                  ElementsAre(Pair("Oslo", "ann"), Pair("Oslo", "dan"), Pair("Voss", "cid")));
      EXPECT_THAT(all_of(*txn, people, "city", backwards, 1),
                  ElementsAre(Pair("Voss", "cid"), Pair("Oslo", "dan"), Pair("Oslo", "ann")));
    }
    EXPECT_CODE(kConflict, txn->commit());
  });
}

TEST(Index, IsThereAfterReopening) {
  World world;
  world.run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people", {.counted = true});
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    for (int i = 0; i < 100; ++i)
      ASSERT_OK(db.put(keyspace, "p" + std::to_string(i), "x," + std::string(1, static_cast<char>('a' + i % 7))));
    ASSERT_OK(db.flush());
    ASSERT_OK(db.erase(keyspace, "p5"));
  });
  for (int life = 0; life < 2; ++life)
    world.run([](Database& db) {
      const Keyspace keyspace = *db.keyspace("people");
      ASSERT_EQ(db.list_indexes().size(), 1u);
      EXPECT_EQ(db.list_indexes()[0].state, IndexState::kReady);
      EXPECT_EQ(db.list_indexes()[0].name, "by_city");
      EXPECT_EQ(db.list_indexes()[0].extractor, kSecondField);
      EXPECT_EQ(all_of(db, keyspace, "by_city"), expected(db, keyspace));
      ASSERT_OK(db.put(keyspace, "p1", "x,z"));
      ASSERT_OK(db.compact_range(keyspace));
      EXPECT_EQ(all_of(db, keyspace, "by_city"), expected(db, keyspace));
      EXPECT_EQ(db.count(keyspace)->records, 99u);
    });
  const auto reader = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), true);
  ASSERT_OK(reader);
  const Keyspace keyspace = *reader->keyspace("people");
  EXPECT_EQ(all_of(*reader, keyspace, "by_city"), expected(*reader, keyspace));
  EXPECT_EQ(reader->list_indexes().size(), 1u);
}

TEST(Index, AnswersExactPrefixAndRangeQueriesBothWaysInPages) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    const std::vector<std::string> cities = {"", "Al", "Alta", "Altona", "Bergen", "Oslo", "Oslo\xff", "\xff"};
    for (std::size_t i = 0; i < 80; ++i)
      ASSERT_OK(db.put(keyspace, "k" + std::to_string(100 + i), "x," + cities[i % cities.size()]));
    const Pairs all = expected(db, keyspace);
    const auto matching = [&](auto test) {
      Pairs some;
      for (const auto& pair : all)
        if (test(pair.first)) some.push_back(pair);
      return some;
    };
    const auto check = [&](const IndexQuery& query, const Pairs& wanted) {
      for (const std::uint32_t page : {1u, 3u, 10u, 1000u}) {
        EXPECT_EQ(all_of(db, keyspace, "by_city", query, page), wanted);
        IndexQuery reverse = query;
        reverse.reverse = true;
        EXPECT_EQ(all_of(db, keyspace, "by_city", reverse, page), Pairs(wanted.rbegin(), wanted.rend()));
      }
    };
    check({}, all);
    check(IndexQuery::equal("Alta"), matching([](const std::string& c) { return c == "Alta"; }));
    check(IndexQuery::equal(""), matching([](const std::string& c) { return c.empty(); }));
    check(IndexQuery::equal("Nowhere"), {});
    check(IndexQuery::equal(7), {});
    check(IndexQuery::starting_with("Al"), matching([](const std::string& c) { return c.starts_with("Al"); }));
    check(IndexQuery::starting_with(""), all);
    check(IndexQuery::between("Alta", "Oslo"),
          matching([](const std::string& c) { return c >= "Alta" && c <= "Oslo"; }));
    check({.from = IndexQuery::Bound{"Alta", false}, .to = IndexQuery::Bound{"Oslo", false}},
          matching([](const std::string& c) { return c > "Alta" && c < "Oslo"; }));
    check({.from = IndexQuery::Bound{"B"}}, matching([](const std::string& c) { return c >= "B"; }));
    check({.to = IndexQuery::Bound{"B"}}, matching([](const std::string& c) { return c <= "B"; }));
    check({.from = IndexQuery::Bound{"Alta", false}, .to = IndexQuery::Bound{"Alta"}}, {});

    const auto with_records = db.query_index(keyspace, "by_city", {.limit = 1, .with_records = true});
    ASSERT_OK(with_records);
    EXPECT_EQ(with_records->matches.at(0).record, "x,");
  });
}

TEST(Index, GoesOnBehindTheLastMatchWhateverWasWrittenMeanwhile) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    for (const char* key : {"b", "d", "f"}) ASSERT_OK(db.put(keyspace, key, std::string("x,") + key));
    const auto first = db.query_index(keyspace, "by_city", {.limit = 2});
    EXPECT_THAT(pairs_of(first), ElementsAre(Pair("b", "b"), Pair("d", "d")));
    ASSERT_OK(db.erase(keyspace, "d"));
    ASSERT_OK(db.put(keyspace, "a", "x,a"));
    ASSERT_OK(db.put(keyspace, "e", "x,e"));
    ASSERT_OK(db.rebuild_index(keyspace, "by_city"));
    const auto second = db.query_index(keyspace, "by_city", {.limit = 2, .continuation = first->continuation});
    EXPECT_THAT(pairs_of(second), ElementsAre(Pair("e", "e"), Pair("f", "f")));
    EXPECT_EQ(second->continuation, "");
  });
}

TEST(Index, IsReadAtASnapshot) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    const Snapshot younger = db.snapshot();
    ASSERT_OK(db.put(keyspace, "a", "x,Oslo"));
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    const Snapshot then = db.snapshot();
    ASSERT_OK(db.put(keyspace, "a", "x,Alta"));
    ASSERT_OK(db.put(keyspace, "b", "x,Oslo"));
    EXPECT_THAT(all_of(db, keyspace, "by_city", {.snapshot = &then}), ElementsAre(Pair("Oslo", "a")));
    const auto page = db.query_index(keyspace, "by_city", {.with_records = true, .snapshot = &then});
    ASSERT_OK(page);
    EXPECT_EQ(page->matches.at(0).record, "x,Oslo");
    EXPECT_CODE(kIndexNotReady, db.query_index(keyspace, "by_city", {.snapshot = &younger}));
    EXPECT_EQ(all_of(db, keyspace, "by_city"), expected(db, keyspace));
  });
}

TEST(Index, OfATransactionHoldsItsOwnWrites) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    for (const char* key : {"a", "b", "c"}) ASSERT_OK(db.put(keyspace, key, std::string("x,") + key));
    auto txn = db.begin({.isolation = Isolation::kSerializable});
    ASSERT_OK(txn);
    ASSERT_OK(txn->put(keyspace, "a", "x,z"));
    ASSERT_OK(txn->erase(keyspace, "b"));
    ASSERT_OK(txn->put(keyspace, "d", "x,aa"));
    ASSERT_OK(txn->put(keyspace, "e", "nothing"));
    for (const std::uint32_t page : {1u, 2u, 100u}) {
      EXPECT_THAT(all_of(*txn, keyspace, "by_city", {}, page),
                  ElementsAre(Pair("aa", "d"), Pair("c", "c"), Pair("z", "a")));
      EXPECT_THAT(all_of(*txn, keyspace, "by_city", {.reverse = true}, page),
                  ElementsAre(Pair("z", "a"), Pair("c", "c"), Pair("aa", "d")));
    }
    const auto with_records = txn->query_index(keyspace, "by_city", {.with_records = true});
    ASSERT_OK(with_records);
    EXPECT_EQ(with_records->matches.at(2).record, "x,z");
    EXPECT_THAT(all_of(*txn, keyspace, "by_city", IndexQuery::starting_with("a")), ElementsAre(Pair("aa", "d")));
    EXPECT_THAT(all_of(db, keyspace, "by_city"), ElementsAre(Pair("a", "a"), Pair("b", "b"), Pair("c", "c")));
    ASSERT_OK(txn->commit());
    EXPECT_THAT(all_of(db, keyspace, "by_city"), ElementsAre(Pair("aa", "d"), Pair("c", "c"), Pair("z", "a")));
    EXPECT_CODE(kTransactionEnded, txn->query_index(keyspace, "by_city", {}));
  });
}

// Two that each look whether anybody lives in Oslo, and then move there: only one may.
TEST(Index, QueriesOfSerializableTransactionsSeeNoPhantoms) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.create_index(keyspace, "by_city", {.extractor = kSecondField}));
    for (const Concurrency concurrency : {Concurrency::kOptimistic, Concurrency::kPessimistic}) {
      auto one = db.begin({.isolation = Isolation::kSerializable, .concurrency = concurrency});
      auto two = db.begin({.isolation = Isolation::kSerializable, .concurrency = concurrency});
      const std::string city = "city " + std::to_string(static_cast<int>(concurrency));
      EXPECT_THAT(all_of(*one, keyspace, "by_city", IndexQuery::equal(city)), IsEmpty());
      EXPECT_THAT(all_of(*two, keyspace, "by_city", IndexQuery::equal(city)), IsEmpty());
      ASSERT_OK(one->put(keyspace, "one", "x," + city));
      ASSERT_OK(two->put(keyspace, "two", "x," + city));
      ASSERT_OK(one->commit());
      EXPECT_CODE(kConflict, two->commit());
      // A write beside the range is no conflict.
      auto three = db.begin({.isolation = Isolation::kSerializable, .concurrency = concurrency});
      EXPECT_EQ(all_of(*three, keyspace, "by_city", IndexQuery::equal(city)).size(), 1u);
      ASSERT_OK(db.put(keyspace, "elsewhere", "x,Zagreb"));
      ASSERT_OK(three->put(keyspace, "three", "x,Paris"));
      EXPECT_OK(three->commit());
    }
    EXPECT_EQ(all_of(db, keyspace, "by_city"), expected(db, keyspace));
  });
}

TEST(UniqueIndex, RefusesASecondRecordAndNamesBoth) {
  World().run([](Database& db) {
    const Keyspace users = *db.create_keyspace("users", {.counted = true});
    ASSERT_OK(db.create_index(users, "by_mail", {.extractor = kSecondField, .unique = true}));
    ASSERT_OK(db.put(users, "ann", "x,a@b"));
    const Status refused = db.put(users, "bob", "x,a@b");
    EXPECT_CODE(kNotUnique, refused);
    for (const char* part : {"by_mail", "'ann'", "'bob'", "'a@b'"})
      EXPECT_THAT(refused.error().message(), HasSubstr(part));
    EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_EQ(db.get(users, "bob")->has_value(), false);
    EXPECT_EQ(db.count(users)->records, 1u);
    ASSERT_OK(db.put(users, "ann", "y,a@b"));

    // Within a batch: twice is refused, exchanging is not.
    EXPECT_CODE(kNotUnique, db.write(WriteBatch().put(users, "c", "x,c@d").put(users, "e", "x,c@d")));
    EXPECT_CODE(kNotUnique, db.write(WriteBatch().put(users, "fay", "x,f@g").put(users, "bob", "x,a@b")));
    EXPECT_FALSE(db.get(users, "fay")->has_value());
    ASSERT_OK(db.put(users, "bob", "x,b@b"));
    ASSERT_OK(db.write(WriteBatch().put(users, "ann", "x,b@b").put(users, "bob", "x,a@b")));
    EXPECT_THAT(all_of(db, users, "by_mail"), ElementsAre(Pair("a@b", "bob"), Pair("b@b", "ann")));
    ASSERT_OK(db.write(WriteBatch().erase(users, "ann").put(users, "new", "x,b@b")));
    EXPECT_CODE(kNotUnique, db.put_if_absent(users, "other", "x,b@b"));
    EXPECT_CODE(kNotUnique, db.compare_and_set(users, "new", "x,b@b", "x,a@b"));
    EXPECT_EQ(all_of(db, users, "by_mail"), expected(db, users));

    auto txn = db.begin();
    ASSERT_OK(txn->put(users, "good", "x,good"));
    ASSERT_OK(txn->put(users, "bad", "x,a@b"));
    const auto committed = txn->commit();
    EXPECT_CODE(kNotUnique, committed);
    EXPECT_EQ(committed.error().outcome(), WriteOutcome::kNotApplied);
    EXPECT_FALSE(db.get(users, "good")->has_value());
    EXPECT_EQ(txn->state(), TransactionState::kRolledBack);
    EXPECT_EQ(all_of(db, users, "by_mail"), expected(db, users));
    EXPECT_EQ(db.count(users)->records, 2u);
    EXPECT_EQ(pairs_of(db.query_index(users, "by_mail", IndexQuery::equal("a@b"))), (Pairs{{"a@b", "bob"}}));
  });
}

TEST(UniqueIndex, IsNotMadeWhereValuesRepeat) {
  World().run([](Database& db) {
    const Keyspace users = *db.create_keyspace("users");
    ASSERT_OK(db.put(users, "ann", "x,a@b"));
    ASSERT_OK(db.put(users, "bob", "x,a@b"));
    const Status refused = db.create_index(users, "by_mail", {.extractor = kSecondField, .unique = true});
    EXPECT_CODE(kNotUnique, refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("'bob'"));
    EXPECT_THAT(db.list_indexes(), IsEmpty());
    ASSERT_OK(db.put(users, "cid", "x,a@b"));
    ASSERT_OK(db.create_index(users, "by_mail", {.extractor = kSecondField}));
    EXPECT_EQ(all_of(db, users, "by_mail").size(), 3u);
  });
}

TEST(Index, RejectsOrLeavesOutWhatCannotBeExtracted) {
  World world;
  const auto numbers = [](std::string_view, std::string_view value) -> Result<std::optional<IndexValue>> {
    if (value.empty()) return std::optional<IndexValue>();
    if (value[0] < '0' || value[0] > '9') return Error(ErrorCode::kInvalidArgument, "not a number");
    return std::optional<IndexValue>(IndexValue(value[0] - '0'));
  };
  const auto open = [&] {
    return DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), false, {},
                                         {.extractors = {{"number", numbers}}});
  };
  {
    auto db = open();
    ASSERT_OK(db);
    const Keyspace strict = *db->create_keyspace("strict"), lenient = *db->create_keyspace("lenient");
    ASSERT_OK(db->create_index(strict, "n", {.extractor = UserExtractor{"number"}}));
    ASSERT_OK(db->create_index(
        lenient, "n", {.extractor = UserExtractor{"number"}, .on_extract_failure = OnExtractFailure::kLeaveOut}));
    ASSERT_OK(db->put(strict, "a", "1"));
    const Status refused = db->put(strict, "a", "one");
    EXPECT_CODE(kExtractFailed, refused);
    for (const char* part : {"'n'", "'number'", "'a'", "not a number"})
      EXPECT_THAT(refused.error().message(), HasSubstr(part));
    EXPECT_CODE(kExtractFailed, db->write(WriteBatch().put(strict, "b", "2").put(strict, "c", "x")));
    EXPECT_EQ(*db->get(strict, "a"), "1");
    EXPECT_FALSE(db->get(strict, "b")->has_value());
    ASSERT_OK(db->put(lenient, "a", "one"));
    ASSERT_OK(db->put(lenient, "b", "2"));
    ASSERT_OK(db->put(lenient, "b", "two"));
    ASSERT_OK(db->put(lenient, "c", "3"));
    EXPECT_EQ(db->query_index(lenient, "n", {})->matches.size(), 1u);
    EXPECT_EQ(db->query_index(lenient, "n", IndexQuery::equal(3))->matches.at(0).key, "c");
    EXPECT_CODE(kExtractFailed, db->create_index(lenient, "strict", {.extractor = UserExtractor{"number"}}));
    EXPECT_EQ(db->list_indexes(lenient).size(), 1u);
    EXPECT_CODE(kExtractorMissing, db->create_index(lenient, "other", {.extractor = UserExtractor{"another"}}));
    ASSERT_OK(db->close());
  }
  {  // without the function: queries and other keyspaces go on, writes say what is missing
    auto db = DatabaseAccess::open_as_given(world.env().env, "/store", world.config());
    ASSERT_OK(db);
    const Keyspace strict = *db->keyspace("strict");
    EXPECT_EQ(db->query_index(strict, "n", IndexQuery::equal(1))->matches.size(), 1u);
    const Status refused = db->put(strict, "z", "9");
    EXPECT_CODE(kExtractorMissing, refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("'number'"));
    EXPECT_CODE(kExtractorMissing, db->erase(strict, "a"));
    ASSERT_OK(db->put("elsewhere", "1"));
    const auto report = db->check();
    ASSERT_OK(report);
    EXPECT_THAT(report->findings, IsEmpty());
    EXPECT_EQ(report->not_compared.size(), 2u);
    EXPECT_THAT(report->not_compared.at(0), HasSubstr("'number'"));
    ASSERT_OK(db->drop_index(strict, "n"));
    ASSERT_OK(db->put(strict, "z", "nine"));
    ASSERT_OK(db->close());
  }
}

TEST(Index, TellsWhatIsWrongWithACall) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    const IndexOptions options{.extractor = kSecondField};
    EXPECT_CODE(kInvalidArgument, db.create_index(keyspace, "", options));
    EXPECT_CODE(kInvalidArgument, db.create_index(keyspace, "a\nb", options));
    EXPECT_CODE(kInvalidArgument, db.create_index(Keyspace(), "a", options));
    EXPECT_CODE(kInvalidArgument, db.create_index(keyspace, "a", {.extractor = ByteRange{}}));
    EXPECT_CODE(kIndexNotFound, db.query_index(keyspace, "a", {}));
    EXPECT_CODE(kIndexNotFound, db.drop_index(keyspace, "a"));
    EXPECT_CODE(kIndexNotFound, db.rebuild_index(keyspace, "a"));
    ASSERT_OK(db.create_index(keyspace, "a", options));
    EXPECT_CODE(kIndexExists, db.create_index(keyspace, "a", options));
    EXPECT_CODE(kInvalidArgument, db.query_index(keyspace, "a", {.limit = 0}));
    EXPECT_CODE(kInvalidArgument, db.query_index(keyspace, "a", {.limit = 100'001}));
    EXPECT_CODE(kInvalidArgument, db.query_index(keyspace, "a", {.continuation = "foreign"}));
    EXPECT_CODE(kInvalidArgument, db.query_index(keyspace, "a", {.from = IndexQuery::Bound{"x"}, .prefix = "y"}));
    EXPECT_CODE(kInvertedRange, db.query_index(keyspace, "a", IndexQuery::between("x", "a")));
    ASSERT_OK(db.put(keyspace, "k", "x,b"));
    ASSERT_OK(db.put(keyspace, "l", "x,c"));
    const auto page = db.query_index(keyspace, "a", {.limit = 1});
    IndexQuery other = IndexQuery::equal("c");
    other.continuation = page->continuation;
    EXPECT_CODE(kInvalidArgument, db.query_index(keyspace, "a", other));
    auto txn = db.begin();
    const Snapshot snapshot = db.snapshot();
    EXPECT_CODE(kInvalidArgument, txn->query_index(keyspace, "a", {.snapshot = &snapshot}));
    EXPECT_CODE(kIndexNotFound, txn->query_index(keyspace, "b", {}));

    // What is too long for an entry is a failure of extraction.
    EXPECT_CODE(kExtractFailed, db.put(keyspace, "long", "x," + std::string(17'000, 'v')));
    EXPECT_CODE(kExtractFailed, db.put(keyspace, std::string(kKeyBytesMax, 'k'), "x," + std::string(1000, 'v')));
    ASSERT_OK(db.put(keyspace, std::string(kKeyBytesMax, 'k'), "nothing"));

    ASSERT_OK(db.drop_keyspace("people"));
    EXPECT_THAT(db.list_indexes(), IsEmpty());
    EXPECT_CODE(kKeyspaceNotFound, db.query_index(keyspace, "a", {}));
    const Keyspace again = *db.create_keyspace("people");
    EXPECT_CODE(kIndexNotFound, db.query_index(again, "a", {}));
    ASSERT_OK(db.create_index(again, "a", options));
  });
}

TEST(Index, IsDroppedBesideThoseWhoUseIt) {
  World().run([](Database& db) {
    const Keyspace keyspace = *db.create_keyspace("people");
    ASSERT_OK(db.create_index(keyspace, "a", {.extractor = kSecondField}));
    ASSERT_OK(db.create_index(keyspace, "b", {.extractor = kSecondField, .unique = true}));
    for (int i = 0; i < 50; ++i) ASSERT_OK(db.put(keyspace, std::to_string(i), "x," + std::to_string(i)));
    auto txn = db.begin({.isolation = Isolation::kSerializable});
    EXPECT_EQ(all_of(*txn, keyspace, "b").size(), 50u);
    ASSERT_OK(txn->put(keyspace, "7", "x,8"));
    ASSERT_OK(db.drop_index(keyspace, "b"));
    EXPECT_CODE(kIndexNotFound, txn->query_index(keyspace, "b", {}));
    EXPECT_OK(txn->commit());  // nothing is unique any more
    EXPECT_EQ(db.list_indexes().size(), 1u);
    EXPECT_EQ(all_of(db, keyspace, "a"), expected(db, keyspace));
    ASSERT_OK(db.create_index(keyspace, "b", {.extractor = ByteRange{0, 1}}));
    EXPECT_EQ(all_of(db, keyspace, "b").size(), 50u);
  });
}

}  // namespace
}  // namespace lightning::index
