// scan and count: ranges of keys.
#include <limits>

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "cli/records.h"

namespace lightning::cli {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

struct ScanOptions {
  RangeOptions range;
  std::uint64_t limit = kNoLimit;
  bool reverse = false, keys_only = false, hex = false, base64 = false, escape = false;
};

// Prints records one per line in the form that was asked for.
class LinePrinter {
 public:
  LinePrinter(const Context& context, const ScanOptions& options)
      : options_(options),
        keyspace_(context.options.keyspace),
        json_(context.options.json),
        escape_(options.escape || Output::standard().is_terminal()) {}

  Status print(std::string_view key, std::string_view value) {
    line_.clear();
    if (json_) {
      append_json(key, value);
    } else {
      append(key);
      if (!options_.keys_only) line_ += '\t';
      if (!options_.keys_only) append(value);
    }
    line_ += '\n';
    return Output::standard().write(line_);
  }

 private:
  void append_json(std::string_view key, std::string_view value) {
    if (!options_.keys_only) return append_jsonl(line_, keyspace_, key, value);
    line_ += '{';
    append_json_bytes(line_, "key", key);
    line_ += '}';
  }
  void append(std::string_view bytes) {
    if (options_.hex) {
      line_ += to_hex(bytes);
    } else if (options_.base64) {
      line_ += to_base64(bytes);
    } else if (escape_) {
      line_ += escaped(bytes);
    } else {
      line_ += bytes;
    }
  }

  const ScanOptions& options_;
  const std::string keyspace_;
  const bool json_, escape_;
  std::string line_;
};

CommandResult scan(Context& context, const ScanOptions& options) {
  LIGHTNING_ASSIGN(IterateOptions bounds, iterate_options(options.range));
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  LinePrinter printer(context, options);
  Iterator it = db.iterate(keyspace, bounds);
  options.reverse ? it.seek_to_last() : it.seek_to_first();
  for (std::uint64_t printed = 0; it.valid() && printed < options.limit; ++printed) {
    LIGHTNING_TRY(printer.print(it.key(), it.value()));
    options.reverse ? it.prev() : it.next();
  }
  LIGHTNING_TRY(it.status());
  return ExitCode::kOk;
}

struct CountOptions {
  RangeOptions range;
  bool exact = false, estimate = false, bytes = false;
};

Status print_number(const Context& context, const char* name, std::uint64_t number, bool exact) {
  const std::string text = std::to_string(number);
  if (!context.options.json) return context.print(text);
  return context.print(std::string("{\"") + name + "\":" + text + ",\"exact\":" + (exact ? "true}" : "false}"));
}

Result<KeyRange> key_range(const IterateOptions& bounds) {
  KeyRange range = bounds.prefix.empty() ? KeyRange() : KeyRange::of_prefix(bounds.prefix);
  if (bounds.lower_bound && (!range.start || *range.start < *bounds.lower_bound)) range.start = bounds.lower_bound;
  if (bounds.upper_bound && (!range.end || *range.end > *bounds.upper_bound)) range.end = bounds.upper_bound;
  if (range.start && range.end && *range.end < *range.start) range.end = range.start;  // nothing lies in both
  return range;
}

CommandResult count(Context& context, const CountOptions& options) {
  LIGHTNING_ASSIGN(IterateOptions bounds, iterate_options(options.range));
  const bool everything = bounds.prefix.empty() && !bounds.lower_bound && !bounds.upper_bound;
  if (options.estimate && !everything) return context.usage_error("--estimate is of all keys: it takes no range");
  LIGHTNING_ASSIGN(const Database db, context.open_for_reading());
  LIGHTNING_ASSIGN(const Keyspace keyspace, context.keyspace(db));
  if (options.bytes) {
    LIGHTNING_ASSIGN(const KeyRange range, key_range(bounds));
    LIGHTNING_ASSIGN(const std::uint64_t bytes, db.approximate_size(keyspace, range));
    LIGHTNING_TRY(print_number(context, "bytes", bytes, false));
    return ExitCode::kOk;
  }
  if (everything && !options.exact) {
    LIGHTNING_ASSIGN(const RecordCount known, db.count(keyspace));
    if (known.exact || options.estimate) {
      LIGHTNING_TRY(print_number(context, "count", known.records, known.exact));
      return ExitCode::kOk;
    }
  }
  std::uint64_t keys = 0;
  Iterator it = db.iterate(keyspace, bounds);
  for (it.seek_to_first(); it.valid(); it.next()) ++keys;
  LIGHTNING_TRY(it.status());
  LIGHTNING_TRY(print_number(context, "count", keys, true));
  return ExitCode::kOk;
}

}  // namespace

void add_range_options(Command& command, RangeOptions& range) {
  command.text("--prefix", range.prefix, "KEY", "only keys that begin with this", "Range");
  command.text("--start", range.start, "KEY", "first key, inclusive", "Range");
  command.text("--end", range.end, "KEY", "last key, exclusive", "Range");
}

Result<IterateOptions> iterate_options(const RangeOptions& range) {
  IterateOptions options;
  options.fill_cache = false;  // a pass over everything should leave no trace in the cache
  LIGHTNING_ASSIGN(options.prefix, parse_bytes(range.prefix));
  if (!range.start.empty()) {
    LIGHTNING_ASSIGN(options.lower_bound, parse_bytes(range.start));
  }
  if (!range.end.empty()) {
    LIGHTNING_ASSIGN(options.upper_bound, parse_bytes(range.end));
  }
  if (options.lower_bound && options.upper_bound && *options.lower_bound > *options.upper_bound)
    return Error(ErrorCode::kInvertedRange, "the start " + escaped(*options.lower_bound) + " sorts after the end " +
                                                escaped(*options.upper_bound));
  return options;
}

Result<KeyRange> key_range(const RangeOptions& range) {
  LIGHTNING_ASSIGN(const IterateOptions bounds, iterate_options(range));
  KeyRange keys = bounds.prefix.empty() ? KeyRange{} : KeyRange::of_prefix(bounds.prefix);
  if (bounds.lower_bound && (!keys.start || *keys.start < *bounds.lower_bound)) keys.start = bounds.lower_bound;
  if (bounds.upper_bound && (!keys.end || *bounds.upper_bound < *keys.end)) keys.end = bounds.upper_bound;
  if (keys.start && keys.end && *keys.end < *keys.start) keys.end = keys.start;  // the prefix lies outside the bounds
  return keys;
}

void add_scan_commands(CommandLine& line) {
  auto options = std::make_shared<ScanOptions>();
  Command scanning = line.add("scan", "Prints keys and values in order, a tab between them.",
                              "lightning_db scan --path orders --prefix id: --limit 10\n"
                              "lightning_db scan --path orders --start a --end b --reverse --keys-only\n"
                              "lightning_db scan --path orders --json | jq .value");
  add_range_options(scanning, options->range);
  scanning.number("--limit", options->limit, "N", "stop after this many", 0, kNoLimit);
  scanning.flag("--reverse", options->reverse, "from the last key to the first");
  scanning.flag("--keys-only", options->keys_only, "without values");
  scanning.flag("--hex", options->hex, "print as hexadecimal");
  scanning.flag("--base64", options->base64, "print as base64");
  scanning.flag("--escape", options->escape, "show what cannot be printed as \\xNN (always done on a terminal)");
  scanning.exclusive({"--hex", "--base64", "--escape"});
  scanning.runs([&line, options] { return scan(line.context(), *options); });

  auto counted = std::make_shared<CountOptions>();
  Command counting = line.add("count", "Counts keys: at once where the keyspace is counted, else by a walk.",
                              "lightning_db count --path orders\n"
                              "lightning_db count --path orders --prefix id:\n"
                              "lightning_db count --path orders --estimate");
  add_range_options(counting, counted->range);
  counting.flag("--exact", counted->exact, "walk over the keys even where they are counted");
  counting.flag("--estimate", counted->estimate, "no walk: about as many, by what the tables say");
  counting.flag("--bytes", counted->bytes, "stored bytes of the range instead, about");
  counting.exclusive({"--exact", "--estimate", "--bytes"});
  counting.runs([&line, counted] { return count(line.context(), *counted); });
}

}  // namespace lightning::cli
