// Scrubbing: everything that is stored is read once in a period and compared with its tags, so that damage is found
// while there is a backup that still holds what it hit.
//
// A round reads the tables and blob files that were there when it began, by rising number, and the manifest. The file
// SCRUB remembers how far it is, so that a round goes on after the store was closed. Losing it costs a round that
// begins anew; it is not synced, and what can't be read of it is passed over. Bytes: docs/format/manifest.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/ids.h"

namespace lightning::engine {

inline constexpr std::string_view kScrubRecordName = "SCRUB";

struct ScrubRecord {
  std::uint64_t round = 0;       // how many have begun
  std::uint64_t begun_ms = 0;    // the newest; since 1970
  std::uint64_t ended_ms = 0;    // the last one that came to its end; 0: none
  format::FileNumber next = 0;   // what has a lower number was read in this round; 0: none is under way
  format::FileNumber end = 0;    // what has this number or more is younger than the round
  std::uint64_t bytes_done = 0;  // in this round
  std::uint64_t findings = 0;    // in this round
  bool operator==(const ScrubRecord&) const = default;
};

// `store_id` goes into its check value: the record of another store is none.
std::string encode(const ScrubRecord& record, const format::Uid& store_id);
std::optional<ScrubRecord> decode_scrub_record(std::string_view text, const format::Uid& store_id);

}  // namespace lightning::engine
