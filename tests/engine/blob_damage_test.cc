// Damage in files of large values: a typed error that names it, or the right value, and nothing else stops.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/database_access.h"
#include "base/fiber.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "support/must.h"
#include "support/simulated_seeds.h"

namespace lightning::engine {
namespace {

class BlobDamage : public testing::Test {
 protected:
  BlobDamage() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.blob_threshold = 256;
    config_.compression_enabled = false;
  }
  void life(const std::function<void(Result<Database>&)>& body) {
    base::FiberScheduler fibers(++seed_);
    EXPECT_EQ(fibers.run([&] {
      auto opened = DatabaseAccess::open(world_.env, "/db", config_);
      body(opened);
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
  // One file with the values of "a" and "b".
  std::string fill() {
    life([&](Result<Database>& db) {
      ASSERT_TRUE(db) << db.error().to_string();
      EXPECT_OK(db->put("a", a_));
      EXPECT_OK(db->put("b", b_));
      EXPECT_OK(db->put("small", "s"));
      EXPECT_OK(db->flush());
    });
    const auto names = must(world_.files.list("/db/blobs"));
    EXPECT_EQ(names.size(), 1u);
    return "/db/blobs/" + names[0];
  }

  env::SimulatedWorld world_{1};
  LightningDbConfig config_;
  std::uint64_t seed_ = 0;
  const std::string a_ = std::string(300, 'a'), b_ = std::string(260, 'b');
};

void expect_value_or_typed(const Result<std::optional<std::string>>& got, const std::string& wanted,
                           const std::string& file, int& refused) {
  if (got) {
    ASSERT_TRUE(got->has_value());
    EXPECT_EQ(**got, wanted);
    return;
  }
  ++refused;
  EXPECT_EQ(got.error().code(), ErrorCode::kBlobCorrupt) << got.error().to_string();
  EXPECT_EQ(got.error().context().file, file);
  EXPECT_FALSE(got.error().context().key_range.empty());
}

TEST_F(BlobDamage, InAnyByteGivesATypedErrorOrTheRightValue) {
  const std::string file = fill();
  const std::uint64_t bytes = must(world_.files.info(file)).bytes;
  int refused = 0, unseen = 0;
  constexpr std::uint64_t kStride = 15 / testing_support::simulated_seeds(15);
  for (std::uint64_t offset = 0; offset < bytes; offset += kStride) {
    SCOPED_TRACE("byte " + std::to_string(offset));
    ASSERT_TRUE(world_.files.flip_bit(file, offset, static_cast<unsigned>(offset % 8)));
    life([&](Result<Database>& db) {
      ASSERT_TRUE(db) << db.error().to_string();
      const int before = refused;
      expect_value_or_typed(db->get("a"), a_, file, refused);
      expect_value_or_typed(db->get("b"), b_, file, refused);
      EXPECT_EQ(must(db->get("small")), "s");
      const CheckReport report = must(db->check());
      if (refused > before) {
        EXPECT_FALSE(report.findings.empty());
        ASSERT_EQ(db->stats().damaged_blob_files.size(), 1u);
        EXPECT_EQ(db->stats().damaged_blob_files[0].file, file);
      }
      if (report.findings.empty()) ++unseen;
      EXPECT_OK(db->put("after", "damage"));
    });
    ASSERT_TRUE(world_.files.flip_bit(file, offset, static_cast<unsigned>(offset % 8)));
  }
  if (kStride > 1) return;
  EXPECT_GT(refused, 560 + 2 * 2 * 128);  // the values, and both of them without header or footer
  EXPECT_LE(unseen, 16);                  // what lies between records belongs to nobody
}

TEST_F(BlobDamage, OfASizeThatIsWrongOrAFileThatIsGoneHaltsItsValuesAlone) {
  const std::string file = fill(), bytes = world_.files.content(file);
  const auto expect_halted = [&](ErrorCode code) {
    life([&](Result<Database>& db) {
      ASSERT_TRUE(db) << db.error().to_string();
      for (const char* key : {"a", "b"}) {
        const auto got = db->get(key);
        ASSERT_FALSE(got) << key;
        EXPECT_EQ(got.error().code(), code) << got.error().to_string();
        EXPECT_EQ(got.error().context().file, file);
      }
      EXPECT_EQ(must(db->get("small")), "s");
      EXPECT_OK(db->put("after", std::string(300, 'x')));
      EXPECT_OK(db->flush());
      EXPECT_FALSE(must(db->check()).findings.empty());
      ASSERT_EQ(db->stats().damaged_blob_files.size(), 1u);
    });
  };
  ASSERT_TRUE(world_.files.truncate_file(file, bytes.size() - 1));
  expect_halted(ErrorCode::kBlobCorrupt);
  EXPECT_OK(world_.files.remove(file));
  expect_halted(ErrorCode::kBlobMissing);
  world_.files.put_file(file, bytes);
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ(must(db->get("a")), a_);
    EXPECT_EQ(must(db->get("b")), b_);
    EXPECT_TRUE(must(db->check()).findings.empty());
  });
}

TEST_F(BlobDamage, OfAFileJustWrittenIsMendedByWritingItAgain) {
  config_.integrity_validation_level = IntegrityLevel::kParanoid;  // reads back all of it
  const std::string large(20'000, 'a');
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_OK(db->put("a", large));
    world_.files.add_fault(
        {.kind = env::IoKind::kWrite, .path_part = "/blobs/", .effect = env::FaultEffect::kStoreWrong});
    EXPECT_OK(db->flush());
    EXPECT_EQ(db->stats().tables_rewritten, 1u);
    EXPECT_EQ(must(db->get("a")), large);
    EXPECT_OK(db->put("b", b_));
  });
  EXPECT_EQ(must(world_.files.list("/db/blobs")).size(), 1u);
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ(must(db->get("a")), large);
    EXPECT_EQ(must(db->get("b")), b_);
  });
}

TEST_F(BlobDamage, StopsNeitherScansBesideItNorCompactions) {
  const std::string file = fill();
  ASSERT_TRUE(world_.files.flip_bit(file, 96 + 40 + 1 + 100));  // in the value of "a"
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    Iterator it = db->iterate();
    it.seek_to_first();
    ASSERT_TRUE(it.valid());
    EXPECT_EQ(it.key(), "a");
    EXPECT_EQ(it.value(), "");
    EXPECT_FALSE(it.valid());
    ASSERT_FALSE(it.status());
    EXPECT_EQ(it.status().error().code(), ErrorCode::kBlobCorrupt);
    it.next();
    ASSERT_TRUE(it.valid());
    EXPECT_EQ(it.value(), b_);
    EXPECT_FALSE(it.status()) << "until the next seek: a loop that looks at its end only must not miss it";
    it.seek("b");
    EXPECT_EQ(it.value(), b_);
    EXPECT_OK(it.status());

    EXPECT_OK(db->put("b", "overwritten"));
    EXPECT_OK(db->compact_range(KeyRange{}, {.bottom = BottomLevel::kRewrite}));
    EXPECT_OK(db->wait_for_background_work());
    const auto still = db->get("a");
    ASSERT_FALSE(still);
    EXPECT_EQ(still.error().code(), ErrorCode::kBlobCorrupt);
    EXPECT_EQ(db->stats().background_error, "");
    it = Iterator();  // its view keeps the file
    // What is damaged can be given up like anything else, and then its file goes.
    EXPECT_OK(db->erase("a"));
    EXPECT_OK(db->compact_range(KeyRange{}, {.bottom = BottomLevel::kRewrite}));
    EXPECT_TRUE(must(db->check()).findings.empty());
    EXPECT_TRUE(must(world_.files.list("/db/blobs")).empty());
  });
}

TEST_F(BlobDamage, ThatWasRepairedIsForgottenByACheck) {
  const std::string file = fill();
  ASSERT_TRUE(world_.files.flip_bit(file, 300));
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ(must(db->check()).findings.size(), 1u);
    EXPECT_EQ(db->stats().damaged_blob_files.size(), 1u);
    ASSERT_TRUE(world_.files.flip_bit(file, 300));
    EXPECT_TRUE(must(db->check()).findings.empty());
    EXPECT_TRUE(db->stats().damaged_blob_files.empty());
  });
}

// What came in pieces lies in a file that no manifest names before its key is flushed.
struct Harm {
  const char* name;
  std::function<void(env::SimulatedWorld&, const std::string& file)> inflict;
  ErrorCode code;
};

class StreamedDamage : public BlobDamage, public testing::WithParamInterface<Harm> {
 protected:
  static constexpr std::size_t kBytes = 2 << 20;
  std::string stream_one() {
    life([&](Result<Database>& db) {
      ASSERT_TRUE(db) << db.error().to_string();
      auto writer = must(db->put_stream("k"));
      EXPECT_OK(writer.append(streamed_));
      EXPECT_OK(writer.commit());
      EXPECT_OK(db->put("small", "s"));
    });
    return "/db/blobs/" + must(world_.files.list("/db/blobs")).at(0);
  }
  void expect_halted(const std::string& file) {
    life([&](Result<Database>& db) {
      ASSERT_TRUE(db) << db.error().to_string();
      const auto got = db->get("k");
      ASSERT_FALSE(got);
      EXPECT_EQ(got.error().code(), GetParam().code) << got.error().to_string();
      EXPECT_EQ(got.error().context().file, file);
      EXPECT_EQ(must(db->get("small")), "s");
      EXPECT_OK(db->put("after", std::string(300, 'x')));
      EXPECT_OK(db->flush());
      EXPECT_OK(db->compact_range(KeyRange{}, {.bottom = BottomLevel::kRewrite}));
      EXPECT_FALSE(must(db->check()).findings.empty());
      EXPECT_EQ(db->stats().damaged_blob_files.size(), 1u);
    });
  }
  const std::string streamed_ = std::string(kBytes, 'k');
};

TEST_P(StreamedDamage, HaltsItsValueAloneThoughOnlyTheLogNamesIt) {
  const std::string file = stream_one(), bytes = world_.files.content(file);
  GetParam().inflict(world_, file);
  expect_halted(file);  // replays the log
  expect_halted(file);  // opens what the manifest now names

  if (world_.files.exists(file).value_or(false)) EXPECT_OK(world_.files.remove(file));
  world_.files.put_file(file, bytes);
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ(must(db->get("k")), streamed_) << "the file is there again";
    EXPECT_TRUE(must(db->check()).findings.empty());
  });
}

TEST_P(StreamedDamage, GoesWithItsKey) {
  const std::string file = stream_one();
  GetParam().inflict(world_, file);
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_OK(db->put("k", "another"));
    EXPECT_OK(db->compact_range(KeyRange{}, {.bottom = BottomLevel::kRewrite}));
    EXPECT_OK(db->wait_for_background_work());
    EXPECT_EQ(must(db->get("k")), "another");
    EXPECT_TRUE(must(db->check()).findings.empty());
    EXPECT_TRUE(must(world_.files.list("/db/blobs")).empty());
  });
}

INSTANTIATE_TEST_SUITE_P(
    OfAFile, StreamedDamage,
    testing::Values(
        Harm{"ThatIsGone", [](auto& world, const auto& file) { EXPECT_OK(world.files.remove(file)); },
             ErrorCode::kBlobMissing},
        Harm{"WithAWrongHeader", [](auto& world, const auto& file) { world.files.flip_bit(file, 60); },
             ErrorCode::kBlobCorrupt},
        Harm{"WithAWrongFooter",
             [](auto& world, const auto& file) { world.files.flip_bit(file, world.files.content(file).size() - 40); },
             ErrorCode::kBlobCorrupt},
        Harm{"WithAWrongIndex",
             [](auto& world, const auto& file) { world.files.flip_bit(file, world.files.content(file).size() - 140); },
             ErrorCode::kBlobCorrupt},
        Harm{"ThatWasCut",
             [](auto& world, const auto& file) {
               world.files.truncate_file(file, world.files.content(file).size() / 2);
             },
             ErrorCode::kBlobCorrupt},
        Harm{"ThatIsEmpty", [](auto& world, const auto& file) { world.files.truncate_file(file, 0); },
             ErrorCode::kBlobCorrupt}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_F(BlobDamage, AFileThatNothingNamesIsSetAsideAndOneThatWasNeverCompletedRemoved) {
  const std::string file = fill();
  std::string bytes(must(world_.files.info(file)).bytes, '\0');
  EXPECT_OK(must(world_.files.open_random_access(file, env::FileClass::kBlob))->read(0, bytes));
  const auto write = [&](const std::string& name, std::string_view what) {
    auto stray = must(world_.files.create_writable("/db/blobs/" + name, env::FileClass::kBlob));
    EXPECT_OK(stray->append(what));
    EXPECT_OK(stray->close());
  };
  write("000000000777.blob", bytes);
  write("000000000778.blob", std::string_view(bytes).substr(0, bytes.size() - 1));
  write("000000000779.blob", "");
  life([&](Result<Database>& db) {
    ASSERT_TRUE(db) << db.error().to_string();
    EXPECT_EQ(must(world_.files.list("/db/blobs")).size(), 1u);
    const auto kept = must(world_.files.list("/db/lost+found"));
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_TRUE(kept[0].ends_with("000000000777.blob"));
    EXPECT_EQ(must(db->get("a")), a_);
    EXPECT_TRUE(must(db->check()).findings.empty());
  });
}

}  // namespace
}  // namespace lightning::engine
