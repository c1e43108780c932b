// A directory for a log, on the operating system's disk or a simulated one, and short words for what tests do there.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_budget.h"
#include "env/env.h"
#include "env/simulated_world.h"
#include "support/expect.h"
#include "wal/layout.h"
#include "wal/wal.h"

namespace lightning::wal {

// The value of a result that must be one: throws the error's text, which fails the test.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}
inline void must(Status status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

inline const format::Uid kStore{{1, 2, 3, 4}};

struct Replayed {
  struct Commit {
    Sequence first;
    std::uint32_t operations;
    std::uint64_t time_ns;
    std::string payload;
  };
  ReplayReport report;
  std::vector<Commit> commits;
  std::vector<std::string> payloads() const;
};

class LogPlace {
 public:
  virtual ~LogPlace() = default;
  virtual env::Env& env() = 0;
  const std::string& directory() const { return directory_; }

  std::unique_ptr<WriteAheadLog> open(LogOptions options = {.segment_bytes = 64 << 10}, LogPosition start = {});
  // As recovery does: where the last log ended.
  std::unique_ptr<WriteAheadLog> reopen(LogOptions options = {.segment_bytes = 64 << 10});
  Result<Replayed> replay(ReplayOptions options = {});
  std::vector<std::string> names();
  // Of the n-th segment that lies there, from 0.
  std::string path_of(std::size_t nth) { return directory_ + "/" + names().at(nth); }
  std::string content(const std::string& path);
  void overwrite(const std::string& path, std::uint64_t offset, std::string_view bytes);
  void flip(const std::string& path, std::uint64_t offset, unsigned bit = 0);
  std::vector<RecordFacts> records(const std::string& path);  // without payloads

  base::MemoryBudget budget{1 << 30};

 protected:
  std::string directory_;
};

std::unique_ptr<LogPlace> make_posix_place();

class SimulatedPlace final : public LogPlace {
 public:
  explicit SimulatedPlace(std::uint64_t seed = 1, env::SimulatedDiskOptions options = {})
      : world(seed, std::move(options)) {
    directory_ = "/wal";
    must(world.files.create_directories(directory_));
  }
  env::Env& env() override { return world.env; }
  env::SimulatedWorld world;
};

// One commit up to its completion.
WriteAheadLog::Ticket append(WriteAheadLog& log, std::string_view payload, bool sync = false,
                             std::uint32_t operations = 1);
// And until wait_durable() lets it go.
inline void commit(WriteAheadLog& log, std::string_view payload, bool sync = false) {
  must(log.wait_durable(append(log, payload, sync)));
}
// "<n>:" and bytes that differ from place to place.
std::string payload_of(std::uint64_t n, std::size_t bytes);

// The same story on both file systems.
class EveryDisk : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    place_ = GetParam() == std::string_view("posix") ? make_posix_place() : std::make_unique<SimulatedPlace>();
  }
  LogPlace& place() { return *place_; }
  std::unique_ptr<LogPlace> place_;
};
#define ON_EVERY_DISK(suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::Values("posix", "simulated"), \
                           [](const auto& kind) { return std::string(kind.param); })

}  // namespace lightning::wal
