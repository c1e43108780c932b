// manifest/manifest.h: a manifest file below the superblock that names it, as it is and with chain and checks put
// right; and the two slots of a superblock. Input: a piece with what the slots hold, then the manifest.
#include "manifest/manifest.h"

#include <algorithm>

#include "base/coding.h"
#include "env/simulated_world.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/state_oracle.h"
#include "fuzz/support/target.h"

namespace lightning::manifest {

namespace {

using base::load_le;
using base::store_le;

constexpr std::size_t kHeaderBytes = 128, kRecordHeaderBytes = 48, kSlotBytes = 4096, kTagBytes = 16;

// The header's check; then record by record, as far as lengths lead, index, chain and check.
void repair_manifest(std::string& file) {
  if (file.size() < kHeaderBytes) return;
  std::fill(file.begin() + 80, file.begin() + 120, '\0');
  store_le(file.data() + 120, base::hash64(std::string_view(file).substr(0, 120)));
  base::Digest chain = base::digest_of(std::string_view(file).substr(0, kHeaderBytes));
  std::uint32_t index = 0;
  for (std::size_t at = kHeaderBytes; at + kRecordHeaderBytes <= file.size(); ++index) {
    char* const b = file.data() + at;
    const auto bytes = load_le<std::uint32_t>(b + 8);
    if (bytes > file.size() - at - kRecordHeaderBytes) return;
    base::DigestBuilder builder;
    builder.add(base::as_bytes(chain));
    builder.add({b + kRecordHeaderBytes, bytes});
    chain = builder.finish();
    store_le(b + 12, index);
    std::ranges::copy(base::as_bytes(chain), b + 16);
    store_le(b, base::hash64({b + 8, kRecordHeaderBytes - 8}));
    at += kRecordHeaderBytes + bytes;
  }
}

// The superblock that names this manifest.
Superblock superblock_of(std::string_view file) {
  Superblock superblock;
  if (file.size() < kHeaderBytes + kRecordHeaderBytes) return superblock;
  superblock.features = {load_le<std::uint64_t>(file.data() + 16), load_le<std::uint64_t>(file.data() + 24),
                         load_le<std::uint64_t>(file.data() + 32)};
  std::copy_n(file.data() + 40, 16, reinterpret_cast<char*>(superblock.store_id.bytes.data()));
  std::copy_n(file.data() + 56, 16, reinterpret_cast<char*>(superblock.manifest_uid.bytes.data()));
  superblock.manifest_number = load_le<std::uint64_t>(file.data() + 72);
  std::copy_n(file.data() + kHeaderBytes + 16, 32, reinterpret_cast<char*>(superblock.manifest_chain.data()));
  return superblock;
}

bool fuzz_manifest(const std::string& file) {
  env::SimulatedWorld world(1);
  const Superblock superblock = superblock_of(file);
  const std::string path = "/db/" + manifest_name(superblock.manifest_number);
  FUZZ_EXPECT(world.files.create_directories("/db") && world.files.put_file(path, file));
  std::uint64_t inspected = 0;
  const Status shown = inspect(world.env, path, [&](std::uint64_t, const VersionEdit&) { ++inspected; });
  LoadReport report;
  const auto state = load(world.env, "/db", superblock, report);
  if (!state) return false;
  FUZZ_EXPECT(report.records >= 1 && report.end + report.torn_bytes == file.size());
  FUZZ_EXPECT(inspected == report.records && shown.has_value() == (report.torn_bytes == 0));
  fuzz::expect_restorable(*state);
  return true;
}

// What each slot holds at its front; the rest is zeros and the tag.
bool fuzz_superblock(std::string_view fronts) {
  std::string bytes;
  for (const std::string_view front : {fronts.substr(0, fronts.size() / 2), fronts.substr(fronts.size() / 2)}) {
    std::string slot(front.substr(0, kSlotBytes - kTagBytes));
    slot.resize(kSlotBytes - kTagBytes, '\0');
    const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, slot);
    const bool empty = slot.find_first_not_of('\0') == std::string::npos;
    slot += empty ? std::string(kTagBytes, '\0') : std::string(base::as_bytes(tag.bytes));
    bytes += slot;
  }
  env::SimulatedWorld world(1);
  FUZZ_EXPECT(world.files.create_directories("/db"));
  for (const std::string_view file : {std::string_view(bytes), fronts}) {
    FUZZ_EXPECT(world.files.put_file("/db/" + std::string(kSuperblockName), file));
    const auto read = read_superblock(world.env, "/db");
    if (read && file.size() == bytes.size()) return true;
  }
  return false;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(manifest_file) {
  const bool superblock = fuzz_superblock(fuzz::take_piece(input));
  std::string file(input);
  bool taken = fuzz_manifest(file);
  repair_manifest(file);
  if (file != input) taken |= fuzz_manifest(file);
  return taken || superblock;
}

}  // namespace lightning::manifest
