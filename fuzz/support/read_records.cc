#include "fuzz/support/read_records.h"

#include <algorithm>

#include "fuzz/support/target.h"

namespace lightning::fuzz {

bool ReadRecords::operator==(const ReadRecords& other) const {
  const auto same = [](const cli::Record& a, const cli::Record& b) {
    return a.keyspace == b.keyspace && a.key == b.key && a.value == b.value &&
           a.lifetime.expires_at == b.lifetime.expires_at;
  };
  return errors == other.errors && std::ranges::equal(records, other.records, same);
}

ReadRecords read_records(cli::Format format, std::string_view bytes, std::size_t piece) {
  const auto input = cli::memory_input(std::string(bytes), piece);
  const auto reader = cli::make_reader(format, *input, {});
  FUZZ_EXPECT(reader);
  ReadRecords all;
  for (cli::Record record;;) {
    const auto more = (*reader)->next(record);
    if (more && !*more) break;
    FUZZ_EXPECT(!(*reader)->place().empty());
    if (more) {
      all.records.push_back(record);
    } else {
      all.errors.push_back(more.error().to_string());
      if (!(*reader)->can_resume()) break;
    }
    // Each record and each error takes some of the input.
    FUZZ_EXPECT(all.records.size() + all.errors.size() <= bytes.size() + 1);
  }
  return all;
}

}  // namespace lightning::fuzz
