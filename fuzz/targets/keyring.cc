// crypto/keyring.h: a keyring as it is and with tags and seals put right: inspected, opened, changed, opened again.
#include "crypto/keyring.h"

#include "env/simulated_world.h"
#include "fuzz/support/encrypted_repair.h"
#include "fuzz/support/target.h"

namespace lightning::crypto {

namespace {

bool fuzz_keyring(const std::string& bytes) {
  const std::string path = "/KEYRING";
  env::SimulatedFileSystem files(1);
  fuzz::KnownEntropy entropy(2);  // other ids than those of the seeds
  FUZZ_EXPECT(files.put_file(path, bytes));
  const auto seen = inspect_keyring(files, path);
  const Keyring::Expected expected{.store_id = fuzz::known_store()};
  auto keyring = Keyring::open(files, path, expected, fuzz::known_key(), entropy);
  if (!keyring) return false;
  FUZZ_EXPECT(seen && !seen->keys.empty());
  const KeyringStatus before = (*keyring)->status();
  FUZZ_EXPECT((*keyring)->find((*keyring)->active().info.id, path));
  const bool room = before.keys.size() < kDataKeysMax && before.keys.back().generation < ~std::uint32_t{0};
  if (room) FUZZ_EXPECT((*keyring)->add_data_key(3));
  FUZZ_EXPECT((*keyring)->rewrap(fuzz::known_key(), 4));
  const auto again = Keyring::open(files, path, expected, fuzz::known_key(), entropy);
  FUZZ_EXPECT(again && (*again)->status().both_slots_whole);
  FUZZ_EXPECT((*again)->status().generation > before.generation);
  FUZZ_EXPECT((*again)->status().keys.size() == before.keys.size() + (room ? 1 : 0));
  for (const DataKeyInfo& key : before.keys)
    FUZZ_EXPECT((*again)->find(key.id, path)->key == (*keyring)->find(key.id, path)->key);
  return true;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(keyring) {
  std::string bytes(input);
  const bool taken = fuzz_keyring(bytes);
  fuzz::repair_keyring(bytes);
  return bytes == input ? taken : fuzz_keyring(bytes) || taken;
}

}  // namespace lightning::crypto
