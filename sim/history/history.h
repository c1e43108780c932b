// History: what concurrent clients asked of one database and what they were told, to be judged afterwards (check.h).
//
// Every value that is written carries a version of its own, so that whoever reads it tells whose write it saw. Moments
// are counted by one clock for all: it ticks when a call begins and when it returns.
//
// A history is one life of a database: it starts from what was there (`start`), and ends with what was found afterwards
// (`after`), be it at the end of a quiet day or by the recovery from a crash.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lightning/transaction.h"

namespace lightning::sim::history {

using Version = std::uint64_t;  // of one write; never used twice
using Moment = std::uint64_t;
inline constexpr Version kAbsent = 0;
inline constexpr Moment kNever = ~Moment{0};

// Table and row: the rows of a table are a range of keys.
using Key = std::uint32_t;
inline constexpr std::uint32_t kRowBits = 20;
constexpr Key key_of(std::uint32_t table, std::uint32_t row) { return table << kRowBits | row; }
constexpr std::uint32_t table_of(Key key) { return key >> kRowBits; }
constexpr std::uint32_t row_of(Key key) { return key & ((1u << kRowBits) - 1); }
std::string name_of(Key key);  // for messages

// The rows of this table are 64-bit numbers that are only added to, without a place for a version. Which one a number
// is follows from the sum of all additions up to it (merges.h); until then it is this.
inline constexpr std::uint32_t kSums = 10;
inline constexpr Version kUnresolved = ~Version{0};

// One key as it was read.
struct Found {
  Key key = 0;
  Version version = kAbsent;
  // What the value says, beside its version. In kSums: what it is, less what the transaction itself has added.
  std::int64_t number = 0;
  // Of a list: all versions of the key up to this one. Of what was merged into: what it was made of, oldest first. In
  // kSums: of those who never heard of their commit the ones that are in it.
  std::vector<Version> list = {};
};

struct Operation {
  enum class Kind : std::uint8_t {
    kRead,           // of the keys in `found`, at one moment
    kReadForUpdate,  // of one key, which nobody else may change until this transaction has committed
    kScan,           // of [from, to): what is not in `found` was absent
    kWrite,          // of `found.front()`
    kErase,          // the same; the version is that of the absence
    kMerge,          // the same: appended to what is there, which nobody looked at
    kAdd,            // the same, in kSums: added to what is there
    kUndo,           // takes back the writes among the operations from `undone_from` on
  };
  Kind kind = Kind::kRead;
  Moment invoked = 0, completed = kNever;
  std::vector<Found> found = {};
  Key from = 0, to = 0;
  std::size_t undone_from = 0;

  bool reads() const { return kind == Kind::kRead || kind == Kind::kReadForUpdate || kind == Kind::kScan; }
  bool writes() const {
    return kind == Kind::kWrite || kind == Kind::kErase || kind == Kind::kMerge || kind == Kind::kAdd;
  }
};

enum class Outcome : std::uint8_t {
  kOpen,  // it was never told: a later read decides
  kCommitted,
  kAborted,
};

struct Entry {  // one transaction
  std::uint32_t client = 0;
  Isolation level = Isolation::kSnapshot;
  Concurrency mode = Concurrency::kOptimistic;
  bool plain = false;  // a put, erase, batch, conditional write or read of the database itself: no begin, no commit
  Moment begin_invoked = 0, begin_completed = kNever;
  Moment end_invoked = kNever, end_completed = kNever;  // commit or rollback
  Outcome outcome = Outcome::kOpen;
  Sequence sequence = 0;  // of the commit, if it wrote something and was told
  bool durable = false;   // acknowledged as being on disk
  std::vector<Operation> operations = {};

  // Which operations were writes that were undone later.
  std::vector<bool> undone() const;
  bool changes_something() const;
};

// What somebody found who read everything when all was over.
struct After {
  bool crash = false;  // what was not acknowledged as durable may be gone: from some commit on, all of it
  std::map<Key, Found> content = {};
};

struct History {
  std::map<Key, Found> start = {};
  std::deque<std::deque<Entry>> clients = {};  // an entry stays where it is
  std::optional<After> after = {};
  // The order of versions is taken from the lists that were read, not from the sequences that commits were told.
  bool lists = false;

  std::size_t committed() const;
};

}  // namespace lightning::sim::history
