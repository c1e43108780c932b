// Admissions: what each kind of write does between the gate and the log (engine/write_arbiter.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/write_arbiter.h"
#include "format/batch.h"
#include "txn/amendment.h"
#include "txn/commit_latches.h"
#include "txn/key_ranges.h"
#include "txn/lock_table.h"

namespace lightning::txn {

class Coordinator;
class Core;

// The commit of a transaction, of either mode: latches, then locks and intents of others, then whether what it relies
// on still holds.
class CommitAdmission final : public engine::Admission {
 public:
  CommitAdmission(Core& core, std::string_view batch);
  ~CommitAdmission() override;
  Status prepare() override;
  Result<Answer> enter() override;
  void leave(Sequence first, Sequence last) override;
  std::optional<Amended> amended() const override { return amendment_.amended(); }
  Status wait() override;
  // The sequence that it met, if it ended in a conflict with a write that was already applied.
  Sequence met() const { return met_; }

 private:
  Error conflict(std::string_view key, Sequence with);
  Status check_ranges();
  Status check_kept() const;
  Status check_keys();
  Result<std::optional<Answer>> check_erased_ranges();
  Result<Answer> check_others();
  void withdraw();

  Core& core_;
  Coordinator& coordinator_;
  Amendment amendment_;
  CommitLatches::Held latches_;
  KeyRanges ranges_;  // that were read or are erased: what the commit relies on
  bool collected_ = false, published_ = false, outdated_ = false;  // outdated: the amendment
  std::uint64_t waits_for_ = 0;                                    // an intent
  std::string waits_at_;                                           // a key that lies in it
  Sequence met_ = 0;
};

// A write that is no transaction's. Where a transaction has locked its key, it becomes an owner of locks itself until
// it is done, and waits in the queue like anyone else.
class PlainAdmission : public engine::Admission {
 public:
  PlainAdmission(Coordinator& coordinator, std::string_view batch);
  ~PlainAdmission() override;
  Status prepare() override { return amendment_.prepare(); }
  Result<Answer> enter() override;
  void leave(Sequence first, Sequence last) override;
  std::optional<Amended> amended() const override { return amendment_.amended(); }
  Status wait() override;

 protected:
  Coordinator& coordinator_;

 private:
  void derived_into_intent(std::uint64_t self);

  bool blocked(const format::Operation& operation, std::uint64_t self, bool intents);

  const std::string_view batch_;
  Amendment amendment_;
  CommitLatches::Held latches_;
  bool collected_ = false, outdated_ = false;  // outdated: the amendment
  std::optional<LockTable::Owner> owner_;
  std::optional<LockKey> blocked_by_lock_;
  std::string blocked_key_;  // of blocked_by_lock_, where it lies in a range
  std::uint64_t blocked_by_intent_ = 0;
  std::string intent_key_;  // that lies in it
};

}  // namespace lightning::txn
