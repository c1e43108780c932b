// inspect: what is inside one file of a database directory.

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "lightning/inspect.h"

namespace lightning::cli {

namespace {

struct InspectChoice {
  std::string kind, file;
  InspectOptions options;
};

std::string text_of(const InspectedFact& fact) {
  std::string line = fact.kind;
  for (const auto& [name, value] : fact.values) {
    const auto* number = std::get_if<std::uint64_t>(&value);
    const auto* text = std::get_if<std::string>(&value);
    line += " " + name + "=" + (number != nullptr ? std::to_string(*number) : escaped(*text));
  }
  return line;
}

Result<FileKind> kind_named(Context& context, const std::string& name) {
  if (name == "sst") return FileKind::kTable;
  if (name == "wal") return FileKind::kLogSegment;
  if (name == "blob") return FileKind::kBlob;
  if (name == "manifest") return FileKind::kManifest;
  return context.usage_error("there is nothing to inspect in " + name + "; choose sst, blob, wal or manifest");
}

CommandResult inspect(Context& context, const InspectChoice& choice) {
  LIGHTNING_ASSIGN(const FileKind kind, kind_named(context, choice.kind));
  Status printed;
  const Status read = inspect_file(kind, choice.file, choice.options, [&](const InspectedFact& fact) {
    printed = context.print(context.options.json ? to_json(fact) : text_of(fact));
    return printed.has_value();
  });
  LIGHTNING_TRY(printed);
  LIGHTNING_TRY(read);
  return ExitCode::kOk;
}

}  // namespace

void add_inspect_command(CommandLine& line) {
  auto choice = std::make_shared<InspectChoice>();
  Command command = line.add("inspect", "Prints what is inside a table, a blob file, a log segment or a manifest.",
                             "lightning_db inspect manifest orders/MANIFEST-000000000001\n"
                             "lightning_db inspect sst --entries orders/tables/000000000007.sst\n"
                             "lightning_db inspect blob --entries orders/blobs/000000000008.blob\n"
                             "lightning_db inspect wal --json orders/wal/00000000000000000003.log");
  command.argument("kind", choice->kind, "sst|blob|wal|manifest", "what the file is");
  command.argument("file", choice->file, "FILE", "the file");
  command.flag("--entries", choice->options.entries, "sst: every entry, blob: every record, too");
  command.runs([&line, choice] { return inspect(line.context(), *choice); });
}

}  // namespace lightning::cli
