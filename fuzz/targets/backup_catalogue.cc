// backup/catalogue.h: what one backup is, as it is and with length and digest put right.
#include "backup/catalogue.h"

#include "fuzz/support/catalogue_repair.h"
#include "fuzz/support/state_oracle.h"
#include "fuzz/support/target.h"

namespace lightning::backup {

namespace {

bool fuzz_catalogue(const std::string& bytes) {
  const auto catalogue = Catalogue::decode(bytes, "fuzz");
  if (!catalogue) return false;
  fuzz::expect_restorable(catalogue->state);
  const std::string encoded = catalogue->encode();
  const auto again = Catalogue::decode(encoded, "again");
  FUZZ_EXPECT(again && again->encode() == encoded);
  FUZZ_EXPECT(catalogue->digests.size() == files_of(catalogue->state).size());
  for (const StoredFile& file : files_of(catalogue->state)) FUZZ_EXPECT(file.name().find('/') == std::string::npos);
  const BackupInfo info = catalogue->info();
  for (const std::string& name : info.keyspaces) {
    Catalogue part = *catalogue;
    if (!part.keep({{.name = name, .as = "elsewhere"}})) continue;
    FUZZ_EXPECT(part.digests.size() == files_of(part.state).size());
    fuzz::expect_restorable(part.state);
  }
  return true;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(backup_catalogue) {
  std::string bytes(input);
  const bool taken = fuzz_catalogue(bytes);
  fuzz::repair_catalogue(bytes);
  return bytes == input ? taken : fuzz_catalogue(bytes) || taken;
}

}  // namespace lightning::backup
