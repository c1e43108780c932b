// format/batch.h: what a commit stores in the log, and what a caller hands over.
#include "format/batch.h"

#include "format/expiry.h"
#include "fuzz/support/target.h"

namespace lightning::format {

LIGHTNING_FUZZ_TARGET(batch) {
  for (const auto source : {BatchReader::Source::kCaller, BatchReader::Source::kUnsettled}) {
    BatchReader reader(input, source);
    while (reader.next()) FUZZ_EXPECT(reader.offset() <= input.size());
    if (const Status status = reader.status(); !status) FUZZ_EXPECT(!status.error().to_string().empty());
  }
  std::string encoded;
  std::uint64_t count = 0, bytes = 0;
  BatchReader reader(input);
  for (; reader.next(); ++count) {
    const Operation& operation = reader.operation();
    if (operation.type == EntryType::kPutExpiring) FUZZ_EXPECT(is_settled(operation.value));
    bytes += operation_bytes(operation);
    append_operation(encoded, operation);
  }
  FUZZ_EXPECT(encoded.size() == bytes && bytes <= input.size());
  const auto counted = count_operations(input);
  FUZZ_EXPECT(counted.has_value() == reader.status().has_value());
  if (!counted) return false;
  FUZZ_EXPECT(*counted == count);

  BatchReader first(input), again(encoded);
  while (first.next()) {
    FUZZ_EXPECT(again.next());
    const Operation &a = first.operation(), &b = again.operation();
    FUZZ_EXPECT(a.type == b.type && a.keyspace == b.keyspace && a.key == b.key && a.value == b.value &&
                a.changes_count == b.changes_count);
  }
  FUZZ_EXPECT(!again.next() && again.status());
  return true;
}

}  // namespace lightning::format
