// Values in pieces: in bounded memory, seen whole or not at all, and durable as any other.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "api/database_access.h"
#include "base/coding.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1 << 20;

class Streams : public testing::Test {
 protected:
  Streams() {
    config_.cache_size = 16 << 20;
    config_.memtable_bytes = 1 << 20;
  }
  void life(const std::function<void()>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run([&] {
      auto opened = DatabaseAccess::open(world_.env, "/db", config_);
      ASSERT_TRUE(opened) << opened.error().to_string();
      opened_.emplace(std::move(*opened));
      body();
      opened_.reset();
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
  Database& db() { return *opened_; }
  static std::string value(std::size_t bytes, std::uint64_t seed = 1) {
    env::SeededRandom random(seed);
    std::string text;
    while (text.size() < bytes) {
      base::append_le(text, random.next());
      if (random.next() % 4 == 0) text.append(100, 'x');  // some chunks shrink
    }
    text.resize(bytes);
    return text;
  }
  Status put(std::string_view key, std::string_view bytes, const WriteOptions& options = {},
             std::size_t piece = 77'777) {
    auto writer = must(db().put_stream(key));
    for (std::string_view left = bytes; !left.empty(); left.remove_prefix(std::min(left.size(), piece)))
      if (Status taken = writer.append(left.substr(0, piece)); !taken) return taken;
    EXPECT_EQ(writer.size(), bytes.size());
    return writer.commit(options);
  }
  std::string read(std::string_view key, const ReadOptions& options = {}, std::size_t piece = 50'000) {
    auto reader = must(db().get_stream(key, options));
    if (!reader) return "(none)";
    std::string bytes(reader->size(), '\0');
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      EXPECT_OK(reader->read(at, std::span<char>(bytes).subspan(at, std::min(piece, bytes.size() - at))));
    return bytes;
  }
  std::size_t blob_files() { return must(world_.files.list("/db/blobs")).size(); }

  env::SimulatedWorld world_{1};
  LightningDbConfig config_;
  std::optional<Database> opened_;
  std::uint64_t seed_ = 0;
};

TEST_F(Streams, BringAValueBackWholeByEveryWayOfReading) {
  const std::string large = value(3 * kMiB + 17), small = value(1000);
  const auto expect_both = [&] {
    EXPECT_TRUE(read("large") == large);
    EXPECT_TRUE(must(db().get("large")) == large);
    PinnedValue pinned;
    EXPECT_OK(db().get(db().default_keyspace(), "large", pinned));
    EXPECT_TRUE(pinned.value() == large);
    Iterator it = db().iterate();
    it.seek("large");
    ASSERT_TRUE(it.valid());
    EXPECT_TRUE(it.value() == large);
    EXPECT_EQ(read("small"), small);
    EXPECT_EQ(must(db().get("small")), small);
    EXPECT_EQ(read("none"), "(none)");
  };
  life([&] {
    EXPECT_OK(put("large", large));
    EXPECT_OK(put("small", small));
    EXPECT_EQ(blob_files(), 1u);
    expect_both();  // from the memtable
    EXPECT_OK(db().close());
  });
  life([&] {
    expect_both();  // from the log
    EXPECT_TRUE(must(db().check()).findings.empty());
    EXPECT_OK(db().flush());
    EXPECT_OK(db().compact_range());
    expect_both();
  });
  life([&] {
    expect_both();
    EXPECT_EQ(blob_files(), 1u);
    EXPECT_TRUE(must(db().check()).findings.empty());
    EXPECT_OK(db().erase("large"));
    EXPECT_OK(db().compact_range());
    EXPECT_EQ(blob_files(), 0u);
  });
}

TEST_F(Streams, ReadAnyPartAndNothingBeyondTheEnd) {
  const std::string large = value(2 * kMiB);
  life([&] {
    EXPECT_OK(put("large", large));
    auto reader = *must(db().get_stream("large"));
    env::SeededRandom random(5);
    for (int i = 0; i < 200; ++i) {
      const std::size_t from = random.next() % large.size();
      std::string part(random.next() % std::min<std::size_t>(large.size() - from, 300'000) + 1, '\0');
      part.resize(std::min(part.size(), large.size() - from));
      EXPECT_OK(reader.read(from, part));
      ASSERT_TRUE(part == std::string_view(large).substr(from, part.size())) << from;
    }
    std::string two(2, '\0');
    EXPECT_CODE(kInvalidArgument, reader.read(large.size() - 1, two));
    EXPECT_CODE(kInvalidArgument, reader.read(large.size() + 1, std::span<char>()));
    EXPECT_OK(reader.read(large.size(), std::span<char>()));
  });
}

TEST_F(Streams, LeaveNothingWithoutACommit) {
  life([&] {
    EXPECT_OK(db().put("k", "old"));
    {
      auto writer = must(db().put_stream("k"));
      EXPECT_OK(writer.append(value(2 * kMiB)));
      EXPECT_EQ(blob_files(), 1u);
      EXPECT_EQ(must(db().get("k")), "old");
    }
    EXPECT_EQ(blob_files(), 0u);
    auto writer = must(db().put_stream("k"));
    EXPECT_OK(writer.append(value(2 * kMiB)));
    writer.discard();
    EXPECT_EQ(blob_files(), 0u);
    EXPECT_CODE(kInvalidArgument, writer.append("more"));
    EXPECT_CODE(kInvalidArgument, writer.commit());
    EXPECT_EQ(must(db().get("k")), "old");
  });
}

TEST_F(Streams, RefuseWhatCannotBeAValue) {
  life([&] {
    EXPECT_CODE(kKeyEmpty, db().put_stream(""));
    EXPECT_CODE(kKeyTooLarge, db().put_stream(std::string(kKeyBytesMax + 1, 'k')));
    auto writer = must(db().put_stream("k"));
    EXPECT_OK(writer.append(value(2 * kMiB)));
    const char one = 'x';  // of which so many are claimed: the size is looked at first
    EXPECT_CODE(kValueTooLarge, writer.append(std::string_view(&one, kValueBytesMax)));
    EXPECT_CODE(kInvalidArgument, writer.commit({.ttl = -1ms}));
    writer.discard();
    EXPECT_EQ(read("k"), "(none)");
    EXPECT_OK(put("empty", ""));
    EXPECT_EQ(read("empty"), "");
    EXPECT_OK(db().close());
    EXPECT_CODE(kClosed, db().put_stream("k"));
  });
}

TEST_F(Streams, GoSideBySideAndTheLastCommitWins) {
  const std::string one = value(2 * kMiB, 1), two = value(3 * kMiB, 2), three = value(2 * kMiB + 5, 3);
  life([&] {
    auto first = must(db().put_stream("k")), second = must(db().put_stream("k")), other = must(db().put_stream("o"));
    constexpr std::size_t kPiece = 100'000;
    for (std::size_t at = 0; at < two.size(); at += kPiece) {
      if (at < one.size()) EXPECT_OK(first.append(std::string_view(one).substr(at, kPiece)));
      EXPECT_OK(second.append(std::string_view(two).substr(at, kPiece)));
      if (at < three.size()) EXPECT_OK(other.append(std::string_view(three).substr(at, kPiece)));
    }
    EXPECT_OK(second.commit());
    EXPECT_TRUE(read("k") == two);
    EXPECT_OK(other.commit());
    EXPECT_OK(first.commit());
    EXPECT_TRUE(read("k") == one);
    EXPECT_TRUE(read("o") == three);
    EXPECT_OK(db().flush());
    EXPECT_OK(db().wait_for_background_work());
    EXPECT_TRUE(read("k") == one);
    EXPECT_TRUE(read("o") == three);
    EXPECT_EQ(blob_files(), 2u);
    EXPECT_TRUE(must(db().check()).findings.empty());
  });
}

TEST_F(Streams, OnAFullDiskEndInATypedErrorAndGiveTheSpaceBack) {
  const std::string large = value(8 * kMiB);
  life([&] {
    EXPECT_OK(db().put("k", "old", {.durability = Durability::kSync}));
    std::uint64_t used = 0;
    for (const char* directory : {"/db/wal", "/db/tables", "/db"})
      for (const std::string& name : must(world_.files.list(directory)))
        if (const auto info = world_.files.info(std::string(directory) + "/" + name)) used += info->bytes;
    world_.files.set_capacity(used + kMiB);
    for (int attempt = 0; attempt < 3; ++attempt) {
      const Status refused = put("k", large);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code(), ErrorCode::kNoSpace) << refused.error().to_string();
      EXPECT_EQ(blob_files(), 0u);
      EXPECT_EQ(must(db().get("k")), "old");
    }
    EXPECT_OK(put("small", std::string(100, 's')));  // nobody else is stopped
    world_.files.set_capacity(std::uint64_t{1} << 40);
    EXPECT_OK(put("k", large));
    EXPECT_TRUE(read("k") == large);
  });
  life([&] {
    EXPECT_TRUE(read("k") == large);
    EXPECT_TRUE(must(db().check()).findings.empty());
  });
}

TEST_F(Streams, ThatTheirDatabaseDidNotOutliveLeaveNothingBehind) {
  life([&] {
    auto writer = must(db().put_stream("k"));
    EXPECT_OK(writer.append(value(2 * kMiB)));
    EXPECT_OK(db().close());
    EXPECT_CODE(kClosed, writer.commit());
  });
  EXPECT_EQ(blob_files(), 0u);
}

TEST_F(Streams, ReadersKeepWhatTheyBeganWith) {
  const std::string old_value = value(2 * kMiB, 1), new_value = value(2 * kMiB, 2);
  life([&] {
    EXPECT_OK(put("k", old_value));
    auto reader = *must(db().get_stream("k"));
    const Snapshot snapshot = db().snapshot();
    EXPECT_OK(put("k", new_value));
    EXPECT_OK(db().flush());
    EXPECT_TRUE(read("k", {.snapshot = &snapshot}) == old_value);
    EXPECT_TRUE(read("k") == new_value);
    std::string bytes(old_value.size(), '\0');
    EXPECT_OK(db().compact_range());
    EXPECT_OK(reader.read(0, bytes));
    EXPECT_TRUE(bytes == old_value);
  });
}

TEST_F(Streams, WhatIsOverwrittenBeforeItIsEverFlushedGoesAtTheFlush) {
  life([&] {
    EXPECT_OK(put("k", value(2 * kMiB, 1)));
    EXPECT_OK(put("k", value(2 * kMiB, 2)));
    EXPECT_EQ(blob_files(), 2u);
    EXPECT_OK(db().flush());
    EXPECT_OK(db().wait_for_background_work());
    EXPECT_EQ(blob_files(), 1u);
    EXPECT_TRUE(read("k") == value(2 * kMiB, 2));
    EXPECT_TRUE(must(db().check()).findings.empty());
  });
}

TEST_F(Streams, KnowLifetimesAndCounts) {
  life([&] {
    EXPECT_OK(put("k", value(2 * kMiB), {.ttl = 1h}));
    const TimeToLive ttl = must(db().ttl("k"));
    ASSERT_TRUE(ttl.remaining);
    EXPECT_LE(*ttl.remaining, 1h);
    EXPECT_OK(put("past", value(2 * kMiB), {.expires_at = 1ms}));
    EXPECT_EQ(read("past"), "(none)");
    EXPECT_FALSE(must(db().get("past")));
    EXPECT_OK(db().flush());
    EXPECT_TRUE(must(db().ttl("k")).remaining);
    EXPECT_EQ(read("past"), "(none)");

    const Keyspace counted = must(db().create_keyspace("counted", {.counted = true}));
    for (int round = 0; round < 2; ++round) {
      auto writer = must(db().put_stream(counted, "k"));
      EXPECT_OK(writer.append(value(2 * kMiB)));
      EXPECT_OK(writer.commit());
      EXPECT_EQ(must(db().count(counted)).records, 1u);
    }
    EXPECT_OK(db().erase(counted, "k"));
    EXPECT_EQ(must(db().count(counted)).records, 0u);
  });
}

TEST_F(Streams, OfADroppedKeyspaceEndInAnErrorAndLeaveNoFile) {
  life([&] {
    const Keyspace gone = must(db().create_keyspace("gone"));
    auto writer = must(db().put_stream(gone, "k"));
    EXPECT_OK(writer.append(value(2 * kMiB)));
    EXPECT_OK(db().drop_keyspace("gone"));
    EXPECT_CODE(kKeyspaceNotFound, writer.commit());
    writer.discard();
    EXPECT_EQ(blob_files(), 0u);
  });
}

TEST_F(Streams, SayWhichChunkIsDamaged) {
  std::string file;
  life([&] {
    EXPECT_OK(put("k", value(2 * kMiB)));
    EXPECT_OK(db().flush());
    file = "/db/blobs/" + must(world_.files.list("/db/blobs"))[0];
    ASSERT_TRUE(world_.files.flip_bit(file, must(world_.files.info(file)).bytes / 2));
    auto reader = *must(db().get_stream("k"));
    std::string piece(1000, '\0'), whole(reader.size(), '\0');
    EXPECT_OK(reader.read(0, piece));
    const Status damaged = reader.read(0, whole);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code(), ErrorCode::kBlobCorrupt);
    EXPECT_EQ(damaged.error().context().file, file);
    EXPECT_EQ(damaged.error().context().key_range, "[\"k\"]");
    EXPECT_EQ(db().stats().damaged_blob_files.size(), 1u);
    EXPECT_OK(reader.read(2 * kMiB - 1000, piece));
  });
}

}  // namespace
}  // namespace lightning::engine
