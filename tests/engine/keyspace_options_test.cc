// What a keyspace was asked to be stays with it.
#include <gtest/gtest.h>

#include "api/database_access.h"
#include "env/simulated_world.h"
#include "support/must.h"

namespace lightning {
namespace {

using namespace std::chrono_literals;

class KeyspaceOptionsTest : public ::testing::Test {
 protected:
  Database open() { return must(DatabaseAccess::open(world_.env, "/store", {})); }
  env::SimulatedWorld world_{1};
};

TEST_F(KeyspaceOptionsTest, AreTheSameAfterReopeningAndAfterTheManifestWasWrittenAnew) {
  {
    Database db = open();
    EXPECT_EQ(must(db.create_keyspace("hits", {.merge_operator = "add"})).options().merge_operator, "add");
    must(db.create_keyspace("sessions", {.default_ttl = 30min}));
    must(db.create_keyspace("plain"));
    must(db.create_keyspace("large", {.blob_threshold = 65536}));
    must(db.create_keyspace("inline", {.blob_threshold = 0}));
    must(db.close());
  }
  for (int life = 0; life < 2; ++life) {
    Database db = open();
    EXPECT_EQ(must(db.keyspace("hits")).options(), (KeyspaceOptions{.merge_operator = "add"}));
    EXPECT_EQ(must(db.keyspace("sessions")).options(), (KeyspaceOptions{.default_ttl = 30min}));
    EXPECT_EQ(must(db.keyspace("large")).options(), (KeyspaceOptions{.blob_threshold = 65536}));
    EXPECT_EQ(must(db.keyspace("inline")).options(), (KeyspaceOptions{.blob_threshold = 0}));
    EXPECT_EQ(must(db.keyspace("plain")).options(), KeyspaceOptions{});
    EXPECT_EQ(db.default_keyspace().options(), KeyspaceOptions{});
    must(db.close());
  }
}

TEST_F(KeyspaceOptionsTest, ThatMakeNoSenseAreRefused) {
  Database db = open();
  for (const KeyspaceOptions& wrong :
       {KeyspaceOptions{.default_ttl = -1ms}, KeyspaceOptions{.default_ttl = std::chrono::milliseconds::max()},
        KeyspaceOptions{.merge_operator = "add", .default_ttl = 1s},
        KeyspaceOptions{.merge_operator = std::string(256, 'x')}, KeyspaceOptions{.blob_threshold = 255},
        KeyspaceOptions{.blob_threshold = kValueBytesMax + 1}}) {
    const auto made = db.create_keyspace("wrong", wrong);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(db.keyspaces(), std::vector<std::string>{"default"});
}

TEST_F(KeyspaceOptionsTest, OfAKeyspaceThatIsThereMustBeTheOnesAskedFor) {
  Database db = open();
  must(db.get_or_create_keyspace("hits", {.merge_operator = "add"}));
  must(db.get_or_create_keyspace("hits", {.merge_operator = "add"}));
  must(db.get_or_create_keyspace("hits"));
  const auto other = db.get_or_create_keyspace("hits", {.merge_operator = "max"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kConfigInvalid);
}

}  // namespace
}  // namespace lightning
