// kill_loop: a process writes, flushes, compacts and makes backups on real files, and is killed by SIGKILL; what is
// there then is compared with what it had acknowledged. Again and again, on one store.
//
// Every writer's program follows from the seed: its nth batch is the same whenever it is asked for, and says its number
// under a key of its own. So the number that is found tells what all the other keys must hold. A batch that was not
// answered may be there or not, as a whole.
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "env/simulated_content.h"
#include "lightning/database.h"

namespace {

using namespace lightning;
using env::Dice;

constexpr const char* kUsage =
    "kill_loop: kills a process that writes to a database, and looks what is left\n"
    "  --cycles=N     kills (default 100)\n"
    "  --seed=N       of all that is by chance (default 1)\n"
    "  --dir=DIR      where the store lies meanwhile (default: a new directory for temporary files)\n"
    "Prints what was lost, and ends with 1 if anything was.\n";

constexpr std::size_t kWriters = 3;
constexpr std::uint64_t kKeys = 150;

using Content = std::map<std::string, std::string>;

struct Arguments {
  std::uint64_t cycles = 100, seed = 1;
  std::string dir;
};

// What the killed process leaves in memory for the one that looks.
struct Shared {
  std::atomic<bool> open{false};
  std::array<std::atomic<std::uint64_t>, kWriters> asked{}, acknowledged{};
  std::atomic<std::uint64_t> backups{0};
};

std::string prefix_of(std::size_t writer) { return "w" + std::to_string(writer) + "/"; }
std::string number_key(std::size_t writer) { return prefix_of(writer) + "#"; }

// A writer's nth batch, from 1 on: told to `batch`, if there is one, and applied to `content`.
void nth_batch(std::uint64_t seed, std::size_t writer, std::uint64_t n, WriteBatch* batch, const Keyspace* keyspace,
               Content* content) {
  Dice dice(seed * 1'000'003 + writer * 7'919 + n * 0x9e3779b97f4a7c15u);
  const std::string prefix = prefix_of(writer);
  const auto key = [&](std::uint64_t i) { return prefix + std::to_string(1000 + i); };
  const auto put = [&](const std::string& where, const std::string& value) {
    if (batch != nullptr) batch->put(*keyspace, where, value);
    if (content != nullptr) (*content)[where] = value;
  };
  for (std::uint64_t changes = 1 + dice.below(5); changes > 0; --changes) {
    const std::uint64_t i = dice.below(kKeys);
    if (dice.one_in(40)) {
      const KeyRange range{.start = key(i), .end = key(i + 1 + dice.below(5))};
      if (batch != nullptr) batch->erase_range(*keyspace, range);
      if (content != nullptr) content->erase(content->lower_bound(*range.start), content->lower_bound(*range.end));
    } else if (dice.one_in(5)) {
      if (batch != nullptr) batch->erase(*keyspace, key(i));
      if (content != nullptr) content->erase(key(i));
    } else {
      std::string value = std::to_string(n) + ":";
      const std::uint64_t bytes = dice.one_in(8) ? dice.below(9000) : dice.below(300);
      while (value.size() < bytes) value += dice.one_in(2) ? "the same again and again " : std::to_string(dice.next());
      put(key(i), value);
    }
  }
  put(number_key(writer), std::to_string(n));
}

// --- the process that is killed -----------------------------------------------------------------------------------

[[noreturn]] void give_up(const char* what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.to_string().c_str());
  ::_exit(3);
}

LightningDbConfig config_of(Dice& dice) {
  LightningDbConfig config;
  constexpr WalSyncMode kModes[] = {WalSyncMode::kSync, WalSyncMode::kPeriodic, WalSyncMode::kAsync};
  config.wal_sync_mode = kModes[dice.below(3)];
  config.wal_sync_interval = std::chrono::milliseconds(5);
  config.cache_size = 16 << 20;
  config.memtable_bytes = 256 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.wal_bytes_max = 4 << 20;
  config.table_bytes = 256 << 10;
  config.level0_compaction_trigger = 2;
  config.compaction_threads = 2;
  return config;
}

[[noreturn]] void live(Shared& shared, const Arguments& arguments, std::uint64_t cycle) {
  Dice dice(arguments.seed + cycle);
  auto db = Database::open(arguments.dir + "/store", config_of(dice));
  if (!db) give_up("open", db.error());
  shared.open.store(true);
  std::vector<std::thread> threads;
  threads.reserve(kWriters);
  for (std::size_t writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      const Keyspace keyspace = db->default_keyspace();
      for (std::uint64_t n = shared.acknowledged[writer].load() + 1;; ++n) {
        WriteBatch batch;
        nth_batch(arguments.seed, writer, n, &batch, &keyspace, nullptr);
        shared.asked[writer].store(n);
        if (const auto written = db->write(batch); !written) give_up("write", written.error());
        shared.acknowledged[writer].store(n);
      }
    });
  }
  for (;;) {
    const std::uint64_t chance = dice.below(12);
    Status done;
    if (chance == 0) {
      done = db->compact_range();
    } else if (chance < 4) {
      const auto made = db->create_backup(arguments.dir + "/backups");
      if (!made) give_up("create_backup", made.error());
      shared.backups.fetch_add(1);
    } else if (chance == 4) {
      if (const auto pruned = prune_backups(arguments.dir + "/backups", 2);
          !pruned && pruned.error().code() != ErrorCode::kBackupNotFound)
        give_up("prune_backups", pruned.error());
    } else {
      done = db->flush();
    }
    if (!done) give_up("upkeep", done.error());
  }
}

// --- the one that looks ----------------------------------------------------------------------------------------

class Witness {
 public:
  explicit Witness(const Arguments& arguments) : arguments_(arguments) {}

  // What the store holds now; it becomes what the next process begins with.
  bool look(Shared& shared) {
    auto db = Database::open(arguments_.dir + "/store");
    if (!db) return lost("cannot be opened: " + db.error().to_string());
    for (std::size_t writer = 0; writer < kWriters; ++writer) {
      const std::uint64_t acknowledged = shared.acknowledged[writer].load(), asked = shared.asked[writer].load();
      const auto number = find_number(*db, writer);
      if (!number) return lost(number.error().to_string());
      if (*number < acknowledged || *number > std::max(asked, acknowledged))
        return lost("writer " + std::to_string(writer) + " had " + std::to_string(acknowledged) +
                    " batches acknowledged and " + std::to_string(asked) + " begun, and the store ends at its batch " +
                    std::to_string(*number));
      for (; reached_[writer] < *number; ++reached_[writer])
        nth_batch(arguments_.seed, writer, reached_[writer] + 1, nullptr, nullptr, &contents_[writer]);
      if (!compare(*db, writer, contents_[writer])) return false;
      shared.acknowledged[writer].store(*number);
      shared.asked[writer].store(*number);
    }
    if (const Status closed = db->close(); !closed) return lost("close: " + closed.error().to_string());
    return true;
  }

  // Everything is read; and the newest backup, restored, is one moment of every writer.
  bool look_closely() {
    {
      auto db = Database::open(arguments_.dir + "/store");
      if (!db) return lost("cannot be opened: " + db.error().to_string());
      const auto report = db->check();
      if (!report) return lost("check: " + report.error().to_string());
      if (!report->findings.empty()) return lost("check found " + report->findings.front().error.to_string());
    }
    const std::string backups = arguments_.dir + "/backups", restored = arguments_.dir + "/restored";
    const auto list = list_backups(backups);
    if (!list && list.error().code() == ErrorCode::kBackupNotFound) return true;
    if (!list) return lost("list_backups: " + list.error().to_string());
    if (list->empty()) return true;
    const auto checked = check_backups(backups);
    if (!checked) return lost("check_backups: " + checked.error().to_string());
    if (!checked->findings.empty()) return lost("a backup is damaged: " + checked->findings.front().to_string());
    std::filesystem::remove_all(restored);
    if (const auto made = restore_backup(backups, restored); !made) return lost("restore: " + made.error().to_string());
    auto db = Database::open(restored);
    if (!db) return lost("a restored backup cannot be opened: " + db.error().to_string());
    for (std::size_t writer = 0; writer < kWriters; ++writer) {
      const auto number = find_number(*db, writer);
      if (!number) return lost(number.error().to_string());
      Content content;
      for (std::uint64_t n = 1; n <= *number; ++n) nth_batch(arguments_.seed, writer, n, nullptr, nullptr, &content);
      if (!compare(*db, writer, content)) return false;
    }
    ++restored_;
    return true;
  }

  std::uint64_t batches() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t reached : reached_) sum += reached;
    return sum;
  }
  std::uint64_t restored() const { return restored_; }

 private:
  static bool lost(const std::string& text) {
    std::printf("LOST: %s\n", text.c_str());
    return false;
  }

  static Result<std::uint64_t> find_number(const Database& db, std::size_t writer) {
    LIGHTNING_ASSIGN(const auto text, db.get(number_key(writer)));
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
  }

  static bool compare(const Database& db, std::size_t writer, const Content& expected) {
    auto it = db.iterate(IterateOptions{.prefix = prefix_of(writer)});
    auto next = expected.begin();
    for (it.seek_to_first(); it.valid(); it.next(), ++next) {
      if (next == expected.end() || it.key() < next->first) return lost(std::string(it.key()) + " should not be there");
      if (next->first < it.key()) return lost(next->first + " is missing");
      if (it.value() != next->second) return lost(next->first + " has another value");
    }
    if (!it.status()) return lost("scan: " + it.status().error().to_string());
    if (next != expected.end()) return lost(next->first + " is missing");
    return true;
  }

  const Arguments& arguments_;
  std::array<Content, kWriters> contents_;
  std::array<std::uint64_t, kWriters> reached_{};
  std::uint64_t restored_ = 0;
};

// One process, killed at a random moment, now and then while it is still opening the store. False if it ended before.
bool kill_one(Shared& shared, const Arguments& arguments, std::uint64_t cycle, Dice& dice) {
  shared.open.store(false);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) live(shared, arguments, cycle);
  const bool early = dice.one_in(5);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!early && !shared.open.load() && std::chrono::steady_clock::now() < deadline &&
         ::waitpid(child, nullptr, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::microseconds(dice.below(early ? 5'000 : 60'000)));
  (void)::kill(child, SIGKILL);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

int run(const Arguments& arguments) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  Shared& shared = *new (memory) Shared;
  Dice dice(arguments.seed);
  Witness witness(arguments);
  constexpr std::uint64_t kCloselyEvery = 10;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t cycle = 1; cycle <= arguments.cycles; ++cycle) {
    if (!kill_one(shared, arguments, cycle, dice)) {
      std::printf("cycle %llu: the process ended before it was killed\n", static_cast<unsigned long long>(cycle));
      return 1;
    }
    if (!witness.look(shared) || (cycle % kCloselyEvery == 0 && !witness.look_closely())) {
      std::printf("cycle %llu of seed %llu\n", static_cast<unsigned long long>(cycle),
                  static_cast<unsigned long long>(arguments.seed));
      return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%llu kills, %llu batches, %llu backups made and %llu restored, nothing lost, in %.1f s\n",
              static_cast<unsigned long long>(arguments.cycles), static_cast<unsigned long long>(witness.batches()),
              static_cast<unsigned long long>(shared.backups.load()),
              static_cast<unsigned long long>(witness.restored()), seconds);
  return 0;
}

bool parse(const std::string& word, Arguments& arguments) {
  const auto number = [&](const char* name, std::uint64_t& into) {
    if (!word.starts_with(name)) return false;
    char* end = nullptr;
    into = std::strtoull(word.c_str() + std::strlen(name), &end, 10);
    return *end == '\0' && end != word.c_str() + std::strlen(name);
  };
  if (word.starts_with("--dir=")) return arguments.dir = word.substr(6), true;
  return number("--cycles=", arguments.cycles) || number("--seed=", arguments.seed);
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    if (parse(words[i], arguments)) continue;
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::string made;
  if (arguments.dir.empty()) {
    made = std::filesystem::temp_directory_path() / "lightning-kills-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) return 2;
    arguments.dir = made;
  }
  const int result = run(arguments);
  if (!made.empty() && result == 0) std::filesystem::remove_all(made);
  if (!made.empty() && result != 0) std::printf("the store is in %s\n", made.c_str());
  return result;
}
