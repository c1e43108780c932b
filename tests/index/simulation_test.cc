// Indexes through many lives: writers of every kind, indexes being made, rebuilt and dropped, and the machine dying.
// After each death an index that is ready says what the records say; one that is not becomes ready by itself.
#include <gtest/gtest.h>

#include <set>

#include "index/world.h"
#include "support/child_process.h"
#include "support/simulated_seeds.h"

namespace lightning::index {
namespace {

class Lives {
 public:
  explicit Lives(std::uint64_t seed) : dice_(seed), world_(seed, disk(dice_)) {
    config_ = sim::small_config();
    config_.wal_sync_mode = dice_.one_in(2) ? WalSyncMode::kSync : WalSyncMode::kAsync;
    config_.memtable_bytes = dice_.one_in(2) ? 4 << 10 : 64 << 10;
    config_.lock_timeout = std::chrono::milliseconds(5);
    // Records that are counted do not expire.
    mortal_ = dice_.one_in(2);
    options_.counted = !mortal_ && dice_.one_in(2);
    if (dice_.one_in(2)) options_.merge_operator = "append";
  }
  void run() {
    constexpr int kLives = 4;
    for (int life = 0; life < kLives && !testing::Test::HasFailure(); ++life) {
      const bool last = life + 1 == kLives;
      if (!last)
        world_.files.set_crash_at(20 + dice_.below(900), static_cast<env::CrashStage>(dice_.below(3)),
                                  [] { base::FiberScheduler::current()->kill_world(); });
      base::FiberScheduler fibers(dice_.next(), {.steps_max = 50'000'000});
      const base::WorldEnd end = fibers.run([this, last] { live(last); });
      world_.files.cancel_crash();
      ASSERT_TRUE(end == base::WorldEnd::kFinished || end == base::WorldEnd::kKilled) << fibers.report();
      if (end == base::WorldEnd::kKilled) world_.files.crash(static_cast<env::CrashMode>(dice_.below(3)));
    }
  }

 private:
  static env::SimulatedDiskOptions disk(env::Dice& dice) {
    env::SimulatedDiskOptions options;
    options.write_back = dice.one_in(2);
    return options;
  }

  void live(bool last) {
    auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_);
    ASSERT_OK(db);
    const auto people = db->get_or_create_keyspace("people", options_);
    if (!people) return;  // the disk died
    check(*db, *people);
    std::vector<base::Thread> clients;
    for (int c = 0; c < 3; ++c)
      clients.push_back(spawn([this, &db, &people, seed = dice_.next()] {
        env::Dice dice(seed);
        for (int i = 0; i < 40; ++i) write(*db, *people, dice);
      }));
    clients.push_back(spawn([&db, &people, seed = dice_.next()] {
      env::Dice dice(seed);
      for (int i = 0; i < 6; ++i) define(*db, *people, dice);
    }));
    clients.clear();
    check(*db, *people);
    if (last) {
      for (const char* name : {"city", "mail"})
        if (!db->list_indexes(*people).empty()) wait(*db, *people, name);
      check(*db, *people);
    }
    EXPECT_OK(db->close());
  }

  static void wait(Database& db, const Keyspace& people, const std::string& name) {
    for (int i = 0; i < 100'000; ++i) {
      bool building = false;
      for (const IndexInfo& info : db.list_indexes(people))
        building = building || (info.name == name && info.state == IndexState::kBuilding);
      if (!building) return;
      base::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << name << " is never built";
  }

  // Cities repeat; mails are unique as long as that index is there.
  static std::string person(env::Dice& dice) {
    return "m" + std::to_string(dice.below(30)) + "," + (dice.one_in(5) ? "" : "city" + std::to_string(dice.below(4))) +
           (dice.one_in(8) ? "" : "," + std::string(dice.below(40), 'p'));
  }
  // Some for a while, some for ever.
  Lifetime lifetime(env::Dice& dice) const {
    if (!mortal_ || dice.one_in(2)) return {};
    return {.ttl = std::chrono::milliseconds(1 + dice.below(20))};
  }
  static KeyRange range(env::Dice& dice) {
    const std::string start = "k" + std::to_string(dice.below(25));
    return {.start = start, .end = start + (dice.one_in(2) ? "5" : "\x7f")};
  }
  void write(Database& db, const Keyspace& people, env::Dice& dice) {
    const auto key = [&] { return "k" + std::to_string(dice.below(25)); };
    if (mortal_ && dice.one_in(10)) world_.clock.advance(std::chrono::milliseconds(dice.below(10)));
    Status status;
    switch (dice.below(options_.merge_operator.empty() ? 8 : 10)) {
      case 0:
        status = dice.one_in(3) ? db.erase_range(people, range(dice)) : db.erase(people, key());
        break;
      case 1: {
        WriteBatch batch;
        if (dice.one_in(6)) batch.erase_range(people, range(dice));  // refused, where the keyspace is kept
        const auto written = db.write(batch.put(people, key(), person(dice), lifetime(dice))
                                          .erase(people, key())
                                          .put(people, key(), person(dice)));
        if (!written) status = written.error();
        break;
      }
      case 2: {
        const auto written = db.put_if_absent(people, key(), person(dice));
        if (!written) status = written.error();
        break;
      }
      case 3:
      case 4: {
        auto txn = db.begin({.isolation = dice.one_in(2) ? Isolation::kSerializable : Isolation::kSnapshot,
                             .concurrency = dice.one_in(2) ? Concurrency::kOptimistic : Concurrency::kPessimistic});
        if (!txn) return;
        if (dice.one_in(2)) read(*txn, people);
        for (int i = 0; i < 3; ++i)
          if (!(dice.one_in(8)   ? txn->erase_range(people, range(dice))
                : dice.one_in(3) ? txn->erase(people, key())
                : options_.merge_operator.empty() || dice.one_in(2)
                    ? txn->put(people, key(), person(dice), lifetime(dice))
                    : txn->merge(people, key(), "+")))
            return;
        if (dice.one_in(2)) read(*txn, people);
        const auto committed = txn->commit();
        if (!committed) status = committed.error();
        break;
      }
      case 5:
        if (dice.one_in(6)) {
          status = db.flush();
          break;
        }
        [[fallthrough]];
      default: {
        const Lifetime life = lifetime(dice);
        status = db.put(people, key(), person(dice), {.ttl = life.ttl});
        break;
      }
      case 8:
        status = db.merge(people, key(), "+");
        break;
      case 9: {
        const auto written = db.write(WriteBatch().merge(people, key(), ",").merge(people, key(), "+"));
        if (!written) status = written.error();
        break;
      }
    }
    if (!status) {
      static const std::set<ErrorCode> kExpected = {
          ErrorCode::kNotUnique,    ErrorCode::kConflict,         ErrorCode::kDeadlock,
          ErrorCode::kLockTimeout,  ErrorCode::kTransactionEnded,
          ErrorCode::kNotSupported,  // a merge into what expires; a range in a batch
          ErrorCode::kBusy};         // the clock jumped over the time that a conditional write waits
      EXPECT_TRUE(kExpected.contains(status.error().code())) << status.error().to_string();
    }
  }

  // What a transaction sees through an index is what it sees through its iterator.
  void read(Transaction& txn, const Keyspace& people) {
    const std::uint64_t before = now_ms();
    const auto page = txn.query_index(people, "city", {.limit = 1000});
    if (!page) return;
    Pairs wanted;
    Iterator it = txn.iterate(people);
    for (it.seek_to_first(); it.valid(); it.next())
      if (const auto value = field(it.value(), 1)) wanted.emplace_back(*value, it.key());
    if (!it.status() || (mortal_ && now_ms() != before)) return;
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(pairs_of(page), wanted);
  }
  std::uint64_t now_ms() const { return world_.clock.wall_ns() / 1'000'000; }
  static std::optional<std::string> field(std::string_view value, int which) {
    for (; which > 0; --which) {
      const std::size_t comma = value.find(',');
      if (comma == value.npos) return std::nullopt;
      value.remove_prefix(comma + 1);
    }
    return std::string(value.substr(0, value.find(',')));
  }

  static void define(Database& db, const Keyspace& people, env::Dice& dice) {
    const std::string name = dice.one_in(2) ? "city" : "mail";
    const IndexOptions options{.extractor = DelimitedField{name == "city" ? 1u : 0u, ','},
                               .unique = name == "mail",
                               .wait = !dice.one_in(3),
                               .progress = {}};
    const std::uint64_t what = dice.below(6);
    const Status status = what == 0   ? db.drop_index(people, name)
                          : what == 1 ? db.rebuild_index(people, name, options)
                                      : db.create_index(people, name, options);
    static const std::set<ErrorCode> kExpected = {ErrorCode::kNotUnique, ErrorCode::kIndexExists,
                                                  ErrorCode::kIndexNotFound, ErrorCode::kCancelled,
                                                  ErrorCode::kNotSupported};
    if (!status) {
      EXPECT_TRUE(kExpected.contains(status.error().code())) << status.error().to_string();
    }
    base::sleep_for(std::chrono::microseconds(dice.below(500)));
  }

  void check(const Database& db, const Keyspace& people) {
    for (std::uint64_t before = 0; before != now_ms();) {  // what expires while it is looked at is looked at again
      before = now_ms();
      differences_.clear();
      compare(db, people);
      if (!mortal_) break;
    }
    EXPECT_EQ(differences_, "");
    const auto report = db.check();
    ASSERT_OK(report);
    for (const CheckFinding& finding : report->findings) ADD_FAILURE() << finding.error.to_string();
  }

  void compare(const Database& db, const Keyspace& people) {
    const Snapshot now = db.snapshot();
    std::uint64_t records = 0;
    std::map<std::string, Pairs> wanted;
    Iterator it = db.iterate(people, {.snapshot = &now});
    for (it.seek_to_first(); it.valid(); it.next()) {
      ++records;
      wanted["mail"].emplace_back(*field(it.value(), 0), it.key());
      if (const auto city = field(it.value(), 1)) wanted["city"].emplace_back(*city, it.key());
    }
    ASSERT_OK(it.status());
    if (options_.counted) {
      EXPECT_EQ(db.count(people)->records, records);
    }
    for (const IndexInfo& info : db.list_indexes(people)) {
      if (info.state != IndexState::kReady) continue;
      Pairs& pairs = wanted[info.name];
      std::sort(pairs.begin(), pairs.end());
      const auto page = db.query_index(people, info.name, {.limit = 1000, .with_records = true, .snapshot = &now});
      if (!page && page.error().code() == ErrorCode::kIndexNotReady) continue;  // it was completed just now
      if (pairs_of(page) != pairs)
        differences_ += info.name + ": " + testing::PrintToString(pairs_of(page)) + " instead of " +
                        testing::PrintToString(pairs) + "\n";
      for (std::size_t i = 1; info.name == "mail" && i < pairs.size(); ++i)
        if (pairs[i - 1].first == pairs[i].first) differences_ += pairs[i].first + " twice\n";
    }
  }

  env::Dice dice_;
  env::SimulatedWorld world_;
  KeyspaceOptions options_;
  bool mortal_ = false;
  std::string differences_;  // that compare() found
  LightningDbConfig config_;
};

TEST(Index, EqualsItsRecordsAfterEveryCrash) {
  constexpr std::uint64_t kSeeds = testing_support::simulated_seeds(300), kTogether = 60;
  for (std::uint64_t first = 1; first <= kSeeds; first += kTogether)
    EXPECT_TRUE(testing_support::passes_in_child([first] {
      for (std::uint64_t seed = first; seed < first + kTogether && seed <= kSeeds && !testing::Test::HasFailure();
           ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Lives(seed).run();
      }
    })) << "seeds from "
        << first;
}

}  // namespace
}  // namespace lightning::index
