// Many files, few of them open.
#include "env/open_files.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fiber.h"
#include "env/simulated_world.h"

namespace lightning::env {
namespace {

constexpr int kFiles = 20;

class OpenFilesTest : public testing::Test {
 protected:
  OpenFilesTest() {
    for (int i = 0; i < kFiles; ++i) EXPECT_TRUE(world_.files.put_file(name(i), content(i)));
  }
  static std::string name(int i) { return "file" + std::to_string(i); }
  static std::string content(int i) { return "content of " + std::to_string(100 + i); }
  void open_all(OpenFiles& pool) {
    for (int i = 0; i < kFiles; ++i) {
      auto file = pool.open(name(i), FileClass::kTable);
      ASSERT_TRUE(file) << file.error().to_string();
      files_.push_back(std::move(*file));
    }
  }
  void expect_content(int i) {
    std::string bytes(content(i).size(), '\0');
    const Status status = files_[static_cast<std::size_t>(i)]->read(0, bytes);
    ASSERT_TRUE(status) << status.error().to_string();
    EXPECT_EQ(bytes, content(i));
  }

  SimulatedWorld world_{1, {.open_files_max = 12}};
  std::optional<OpenFiles> pool_;
  std::vector<std::unique_ptr<RandomAccessFile>> files_;  // gone before the pool
};

TEST_F(OpenFilesTest, ReadsMoreFilesThanMayBeOpen) {
  OpenFiles& pool = pool_.emplace(world_.files, 3);
  open_all(pool);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kFiles; ++i) expect_content(i * 7 % kFiles);
    EXPECT_LE(pool.open_now(), 3u);
  }
  EXPECT_EQ(files_[5]->size(), content(5).size());
  files_.clear();
  EXPECT_EQ(pool.open_now(), 0u);
}

TEST_F(OpenFilesTest, KeepsOpenWhatIsReadAllTheTime) {
  OpenFiles& pool = pool_.emplace(world_.files, 4);
  open_all(pool);
  expect_content(0);
  const std::uint64_t before = pool.opened();
  for (int i = 1; i < kFiles; ++i) {
    expect_content(i);
    expect_content(0);
  }
  EXPECT_LE(pool.opened() - before, kFiles + 3u) << "file 0 was closed again and again";
}

TEST_F(OpenFilesTest, ReadsAnOpenFileWithoutOpeningIt) {
  OpenFiles& pool = pool_.emplace(world_.files, kFiles);
  for (int i = 0; i < 8; ++i) {
    auto file = pool.open(name(i), FileClass::kTable);
    ASSERT_TRUE(file);
    files_.push_back(std::move(*file));
  }
  const std::uint64_t before = pool.opened();
  for (int i = 0; i < 8; ++i) expect_content(i);
  EXPECT_EQ(pool.opened(), before);
}

TEST_F(OpenFilesTest, ServesManyRequestsOfAClosedFile) {
  OpenFiles& pool = pool_.emplace(world_.files, 1);
  open_all(pool);
  std::string a(7, '\0'), b(3, '\0');
  std::vector<RandomAccessFile::Request> requests;
  requests.push_back({0, a, {}});
  requests.push_back({11, b, {}});
  files_[0]->read_many(requests);
  EXPECT_TRUE(requests[0].status);
  EXPECT_EQ(a, "content");
  EXPECT_EQ(b, "100");
}

TEST_F(OpenFilesTest, MakesDoWithFewerWhenTheProcessHasNoHandlesLeft) {
  OpenFiles& pool = pool_.emplace(world_.files, 1000);  // the disk allows 12
  open_all(pool);
  for (int i = 0; i < kFiles; ++i) expect_content(i);
}

TEST_F(OpenFilesTest, AFileThatWasRemovedMeanwhileIsAnError) {
  OpenFiles& pool = pool_.emplace(world_.files, 1);
  open_all(pool);
  ASSERT_TRUE(world_.files.remove(name(0)));
  std::string bytes(3, '\0');
  const Status status = files_[0]->read(0, bytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::kStorageUnavailable);
  EXPECT_EQ(status.error().context().file, name(0));
  expect_content(1);
  EXPECT_FALSE(pool.open("none", FileClass::kTable));
  for (int i = 1; i < kFiles; ++i) expect_content(i);
  EXPECT_EQ(pool.open_now(), 1u) << "openings that failed have given their places back";
}

// Files are closed under readers all the time; the sanitizers see what is read after it was closed.
TEST_F(OpenFilesTest, ManyThreadsReadThroughAFewHandles) {
  OpenFiles& pool = pool_.emplace(world_.files, 2);
  open_all(pool);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) expect_content((i * 7 + t * 3) % kFiles);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(pool.open_now(), 2u + 4u);
}

TEST_F(OpenFilesTest, FibersThatReadForLongDoNotBlockEachOther) {
  SimulatedWorld slow{3, {.open_files_max = 16, .io_latency = std::chrono::microseconds(50)}};
  for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(slow.files.put_file(name(i), content(i)));
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::FiberScheduler fibers(seed);
    EXPECT_EQ(fibers.run([&] {
      OpenFiles& pool = pool_.emplace(slow.files, 2);
      open_all(pool);
      std::vector<base::Thread> threads;
      for (int t = 0; t < 5; ++t)
        threads.push_back(base::Thread::spawn("reader", [&, t] {
          for (int i = 0; i < 30; ++i) expect_content((i * 7 + t * 3) % kFiles);
        }));
      for (base::Thread& thread : threads) thread.join();
      files_.clear();
      pool_.reset();
    }),
              base::WorldEnd::kFinished)
        << fibers.report();
  }
}

}  // namespace
}  // namespace lightning::env
