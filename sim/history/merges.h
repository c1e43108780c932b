// Merges: what a value tells of those who wrote to its key without having looked at it.
//
// An appended value names everybody who is in it, so that a merge that was lost, came twice or met the wrong base
// shows. A number names nobody; but the amounts are such that each sum of them tells which ones are in it.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "sim/history/history.h"

namespace lightning::sim::history {

// What a transaction has made of a key so far.
struct Own {
  Version version = kAbsent;        // of its last write; kAbsent: it has erased the key
  bool whole = false;               // it has put or erased: nothing of others is in it
  std::vector<Version> parts = {};  // its own versions in a value: what it put last, and what it merged since
  bool operator==(const Own&) const = default;
};

// By its operations before `end`, less those that were undone before `end`. Not in kSums.
std::map<Key, Own> own_writes(const Entry& entry, std::size_t end);
std::map<Key, Own> own_writes(const Entry& entry);

// What it has added to a key of kSums so far.
std::int64_t added_by(const Entry& entry, Key key);

// Gives every number that was read in kSums the version of the last commit that is in it, by the order of sequences.
// One that no such sum explains stays kUnresolved.
void resolve_sums(History& history);

class Versions;
// What is wrong with what a value is made of, as others have committed it. Empty: nothing, or nothing that can be told.
std::string wrong_parts(const Versions& versions, const History& history, const Found& found);

}  // namespace lightning::sim::history
