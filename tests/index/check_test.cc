// check() compares indexes with their records: what is missing, what is too much, what is another's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "format/batch.h"
#include "index/definition.h"
#include "index/world.h"
#include "txn/changes.h"

namespace lightning::index {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Check : public testing::Test {
 protected:
  void SetUp() override {
    world_.run([](Database& db) {
      const Keyspace people = *db.create_keyspace("people");
      ASSERT_OK(db.create_index(people, "city", {.extractor = kSecondField}));
      ASSERT_OK(db.create_index(people, "mail", {.extractor = kSecondField, .unique = true}));
      for (const char* name : {"ann", "bob", "cid"}) ASSERT_OK(db.put(people, name, std::string("x,") + name));
    });
  }
  // Writes entries behind the back of everybody who keeps them in step.
  void tamper(const std::string& index, const std::function<void(std::string& batch, std::uint32_t tree)>& with) {
    base::FiberScheduler fibers(7, {.steps_max = 20'000'000});
    fibers.run([&] {
      auto engine =
          engine::Engine::open(world_.env().env, "/store", world_.config(), engine::Engine::Access::kReadWrite, {}, {});
      ASSERT_OK(engine);
      for (const engine::Engine::Attached& attached : (*engine)->attached()) {
        if (decode_definition(attached.definition)->name != index) continue;
        std::string batch;
        with(batch, attached.keyspace.id());
        std::uint32_t operations = 0;
        for (format::BatchReader reader(batch, format::BatchReader::Source::kCaller); reader.next();) ++operations;
        ASSERT_OK((*engine)->write(batch, operations, Durability::kSync));
      }
      ASSERT_OK((*engine)->close());
    });
  }
  std::string entry(const char* value, const char* record, bool unique) {
    std::string key;
    EXPECT_TRUE(append_entry_key(key, IndexValue(value), record, unique));
    return key;
  }
  std::vector<std::string> findings() {
    std::vector<std::string> found;
    world_.run([&](Database& db) {
      const auto report = db.check();
      ASSERT_OK(report);
      for (const CheckFinding& finding : report->findings) {
        EXPECT_EQ(finding.error.code(), ErrorCode::kInconsistentState);
        found.push_back(finding.error.message());
      }
      EXPECT_TRUE(db.check({.full = false})->findings.empty());
    });
    return found;
  }
  // And rebuilding repairs it.
  void repair(const char* index) {
    world_.run([&](Database& db) { ASSERT_OK(db.rebuild_index(*db.keyspace("people"), index)); });
    EXPECT_THAT(findings(), testing::IsEmpty());
  }

  World world_;
};

TEST_F(Check, FindsAMissingEntry) {
  EXPECT_THAT(findings(), testing::IsEmpty());
  tamper("city", [&](std::string& batch, std::uint32_t tree) {
    format::append_operation(batch, {format::EntryType::kErase, tree, entry("bob", "bob", false), {}});
  });
  EXPECT_THAT(findings(), testing::ElementsAre(AllOf(HasSubstr("'city'"), HasSubstr("no entry for record 'bob'"))));
  repair("city");
}

TEST_F(Check, FindsAnExtraEntry) {
  tamper("city", [&](std::string& batch, std::uint32_t tree) {
    txn::append_put(batch, tree, entry("bob", "ann", false), {}, 0);
    txn::append_put(batch, tree, entry("x", "nobody", false), {}, 0);
  });
  EXPECT_THAT(findings(),
              testing::ElementsAre(AllOf(HasSubstr("'bob'"), HasSubstr("'ann'"), HasSubstr("no such value")),
                                   AllOf(HasSubstr("'x'"), HasSubstr("'nobody'"))));
  repair("city");
}

TEST_F(Check, FindsAnExtraEntryBesideAMissingOne) {
  tamper("mail", [&](std::string& batch, std::uint32_t tree) {
    format::append_operation(batch, {format::EntryType::kErase, tree, entry("bob", "bob", true), {}});
    txn::append_put(batch, tree, entry("stray", "ann", true), "ann", 0);
  });
  EXPECT_THAT(findings(), testing::ElementsAre(HasSubstr("no entry for record 'bob'"), HasSubstr("'stray'")));
  repair("mail");
}

TEST_F(Check, FindsAnEntryThatNamesAnotherRecordOrExpires) {
  tamper("mail", [&](std::string& batch, std::uint32_t tree) {
    txn::append_put(batch, tree, entry("bob", "ann", true), "ann", 0);
    txn::append_put(batch, tree, entry("cid", "cid", true), "cid", 2'000'000'000'000);
    txn::append_put(batch, tree, "\x7fno entry", "ann", 0);
  });
  const auto found = findings();
  EXPECT_THAT(found,
              testing::IsSupersetOf({HasSubstr("no entry for record 'bob'"), HasSubstr("no entry for record 'cid'"),
                                     HasSubstr("holds an entry that is none")}));
  repair("mail");
}

}  // namespace
}  // namespace lightning::index
