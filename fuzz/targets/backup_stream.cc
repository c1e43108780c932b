// backup/stream.h: a database made from a stream, as it is and with the frames' checks put right. Nothing but a whole
// one leaves a database behind.
#include "backup/stream.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"
#include "env/simulated_world.h"
#include "fuzz/support/catalogue_repair.h"
#include "fuzz/support/target.h"
#include "manifest/manifest.h"

namespace lightning::backup {

namespace {

using base::load_le;
using base::store_le;

constexpr std::size_t kStreamHeaderBytes = 16, kFrameHeaderBytes = 24;
constexpr std::uint32_t kCatalogueFrame = 5;

// Where the catalogue is one frame, it is put right, too.
void repair_stream(std::string& stream) {
  for (std::size_t at = kStreamHeaderBytes; at + kFrameHeaderBytes <= stream.size();) {
    char* const header = stream.data() + at;
    const std::size_t bytes = load_le<std::uint32_t>(header + 4);
    if (bytes > stream.size() - at - kFrameHeaderBytes) return;
    if (load_le<std::uint32_t>(header) == kCatalogueFrame) {
      std::string catalogue(header + kFrameHeaderBytes, bytes);
      fuzz::repair_catalogue(catalogue);
      std::ranges::copy(catalogue, header + kFrameHeaderBytes);
    }
    store_le(header + 16, base::hash64({header + kFrameHeaderBytes, bytes}, base::hash64({header, 16})));
    at += kFrameHeaderBytes + bytes;
  }
}

bool fuzz_stream(std::string_view stream) {
  env::SimulatedWorld world(1);
  std::string_view rest = stream;
  const BackupSource source = [&](std::span<char> into) -> Result<std::size_t> {
    const std::size_t bytes = std::min({rest.size(), into.size(), std::size_t{1000}});
    std::ranges::copy(rest.substr(0, bytes), into.begin());
    rest.remove_prefix(bytes);
    return bytes;
  };
  const auto received = receive(world.env, source, "/db", {});
  const auto superblock = manifest::read_superblock(world.env, "/db");
  FUZZ_EXPECT(received.has_value() == superblock.has_value());
  if (!received) return false;
  FUZZ_EXPECT(rest.empty());
  manifest::LoadReport report;
  FUZZ_EXPECT(manifest::load(world.env, "/db", *superblock, report));
  return true;
}

}  // namespace

LIGHTNING_FUZZ_TARGET(backup_stream) {
  std::string bytes(input);
  const bool taken = fuzz_stream(bytes);
  repair_stream(bytes);
  return bytes == input ? taken : fuzz_stream(bytes) || taken;
}

}  // namespace lightning::backup
