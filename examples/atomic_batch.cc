// A transfer between two accounts and a line in a journal: three operations on two keyspaces that happen together or
// not at all, and a snapshot that does not see them.
#include <lightning/database.h>

#include <cstdio>
#include <string>

using namespace lightning;

Status show(const Database& db, const Keyspace& accounts, const char* when, const ReadOptions& options = {}) {
  LIGHTNING_ASSIGN(const auto anna, db.get(accounts, "anna", options));
  LIGHTNING_ASSIGN(const auto ben, db.get(accounts, "ben", options));
  std::printf("%-32s anna %3s   ben %3s\n", when, anna.value_or("-").c_str(), ben.value_or("-").c_str());
  return {};
}

Status run(const char* directory) {
  LIGHTNING_ASSIGN(auto db, Database::open(directory));
  LIGHTNING_ASSIGN(const Keyspace accounts, db.get_or_create_keyspace("accounts"));
  LIGHTNING_ASSIGN(const Keyspace journal, db.get_or_create_keyspace("journal"));
  LIGHTNING_TRY(db.write(WriteBatch().put(accounts, "anna", "100").put(accounts, "ben", "20")));

  const Snapshot before = db.snapshot();
  WriteBatch transfer;
  transfer.put(accounts, "anna", "70").put(accounts, "ben", "50").put(journal, "0001", "anna -> ben: 30");
  LIGHTNING_ASSIGN(const Sequence sequence, db.write(transfer, {.durability = Durability::kSync}));

  LIGHTNING_TRY(show(db, accounts, "before, through a snapshot:", {.snapshot = &before}));
  LIGHTNING_TRY(show(db, accounts, "after, one batch:"));
  std::printf("the batch became visible as a whole at sequence %llu\n", static_cast<unsigned long long>(sequence));

  // A batch with one impossible operation changes nothing.
  const auto refused = db.write(WriteBatch().put(accounts, "anna", "0").put(accounts, "", "an empty key"));
  std::printf("%s\n", refused ? "an empty key was taken" : refused.error().to_string().c_str());
  return show(db, accounts, "after a batch that was refused:");
}

int main(int argc, char** argv) {
  const Status done = run(argc > 1 ? argv[1] : "atomic-batch-data");
  if (!done) std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
