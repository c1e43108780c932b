// Four threads move money between three accounts, each move a transaction. Whatever they do at the same time, no update
// is lost, and an audit always sees the whole sum.
#include <lightning/database.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

using namespace lightning;

constexpr int kAccounts = 3, kStart = 100;

std::string account(int i) { return "account:" + std::to_string(i % kAccounts); }

Status move(Database& db, const std::string& from, const std::string& to, int amount) {
  return db.run_transaction(
      [&](Transaction& txn) -> Status {  // runs again if somebody else was faster
        LIGHTNING_ASSIGN(const auto source, txn.get(from));
        LIGHTNING_TRY(txn.put(from, std::to_string(std::stoi(source.value_or("0")) - amount)));
        LIGHTNING_ASSIGN(const auto target, txn.get(to));
        return txn.put(to, std::to_string(std::stoi(target.value_or("0")) + amount));
      },
      {}, {.retries = 1000});
}

Result<int> audit(Database& db) {
  LIGHTNING_ASSIGN(auto txn, db.begin({.read_only = true, .owner = "audit"}));
  int sum = 0;
  auto it = txn.iterate({.prefix = "account:"});
  for (it.seek_to_first(); it.valid(); it.next()) sum += std::stoi(std::string(it.value()));
  LIGHTNING_TRY(it.status());
  return sum;
}

Status run(const char* directory) {
  LIGHTNING_ASSIGN(auto db, Database::open(directory));
  for (int i = 0; i < kAccounts; ++i) LIGHTNING_TRY(db.put(account(i), std::to_string(kStart)));
  std::vector<std::thread> threads;
  std::vector<Status> ends(4);
  threads.reserve(ends.size());
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500 && ends[t]; ++i) ends[t] = move(db, account(t + i), account(i * i + 1), i % 7);
    });
  LIGHTNING_ASSIGN(const int meanwhile, audit(db));
  for (std::thread& thread : threads) thread.join();
  for (const Status& end : ends) LIGHTNING_TRY(Status(end));
  LIGHTNING_ASSIGN(const int at_the_end, audit(db));
  const TransactionStatistics counts = db.stats().transactions;
  std::printf("the accounts held %d meanwhile, and hold %d now\n", meanwhile, at_the_end);
  std::printf("%llu transactions committed, %llu met a conflict and ran again\n",
              static_cast<unsigned long long>(counts.committed), static_cast<unsigned long long>(counts.conflicts));
  if (meanwhile != kAccounts * kStart || at_the_end != kAccounts * kStart)
    return Error(ErrorCode::kInternal, "money was made or lost");
  return db.close();
}

int main(int argc, char** argv) {
  const Status done = run(argc > 1 ? argv[1] : "transfer-data");
  if (!done) std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
