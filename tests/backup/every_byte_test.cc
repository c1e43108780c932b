// Each byte of a small repository in turn is another one, and each file is cut at each length: what is damaged is found
// by check, and no restore makes a database of it.
#include <gtest/gtest.h>

#include "backup/place.h"
#include "support/simulated_seeds.h"

namespace lightning::backup {
namespace {

constexpr const char* kCatalogue = "/backups/backups/000000000001.backup";

class EveryByte : public testing::Test {
 protected:
  void SetUp() override {
    world_.config().compression_enabled = false;
    world_.run([&](Database& db) {
      const auto other = db.create_keyspace("other", {.merge_operator = "append"});
      ASSERT_OK(other);
      for (int i = 0; i < 8; ++i) EXPECT_OK(db.put("key" + std::to_string(i), "value" + std::to_string(i)));
      EXPECT_OK(db.erase_range({.start = "key2", .end = "key4"}));
      EXPECT_OK(db.merge(*other, "x", "y"));
      EXPECT_OK(db.put("large", text(1100, 'l')));
      ASSERT_OK(db.create_backup("/backups"));
      expected_ = contents_of(db);
    });
    paths_ = {kCatalogue};
    for (const std::string& name : names_in(world_, "/backups/files")) paths_.push_back("/backups/files/" + name);
    ASSERT_EQ(paths_.size(), 4u);  // two tables and a blob file
  }
  // No thread but this one does anything here.
  void expect_found(const std::string& what, bool restores_too) {
    const auto report = check(world_.env().env, "/backups", {});
    ASSERT_OK(report);
    EXPECT_EQ(report->findings.size(), 1u) << what;
    EXPECT_EQ(report->damaged.size(), 1u) << what;
    if (!restores_too) return;
    const auto restored = restore_to(world_, "/restored");
    ASSERT_FALSE(restored) << what;
    EXPECT_TRUE(restored.error().code() == ErrorCode::kBackupCorrupt) << what << ": " << restored.error().to_string();
    EXPECT_FALSE(manifest::read_superblock(world_.env().env, "/restored")) << what;
  }

  World world_;
  Contents expected_;
  std::vector<std::string> paths_;
};

TEST_F(EveryByte, FlippedIsFound) {
  const std::uint64_t stride = 20 / testing_support::simulated_seeds(20);
  for (const std::string& path : paths_) {
    const std::size_t bytes = world_.env().files.content(path).size();
    for (std::uint64_t at = 0; at < bytes; at += stride) {
      const unsigned bit = static_cast<unsigned>(at * 5 % 8);
      ASSERT_TRUE(world_.env().files.flip_bit(path, at, bit));
      expect_found(path + ", byte " + std::to_string(at), path == kCatalogue || at % 16 == 0);
      ASSERT_TRUE(world_.env().files.flip_bit(path, at, bit));
      if (HasFailure()) return;
    }
  }
  EXPECT_OK(restore_to(world_, "/restored"));
  EXPECT_EQ(contents_at(world_, "/restored", true), expected_);
}

TEST_F(EveryByte, CutOffIsFound) {
  for (const std::string& path : paths_) {
    const std::string whole = world_.env().files.content(path);
    for (std::size_t bytes = 0; bytes < whole.size(); bytes += 1 + whole.size() / 200) {
      ASSERT_TRUE(world_.env().files.truncate_file(path, bytes));
      expect_found(path + ", cut to " + std::to_string(bytes), true);
      ASSERT_TRUE(world_.env().files.put_file(path, whole));
      if (HasFailure()) return;
    }
    ASSERT_TRUE(world_.env().files.put_file(path, whole + "x"));
    expect_found(path + ", longer", true);
    ASSERT_TRUE(world_.env().files.delete_file(path));
    if (path != kCatalogue) expect_found(path + ", gone", true);
    ASSERT_TRUE(world_.env().files.put_file(path, whole));
  }
  EXPECT_OK(restore_to(world_, "/restored"));
}

// Whole files of the same size in each other's places.
TEST_F(EveryByte, OfAnotherBackupUnderItsNameIsFound) {
  const std::string catalogue = world_.env().files.content(kCatalogue);
  world_.env().files.put_file("/backups/backups/000000000002.backup", catalogue);
  EXPECT_EQ(check(world_.env().env, "/backups", {})->damaged, std::vector<std::uint64_t>{2});
  EXPECT_CODE(kBackupCorrupt, restore_to(world_, "/restored"));
  const std::string one = world_.env().files.content(paths_[1]), two = world_.env().files.content(paths_[2]);
  world_.env().files.put_file(paths_[1], two);
  world_.env().files.put_file(paths_[2], one);
  EXPECT_EQ(check(world_.env().env, "/backups", {.number = 1})->findings.size(), 2u);
}

}  // namespace
}  // namespace lightning::backup
