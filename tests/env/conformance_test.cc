// What file_system.h promises, kept by every implementation. "l" and "m" are log segments, "s" is updated in place.
#include <array>
#include <vector>

#include "place.h"

namespace lightning::env {
namespace {

using ::testing::TestParamInfo;

class Conformance : public ::testing::TestWithParam<Implementation> {
 protected:
  Conformance() : place_(GetParam().make()), files_(place_->files()) {}
  std::string path(const std::string& name) const { return place_->path(name); }
  const std::string& root() const { return place_->root(); }

  std::unique_ptr<Place> place_;
  FileSystem& files_;
};

// --- appending and reading ----------------------------------------------------------------------------------------

TEST_P(Conformance, AppendedBytesReadBackAtTheirOffsets) {
  const std::string bytes = pattern(100'000);
  write_whole(files_, path("a"), bytes);
  auto file = must(files_.open_random_access(path("a"), FileClass::kTable));
  EXPECT_EQ(file->size(), bytes.size());
  std::string part(5000, '\0');
  for (std::uint64_t offset : {0u, 1u, 511u, 512u, 4096u, 65'537u, 95'000u}) {
    EXPECT_OK(file->read(offset, part));
    EXPECT_EQ(part, bytes.substr(offset, part.size())) << offset;
  }
  file->prefetch(0, 1 << 20);
  EXPECT_OK(file->read(bytes.size(), {}));
}

TEST_P(Conformance, AppendsKeepTheirOrderAcrossBufferSizes) {
  auto file = must(files_.create_writable(path("a"), FileClass::kTable));
  std::string expected;
  for (std::size_t bytes : {1u, 700'000u, 400'000u, 3u, 2'500'000u, 0u, 1u << 20, 17u}) {
    const std::string piece = pattern(bytes, static_cast<unsigned>(bytes));
    EXPECT_OK(file->append(piece));
    expected += piece;
    EXPECT_EQ(file->size(), expected.size());
  }
  EXPECT_OK(file->close());
  EXPECT_TRUE(read_whole(files_, path("a")) == expected);
}

TEST_P(Conformance, FlushedBytesAreSeenByOtherHandles) {
  auto file = must(files_.create_writable(path("a"), FileClass::kDump));
  EXPECT_OK(file->append("hello"));
  EXPECT_OK(file->flush());
  EXPECT_EQ(read_whole(files_, path("a")), "hello");
}

TEST_P(Conformance, DestructionWritesWhatWasAppended) {
  must(files_.create_writable(path("a"), FileClass::kDump))->append("hello").value();
  EXPECT_EQ(read_whole(files_, path("a")), "hello");
}

TEST_P(Conformance, AClosedFileTakesNoMore) {
  auto file = must(files_.create_writable(path("a"), FileClass::kDump));
  EXPECT_OK(file->close());
  EXPECT_OK(file->close());
  EXPECT_CODE(kClosed, file->append("x"));
  EXPECT_CODE(kClosed, file->flush());
  EXPECT_CODE(kClosed, file->sync());
}

TEST_P(Conformance, CreatingWhatExistsFailsAndChangesNothing) {
  for (const char* name : {"a", "l"}) {
    write_whole(files_, path(name), "first");
    EXPECT_CODE(kIo, files_.create_writable(path(name), FileClass::kTable));
    if (*name == 'l') EXPECT_CODE(kIo, files_.create_log(path(name), 4096));
    EXPECT_EQ(read_whole(files_, path(name)), "first");
  }
}

TEST_P(Conformance, MissingFilesAndParentsAreStorageUnavailable) {
  EXPECT_CODE(kStorageUnavailable, files_.open_random_access(path("none"), FileClass::kTable));
  EXPECT_CODE(kStorageUnavailable, files_.create_writable(path("none/a"), FileClass::kTable));
  EXPECT_CODE(kStorageUnavailable, files_.open_updatable(path("none/s"), FileClass::kSuperblock, 16));
  EXPECT_CODE(kStorageUnavailable, files_.create_log(path("none/l"), 4096));
  EXPECT_CODE(kStorageUnavailable, files_.reuse_log(path("l")));
  EXPECT_CODE(kStorageUnavailable, files_.read_file(path("none"), 10));
  EXPECT_CODE(kStorageUnavailable, files_.info(path("none")));
  EXPECT_CODE(kStorageUnavailable, files_.list(path("none")));
  EXPECT_CODE(kStorageUnavailable, files_.remove(path("none")));
  EXPECT_CODE(kStorageUnavailable, files_.rename(path("none"), path("b")));
  EXPECT_CODE(kStorageUnavailable, files_.link(path("none"), path("b")));
  EXPECT_CODE(kStorageUnavailable, files_.sync_directory(path("none")));
  EXPECT_CODE(kStorageUnavailable, files_.lock(path("none/lock"), "me"));
  EXPECT_CODE(kStorageUnavailable, files_.free_bytes(path("none")));
}

TEST_P(Conformance, ErrorsNameTheFile) {
  const auto result = files_.open_random_access(path("none"), FileClass::kTable);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().context().file, path("none"));
  EXPECT_EQ(result.error().context().os_error, ENOENT);
}

TEST_P(Conformance, AFileIsNoDirectoryAndADirectoryNoFile) {
  write_whole(files_, path("a"), "x");
  EXPECT_CODE(kStorageUnavailable, files_.open_random_access(path("a/b"), FileClass::kTable));
  EXPECT_CODE(kStorageUnavailable, files_.list(path("a")));
  EXPECT_CODE(kStorageUnavailable, files_.sync_directory(path("a")));
  EXPECT_CODE(kStorageUnavailable, files_.create_directories(path("a")));
  EXPECT_CODE(kStorageUnavailable, files_.create_directories(path("a/b")));
  EXPECT_CODE(kStorageUnavailable, files_.open_random_access(root(), FileClass::kTable));
  EXPECT_CODE(kStorageUnavailable, files_.read_file(root(), 10));
}

TEST_P(Conformance, ReadingBeyondTheEndIsCorruptionWithTheOffset) {
  write_whole(files_, path("a"), "0123456789");
  auto file = must(files_.open_random_access(path("a"), FileClass::kTable));
  std::array<char, 4> into;
  EXPECT_OK(file->read(6, into));
  for (std::uint64_t offset : {std::uint64_t{7}, std::uint64_t{10}, std::uint64_t{11}, ~std::uint64_t{0}}) {
    const Status status = file->read(offset, into);
    EXPECT_CODE(kCorruption, status);
    EXPECT_EQ(status.error().context().offset, offset);
  }
}

TEST_P(Conformance, ReadManyServesEachRequestWithItsOwnStatus) {
  const std::string bytes = pattern(1 << 20);
  write_whole(files_, path("a"), bytes);
  auto file = must(files_.open_random_access(path("a"), FileClass::kTable));
  std::vector<std::string> buffers(200);
  std::vector<RandomAccessFile::Request> requests;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    buffers[i].resize(i * 17 % 6000);
    // Every seventh lies partly beyond the end, one at an offset that no file has.
    const std::uint64_t offset = i == 28 ? ~std::uint64_t{0} - 10 : i % 7 == 0 ? bytes.size() - 100 : i * 4999;
    requests.push_back({.offset = offset, .into = buffers[i]});
  }
  file->read_many(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (i % 7 == 0 && (i == 28 || buffers[i].size() > 100)) {
      EXPECT_CODE(kCorruption, requests[i].status);
    } else {
      EXPECT_OK(requests[i].status);
      EXPECT_TRUE(buffers[i] == bytes.substr(requests[i].offset, buffers[i].size())) << i;
    }
  }
  file->read_many({});
  file->read_many(std::span(requests).first(1));
}

TEST_P(Conformance, AnOpenFileStaysReadableAfterItsRemoval) {
  write_whole(files_, path("a"), "still here");
  auto file = must(files_.open_random_access(path("a"), FileClass::kTable));
  EXPECT_OK(files_.remove(path("a")));
  write_whole(files_, path("a"), "another  one");
  std::string text(10, '\0');
  EXPECT_OK(file->read(0, text));
  EXPECT_EQ(text, "still here");
}

TEST_P(Conformance, ReadFileRefusesMoreThanItsLimit) {
  write_whole(files_, path("a"), "0123456789");
  EXPECT_EQ(must(files_.read_file(path("a"), 10)), "0123456789");
  EXPECT_CODE(kCorruption, files_.read_file(path("a"), 9));
}

// --- updating -----------------------------------------------------------------------------------------------------

TEST_P(Conformance, AnUpdatableFileIsBornAsZerosAndKeepsWhatIsWritten) {
  std::string text(8192, 'x');
  {
    auto file = must(files_.open_updatable(path("s"), FileClass::kSuperblock, 8192));
    EXPECT_EQ(file->size(), 8192u);
    EXPECT_OK(file->read(0, text));
    EXPECT_EQ(text, std::string(8192, '\0'));
    EXPECT_OK(file->write(4096, "slot two"));
    EXPECT_OK(file->sync());
  }
  auto file = must(files_.open_updatable(path("s"), FileClass::kSuperblock, 100));
  EXPECT_EQ(file->size(), 8192u) << "an existing file is taken as it is";
  EXPECT_OK(file->read(0, text));
  EXPECT_EQ(text.substr(4096, 8), "slot two");
  EXPECT_CODE(kCorruption, file->read(8190, std::span(text).first(3)));
}

// --- log segments -------------------------------------------------------------------------------------------------

TEST_P(Conformance, ANewLogSegmentIsZerosOfItsSize) {
  auto log = must(files_.create_log(path("l"), 300'000));
  ASSERT_EQ(log->size(), 300'000u);
  EXPECT_EQ(std::string_view(log->data(), log->size()), std::string(300'000, '\0'));
  EXPECT_EQ(must(files_.info(path("l"))).bytes, 300'000u);
}

TEST_P(Conformance, StoresInALogSegmentAreSeenByReadersAtOnce) {
  auto log = must(files_.create_log(path("l"), 1 << 20));
  const std::string record = pattern(1000);
  log->write(0, record);
  log->write((1 << 20) - 1000, record);
  log->write(500'000, {});
  EXPECT_EQ(std::string_view(log->data(), 1000), record);
  const std::string whole = read_whole(files_, path("l"));
  EXPECT_EQ(whole.size(), std::size_t{1} << 20);
  EXPECT_EQ(whole.substr(0, 1000), record);
  EXPECT_EQ(whole.substr((1 << 20) - 1000), record);
}

TEST_P(Conformance, ALogSegmentSurvivesReopenAndCanBeWrittenAgain) {
  {
    auto log = must(files_.create_log(path("l"), 65'536));
    log->write(100, "old content");
    EXPECT_OK(log->sync(100, 11));
  }
  EXPECT_OK(files_.rename(path("l"), path("m")));
  {
    auto log = must(files_.reuse_log(path("m")));
    EXPECT_EQ(log->size(), 65'536u);
    EXPECT_EQ(std::string_view(log->data() + 100, 11), "old content");
    log->write(100, "new");
    EXPECT_OK(log->sync(0, log->size()));
    EXPECT_OK(log->sync(65'536, 10));
    EXPECT_OK(log->sync(60'000, ~std::uint64_t{0}));
  }
  EXPECT_EQ(read_whole(files_, path("m")).substr(100, 11), "new content");
}

TEST_P(Conformance, ALogSegmentThatLeftTheMemoryKeepsWhatWasStored) {
  auto log = must(files_.create_log(path("l"), 1 << 20));
  const std::string record = pattern(300'000);
  log->write(4096, record);
  log->release_pages();
  log->write(400'000, "after");
  EXPECT_EQ(std::string_view(log->data() + 4096, record.size()), record);
  EXPECT_OK(log->sync(0, log->size()));
  log->release_pages();
  const std::string whole = read_whole(files_, path("l"));
  EXPECT_EQ(whole.substr(4096, record.size()), record);
  EXPECT_EQ(whole.substr(400'000, 5), "after");
}

TEST_P(Conformance, ALogSegmentOfNoBytesIsRefused) {
  EXPECT_CODE(kInvalidArgument, files_.create_log(path("l"), 0));
  write_whole(files_, path("m"), "");
  EXPECT_CODE(kCorruption, files_.reuse_log(path("m")));
}

// --- names --------------------------------------------------------------------------------------------------------

TEST_P(Conformance, ListIsSortedAndHoldsNamesOnly) {
  for (const char* name : {"b", "a", "c10", "c9", ".hidden"}) write_whole(files_, path(name), "x");
  EXPECT_OK(files_.create_directories(path("sub/deep")));
  EXPECT_EQ(must(files_.list(root())), (std::vector<std::string>{".hidden", "a", "b", "c10", "c9", "sub"}));
  EXPECT_EQ(must(files_.list(path("sub"))), (std::vector<std::string>{"deep"}));
  EXPECT_EQ(must(files_.list(path("sub/deep"))), (std::vector<std::string>{}));
}

TEST_P(Conformance, ExistsAndInfoTellFilesFromDirectories) {
  write_whole(files_, path("a"), "12345");
  EXPECT_TRUE(must(files_.exists(path("a"))));
  EXPECT_TRUE(must(files_.exists(root())));
  EXPECT_FALSE(must(files_.exists(path("b"))));
  EXPECT_FALSE(must(files_.exists(path("a/b"))));
  EXPECT_EQ(must(files_.info(path("a"))).bytes, 5u);
  EXPECT_FALSE(must(files_.info(path("a"))).is_directory);
  EXPECT_TRUE(must(files_.info(root())).is_directory);
}

TEST_P(Conformance, CreateDirectoriesMakesParentsAndIsIdempotent) {
  EXPECT_OK(files_.create_directories(path("x/y/z")));
  EXPECT_OK(files_.create_directories(path("x/y/z/")));
  EXPECT_OK(files_.create_directories(path("x/y")));
  EXPECT_OK(files_.create_directories("/"));
  EXPECT_TRUE(must(files_.info(path("x/y/z"))).is_directory);
  EXPECT_OK(files_.sync_directory(path("x/y/z")));
  EXPECT_OK(files_.sync_directory(root()));
}

TEST_P(Conformance, RenameReplacesItsTarget) {
  write_whole(files_, path("a"), "new");
  write_whole(files_, path("b"), "old");
  EXPECT_OK(files_.rename(path("a"), path("b")));
  EXPECT_FALSE(must(files_.exists(path("a"))));
  EXPECT_EQ(read_whole(files_, path("b")), "new");
}

TEST_P(Conformance, RenameMovesBetweenDirectories) {
  EXPECT_OK(files_.create_directories(path("sub")));
  write_whole(files_, path("a"), "moved");
  EXPECT_OK(files_.rename(path("a"), path("sub/b")));
  EXPECT_EQ(read_whole(files_, path("sub/b")), "moved");
  EXPECT_OK(files_.rename(path("sub"), path("sub2")));
  EXPECT_EQ(read_whole(files_, path("sub2/b")), "moved");
}

TEST_P(Conformance, LinkSharesContentAndRefusesAnExistingName) {
  write_whole(files_, path("a"), "shared");
  EXPECT_OK(files_.link(path("a"), path("b")));
  EXPECT_CODE(kIo, files_.link(path("a"), path("b")));
  EXPECT_OK(files_.remove(path("a")));
  EXPECT_EQ(read_whole(files_, path("b")), "shared");
}

TEST_P(Conformance, RemoveTakesFilesAndEmptyDirectoriesOnly) {
  EXPECT_OK(files_.create_directories(path("sub")));
  write_whole(files_, path("sub/a"), "x");
  EXPECT_CODE(kIo, files_.remove(path("sub")));
  EXPECT_OK(files_.remove(path("sub/a")));
  EXPECT_OK(files_.remove(path("sub")));
  EXPECT_FALSE(must(files_.exists(path("sub"))));
}

TEST_P(Conformance, FreeBytesAreMoreThanNone) { EXPECT_GT(must(files_.free_bytes(root())), 0u); }

TEST_P(Conformance, ReservedSpaceIsAFileOfThatSizeThatIsNotThereTwice) {
  ASSERT_TRUE(files_.reserve_space(path("space"), 3 << 20));
  EXPECT_EQ(must(files_.info(path("space"))).bytes, 3u << 20);
  EXPECT_FALSE(files_.reserve_space(path("space"), 1));
  ASSERT_TRUE(files_.remove(path("space")));
  EXPECT_FALSE(must(files_.exists(path("space"))));
  EXPECT_CODE(kStorageUnavailable, files_.reserve_space(path("none/space"), 1));
}

// --- locks --------------------------------------------------------------------------------------------------------

TEST_P(Conformance, ASecondLockIsRefusedAndNamesTheOwner) {
  auto lock = must(files_.lock(path("LOCK"), "process 4711 (lightning_db) on host a\nsince noon"));
  const auto second = files_.lock(path("LOCK"), "me");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kLockHeld);
  EXPECT_NE(second.error().message().find("process 4711 (lightning_db) on host a since noon"), std::string::npos)
      << second.error().to_string();
}

TEST_P(Conformance, ALockIsFreeAgainAfterItsDestruction) {
  { auto lock = must(files_.lock(path("LOCK"), "a first owner with a long name")); }
  auto lock = must(files_.lock(path("LOCK"), "second"));
  const auto third = files_.lock(path("LOCK"), "me");
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().message().find("second"), std::string::npos);
  EXPECT_EQ(third.error().message().find("long name"), std::string::npos);
}

TEST_P(Conformance, WhoAsksLearnsWhetherALockIsHeldAndTakesNothing) {
  EXPECT_FALSE(must(files_.is_locked(path("LOCK"))));
  EXPECT_FALSE(must(files_.exists(path("LOCK"))));
  {
    auto lock = must(files_.lock(path("LOCK"), "me"));
    EXPECT_TRUE(must(files_.is_locked(path("LOCK"))));
  }
  EXPECT_FALSE(must(files_.is_locked(path("LOCK"))));
  auto lock = must(files_.lock(path("LOCK"), "me again"));
}

TEST_P(Conformance, LocksOfDifferentFilesDoNotMeet) {
  auto one = must(files_.lock(path("LOCK1"), "a"));
  auto two = must(files_.lock(path("LOCK2"), "b"));
}

INSTANTIATE_TEST_SUITE_P(, Conformance, ::testing::ValuesIn(implementations()),
                         [](const TestParamInfo<Implementation>& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace lightning::env
