#include "crypto/encrypted_file_system.h"
#include "crypto/page_format.h"
#include "env/simulated_world.h"
#include "fuzz/make_seeds/must.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/encrypted_repair.h"

namespace lightning::fuzz {

namespace {

// Appended and synced in these pieces.
std::string encrypted(const std::vector<std::size_t>& pieces) {
  env::SimulatedFileSystem below(1);
  KnownEntropy entropy;
  const auto keyring = known_keyring(below, entropy);
  crypto::EncryptedFileSystem files(below, *keyring, [](std::string_view) { return false; }, entropy);
  auto file = must(files.create_writable("/f", env::FileClass::kManifest));
  for (const std::size_t piece : pieces) {
    must(file->append(std::string(piece, 'x')));
    must(file->sync());
  }
  must(file->close());
  return below.content("/f");
}

}  // namespace

void add_crypto_seeds(Seeds& seeds) {
  env::SimulatedFileSystem files(1);
  KnownEntropy entropy;
  known_keyring(files, entropy);
  const std::string whole = files.content("/KEYRING");
  SeedsOfTarget& keyrings = seeds["keyring"];
  keyrings["valid-two-keys"] = whole;
  keyrings["valid-one-slot"] = std::string(whole.size() / 2, '\0') + whole.substr(whole.size() / 2);
  keyrings["hostile-cut"] = whole.substr(0, 3000);
  keyrings["hostile-larger"] = whole + "more";
  std::string many = whole;
  many[12] = static_cast<char>(0xff);
  keyrings["hostile-many-keys"] = many;

  SeedsOfTarget& sealed = seeds["encrypted_file"];
  sealed["valid-empty"] = encrypted({});
  sealed["valid-full-pages"] = encrypted({2 * crypto::kPagePlainBytes});
  sealed["valid-short-pages"] = encrypted({1, 5000, 100});
  sealed["hostile-cut"] = encrypted({5000}).substr(0, 2 * crypto::kPageBytes + 10);
  std::string lies = encrypted({1, 1, 1});
  lies[2 * crypto::kPageBytes] = static_cast<char>(0xff);  // where the second page begins
  sealed["hostile-wrong-start"] = lies;
}

}  // namespace lightning::fuzz
