#include "fuzz/support/catalogue_repair.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace lightning::fuzz {

void repair_catalogue(std::string& bytes) {
  constexpr std::size_t kHeaderBytes = 24, kDigestBytes = 32;
  if (bytes.size() < kHeaderBytes + kDigestBytes) return;
  const std::size_t end = bytes.size() - kDigestBytes;
  base::store_le<std::uint64_t>(bytes.data() + 16, end - kHeaderBytes);
  std::ranges::copy(base::as_bytes(base::digest_of(std::string_view(bytes).substr(0, end))), bytes.data() + end);
}

}  // namespace lightning::fuzz
