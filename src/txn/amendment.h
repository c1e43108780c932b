// Amendment: what a write adds to itself so that counts and indexes of the keyspaces it writes to stay in step.
//
// Two steps. Outside the write gate, prepare() reads what the keys hold and asks each keyspace's keeper what follows
// from the change (engine/keeper.h): there, waiting for the disk and running user code are allowed. Inside, under the
// latches of all keys concerned, settle() looks whether they still hold the same versions. If not, or if a block would
// have to be read to know, the write leaves the gate, prepares anew and comes again; another write has gone on
// meanwhile, so somebody always does.
//
// A keyspace that is only counted needs no first step: whether a key is there is looked up under its latch.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "txn/changes.h"
#include "txn/commit_latches.h"

namespace lightning::txn {

class Amendment {
 public:
  // `batch` must outlive this.
  Amendment(engine::Engine& engine, std::string_view batch) : engine_(engine), batch_(batch) {}

  // Not inside the gate. An error refuses the write.
  Status prepare();
  // Inside the gate, before the latches are taken: adds those of entries that one record may own.
  void need_latches(CommitLatches::Held& latches) const;
  // Under the latches. False: leave the gate, prepare() again, come again.
  Result<bool> settle();
  // After settle() was true. Nothing if the batch goes as it came.
  std::optional<engine::Admission::Amended> amended() const {
    if (amended_.empty()) return std::nullopt;
    return engine::Admission::Amended{amended_, operations_};
  }
  // Entries of attached keyspaces that are going to be written. After settle().
  const std::vector<engine::Derived>& derived() const { return derived_; }

 private:
  struct Record {  // one key of a kept keyspace, and what the batch does to it
    engine::Tree* tree = nullptr;
    std::shared_ptr<engine::Tree> pin;  // if it is needed outside the gate
    std::string_view key;
    std::uint64_t hash = 0;
    NewestVersion before;
    std::uint64_t changes_ms = 0;  // it holds something else from then on, without a write; 0: never
    // Its last operation that is no merge, and the merges behind that.
    std::optional<std::uint32_t> base;
    std::vector<std::uint32_t> operands;
    std::shared_ptr<const engine::Keeper> keeper;
  };
  struct Write {  // one operation on a kept keyspace
    std::size_t offset = 0;
    format::EntryType type = format::EntryType::kPut;
    std::uint32_t record = 0;
    std::string_view value;
  };
  bool collect();
  struct Value {
    std::string bytes;
    std::uint64_t expires_ms = 0;  // 0: never
  };
  Result<std::optional<Value>> value_before(Record& record) const;
  Result<std::optional<Value>> value_after(const Record& record, const std::optional<Value>& before) const;
  Status derive();
  Result<bool> settle_exclusive();
  void build();

  engine::Engine& engine_;
  const std::string_view batch_;
  std::vector<Record> records_;
  std::vector<Write> writes_;
  std::uint32_t operations_given_ = 0, tries_ = 0;
  bool prepared_ = false;

  std::vector<engine::Derived> planned_;                  // by entry; of each group of equal ones the one that counts
  std::vector<const engine::Keeper*> of_;                 // the keeper of each
  std::vector<std::vector<std::string_view>> releasing_;  // the records of this batch that let go of it
  std::vector<engine::Derived> derived_;                  // those that are written
  std::string amended_;
  std::uint32_t operations_ = 0;
};

}  // namespace lightning::txn
