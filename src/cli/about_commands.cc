// version, help, completion: the program about itself.

#include "cli/bytes_text.h"
#include "cli/commands.h"
#include "lightning/version.h"

namespace lightning::cli {

namespace {

std::string features_text(const BuildInfo& info) {
  std::string text =
      "format version  " + std::to_string(info.format_version) + "\ncompiler        " + info.compiler + "\n";
  for (const BuildInfo::Feature& feature : info.features)
    text += feature.name + "=" + (feature.enabled ? "ON" : "OFF") + "\n";
  text += "cpu             ";
  for (std::size_t i = 0; i < info.cpu.size(); ++i) text += (i > 0 ? " " : "") + info.cpu[i];
  return text + "\n";
}

std::string json_of(const BuildInfo& info) {
  JsonText json;
  json.begin_object().field("version", info.version).field("format_version", info.format_version);
  json.field("compiler", info.compiler).begin_object("features");
  for (const BuildInfo::Feature& feature : info.features) json.field(feature.name, feature.enabled);
  json.end_object().begin_object("cpu");
  for (const std::string& name : info.cpu) json.field(name, true);
  json.end_object().end_object();
  return json.text();
}

CommandResult version(Context& context, bool features) {
  const BuildInfo info = build_info();
  if (context.options.json) {
    LIGHTNING_TRY(context.print(json_of(info)));
    return ExitCode::kOk;
  }
  LIGHTNING_TRY(context.print("lightning_db " + info.version));
  if (features) LIGHTNING_TRY(Output::standard().write(features_text(info)));
  return ExitCode::kOk;
}

CommandResult help(CommandLine& line, const std::string& name) {
  const auto text = line.help(name);
  if (!text) return line.context().usage_error("there is no command " + name);
  LIGHTNING_TRY(Output::standard().write(*text));
  return ExitCode::kOk;
}

CommandResult completion(CommandLine& line, const std::string& shell) {
  auto script = completion_script(line.words(), shell);
  if (!script) return line.context().usage_error(script.error().message());
  LIGHTNING_TRY(Output::standard().write(*script));
  return ExitCode::kOk;
}

}  // namespace

void add_about_commands(CommandLine& line) {
  auto features = std::make_shared<bool>(false);
  Command versions = line.add("version", "Prints the version.", "lightning_db version --features");
  versions.flag("--features", *features, "build options, format version, instruction sets in use");
  versions.runs([&line, features] { return version(line.context(), *features); });

  auto name = std::make_shared<std::string>();
  Command helping = line.add("help", "Prints help about the program or a command.", "lightning_db help scan");
  helping.optional_argument("command", *name, "COMMAND", "what to explain");
  helping.runs([&line, name] { return help(line, *name); });

  auto shell = std::make_shared<std::string>();
  Command completing = line.add("completion", "Prints completions for a shell.",
                                "lightning_db completion bash > /etc/bash_completion.d/lightning_db\n"
                                "lightning_db completion fish > ~/.config/fish/completions/lightning_db.fish");
  completing.argument("shell", *shell, "SHELL", "bash, zsh or fish");
  completing.runs([&line, shell] { return completion(line, *shell); });
}

}  // namespace lightning::cli
