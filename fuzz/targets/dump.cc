// cli/records.h: a dump, as it is and with its check values and totals put right; read in large pieces and byte by
// byte.
#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"
#include "cli/records.h"
#include "fuzz/support/read_records.h"
#include "fuzz/support/target.h"

namespace lightning::cli {

namespace {

using base::load_le;
using base::store_le;

constexpr std::size_t kHeaderBytes = 16, kChunkHeaderBytes = 13, kTrailerBytes = 56;
constexpr char kKeyspaceChunk = 1, kRecordsChunk = 2, kTrailerChunk = 3, kExpiringChunk = 4;

struct Totals {
  std::uint64_t keyspaces = 0, records = 0, bytes = 0;
};

// As far as they parse.
void count_records(std::string_view payload, bool expiring, Totals& totals) {
  std::uint64_t key = 0, value = 0, expires = 0;
  std::string_view skipped;
  while (base::get_varint(payload, key) && base::get_varint(payload, value) &&
         (!expiring || base::get_varint(payload, expires)) && base::get_bytes(payload, key, skipped) &&
         base::get_bytes(payload, value, skipped)) {
    ++totals.records;
    totals.bytes += key + value;
  }
}

void repair_dump(std::string& dump) {
  base::DigestBuilder digest;
  Totals totals;
  digest.add(std::string_view(dump).substr(0, kHeaderBytes));
  std::uint64_t number = 0;
  for (std::size_t at = kHeaderBytes; at + kChunkHeaderBytes <= dump.size(); ++number) {
    char* const header = dump.data() + at;
    const std::size_t bytes = load_le<std::uint32_t>(header + 1);
    if (bytes > dump.size() - at - kChunkHeaderBytes) return;
    char* const payload = header + kChunkHeaderBytes;
    if (*header == kTrailerChunk && bytes == kTrailerBytes) {
      store_le(payload, totals.keyspaces);
      store_le(payload + 8, totals.records);
      store_le(payload + 16, totals.bytes);
      std::ranges::copy(base::as_bytes(digest.finish()), payload + 24);
    }
    store_le(header + 5, base::hash64({payload, bytes}, base::hash64({header, 5}, number)));
    if (*header == kKeyspaceChunk) ++totals.keyspaces;
    if (*header == kRecordsChunk || *header == kExpiringChunk)
      count_records({payload, bytes}, *header == kExpiringChunk, totals);
    digest.add({header, kChunkHeaderBytes + bytes});
    at += kChunkHeaderBytes + bytes;
  }
}

bool fuzz_dump(const std::string& bytes) {
  const fuzz::ReadRecords all = fuzz::read_records(Format::kDump, bytes, 1 << 16);
  FUZZ_EXPECT(all == fuzz::read_records(Format::kDump, bytes, 1));
  std::size_t held = 0;
  for (const Record& record : all.records) {
    held += record.key.size() + record.value.size();
    FUZZ_EXPECT(!record.keyspace.empty() && !record.key.empty() && record.lifetime.expires_at);
  }
  FUZZ_EXPECT(held <= bytes.size());
  return all.errors.empty();
}

}  // namespace

LIGHTNING_FUZZ_TARGET(dump) {
  std::string bytes(input);
  const bool taken = fuzz_dump(bytes);
  repair_dump(bytes);
  return bytes == input ? taken : fuzz_dump(bytes) || taken;
}

}  // namespace lightning::cli
