// Truth: what a database may hold, from what its clients were told.
//
// Every write is noted before it is asked for and again when its answer comes. From that follows, for each sequence,
// what a reader at that sequence may see, and for each death of the process or the power, what recovery may bring back:
// the state after some prefix of the commit order, that holds everything acknowledged as durable, and batches whole.
//
// Where a write's place in the order is not known (it was never answered, or its call does not tell), all places that
// fit are tried; the sequence numbers leave few.
//
// Written against the public API's promises alone. Threads: one at a time (fibers of one world count as one).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lightning/types.h"

namespace lightning::sim {

using Content = std::map<std::string, std::string>;
using State = std::map<std::uint32_t, Content>;  // by keyspace id

enum class Lives : std::uint8_t { kForEver, kLong, kNoMore };  // kNoMore: its moment had passed when it was put

struct Change {
  std::uint32_t keyspace = 0;
  std::string key;
  std::optional<std::string> value;    // none: erase
  Lives lives = Lives::kForEver;       // what is put
  bool merges = false;                 // the value is appended to what is there
  std::optional<KeyRange> range = {};  // that is erased; then nothing else is meant
};

void apply(State& state, const Change& change);
// Empty if they are equal; else the first difference, in words.
std::string difference(const State& expected, const State& found);

class Truth {
 public:
  using Write = std::size_t;

  // --- What clients do. A client is one sequential caller; `visible` is the newest visible sequence, as asked just
  // before the call, or just after its answer.
  Write begin(std::uint32_t client, std::vector<Change> changes, Sequence visible, bool asks_sync);
  // `last`: the sequence of the last change, where the call told it. `durable`: it must survive a power cut.
  void acknowledged(Write write, std::optional<Sequence> last, Sequence visible, bool durable);
  void refused(Write write);
  // Somebody read at `sequence`. If all writes ask to be durable, what was seen may not be taken back.
  void seen(Sequence sequence);
  // A call that makes durable what was acknowledged before it: take the mark before, give it back after success.
  std::size_t mark() const { return acknowledgements_; }
  void durable_up_to(std::size_t mark);
  // As durable_up_to, but for a flush: what was only written to keyspaces dropped since has nowhere to go.
  void flushed_up_to(std::size_t mark);

  // Keyspaces. An id is known once the keyspace was made.
  void creating(const std::string& name);
  void created(const std::string& name, std::uint32_t id);
  void dropping(const std::string& name);
  void dropped(const std::string& name);
  void not_created(const std::string& name) { keyspaces_.erase(name); }

  // --- What may be.
  // Whether a reader at `sequence` may find `state` (of some of the keyspaces). Empty if so, else why not.
  std::string explain(Sequence sequence, const State& state) const { return explain(sequence, state, Must::kNothing); }
  // A database that was opened again holds `state` in keyspaces `names`, and ends at `sequence`. Empty if it may: then
  // this is the new start, and nothing else is pending. `power_cut`: if not, only the process died.
  std::string recovered(Sequence sequence, const State& state, const std::map<std::string, std::uint32_t>& names,
                        bool power_cut);
  Sequence start() const { return start_sequence_; }
  const State& start_state() const { return start_; }
  std::size_t writes() const { return writes_.size(); }

 private:
  enum class Must : std::uint8_t { kNothing, kDurable, kAcknowledged };
  enum class Answer : std::uint8_t { kPending, kAcknowledged, kRefused };
  struct Note {
    std::uint32_t client = 0;
    std::vector<Change> changes;
    Answer answer = Answer::kPending;
    Sequence after = 0, before = 0;  // it lies in (after, before]
    std::optional<Sequence> last;
    std::size_t acknowledgement = 0;  // the how-manieth
    bool durable = false;
    Sequence count() const { return changes.size(); }
    Sequence first() const { return *last - changes.size() + 1; }
  };
  enum class Stage : std::uint8_t { kCreating, kThere, kDropping };
  struct KeyspaceNote {
    std::uint32_t id = 0;
    Stage stage = Stage::kCreating;
  };
  struct Placed {
    std::uint64_t order;
    const Note* note;
  };
  struct Search;

  std::string explain(Sequence sequence, const State& state, Must must) const;
  State state_of(std::vector<Placed> placed) const;

  Sequence start_sequence_ = 0;
  State start_;
  std::vector<Note> writes_;
  std::size_t acknowledgements_ = 0;
  bool only_sync_ = true;
  Sequence seen_ = 0;
  std::map<std::string, KeyspaceNote> keyspaces_{{"default", {0, Stage::kThere}}};
};

}  // namespace lightning::sim
