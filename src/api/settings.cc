#include "api/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

namespace lightning::api {

namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = kKiB * 1024, kGiB = kMiB * 1024, kTiB = kGiB * 1024;
constexpr std::string_view kNeverZero{};

constexpr std::array<std::string_view, 3> kSyncModes{"sync", "periodic", "async"};
constexpr std::array<std::string_view, 3> kCompressions{"none", "lz4", "zstd"};
constexpr std::array<std::string_view, 3> kIntegrityLevels{"basic", "standard", "paranoid"};
constexpr std::array<std::string_view, 3> kChecksumAlgorithms{"auto", "xxh3", "blake3"};
constexpr std::array<std::string_view, 3> kCorruptionActions{"isolate", "read-only", "halt"};

template <auto kMember>
using MemberType = std::remove_cvref_t<decltype(std::declval<LightningDbConfig>().*kMember)>;

template <auto kMember>
std::uint64_t get_member(const LightningDbConfig& config) {
  using T = MemberType<kMember>;
  if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    // A negative duration becomes a huge number, which no range allows.
    return static_cast<std::uint64_t>((config.*kMember).count());
  } else {
    return static_cast<std::uint64_t>(config.*kMember);
  }
}

template <auto kMember>
void set_member(LightningDbConfig& config, std::uint64_t value) {
  using T = MemberType<kMember>;
  if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    config.*kMember = std::chrono::milliseconds(static_cast<std::int64_t>(value));
  } else {
    config.*kMember = static_cast<T>(value);
  }
}

using C = LightningDbConfig;

template <auto kMember>
constexpr Setting size(std::string_view name, std::uint64_t smallest, std::uint64_t largest, std::string_view zero,
                       std::string_view description, bool percent = false) {
  return {
      name,       SettingKind::kSize, smallest, largest, zero, {}, percent, get_member<kMember>, set_member<kMember>,
      description};
}
template <auto kMember>
constexpr Setting count(std::string_view name, std::uint64_t smallest, std::uint64_t largest, std::string_view zero,
                        std::string_view description) {
  return {name,       SettingKind::kCount, smallest, largest, zero, {}, false, get_member<kMember>, set_member<kMember>,
          description};
}
template <auto kMember>
constexpr Setting duration(std::string_view name, std::uint64_t smallest, std::uint64_t largest, std::string_view zero,
                           std::string_view description) {
  return {
      name,       SettingKind::kDuration, smallest, largest, zero, {}, false, get_member<kMember>, set_member<kMember>,
      description};
}
template <auto kMember>
constexpr Setting flag(std::string_view name, std::string_view description) {
  return {name,       SettingKind::kSwitch, 0, 1, kNeverZero, {}, false, get_member<kMember>, set_member<kMember>,
          description};
}
template <auto kMember>
constexpr Setting choice(std::string_view name, std::span<const std::string_view> names, std::string_view description) {
  return {name,
          SettingKind::kChoice,
          0,
          names.size() - 1,
          kNeverZero,
          names,
          false,
          get_member<kMember>,
          set_member<kMember>,
          description};
}

constexpr std::size_t kTextBytesMax = 4096;

constexpr Setting words(std::string_view name, std::string LightningDbConfig::* member, std::string_view description) {
  return {name,
          SettingKind::kText,
          0,
          0,
          "none",
          {},
          false,
          [](const LightningDbConfig&) { return std::uint64_t{0}; },
          [](LightningDbConfig&, std::uint64_t) {},
          description,
          member};
}

constexpr Setting kSettings[] = {
    size<&C::cache_size>("cache_size", 8 * kMiB, kTiB, "auto",
                         "memory for cached blocks, filters, indexes and memtables together; auto: a quarter of the "
                         "memory this process may use",
                         true),
    size<&C::memtable_bytes>(
        "memtable_bytes", 256 * kKiB, 4 * kGiB, "auto",
        "size at which a memtable is sealed and flushed; auto: an eighth of cache_size, 4MiB .. 64MiB"),
    count<&C::memtables_max>("memtables_max", 2, 64, kNeverZero,
                             "memtables of one keyspace, the active one included, before writers wait"),
    choice<&C::wal_sync_mode>("wal_sync_mode", kSyncModes,
                              "when an acknowledged write is on disk: at return, within wal_sync_interval, or when the "
                              "operating system decides"),
    duration<&C::wal_sync_interval>("wal_sync_interval", 1, 60'000, kNeverZero,
                                    "with wal_sync_mode periodic: longest time between acknowledgement and disk"),
    size<&C::wal_segment_bytes>("wal_segment_bytes", kMiB, kGiB, "auto",
                                "size of one preallocated log segment; auto: 1/32 of the budget, 1 to 64 MiB"),
    size<&C::wal_bytes_max>("wal_bytes_max", 2 * kMiB, kTiB, "auto",
                            "bound of the whole log, kept by flushing what holds the oldest segment; at least two "
                            "segments; auto: eight segments or four memtables"),
    choice<&C::integrity_validation_level>(
        "integrity_validation_level", kIntegrityLevels,
        "what covers stored bytes: XXH3 check values, BLAKE3 tags, or BLAKE3 tags with "
        "tables read back after writing"),
    choice<&C::checksum_algorithm>("checksum_algorithm", kChecksumAlgorithms,
                                   "how tags of stored blocks are made; auto: as integrity_validation_level says"),
    duration<&C::scrub_period>("scrub_period", 1000, 365ull * 24 * 3'600'000, "never",
                               "how often all that is stored is read and compared with its tags in the background"),
    size<&C::scrub_bytes_per_second>("scrub_bytes_per_second", 64 * kKiB, 100 * kGiB, "auto",
                                     "reading of the scrubber per second; auto: a round takes half of scrub_period, at "
                                     "1MiB or more"),
    choice<&C::corruption_action>("corruption_action", kCorruptionActions,
                                  "what follows when damage is met: only what touches it fails; writes are refused, "
                                  "too; or reads and writes of everything"),
    flag<&C::fail_on_corruption>("fail_on_corruption",
                                 "opening fails if a table or blob file is missing, or damaged in what opening reads"),
    flag<&C::compression_enabled>("compression_enabled", "off stores every block as it is"),
    choice<&C::compression_upper>("compression_upper", kCompressions, "compression of all levels but the last"),
    choice<&C::compression_bottom>("compression_bottom", kCompressions,
                                   "compression of the last level, which holds most of the data"),
    size<&C::block_bytes>("block_bytes", kKiB, kMiB, kNeverZero, "uncompressed size of a data block"),
    size<&C::table_bytes>("table_bytes", 256 * kKiB, 4 * kGiB, kNeverZero, "uncompressed data per table file"),
    count<&C::open_files_max>("open_files_max", 8, 1'000'000, "auto",
                              "table files open at one time; auto: half of what the process may open, after its limit "
                              "was raised as far as it can be"),
    count<&C::filter_bits_per_key>("filter_bits_per_key", 0, 32, kNeverZero,
                                   "size of the filter that spares reads of absent keys; 0: no filter; 10: about 1 % "
                                   "false positives"),
    flag<&C::block_parity>("block_parity",
                           "one more block for every 16 of a table, to rebuild one that can no longer be read"),
    size<&C::blob_threshold>("blob_threshold", 256, 512 * kMiB, "never",
                             "size from which on a value lies in a blob file, so that compactions do not move it"),
    count<&C::max_space_amplification>("max_space_amplification", 105, 1000, kNeverZero,
                                       "bound of the space of blob files, in percent of the live values in them"),
    count<&C::flush_threads>("flush_threads", 1, 64, "auto", "threads that write memtables to tables"),
    count<&C::compaction_threads>("compaction_threads", 1, 64, "auto",
                                  "threads that merge tables; auto: by the number of cores"),
    count<&C::level0_compaction_trigger>("level0_compaction_trigger", 2, 64, kNeverZero,
                                         "sorted runs in level 0 that start a compaction"),
    count<&C::level0_slowdown_trigger>("level0_slowdown_trigger", 2, 1024, kNeverZero,
                                       "sorted runs in level 0 at which writers begin to be slowed"),
    count<&C::level0_stop_trigger>("level0_stop_trigger", 2, 1024, kNeverZero,
                                   "sorted runs in level 0 at which writers wait"),
    count<&C::level_size_multiplier>("level_size_multiplier", 2, 32, kNeverZero,
                                     "each level holds this many times the one above"),
    count<&C::tombstones_per_seek_max>("tombstones_per_seek_max", 16, 1'000'000'000, "unlimited",
                                       "a table in which more tombstones lie side by side is compacted, a memtable "
                                       "flushed when seeks meet them often, so that they do not have to pass them"),
    size<&C::background_bytes_per_second>("background_bytes_per_second", kMiB, 100 * kGiB, "unlimited",
                                          "background writing per second"),
    size<&C::ballast_bytes>("ballast_bytes", kMiB, kTiB, "none",
                            "disk space held in reserve, at most a sixteenth of what is free: with it, flushes, "
                            "compactions and erases go on when the disk is full"),
    duration<&C::write_stall_timeout>("write_stall_timeout", 1, 24 * 3'600'000, "unlimited",
                                      "longest time a write may wait for background work before it fails"),
    count<&C::max_active_transactions>("max_active_transactions", 1, 1'000'000, kNeverZero,
                                       "transactions active at one time, before beginning one fails"),
    duration<&C::transaction_idle_timeout>("transaction_idle_timeout", 1, 24 * 3'600'000, "unlimited",
                                           "longest time between two calls of a transaction before it is rolled back"),
    duration<&C::transaction_timeout>("transaction_timeout", 1, 24 * 3'600'000, "unlimited",
                                      "longest time from begin to commit before a transaction is rolled back"),
    duration<&C::snapshot_age_max>("snapshot_age_max", 1, 365ull * 24 * 3'600'000, "unlimited",
                                   "age at which a snapshot may be let go; reads with it then fail"),
    duration<&C::lock_timeout>("lock_timeout", 1, 24 * 3'600'000, "none",
                               "longest wait for a lock of another transaction; none: fail at once"),
    flag<&C::enable_deadlock_detection>("enable_deadlock_detection",
                                        "transactions that wait for each other are found at once, not by lock_timeout"),
    size<&C::transaction_memory_bytes>("transaction_memory_bytes", 64 * kKiB, kGiB, kNeverZero,
                                       "memory of one transaction: its writes, and what a serializable one read"),
    words("archive_directory", &C::archive_directory,
          "directory that gets all that is written, to bring the database back as it was at any moment"),
    words("archive_command", &C::archive_command,
          "command that takes the archive's files away, instead of a directory: %p is the file, %f its name; it has "
          "done so when it ends with 0"),
    duration<&C::archive_command_timeout>("archive_command_timeout", 10, 24 * 3'600'000, kNeverZero,
                                          "longest time that archive_command may take for a file"),
    duration<&C::archive_timeout>("archive_timeout", 10, 24 * 3'600'000, "never",
                                  "longest time that a write waits for its archiving; never: until a segment of the "
                                  "log is full, or the database is closed"),
    size<&C::archive_backlog_max>("archive_backlog_max", kMiB, kTiB, "unlimited",
                                  "full segments of the log that may wait for their archiving before writers wait"),
    flag<&C::create_if_missing>("create_if_missing", "opening a directory without a database makes one"),
    flag<&C::error_if_exists>("error_if_exists", "opening an existing database is an error"),
    flag<&C::enable_statistics>("enable_statistics", "measure latencies; counters are always kept"),
};

struct Unit {
  std::string_view name;  // lower case
  std::uint64_t factor;
};
constexpr Unit kSizeUnits[] = {{"", 1},
                               {"b", 1},
                               {"k", kKiB},
                               {"kib", kKiB},
                               {"kb", 1000},
                               {"m", kMiB},
                               {"mib", kMiB},
                               {"mb", 1'000'000},
                               {"g", kGiB},
                               {"gib", kGiB},
                               {"gb", 1'000'000'000},
                               {"t", kTiB},
                               {"tib", kTiB},
                               {"tb", 1'000'000'000'000}};
constexpr Unit kDurationUnits[] = {{"ms", 1},     {"s", 1000},      {"min", 60'000},
                                   {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Lower case, without '_', '-' and spaces: "Periodic", "HIGH_throughput" and "high-throughput" are forgiven.
std::string folded(std::string_view text) {
  std::string out;
  for (char c : text)
    if (c != '_' && c != '-' && c != ' ') out += lower(c);
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A number, whole or with a decimal point, times its unit. False if it is not one, or does not fit 64 bits.
bool parse_quantity(std::string_view text, std::span<const Unit> units, std::uint64_t& value) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, digits);
  const std::string unit_name = folded(trimmed(text.substr(digits)));
  const Unit* unit = nullptr;
  for (const Unit& candidate : units)
    if (candidate.name == unit_name) unit = &candidate;
  if (number.empty() || unit == nullptr) return false;
  if (number.find('.') == std::string_view::npos) {
    std::uint64_t whole = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), whole);
    if (error != std::errc{} || end != number.data() + number.size()) return false;
    return !__builtin_mul_overflow(whole, unit->factor, &value);
  }
  double decimal = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), decimal);
  if (error != std::errc{} || end != number.data() + number.size()) return false;
  const double scaled = decimal * static_cast<double>(unit->factor);
  // A fraction of a byte or of a millisecond is a mistake, not a rounding matter.
  if (!(scaled < 9.0e18) || scaled != std::floor(scaled)) return false;
  value = static_cast<std::uint64_t>(scaled);
  return true;
}

bool parse_percent(std::string_view text, std::uint64_t whole, std::uint64_t& value) {
  if (text.empty() || text.back() != '%') return false;
  text = trimmed(text.substr(0, text.size() - 1));
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (error != std::errc{} || end != text.data() + text.size() || !(percent > 0 && percent <= 100)) return false;
  value = static_cast<std::uint64_t>(static_cast<double>(whole) * percent / 100);
  return true;
}

bool parse_switch(std::string_view text, std::uint64_t& value) {
  const std::string word = folded(text);
  if (word == "true" || word == "on" || word == "yes" || word == "1") return value = 1, true;
  if (word == "false" || word == "off" || word == "no" || word == "0") return value = 0, true;
  return false;
}

bool parse_choice(std::span<const std::string_view> names, std::string_view text, std::uint64_t& value) {
  const std::string word = folded(text);
  for (value = 0; value < names.size(); ++value)
    if (folded(names[value]) == word) return true;
  return false;
}

bool parse_text(const Setting& setting, std::string_view text, std::uint64_t memory_bytes, std::uint64_t& value) {
  if (!setting.zero_name.empty() && folded(text) == setting.zero_name) return value = 0, true;
  switch (setting.kind) {
    case SettingKind::kSize:
      return (setting.percent_of_memory && parse_percent(text, memory_bytes, value)) ||
             parse_quantity(text, kSizeUnits, value);
    case SettingKind::kCount:
      return parse_quantity(text, std::span(kSizeUnits, 1), value);
    case SettingKind::kDuration:
      return text == "0" ? (value = 0, true) : parse_quantity(text, kDurationUnits, value);
    case SettingKind::kSwitch:
      return parse_switch(text, value);
    case SettingKind::kChoice:
      return parse_choice(setting.choices, text, value);
    case SettingKind::kText:
      value = 0;
      return text.size() <= kTextBytesMax &&
             std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  }
  return false;
}

std::string_view expectation(SettingKind kind) {
  switch (kind) {
    case SettingKind::kSize:
      return "a size such as 512MiB, 1GB or 65536";
    case SettingKind::kCount:
      return "a whole number";
    case SettingKind::kDuration:
      return "a duration with its unit, such as 100ms or 30s";
    case SettingKind::kSwitch:
      return "true or false";
    case SettingKind::kChoice:
      return "one of the names";
    case SettingKind::kText:
      return "one line of text";
  }
  return "";
}

std::string with_largest_unit(std::uint64_t value, std::span<const Unit> units) {
  const Unit* best = nullptr;
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0 && (best == nullptr || unit.factor > best->factor)) best = &unit;
  if (best == nullptr) return std::to_string(value);
  return std::to_string(value / best->factor) + std::string(best->name);
}

}  // namespace

std::span<const Setting> settings_table() { return kSettings; }

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : kSettings)
    if (setting.name == name) return &setting;
  return nullptr;
}

bool in_range(const Setting& setting, std::uint64_t value) {
  return (value == 0 && !setting.zero_name.empty()) || (value >= setting.smallest && value <= setting.largest);
}

std::string print_setting(const Setting& setting, std::uint64_t value) {
  if (value == 0 && !setting.zero_name.empty()) return std::string(setting.zero_name);
  static constexpr Unit kSizes[] = {{"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}, {"TiB", kTiB}};
  static constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1000}};
  switch (setting.kind) {
    case SettingKind::kSize:
      return with_largest_unit(value, kSizes);
    case SettingKind::kCount:
      return std::to_string(value);
    case SettingKind::kDuration:
      return with_largest_unit(value, kDurations);
    case SettingKind::kSwitch:
      return value != 0 ? "true" : "false";
    case SettingKind::kChoice:
      return value < setting.choices.size() ? std::string(setting.choices[value]) : std::to_string(value);
    case SettingKind::kText:
      break;
  }
  return "";
}

std::string print_setting_of(const Setting& setting, const LightningDbConfig& config) {
  if (setting.text == nullptr || (config.*setting.text).empty()) return print_setting(setting, setting.get(config));
  return config.*setting.text;
}

std::string print_range(const Setting& setting) {
  std::string range;
  if (setting.kind == SettingKind::kSwitch) return "true, false";
  if (setting.kind == SettingKind::kText)
    return "a line of at most " + std::to_string(kTextBytesMax) + " bytes, or " + std::string(setting.zero_name);
  for (std::string_view name : setting.choices) range += (range.empty() ? "" : ", ") + std::string(name);
  if (setting.kind != SettingKind::kChoice)
    range = print_setting(setting, setting.smallest) + " .. " + print_setting(setting, setting.largest);
  if (!setting.zero_name.empty()) range += ", or " + std::string(setting.zero_name);
  if (setting.percent_of_memory) range += ", or a percentage of memory such as 25%";
  return range;
}

Result<std::uint64_t> parse_setting(const Setting& setting, std::string_view text, std::uint64_t memory_bytes) {
  text = trimmed(text);
  std::uint64_t value = 0;
  const std::string shown = std::string(setting.name) + " = \"" + std::string(text.substr(0, 80)) + "\"";
  if (!parse_text(setting, text, memory_bytes, value))
    return Error(ErrorCode::kConfigInvalid, shown + " is not " + std::string(expectation(setting.kind)))
        .with_advice("allowed: " + print_range(setting));
  if (!in_range(setting, value))
    return Error(ErrorCode::kConfigInvalid, shown + " is out of range").with_advice("allowed: " + print_range(setting));
  return value;
}

Status assign_setting(const Setting& setting, std::string_view text, std::uint64_t memory_bytes,
                      LightningDbConfig& config) {
  LIGHTNING_ASSIGN(const std::uint64_t value, parse_setting(setting, text, memory_bytes));
  setting.set(config, value);
  if (setting.text == nullptr) return {};
  text = trimmed(text);
  config.*setting.text = folded(text) == setting.zero_name ? std::string() : std::string(text);
  return {};
}

}  // namespace lightning::api
