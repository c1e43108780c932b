// Uses each public header, writes, reopens and reads.
#include <lightning/config_file.h>
#include <lightning/database.h>

#include <cstdio>

using namespace lightning;

Status run(const char* directory) {
  {
    LIGHTNING_ASSIGN(auto db, Database::open(directory, LightningDbConfig::low_memory()));
    LIGHTNING_TRY(db.write(WriteBatch().put("a", "1").put("b", "2")));
    LIGHTNING_TRY(db.close());
  }
  LIGHTNING_ASSIGN(const auto db, Database::open_read_only(directory));
  LIGHTNING_ASSIGN(const auto value, db.get("b"));
  if (value != "2") return Error(ErrorCode::kInternal, "what was written is not there");
  std::printf("an installed library keeps what it is given; settings: %zu\n", describe_settings().size());
  return {};
}

int main(int argc, char** argv) {
  const Status done = run(argc > 1 ? argv[1] : "consumer-data");
  if (!done) std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return done ? 0 : 1;
}
