// A store with parity heals a rotten block by itself.
#include "base/coding.h"
#include "engine/simulated_store.h"

namespace lightning::engine {
namespace {

using namespace std::chrono_literals;

constexpr int kKeys = 600;

std::string key(int n) { return "key" + std::to_string(1000 + n); }

// A thousand bytes that do not compress.
std::string value(int n) {
  env::SeededRandom random(static_cast<std::uint64_t>(n));
  std::string bytes;
  while (bytes.size() < 1000) base::append_le(bytes, random.next());
  return bytes;
}

class BlockParity : public SimulatedStore {
 protected:
  BlockParity() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.table_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.block_bytes = 4096;
    config_.compression_enabled = false;
    config_.block_parity = true;
  }
  // All keys in tables of one level.
  void fill() {
    life([&] {
      for (int n = 0; n < kKeys; ++n) put(key(n), value(n));
      ok(db().compact_range());
      ok(db().close());
    });
  }
  std::vector<std::string> tables() {
    std::vector<std::string> paths;
    const auto names = world_.files.list("/db/tables");
    for (const std::string& name : names.value()) paths.push_back("/db/tables/" + name);
    return paths;
  }
  // One bit in the middle of what is stored of the key.
  std::string damage(int n) {
    for (const std::string& path : tables()) {
      const std::string content = *world_.files.read_file(path, 1 << 30);
      const std::size_t at = content.find(value(n));
      if (at == std::string::npos) continue;
      EXPECT_TRUE(world_.files.flip_bit(path, at + 500));
      return path;
    }
    ADD_FAILURE() << "no table holds " << key(n);
    return {};
  }
  void expect_all_there() {
    for (int n = 0; n < kKeys; ++n) ASSERT_EQ(get(key(n)), value(n)) << n;
  }
  // Background work may take a while.
  bool is_compacted() {
    for (int i = 0; i < 1000; ++i) {
      if (db().stats().compactions != 0) return true;
      base::sleep_for(10ms);
    }
    return false;
  }
};

TEST_F(BlockParity, ServesABlockThatIsRottenAndWritesItsTableAnew) {
  fill();
  const std::string path = damage(300);
  life([&] {
    expect_all_there();
    EXPECT_GE(db().stats().blocks_rebuilt, 1u);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    const auto report = db().check();
    ASSERT_OK(report);
    EXPECT_TRUE(report->findings.empty());
    EXPECT_GE(report->rebuilt_blocks, 1u);
    EXPECT_TRUE(is_compacted());
    expect_all_there();
    ok(db().close());
  });
  EXPECT_FALSE(*world_.files.exists(path));
  life([&] {
    expect_all_there();
    const auto report = db().check();
    ASSERT_OK(report);
    EXPECT_EQ(report->rebuilt_blocks, 0u);
    EXPECT_EQ(db().stats().blocks_rebuilt, 0u);
  });
}

TEST_F(BlockParity, ServesWhatTheDiskRefusesToRead) {
  fill();
  life([&] {
    world_.files.add_fault({.kind = env::IoKind::kRead, .file_class = env::FileClass::kTable});
    EXPECT_EQ(get(key(17)), value(17));
    EXPECT_EQ(db().stats().blocks_rebuilt, 1u);
    ok(db().close());
  });
}

TEST_F(BlockParity, ThatCanNotHelpLeavesAnErrorForTheseKeysAlone) {
  fill();
  damage(300);
  damage(305);
  life([&] {
    int errors = 0;
    for (int n = 0; n < kKeys; ++n) {
      const auto got = db().get(key(n));
      if (got) {
        ASSERT_EQ(got->value_or(""), value(n));
        continue;
      }
      EXPECT_EQ(got.error().code(), ErrorCode::kTableCorrupt);
      EXPECT_NEAR(n, 302, 10);
      ++errors;
    }
    EXPECT_GT(errors, 0);
    EXPECT_EQ(db().check()->findings.size(), 2u);
  });
}

TEST_F(BlockParity, IsOnlyInTablesThatAreWrittenWithIt) {
  config_.block_parity = false;
  fill();
  damage(300);
  life([&] {
    const auto got = db().get(key(300));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kTableCorrupt);
    ok(db().close());
  });
}

}  // namespace
}  // namespace lightning::engine
