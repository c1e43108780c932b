// A backup as one stream of bytes.
#include <gtest/gtest.h>

#include "backup/place.h"
#include "backup/stream.h"
#include "support/simulated_seeds.h"

namespace lightning::backup {
namespace {

BackupSink into(std::string& stream) {
  return [&stream](std::string_view bytes) -> Status {
    stream += bytes;
    return {};
  };
}

// In pieces of odd sizes.
BackupSource from(std::string_view stream) {
  return [stream, n = std::size_t{0}](std::span<char> to) mutable -> Result<std::size_t> {
    const std::size_t bytes = std::min({stream.size(), to.size(), ++n * 7 % 5000 + 1});
    std::ranges::copy(stream.substr(0, bytes), to.begin());
    stream.remove_prefix(bytes);
    return bytes;
  };
}

TEST(Stream, CarriesADatabaseThatIsInUse) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    std::atomic<bool> ends = false;
    base::Thread writer = txn::spawn([&] {
      for (int i = 0; !ends; ++i) {
        EXPECT_OK(db.put("later" + std::to_string(i), text(700, 'x')));
        base::sleep_for(std::chrono::microseconds(20));
      }
    });
    std::string stream;
    const auto sent = db.stream_backup(into(stream));
    const Snapshot after = db.snapshot();
    ends = true;
    writer.join();
    ASSERT_OK(sent);
    EXPECT_EQ(sent->number, 0u);
    const auto received = receive(world.env().env, from(stream), "/restored", {});
    ASSERT_OK(received);
    EXPECT_EQ(received->sequence, sent->sequence);
    auto restored = DatabaseAccess::open_as_given(world.env().env, "/restored", world.config());
    ASSERT_OK(restored);
    EXPECT_EQ(restored->snapshot().sequence(), sent->sequence);
    EXPECT_LE(sent->sequence, after.sequence());
    EXPECT_OK(restored->close());
    Contents found = contents_at(world, "/restored"), expected = contents_of(db);
    const auto is_later = [](const auto& record) { return record.first.starts_with("later"); };
    EXPECT_TRUE(std::ranges::includes(expected["default"], found["default"]));
    std::erase_if(found["default"], is_later);
    std::erase_if(expected["default"], is_later);
    EXPECT_EQ(found, expected);
  });
}

TEST(Stream, IsTheSameThroughAReader) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    auto reader = DatabaseAccess::open_as_given(world.env().env, "/store", world.config(), true);
    ASSERT_OK(reader);
    std::string stream;
    ASSERT_OK(reader->stream_backup(into(stream)));
    ASSERT_OK(receive(world.env().env, from(stream), "/restored", {}));
    EXPECT_EQ(contents_at(world, "/restored"), contents_of(db));
    EXPECT_CODE(kInvalidArgument, receive(world.env().env, from(stream), "/restored", {}));
    EXPECT_CODE(kInvalidArgument, receive(world.env().env, from(stream), "/other", {.replace = true}));
  });
}

TEST(Stream, OfADamagedDatabaseEndsBeforeTheDamage) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_OK(db.flush());
    const std::string path = "/store/tables/" + names_in(world, "/store/tables").back();
    world.env().files.flip_bit(path, 700);
    std::string stream;
    EXPECT_CODE(kTableCorrupt, db.stream_backup(into(stream)));
    EXPECT_CODE(kBackupCorrupt, receive(world.env().env, from(stream), "/restored", {}));
    world.env().files.flip_bit(path, 700);
  });
}

TEST(Stream, EndsWithTheErrorOfItsSinkOrSource) {
  World world;
  world.run([&](Database& db) {
    fill(db, "a");
    EXPECT_CODE(kNoSpace, db.stream_backup([](std::string_view) { return Error(ErrorCode::kNoSpace, "full"); }));
    EXPECT_CODE(kIo, receive(world.env().env,
                             [](std::span<char>) -> Result<std::size_t> { return Error(ErrorCode::kIo, "gone"); },
                             "/restored", {}));
  });
}

class SmallStream : public testing::Test {
 protected:
  void SetUp() override {
    world_.run([&](Database& db) {
      for (int i = 0; i < 8; ++i) EXPECT_OK(db.put("key" + std::to_string(i), "value"));
      EXPECT_OK(db.put("large", text(1100, 'l')));
      ASSERT_OK(db.stream_backup(into(stream_)));
    });
  }
  void expect_refused(const std::string& stream, const std::string& what) {
    const auto received = receive(world_.env().env, from(stream), "/restored", {});
    ASSERT_FALSE(received) << what;
    EXPECT_TRUE(received.error().code() == ErrorCode::kBackupCorrupt ||
                received.error().code() == ErrorCode::kFormatUnsupported)
        << what << ": " << received.error().to_string();
    EXPECT_FALSE(manifest::read_superblock(world_.env().env, "/restored")) << what;
  }
  World world_;
  std::string stream_;
};

TEST_F(SmallStream, EachByteCounts) {
  const std::uint64_t stride = 20 / testing_support::simulated_seeds(20);
  for (std::size_t at = 0; at < stream_.size(); at += stride) {
    std::string stream = stream_;
    stream[at] = static_cast<char>(stream[at] ^ (1 << (at * 3 % 8)));
    expect_refused(stream, "byte " + std::to_string(at));
    if (HasFailure()) return;
  }
}

TEST_F(SmallStream, IsOfNoUseBeforeItsEnd) {
  for (std::size_t bytes = 0; bytes < stream_.size(); bytes += 1 + stream_.size() / 300) {
    expect_refused(stream_.substr(0, bytes), "cut to " + std::to_string(bytes));
    if (HasFailure()) return;
  }
  expect_refused(stream_ + "x", "longer");
  ASSERT_OK(receive(world_.env().env, from(stream_), "/restored", {}));
  EXPECT_EQ(contents_at(world_, "/restored")["default"].size(), 9u);
}

// Frames that are each whole, in another order or number.
TEST_F(SmallStream, WithFramesMovedOrLeftOutIsRefused) {
  std::vector<std::string> frames;
  std::string_view rest = std::string_view(stream_).substr(16);
  while (!rest.empty()) {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, rest.data() + 4, 4);
    frames.emplace_back(rest.substr(0, 24 + bytes));
    rest.remove_prefix(24 + bytes);
  }
  ASSERT_GE(frames.size(), 6u);
  const auto joined = [&](const std::vector<std::string>& all) {
    std::string stream = stream_.substr(0, 16);
    for (const std::string& frame : all) stream += frame;
    return stream;
  };
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::vector<std::string> fewer = frames, more = frames;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    expect_refused(joined(fewer), "without frame " + std::to_string(i));
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(i), frames[i]);
    expect_refused(joined(more), "with frame " + std::to_string(i) + " twice");
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lightning::backup
