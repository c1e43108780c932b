// A store of each format that was ever released, as it was written then, must open for ever, or be refused in so many
// words. tests/testdata/golden/format-N.tar.gz; `./dev golden` makes the one of the present format, which is to be done
// on purpose only: whoever changes bytes on disk finds this test failing.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "lightning/database.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning {
namespace {

namespace fs = std::filesystem;

using Content = std::map<std::string, std::string>;

constexpr std::chrono::milliseconds kYear2100{4'102'444'800'000}, kYear2000{946'684'800'000};

class GoldenStore : public testing::Test {
 protected:
  GoldenStore() {
    std::string name = fs::temp_directory_path() / "lightning-golden-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    config_.cache_size = 16 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.block_bytes = 1 << 10;
    config_.ballast_bytes = 0;
  }
  ~GoldenStore() override { fs::remove_all(directory_); }

  static std::string archive() { return LIGHTNING_SOURCE_DIR "/tests/testdata/golden/format-1.tar.gz"; }
  std::string store() const { return (directory_ / "store").string(); }
  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  // The programs that write it, and what is there afterwards.
  static std::string key(int n) { return "key/" + std::to_string(1000 + n); }
  static std::string value(int n) {
    const std::string number = std::to_string(n);
    if (n % 40 == 7) return number + std::string(5000 + static_cast<std::size_t>(n), 'l');  // large
    return n % 3 == 0 ? number + " and the same words again and again" : number;
  }
  static Content expected_records() {
    Content content;
    for (int n = 0; n < 300; ++n) content[key(n)] = value(n);
    for (int n = 0; n < 300; n += 10) content.erase(key(n));
    content.erase(content.lower_bound(key(100)), content.lower_bound(key(150)));
    content["in the log only"] = "1";
    return content;
  }
  void write_all() {
    Database db = must(Database::open(store(), config_));
    const Keyspace counted = must(db.create_keyspace("counted", {.counted = true}));
    const Keyspace sums = must(db.create_keyspace("sums", {.merge_operator = "append"}));
    const Keyspace people = must(db.create_keyspace("people"));
    EXPECT_OK(db.create_index(people, "by_city", {.extractor = DelimitedField{.field = 1, .delimiter = ';'}}));
    for (int n = 0; n < 300; ++n) EXPECT_OK(db.put(key(n), value(n)));
    EXPECT_OK(db.flush());
    for (int n = 0; n < 300; n += 10) EXPECT_OK(db.erase(key(n)));
    for (int n = 0; n < 20; ++n) EXPECT_OK(db.put(counted, key(n), "c"));
    for (const char* part : {"a", "b", "c"}) EXPECT_OK(db.merge(sums, "letters", part));
    EXPECT_OK(db.put(people, "1", "Ada;London"));
    EXPECT_OK(db.put(people, "2", "Emmy;Erlangen"));
    EXPECT_OK(db.put(people, "3", "Alan;London"));
    EXPECT_OK(db.put(people, "later", "x", {.expires_at = kYear2100}));
    EXPECT_OK(db.put(people, "gone", "x", {.expires_at = kYear2000}));
    EXPECT_OK(db.compact_range());
    EXPECT_OK(db.erase_range(KeyRange{.start = key(100), .end = key(150)}));
    EXPECT_OK(db.flush());
    EXPECT_OK(db.merge(sums, "letters", "d"));
    EXPECT_OK(db.put("in the log only", "1"));
    EXPECT_OK(db.close());
  }
  static void expect_all(Database& db) {
    Content found;
    Iterator it = db.iterate();
    for (it.seek_to_first(); it.valid(); it.next()) found[std::string(it.key())] = it.value();
    EXPECT_OK(it.status());
    EXPECT_TRUE(found == expected_records()) << found.size();
    const Keyspace counted = must(db.keyspace("counted")), people = must(db.keyspace("people"));
    EXPECT_EQ(must(db.get(must(db.keyspace("sums")), "letters")), "abcd");
    EXPECT_EQ(must(db.count(counted)).records, 20u);
    EXPECT_TRUE(must(db.count(counted)).exact);
    EXPECT_EQ(must(db.get(people, "later")), "x");
    EXPECT_EQ(must(db.get(people, "gone")), std::nullopt);
    const auto report = must(db.check());
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().error.to_string();
  }

  fs::path directory_;
  LightningDbConfig config_;
};

TEST_F(GoldenStore, OfTheFirstFormatOpensWithAllThatItHeld) {
  if (const char* const make = std::getenv("LIGHTNING_MAKE_GOLDEN")) {
    write_all();
    run("tar --sparse -C '" + directory_.string() + "' -czf '" + make + "' store");
  }
  run("tar -C '" + directory_.string() + "' -xzf '" + archive() + "'");
  {
    Database db = must(Database::open_read_only(store(), config_));
    expect_all(db);
  }
  Database db = must(Database::open(store(), config_));
  expect_all(db);
  EXPECT_OK(db.put("new", "1"));
  EXPECT_OK(db.compact_range());
  EXPECT_OK(db.erase("new"));
  expect_all(db);
}

// What is written today is what was written then, but for what is drawn by lot: so the archive is of this format.
TEST_F(GoldenStore, HasEveryKindOfFile) {
  run("tar -C '" + directory_.string() + "' -xzf '" + archive() + "'");
  std::map<std::string, int> kinds;
  for (const auto& entry : fs::recursive_directory_iterator(store()))
    if (entry.is_regular_file())
      ++kinds[entry.path().extension().empty() ? "other" : entry.path().extension().string()];
  EXPECT_GE(kinds[".sst"], 3);
  EXPECT_GE(kinds[".blob"], 1);
  EXPECT_GE(kinds[".log"], 1);
  EXPECT_TRUE(fs::exists(store() + "/SUPERBLOCK"));
}

}  // namespace
}  // namespace lightning
