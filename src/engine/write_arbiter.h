// Who has a say in writes besides the engine, once transactions exist (src/txn).
//
// The commit pipeline asks at two places: before the gate, where waiting and reading from disk are allowed, and inside
// it, where the answer must hold until the entries are in the memtables.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::engine {

// One write on its way to the log.
class Admission {
 public:
  virtual ~Admission() = default;
  // After back-pressure, before the gate. An error ends the write.
  virtual Status prepare() { return {}; }
  // Inside the gate, nothing logged yet. kGo: leave() follows, whatever becomes of the write. kWait: the write leaves
  // the gate, calls wait(), and comes again. An error ends it. Must not wait for anyone who may wait for the gate.
  enum class Answer : std::uint8_t { kGo, kWait };
  virtual Result<Answer> enter() = 0;
  // After kGo: the batch as it goes into the log, if something was added to it: the operations that were given, in
  // their order, and behind them what keeps counts and indexes in step. Good until leave().
  struct Amended {
    std::string_view batch;
    std::uint32_t operations = 0;
  };
  virtual std::optional<Amended> amended() const { return std::nullopt; }
  // Still inside the gate: the entries are in the memtables, with sequences first .. last; 0 .. 0: nothing was logged.
  virtual void leave(Sequence first, Sequence last) = 0;
  virtual Status wait() = 0;
};

// A write that is no transaction's, and has no admission yet.
class PlainWrite {
 public:
  explicit PlainWrite(std::string_view encoded) : batch(encoded) {}
  virtual ~PlainWrite() = default;
  virtual Result<Sequence> go(Admission& admission) = 0;
  const std::string_view batch;
};

// Threads: any.
class WriteArbiter {
 public:
  virtual ~WriteArbiter() = default;
  // Gives `write` an admission and lets it go.
  virtual Result<Sequence> arbitrate(PlainWrite& write) = 0;
  // A flush or compaction is about to ask which snapshots live: the moment to end what has exceeded its time.
  virtual void end_overdue() = 0;
};

}  // namespace lightning::engine
