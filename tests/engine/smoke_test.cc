#include <gtest/gtest.h>
#include <filesystem>
#include "lightning/database.h"
namespace lightning {
TEST(Smoke, PutGetReopen) {
  std::filesystem::remove_all("/tmp/ldb_smoke");
  LightningDbConfig config;
  config.cache_size = 64 << 20;
  config.memtable_bytes = 1 << 20;
  config.wal_segment_bytes = 4 << 20;
  {
    auto db = Database::open("/tmp/ldb_smoke", config);
    ASSERT_TRUE(db) << db.error().to_string();
    for (int i = 0; i < 100000; ++i) {
      auto s = db->put("key" + std::to_string(i * 7919 % 100000), "value" + std::to_string(i));
      ASSERT_TRUE(s) << s.error().to_string();
    }
    auto v = db->get("key5");
    ASSERT_TRUE(v) << v.error().to_string();
    ASSERT_TRUE(*v);
    auto s = db->flush();
    ASSERT_TRUE(s) << s.error().to_string();
    s = db->compact_range();
    ASSERT_TRUE(s) << s.error().to_string();
    int n = 0;
    auto it = db->iterate();
    for (it.seek_to_first(); it.valid(); it.next()) ++n;
    ASSERT_TRUE(it.status()) << it.status().error().to_string();
    EXPECT_EQ(n, 100000);
    n = 0;
    for (it.seek_to_last(); it.valid(); it.prev()) ++n;
    EXPECT_EQ(n, 100000);
    auto c = db->check();
    ASSERT_TRUE(c);
    EXPECT_TRUE(c->findings.empty());
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(db->put("late" + std::to_string(i), "x"));
    s = db->close();
    ASSERT_TRUE(s) << s.error().to_string();
  }
  auto db = Database::open("/tmp/ldb_smoke", config);
  ASSERT_TRUE(db) << db.error().to_string();
  int n = 0;
  auto it = db->iterate();
  for (it.seek_to_first(); it.valid(); it.next()) ++n;
  EXPECT_EQ(n, 101000);
  auto ro = Database::open_read_only("/tmp/ldb_smoke", config);
  ASSERT_TRUE(ro) << ro.error().to_string();
  auto v = ro->get("late5");
  ASSERT_TRUE(v && *v);
  auto second = Database::open("/tmp/ldb_smoke", config);
  ASSERT_FALSE(second);
  std::puts(second.error().to_string().c_str());
}
}  // namespace lightning
