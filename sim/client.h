// Client: random programs over the whole public API, each answer compared with what it must be.
//
// A client alone in its database knows what every read must answer. Several clients write each to keys of their own,
// where the same holds, and to shared keys, but those in batches only, whose place in the order write() tells; what
// readers see of all of it is kept and explained at the end (truth.h).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "env/simulated_content.h"
#include "lightning/database.h"
#include "sim/truth.h"

namespace lightning::sim {

// What a reader saw at a sequence, to be explained later.
struct Observation {
  Sequence sequence;
  State state;
};

// What the clients of one life of a database share. It outlives that life.
struct Scene {
  Truth truth;
  std::vector<Observation> observations;
  std::string failure;  // the first; empty: none
  std::string doing;    // the call in progress, for reports of stuck worlds
  // Calls may fail. An error that says kNotApplied is believed; after one that says kUnknown its client stops.
  bool faults = false;
  bool damage = false;  // some table counts as damaged: compact_range may say so
  std::uint64_t calls = 0, errors = 0;

  std::function<void(const std::string&)> tell;  // what happens, for those who replay a seed

  void say(const std::string& text) const {
    if (tell) tell(text);
  }
  bool failed() const { return !failure.empty(); }
  void fail(std::string text) {
    if (failure.empty()) failure = std::move(text);
  }
  // An error of a call: a failure of the test, unless faults were injected and it names such a fault.
  void judge(const Error& error, const std::string& what);
  // Explains all observations, and forgets them.
  void settle_observations();
};

struct ProgramOptions {
  WalSyncMode sync_mode = WalSyncMode::kSync;  // of the database: what Durability::kDefault means
  std::uint64_t large_bytes = 100 << 10;       // a rare value or batch has up to this many
  bool keyspaces = true;                       // creates and drops some
  bool only_sync = false;                      // no write asks for less than the database's mode
};

// Of the keyspaces that clients make: with merges, whose result shows order, loss and repetition.
inline const KeyspaceOptions kMerging{.merge_operator = "append"};

// The content of one keyspace through an iterator, read forward, and compared with a read backward.
Result<Content> scan(const Database& db, const Keyspace& keyspace, IterateOptions options = {});

class Client {
 public:
  // id 0: alone. Others share the database with clients of other ids.
  Client(Database& db, Scene& scene, std::uint32_t id, std::uint64_t seed, const ProgramOptions& options);
  // Random calls; ends early after a failure.
  void run(std::uint64_t steps);
  void step();

  // Single calls, noted and compared.
  bool put(const Keyspace& keyspace, const std::string& key, const std::string& value, Durability durability,
           Lives lives = Lives::kForEver);
  Status put_in_pieces(const Keyspace& keyspace, const std::string& key, const std::string& value,
                       const WriteOptions& options);
  // Of a keyspace that make_keyspace() made.
  bool merge(const Keyspace& keyspace, const std::string& key, const std::string& operand, Durability durability);
  bool erase(const Keyspace& keyspace, const std::string& key, Durability durability);
  bool erase_range(const Keyspace& keyspace, const KeyRange& range, Durability durability);
  bool write(const std::vector<std::pair<Keyspace, Change>>& changes, Durability durability);
  bool sync();
  bool flush();
  bool make_keyspace(const std::string& name);
  bool drop_keyspace(const std::string& name);
  void observe();
  void compare_all();
  std::string value(std::uint64_t bytes);
  // A call with outcome unknown was met: what this client knows of its keys holds no more.
  bool stopped() const { return stopped_; }

 private:
  struct Held {
    Snapshot snapshot;
    State state;
  };
  struct View {  // what a read looks at, and what it must find
    const Snapshot* snapshot;
    const Content* content;
  };
  bool answered(Truth::Write write, const Error* error, std::optional<Sequence> last, Durability durability,
                const std::vector<Change>& changes);
  bool fine(const Status& status, const char* what);
  bool asks_sync(Durability durability) const;
  bool own(const Change& change) const;
  std::string key();
  KeyRange range(const std::string& prefix);
  std::string value();
  Lives lives();
  Durability durability();
  const Keyspace& keyspace();
  View view(const Keyspace& keyspace);
  Content own_part(const Content& content) const;
  void random_batch();
  void check_get();
  void check_multi_get();
  void check_iterate();
  void walk(Iterator& it, const std::vector<std::pair<std::string, std::string>>& expected);
  void hold_or_release();
  void make_or_drop_keyspace();
  void check_sizes();
  void check_refusals();
  void check_store();
  Sequence visible() const { return db_.snapshot().sequence(); }

  Database& db_;
  Scene& scene_;
  const std::uint32_t id_;
  const ProgramOptions options_;
  const std::string prefix_;  // of its own keys
  env::Dice dice_;
  std::vector<Keyspace> keyspaces_;  // that it uses
  State mine_;                       // its own keys
  std::vector<Held> held_;
  std::uint64_t values_ = 0, names_ = 0;
  bool stopped_ = false;
};

}  // namespace lightning::sim
