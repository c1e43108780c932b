// stats: what the database holds and how it is doing.

#include "api/statistics_json.h"
#include "cli/bytes_text.h"
#include "cli/commands.h"

namespace lightning::cli {

namespace {

std::string bytes_text(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

std::string json_of(const Database& db, const Statistics& statistics) {
  JsonText json;
  json.begin_object().field("path", db.path());
  api::add_statistics(json, statistics);
  return json.end_object().text();
}

// For people: what is stored. Counters begin when a process opens the database, and this one only just has.
std::string text_of(const Database& db, const Statistics& s) {
  std::string text = "database       " + db.path() + "\n";
  text += "on disk        " + bytes_text(s.bytes_on_disk) + "\n";
  text += "last sequence  " + human_count(s.last_sequence) + "\n";
  text += "memory budget  " + bytes_text(s.memory.budget) + "\n";
  for (const KeyspaceStatistics& keyspace : s.keyspaces) {
    text += "\nkeyspace " + escaped(keyspace.name) + "\n";
    text += "  memtables  " + human_count(keyspace.memtable_entries) + " entries, " +
            bytes_text(keyspace.memtable_bytes) + "\n";
    for (const LevelStatistics& level : keyspace.levels)
      if (level.tables > 0)
        text += "  level " + std::to_string(level.level) + "    " + human_count(level.entries) + " entries, " +
                bytes_text(level.bytes) + " in " + human_count(level.tables) +
                (level.tables == 1 ? " table\n" : " tables\n");
    if (const BlobStatistics& blobs = keyspace.blobs; blobs.files > 0)
      text += "  blobs      " + human_count(blobs.records) + " large values, " + bytes_text(blobs.bytes) + " in " +
              human_count(blobs.files) + (blobs.files == 1 ? " file" : " files") + ", " +
              bytes_text(blobs.garbage_bytes) + " of it garbage\n";
  }
  for (const DamagedTable& table : s.damaged_tables)
    text += "\ndamaged table of keyspace " + escaped(table.keyspace) + ", level " + std::to_string(table.level) + ": " +
            table.error + "\n";
  for (const DamagedBlobFile& blob : s.damaged_blob_files)
    text += "\ndamaged blob file of keyspace " + escaped(blob.keyspace) + ": " + blob.error + "\n";
  if (!s.background_error.empty()) text += "\nwrites are stopped: " + s.background_error + "\n";
  return text;
}

CommandResult stats(Context& context) {
  LIGHTNING_ASSIGN(const Database db, context.open_to_look());
  const Statistics statistics = db.stats();
  if (context.options.json) {
    LIGHTNING_TRY(context.print(json_of(db, statistics)));
  } else {
    LIGHTNING_TRY(Output::standard().write(text_of(db, statistics)));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_stats_command(CommandLine& line) {
  Command command = line.add("stats", "Shows what the database holds: keyspaces, levels, sizes.",
                             "lightning_db stats --path orders\n"
                             "lightning_db stats --path orders --json | jq .bytes_on_disk");
  command.runs([&line] { return stats(line.context()); });
}

}  // namespace lightning::cli
