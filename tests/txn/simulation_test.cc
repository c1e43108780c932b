// Money is neither made nor lost: transfers, audits and shifts of any kind on a simulated disk, in any interleaving,
// with the machine dying in between.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/planted_bug.h"
#include "support/child_process.h"
#include "support/simulated_seeds.h"
#include "txn/world.h"

namespace lightning::txn {
namespace {

constexpr int kAccounts = 6, kStart = 100, kClients = 4;

std::string account(std::uint64_t i) { return "account:" + std::to_string(i); }
int number(const std::optional<std::string>& text) { return text ? std::stoi(*text) : 0; }

// One store through several lives. What went wrong, if anything did, is in failure().
class Bank {
 public:
  explicit Bank(std::uint64_t seed) : dice_(seed), world_(seed, disk(dice_)) {
    config_ = sim::small_config();
    config_.wal_sync_mode = dice_.one_in(2) ? WalSyncMode::kSync : WalSyncMode::kAsync;
    config_.lock_timeout = std::chrono::milliseconds(dice_.one_in(4) ? 2 : 500);
    config_.memtable_bytes = dice_.one_in(2) ? 4 << 10 : 48 << 10;
    config_.transaction_memory_bytes = dice_.one_in(4) ? 4 << 10 : 1 << 20;
  }

  void run() {
    const std::uint64_t lives = 1 + dice_.below(3);
    for (std::uint64_t life = 0; life < lives && failure_.empty(); ++life) {
      const bool dies = dice_.one_in(2);
      if (dies)
        world_.files.set_crash_at(20 + dice_.below(600), static_cast<env::CrashStage>(dice_.below(3)),
                                  [] { base::FiberScheduler::current()->kill_world(); });
      base::FiberScheduler fibers(dice_.next(), {.steps_max = 30'000'000});
      const base::WorldEnd end = fibers.run([this] { live(); });
      world_.files.cancel_crash();
      if (end == base::WorldEnd::kKilled) {
        world_.files.crash(static_cast<env::CrashMode>(dice_.below(3)));
      } else if (end != base::WorldEnd::kFinished) {
        fail("stuck: " + fibers.report());
      }
    }
    if (!failure_.empty()) return;
    base::FiberScheduler fibers(dice_.next());
    fibers.run([this] {
      auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_);
      if (!db) return fail(db.error().to_string());
      check(*db);
    });
  }
  const std::string& failure() const { return failure_; }
  std::uint64_t committed() const { return committed_; }

 private:
  static env::SimulatedDiskOptions disk(env::Dice& dice) {
    env::SimulatedDiskOptions options;
    options.write_back = dice.one_in(2);
    if (dice.one_in(2)) options.sync_latency = std::chrono::microseconds(100);
    return options;
  }
  void fail(const std::string& text) {
    if (failure_.empty()) failure_ = text;
  }

  void live() {
    auto db = DatabaseAccess::open_as_given(world_.env, "/store", config_);
    if (!db) return fail(db.error().to_string());
    if (!db->get("founded")->has_value()) {
      WriteBatch batch;
      batch.put("founded", "1");
      for (std::uint64_t i = 0; i < kAccounts; ++i) batch.put(account(i), std::to_string(kStart));
      if (!db->write(batch, {.durability = Durability::kSync})) return;
    }
    founded_ = true;
    check(*db);
    if (!failure_.empty()) return;
    drawn_.clear();
    std::vector<base::Thread> clients;
    for (std::uint64_t c = 0; c < kClients; ++c)
      clients.push_back(spawn([this, &db, c, seed = dice_.next()] { client(*db, c, seed); }));
    clients.clear();
    check(*db);
    if (!db->transactions().empty() || db->stats().transactions.locked_keys != 0) fail("something is left over");
    if (const Status closed = db->close(); !closed) fail(closed.error().to_string());
  }

  void client(Database& db, std::uint64_t c, std::uint64_t seed) {
    env::Dice dice(seed);
    for (int i = 0; i < 25 && failure_.empty(); ++i) {
      TransactionOptions options;
      options.isolation = dice.one_in(2) ? Isolation::kSnapshot : Isolation::kSerializable;
      options.concurrency = dice.one_in(2) ? Concurrency::kOptimistic : Concurrency::kPessimistic;
      options.owner = "client " + std::to_string(c);
      const std::uint64_t what = dice.below(10);
      if (what < 6) {
        transfer(db, c, dice, options);
      } else if (what < 8) {
        shift(db, dice, options);
      } else if (what == 8) {
        dice.one_in(2) ? audit(db, options) : sweep(db, dice, options);
      } else if (dice.one_in(2)) {
        reset(db, dice);
      } else {
        draw(db, dice);
      }
      if (dice.one_in(20) && !db.flush()) return;
    }
  }

  // From one account through another to a third, which meets its own writes; and a mark that it was done.
  void transfer(Database& db, std::uint64_t c, env::Dice& dice, TransactionOptions options) {
    if (dice.one_in(4)) options.isolation = Isolation::kReadCommitted;  // with get_for_update, safe as well
    const std::string from = account(dice.below(kAccounts)), via = account(dice.below(kAccounts)),
                      to = account(dice.below(kAccounts));
    const int amount = static_cast<int>(dice.below(20));
    const bool for_update = options.isolation == Isolation::kReadCommitted || dice.one_in(2);
    const std::string done = "done:" + std::to_string(c);
    int counter = 0;
    const Status moved = db.run_transaction(
        [&](Transaction& txn) -> Status {
          const auto move = [&](const std::string& key, int by) -> Status {
            LIGHTNING_ASSIGN(const auto before, for_update ? txn.get_for_update(key) : txn.get(key));
            return txn.put(key, std::to_string(number(before) + by));
          };
          LIGHTNING_TRY(move(from, -amount));
          LIGHTNING_TRY(move(via, amount));
          LIGHTNING_ASSIGN(const Savepoint savepoint, txn.set_savepoint());
          if (amount % 3 == 0) {
            LIGHTNING_TRY(move(to, 7));
            LIGHTNING_TRY(txn.rollback_to(savepoint));
          }
          LIGHTNING_TRY(move(via, -amount));
          LIGHTNING_TRY(move(to, amount));
          LIGHTNING_ASSIGN(const auto mark, txn.get_for_update(done));
          counter = number(mark) + 1;
          return txn.put(done, std::to_string(counter));
        },
        options, {.retries = 50});
    if (moved) {
      ++committed_;
      if (config_.wal_sync_mode == WalSyncMode::kSync) done_[done] = counter;
    } else if (moved.error().category() != ErrorCategory::kRetryable) {
      fail("transfer: " + moved.error().to_string());
    }
  }

  // Nobody is on duty, so I am; or I go off duty. Two who did not see each other would both be.
  void shift(Database& db, env::Dice& dice, TransactionOptions options) {
    options.isolation = Isolation::kSerializable;
    const std::string name = "duty:" + std::to_string(dice.below(1000));
    const Status changed = db.run_transaction(
        [&](Transaction& txn) -> Status {
          auto it = txn.iterate({.prefix = "duty:"});
          it.seek_to_first();
          if (!it.valid()) {
            LIGHTNING_TRY(it.status());
            return txn.put(name, "1");
          }
          return txn.erase(it.key());
        },
        options, {.retries = 50});
    if (!changed && changed.error().category() != ErrorCategory::kRetryable)
      fail("shift: " + changed.error().to_string());
  }

  void audit(Database& db, TransactionOptions options) {
    options.read_only = options.concurrency == Concurrency::kOptimistic;
    const Status audited = db.run_transaction(
        [&](Transaction& txn) -> Status {
          int sum = 0;
          auto it = txn.iterate({.prefix = "account:"});
          for (it.seek_to_last(); it.valid(); it.prev()) sum += std::stoi(std::string(it.value()));
          LIGHTNING_TRY(it.status());
          if (sum != kAccounts * kStart) fail("an audit saw " + std::to_string(sum));
          return {};
        },
        options, {.retries = 50});
    if (!audited && audited.error().category() != ErrorCategory::kRetryable)
      fail("audit: " + audited.error().to_string());
  }

  // What a range of accounts holds goes to one account, and they are closed, whether or not anybody opened or filled
  // one of them meanwhile: then it must be tried again.
  void sweep(Database& db, env::Dice& dice, const TransactionOptions& options) {
    KeyRange range{.start = account(dice.below(kAccounts)), .end = account(dice.below(kAccounts))};
    if (*range.end < *range.start) std::swap(range.start, range.end);
    const std::string to = account(dice.below(kAccounts));
    const bool undone = dice.one_in(4), erases_first = dice.one_in(2);
    const Status swept = db.run_transaction(
        [&](Transaction& txn) -> Status {
          int sum = 0;
          const auto add_up = [&]() -> Status {
            auto it = txn.iterate({.lower_bound = range.start, .upper_bound = range.end});
            for (it.seek_to_first(); it.valid(); it.next()) sum += std::stoi(std::string(it.value()));
            return it.status();
          };
          if (undone) {
            LIGHTNING_ASSIGN(const Savepoint savepoint, txn.set_savepoint());
            LIGHTNING_TRY(txn.erase_range(range));
            LIGHTNING_TRY(add_up());  // nothing is left
            LIGHTNING_TRY(txn.rollback_to(savepoint));
          }
          LIGHTNING_TRY(add_up());
          const auto open = [&](int before) { return txn.put(to, std::to_string(before + sum)); };
          if (erases_first) {
            LIGHTNING_TRY(txn.erase_range(range));
            LIGHTNING_ASSIGN(const auto before, txn.get(to));  // of an account that was closed: nothing
            return open(number(before));
          }
          if (to >= *range.start && to < *range.end) return {};
          LIGHTNING_ASSIGN(const auto before, txn.get(to));
          LIGHTNING_TRY(open(number(before)));
          return txn.erase_range(range);
        },
        options, {.retries = 50});
    if (!swept && swept.error().category() != ErrorCategory::kRetryable) fail("sweep: " + swept.error().to_string());
  }

  // A writer that is no transaction: a transaction that read before and writes after it must notice.
  void reset(Database& db, env::Dice& dice) {
    WriteBatch batch;
    if (dice.one_in(2)) batch.erase_range(KeyRange::of_prefix("account:"));
    for (std::uint64_t i = 0; i < kAccounts; ++i) batch.put(account(i), std::to_string(kStart));
    const auto written = db.write(batch);
    if (!written && written.error().category() != ErrorCategory::kRetryable) fail(written.error().to_string());
  }

  // Draws a number that nobody else draws.
  void draw(Database& db, env::Dice& dice) {
    for (;;) {
      const auto before = db.get("number");
      if (!before) return fail("get: " + before.error().to_string());
      const int mine = number(*before) + 1;
      const std::optional<std::string>& expected = *before;
      const auto set = expected ? db.compare_and_set("number", *expected, std::to_string(mine))
                                : db.put_if_absent("number", std::to_string(mine));
      if (!set && set.error().category() != ErrorCategory::kRetryable) return fail(set.error().to_string());
      if (set && set->applied) {
        if (!drawn_.insert(mine).second) fail("number " + std::to_string(mine) + " was drawn twice");
        if (config_.wal_sync_mode == WalSyncMode::kSync) done_["number"] = std::max(done_["number"], mine);
        return;
      }
      if (set && set->current == expected) fail("refused though the value was the expected one");
      base::sleep_for(std::chrono::microseconds(1 + dice.below(200)));
    }
  }

  void check(Database& db) {
    int sum = 0, on_duty = 0;
    auto it = db.iterate();
    for (it.seek_to_first(); it.valid(); it.next()) {
      if (it.key().starts_with("account:")) sum += std::stoi(std::string(it.value()));
      if (it.key().starts_with("duty:")) ++on_duty;
    }
    if (const Status status = it.status(); !status) return fail(status.error().to_string());
    if (sum != kAccounts * kStart && (founded_ || sum != 0)) fail("the accounts hold " + std::to_string(sum));
    if (on_duty > 1) fail(std::to_string(on_duty) + " on duty");
    for (const auto& [key, counter] : done_)
      if (number(*db.get(key)) < counter) fail("an acknowledged transfer is gone: " + key);
  }

  env::Dice dice_;
  env::SimulatedWorld world_;
  LightningDbConfig config_;
  std::string failure_;
  bool founded_ = false;
  std::map<std::string, int> done_;
  std::set<int> drawn_;  // in this life
  std::uint64_t committed_ = 0;
};

// Worlds that are killed do not give back their memory: some hundred per child.
bool all_pass(std::uint64_t first, std::uint64_t last) {
  return testing_support::passes_in_child([&] {
    std::uint64_t all = 0;
    for (std::uint64_t seed = first; seed <= last && !testing::Test::HasFailure(); ++seed) {
      Bank bank(seed);
      bank.run();
      EXPECT_EQ(bank.failure(), "") << "LIGHTNING_TEST_SEED=" << seed;
      all += bank.committed();
    }
    EXPECT_GT(all, 10 * (last - first));
    std::printf("%llu transfers\n", static_cast<unsigned long long>(all));
  });
}

TEST(Simulation, NoMoneyIsMadeOrLostByTransactionsCrashesAndOtherWriters) {
  if (const char* chosen = std::getenv("LIGHTNING_TEST_SEED")) {
    const std::uint64_t seed = std::strtoull(chosen, nullptr, 10);
    EXPECT_TRUE(all_pass(seed, seed + 1));
    return;
  }
  const char* count = std::getenv("LIGHTNING_TEST_SEEDS");
  const std::uint64_t seeds = count ? std::strtoull(count, nullptr, 10) : testing_support::simulated_seeds(300);
  for (std::uint64_t first = 1; first <= seeds; first += 60) EXPECT_TRUE(all_pass(first, first + 59));
}

#if defined(LIGHTNING_PLANTED_BUGS)

// Found within so many seeds, or the test above proves little.
bool found(base::PlantedBug bug) {
  return testing_support::passes_in_child([&] {
    base::plant(bug);
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      Bank bank(seed);
      bank.run();
      if (bank.failure().empty()) continue;
      std::printf("found by seed %llu: %s\n", static_cast<unsigned long long>(seed), bank.failure().c_str());
      return;
    }
    ADD_FAILURE() << "not found";
  });
}

TEST(SimulationFinds, CommitsThatSkipValidation) { EXPECT_TRUE(found(base::PlantedBug::kSkipValidation)); }
TEST(SimulationFinds, LocksThatAreReleasedEarly) { EXPECT_TRUE(found(base::PlantedBug::kReleaseLocksEarly)); }
TEST(SimulationFinds, ReadsThatIgnoreOwnWrites) { EXPECT_TRUE(found(base::PlantedBug::kIgnoreOwnWrites)); }
TEST(SimulationFinds, PhantomsThatAreLost) { EXPECT_TRUE(found(base::PlantedBug::kLosePhantoms)); }

#endif

}  // namespace
}  // namespace lightning::txn
