// crypto/encrypted_files.h: an encrypted file as it is and with its seals put right: opened as what is read whole and
// as what may be torn, read in pieces.
#include "crypto/encrypted_files.h"

#include <algorithm>

#include "crypto/encrypted_file_system.h"
#include "env/simulated_world.h"
#include "fuzz/support/encrypted_repair.h"
#include "fuzz/support/target.h"

namespace lightning::crypto {

namespace {

bool read_in_pieces(const env::RandomAccessFile& file) {
  std::string whole(file.size(), '\0');
  const bool sound = file.read(0, whole).has_value();
  for (std::uint64_t at = 0, bytes = 1; at < whole.size(); at += bytes, bytes = bytes * 2 % 5003 + 1) {
    std::string piece(std::min<std::uint64_t>(bytes, whole.size() - at), '\0');
    const Status read = file.read(at, piece);
    if (sound) FUZZ_EXPECT(read && piece == std::string_view(whole).substr(at, piece.size()));
  }
  std::string beyond(1, '\0');
  FUZZ_EXPECT(!file.read(file.size(), beyond));
  return sound;
}

bool fuzz_file(const std::string& bytes) {
  env::SimulatedFileSystem below(1);
  fuzz::KnownEntropy entropy;
  const auto keyring = fuzz::known_keyring(below, entropy);
  EncryptedFileSystem files(below, *keyring, [](std::string_view) { return false; }, entropy);
  FUZZ_EXPECT(below.put_file("/f", bytes));
  bool taken = false;
  for (const auto file_class : {env::FileClass::kTable, env::FileClass::kManifest}) {
    const auto file = files.open_random_access("/f", file_class);
    if (!file) continue;
    FUZZ_EXPECT((*file)->size() <= bytes.size());
    (*file)->prefetch(0, ~std::uint64_t{0});
    taken = read_in_pieces(**file) || taken;
  }
  const auto info = files.info("/f");
  FUZZ_EXPECT(info || info.error().code() == ErrorCode::kFormatUnsupported);
  return taken;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(encrypted_file) {
  if (input.size() > 64 * kPageBytes) return false;
  std::string bytes(input);
  const bool taken = fuzz_file(bytes);
  env::SimulatedFileSystem files(1);
  fuzz::KnownEntropy entropy;
  fuzz::repair_encrypted_file(bytes, *fuzz::known_keyring(files, entropy));
  return bytes == input ? taken : fuzz_file(bytes) || taken;
}

}  // namespace lightning::crypto
