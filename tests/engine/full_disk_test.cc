// What a full disk stops, what it does not, and that all goes on when there is room again.
#include "base/coding.h"
#include "engine/simulated_store.h"

namespace lightning::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;

// A thousand bytes that do not compress.
std::string noise(int n) {
  env::SeededRandom random(static_cast<std::uint64_t>(n));
  std::string bytes;
  while (bytes.size() < 1000) base::append_le(bytes, random.next());
  return bytes;
}

std::string key(int n) { return "key" + std::to_string(100'000 + n); }

class FullDisk : public SimulatedStore {
 protected:
  FullDisk() {
    config_.cache_size = 16 * kMiB;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = kMiB;
    config_.wal_bytes_max = 3 * kMiB;
    config_.table_bytes = 512 << 10;
    config_.ballast_bytes = kMiB;
    config_.write_stall_timeout = 20s;
    world_.files.set_capacity(24 * kMiB);
  }
  // Puts until there is no room; the first key that was refused.
  int fill() {
    for (int n = 0; n < 100'000; ++n) {
      const Status written = db().put(key(n), noise(n));
      if (written) continue;
      EXPECT_EQ(written.error().code(), ErrorCode::kNoSpace) << written.error().to_string();
      EXPECT_EQ(written.error().outcome(), WriteOutcome::kNotApplied);
      return n;
    }
    ADD_FAILURE() << "the disk does not fill up";
    return 0;
  }
  // Again and again, until it is accepted or two minutes have passed.
  static Status insist(const std::function<Status()>& write) {
    Status written;
    for (int i = 0; i < 1200; ++i) {
      written = write();
      if (written) break;
      base::sleep_for(100ms);
    }
    return written;
  }
};

TEST_F(FullDisk, TakesErasesAndGoesOnByItselfWhenTheyHaveMadeRoom) {
  life([&] {
    EXPECT_EQ(db().stats().ballast_bytes, kMiB);
    const int end = fill();
    EXPECT_EQ(db().stats().ballast_bytes, 0u) << "it is there to be used";
    EXPECT_NE(db().stats().background_error, "");
    for (int n = 0; n < end; ++n)
      if (n % 10 != 0) ASSERT_OK(insist([&] { return db().erase(key(n)); }));
    ASSERT_OK(insist([&] { return db().put("after", "1"); }));
    EXPECT_EQ(db().stats().ballast_bytes, kMiB) << "the next time it must be there again";
    EXPECT_EQ(db().stats().background_error, "");
    for (int n = 0; n < end; ++n) ASSERT_EQ(get(key(n)), n % 10 == 0 ? noise(n) : "nothing") << n;
  });
}

TEST_F(FullDisk, TakesErasedRanges) {
  life([&] {
    const int end = fill();
    ASSERT_OK(insist([&] { return db().erase_range(KeyRange{.start = key(0), .end = key(end - 5)}); }));
    ASSERT_OK(insist([&] { return db().put("after", "1"); }));
    EXPECT_EQ(get(key(end - 5)), noise(end - 5));
    EXPECT_EQ(get(key(end - 6)), "nothing");
  });
}

TEST_F(FullDisk, RefusesEverythingElseAndSaysWhatToDo) {
  life([&] {
    fill();
    WriteBatch both;
    both.erase(db().default_keyspace(), key(1));
    both.put(db().default_keyspace(), "new", "1");
    const auto refused = db().write(both);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNoSpace);
    EXPECT_NE(refused.error().to_string().find("erase what is not needed"), std::string::npos)
        << refused.error().to_string();
    EXPECT_EQ(get(key(1)), noise(1)) << "all of a batch or nothing";
    auto writer = db().put_stream(db().default_keyspace(), "large");
    ASSERT_TRUE(writer);
    Status taken;
    for (int i = 0; i < 2000 && taken; ++i) taken = writer->append(noise(i));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code(), ErrorCode::kNoSpace);
  });
}

TEST_F(FullDisk, ClosesInGoodOrder) {
  int end = 0;
  life([&] {
    end = fill();
    EXPECT_OK(db().close());
  });
  world_.files.set_capacity(64 * kMiB);
  life([&] {
    for (int n = 0; n < end; n += 7) EXPECT_EQ(get(key(n)), noise(n));
    EXPECT_OK(db().put("after", "1"));
  });
}

TEST_F(FullDisk, OpensThoughOthersHaveFilledTheDisk) {
  life([&] { put("k", "1"); });
  process([&] {
    const std::uint64_t free = *world_.files.free_bytes("/db");
    ok(world_.files.reserve_space("/others", free - (64 << 10)));
  });
  life([&] {
    EXPECT_EQ(get("k"), "1");
    EXPECT_EQ(db().stats().ballast_bytes, 0u);
    const Status refused = db().put("new", "1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNoSpace);
    EXPECT_OK(db().erase("k"));
    ok(world_.files.remove("/others"));
    EXPECT_OK(insist([&] { return db().put("new", "1"); }));
    EXPECT_EQ(db().stats().ballast_bytes, kMiB);
  });
}

TEST_F(FullDisk, GoesOnWhenSomebodyElseMakesRoom) {
  life([&] {
    const int end = fill();
    world_.files.set_capacity(64 * kMiB);
    EXPECT_OK(insist([&] { return db().put(key(end), noise(end)); }));
    EXPECT_EQ(db().stats().ballast_bytes, kMiB);
  });
}

TEST_F(FullDisk, ReserveIsKeptFromLifeToLifeAndFollowsTheConfiguration) {
  const auto on_disk = [&] {
    const auto info = world_.files.info("/db/BALLAST");
    return info ? info->bytes : 0;
  };
  life([&] { EXPECT_EQ(on_disk(), kMiB); });
  EXPECT_EQ(on_disk(), kMiB);
  config_.ballast_bytes = 0;
  life([&] { EXPECT_EQ(on_disk(), 0u); });
  config_.ballast_bytes = 64 * kMiB;
  life([&] {
    EXPECT_EQ(db().stats().ballast_bytes, on_disk());
    EXPECT_LE(on_disk(), 24 * kMiB / 16) << "a small disk is not filled with it";
    EXPECT_GT(on_disk(), kMiB / 2);
  });
}

}  // namespace
}  // namespace lightning::engine
