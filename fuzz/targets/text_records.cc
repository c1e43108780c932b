// cli/records.h: JSONL, CSV and TSV, in large pieces and byte by byte. Input: which of them, then the text.
#include "cli/bytes_text.h"
#include "cli/records.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/read_records.h"
#include "fuzz/support/target.h"
#include "lightning/types.h"

namespace lightning::cli {

namespace {

// What JSONL was read can be written, and read again.
void expect_jsonl(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) {
    const auto expires_at = record.lifetime.expires_at;
    append_jsonl(text, record.keyspace, record.key, record.value,
                 expires_at == kNeverExpires ? std::nullopt : expires_at);
    text += '\n';
  }
  FUZZ_EXPECT(is_utf8(text));
  const fuzz::ReadRecords again = fuzz::read_records(Format::kJsonl, text, 1 << 16);
  FUZZ_EXPECT(again.errors.empty() && again.records.size() == records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record &a = records[i], &b = again.records[i];
    FUZZ_EXPECT(a.key == b.key && a.value == b.value);
    FUZZ_EXPECT(a.keyspace == b.keyspace || (a.keyspace == kDefaultKeyspaceName && b.keyspace.empty()));
  }
}

}  // namespace

LIGHTNING_FUZZ_TARGET(text_records) {
  constexpr Format kFormats[] = {Format::kJsonl, Format::kCsv, Format::kTsv};
  const Format format = kFormats[fuzz::take_number<std::uint8_t>(input) % 3];
  const fuzz::ReadRecords all = fuzz::read_records(format, input, 1 << 16);
  FUZZ_EXPECT(all == fuzz::read_records(format, input, 1));
  FUZZ_EXPECT(all == fuzz::read_records(format, input, 7));
  if (format == Format::kJsonl) expect_jsonl(all.records);
  return all.errors.empty() && !all.records.empty();
}

}  // namespace lightning::cli
