// The judge of histories: whether transactions were as isolated as their levels promise.
//
// After Adya (Weak Consistency, 1999) and Elle (Kingsbury and Alvaro, VLDB 2020). Who wrote what somebody read is told
// by versions; the order of a key's versions by lists that were read, or by the sequences of commits. From that follow:
//
//   ww  a wrote a version, b the next one       wr  b read what a wrote       rw  a read a version, b wrote the next
//   one process  a ended before b began, at the same client                       time  at any clients
//
// A level says at which points of the history a transaction happens, and edges lead from point to point:
//
//   read committed  each read at a point of its own within the call; all writes at the commit
//   snapshot        all reads at one point, all writes at a later one; and whoever writes a key that another has
//                   written begins after that one has committed
//   serializable    all of it at one point
//
// Where keys are read for update, the read holds at the commit, too. A level is kept if and only if its points can be
// put in one line along all edges: if there is no cycle. What is promised between transactions of different levels
// follows. A cycle is told as the anomaly that its edges make.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/history/history.h"

namespace lightning::sim::history {

enum class Anomaly : std::uint8_t {
  kDirtyWrite,           // G0: a cycle of ww
  kAbortedRead,          // G1a: somebody read what was rolled back
  kIntermediateRead,     // G1b: somebody read what its writer had overwritten or undone
  kCircularInformation,  // G1c: a cycle of ww and wr
  kLostUpdate,           // P4: a cycle of one rw and ww, all of one key
  kReadSkew,             // G-single: a cycle with one rw
  kLongFork,             // a cycle with several rw, none next to another
  kWriteSkew,            // G2-item: a cycle with rw next to each other
  kPhantomSkew,          // G2: the same, and an rw by a range that was read
  kOwnWrites,            // a transaction did not see its own write
  kUnknownVersion,       // somebody read what nobody wrote, or missed what nobody erased
  kOrder,                // lists that were read are not prefixes of one another
  kSession,              // a cycle with process edges
  kRealTime,             // a cycle with time edges: somebody read what was old when it began
  kSequence,             // a cycle with the order of the commits' sequences
};
std::string_view name_of(Anomaly anomaly);

struct Finding {
  Anomaly anomaly;
  std::string text;
};

// What breaks a promise, each transaction taken at its level. Empty: nothing.
std::vector<Finding> check(const History& history);

// What would, were all transactions of this level, whatever they asked for; without process, time and sequence edges.
std::set<Anomaly> anomalies(const History& history, Isolation level);

}  // namespace lightning::sim::history
