// The first fifteen lines: open, write, read, scan.
#include <lightning/database.h>

#include <cstdio>

using namespace lightning;

Status run(const char* directory) {
  LIGHTNING_ASSIGN(auto db, Database::open(directory));
  LIGHTNING_TRY(db.put("id:7", "paid", {.durability = Durability::kSync}));      // on disk when the call returns
  LIGHTNING_TRY(db.write(WriteBatch().put("id:8", "open").erase("pending:8")));  // both or neither
  LIGHTNING_ASSIGN(const auto value, db.get("id:7"));
  std::printf("id:7 is %s\n", value ? value->c_str() : "not there");
  auto it = db.iterate({.prefix = "id:"});
  for (it.seek_to_first(); it.valid(); it.next())
    std::printf("%.*s\n", static_cast<int>(it.key().size()), it.key().data());
  return it.status();
}

int main(int argc, char** argv) {
  const Status done = run(argc > 1 ? argv[1] : "quick-start-data");
  if (!done) std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
