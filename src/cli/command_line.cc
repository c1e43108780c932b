#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include "api/near_miss.h"

namespace lightning::cli {

namespace {

// Help as people read it: what it is, examples, then the reference.
class ExamplesFirst final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    const std::string name = app->get_parent() == nullptr ? app->get_name() : "lightning_db " + app->get_name();
    const std::string usage = make_usage(app, name);
    std::string help = app->get_description() + "\n\n";
    if (!app->get_footer().empty()) help += "Examples:\n" + app->get_footer() + "\n";
    help += usage.substr(std::min(usage.find_first_not_of('\n'), usage.size()));
    help += make_positionals(app);
    help += make_groups(app, mode);
    help += make_subcommands(app, mode);
    return help;
  }
};

void in_group(CLI::Option* option, const std::string& group) {
  if (!group.empty()) option->group(group);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string indented(const std::string& lines) {
  std::string out;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    out += "  " + lines.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return out;
}

std::string hint(const std::string& close) { return close.empty() ? "" : "; did you mean " + close + "?"; }

}  // namespace

// --- Command --------------------------------------------------------------------------------------------------

Command& Command::argument(const std::string& name, std::string& into, const std::string& type,
                           const std::string& help) {
  app_->add_option(name, into, help)->required()->type_name(type);
  return *this;
}

Command& Command::optional_argument(const std::string& name, std::string& into, const std::string& type,
                                    const std::string& help) {
  app_->add_option(name, into, help)->type_name(type);
  return *this;
}

Command& Command::text(const std::string& names, std::string& into, const std::string& type, const std::string& help,
                       const std::string& group) {
  in_group(app_->add_option(names, into, help)->type_name(type), group);
  return *this;
}

Command& Command::texts(const std::string& names, std::vector<std::string>& into, const std::string& type,
                        const std::string& help, const std::string& group) {
  in_group(app_->add_option(names, into, help)->type_name(type)->allow_extra_args(false), group);
  return *this;
}

Command& Command::number(const std::string& names, std::uint64_t& into, const std::string& type,
                         const std::string& help, std::uint64_t smallest, std::uint64_t largest,
                         const std::string& group) {
  in_group(app_->add_option(names, into, help)->type_name(type)->check(CLI::Range(smallest, largest)), group);
  return *this;
}

Command& Command::choice(const std::string& names, std::string& into, const std::vector<std::string>& choices,
                         const std::string& help) {
  std::string type;
  for (const std::string& name : choices) type += (type.empty() ? "" : "|") + name;
  app_->add_option(names, into, help)->check(CLI::IsMember(choices))->type_name(type);
  return *this;
}

Command& Command::flag(const std::string& names, bool& into, const std::string& help, const std::string& group) {
  in_group(app_->add_flag(names, into, help), group);
  return *this;
}

Command& Command::exclusive(const std::vector<std::string>& names) {
  for (const std::string& one : names)
    for (const std::string& other : names)
      if (one != other) app_->get_option(one)->excludes(app_->get_option(other));
  return *this;
}

bool Command::given(const std::string& name) const { return app_->get_option(name)->count() > 0; }

void Command::runs(std::function<CommandResult()> body) {
  app_->callback([context = context_, body = std::move(body)] { context->command = body; });
}

// --- CommandLine ----------------------------------------------------------------------------------------------

CommandLine::CommandLine(Context& context)
    : context_(context), app_(std::make_unique<CLI::App>("An ordered, crash-safe key-value database", "lightning_db")) {
  app_->formatter(std::make_shared<ExamplesFirst>());
  app_->footer(
      indented("lightning_db put --path orders id:7 paid\n"
               "lightning_db get --path orders id:7\n"
               "lightning_db scan --path orders --prefix id:"));
  app_->set_help_flag("-h,--help", "this help");
  app_->set_version_flag("-V,--version", std::string("lightning_db ") + LIGHTNING_VERSION, "the version");
  app_->require_subcommand(1);
}

CommandLine::~CommandLine() = default;

Command CommandLine::add(const std::string& name, const std::string& description, const std::string& examples) {
  CLI::App* app = app_->add_subcommand(name, description);
  app->footer(indented(examples));
  Command command(*app, context_);
  GlobalOptions& options = context_.options;
  command.text("--path", options.config.path, "DIR", "directory of the database", "Database");
  command.text("--keyspace", options.keyspace, "NAME", "keyspace to use, if not the default one", "Database");
  command.text("--config", options.config.file, "FILE", "settings from a YAML file", "Settings");
  command.text("--preset", options.config.preset, "NAME", "production, high_throughput, high_durability or low_memory",
               "Settings");
  command.texts("--set", options.config.assignments, "NAME=VALUE",
                "one setting, may be repeated; lightning_db config --describe lists them", "Settings");
  command.flag("--json", options.json, "machine-readable output, errors too");
  return command;
}

// What the parser did not understand, said in a way that helps.
std::string CommandLine::explain(const std::string& parser_message) const {
  const auto chosen = app_->get_subcommands();
  const std::vector<std::string> rest = app_->remaining(true);
  if (chosen.empty() && !rest.empty() && !rest.front().starts_with("-"))
    return "unknown command " + rest.front() + hint(api::near_miss(rest.front(), command_names(*app_)));
  const std::vector<std::string> options = option_names(chosen.empty() ? *app_ : *chosen.front());
  for (const std::string& word : rest)
    if (word.starts_with("-"))
      return "unknown option " + word + hint(api::near_miss(word.substr(0, word.find('=')), options));
  if (!rest.empty()) return "too many arguments: " + rest.front();
  return chosen.empty() ? "a command is missing" : parser_message;
}

std::optional<ExitCode> CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& e) {  // help or the version was asked for
    app_->exit(e);
    return ExitCode::kOk;
  } catch (const CLI::ParseError& e) {
    const auto chosen = app_->get_subcommands();
    const std::string subject = "lightning_db " + (chosen.empty() ? "" : chosen.front()->get_name() + " ");
    context_.report(context_.usage_error(explain(e.what())).with_advice("see " + subject + "--help"));
    return ExitCode::kUsage;
  }
}

std::vector<CommandWords> CommandLine::words() const {
  std::vector<CommandWords> commands;
  for (const CLI::App* app : app_->get_subcommands(nullptr)) {
    CommandWords words{app->get_name(), app->get_description(), {}};
    for (const CLI::Option* option : app->get_options())
      if (!option->get_lnames().empty())
        words.options.push_back(
            {"--" + option->get_lnames().front(), option->get_description(), option->get_items_expected_max() > 0});
    commands.push_back(std::move(words));
  }
  return commands;
}

std::optional<std::string> CommandLine::help(const std::string& command) const {
  if (command.empty()) return app_->help();
  for (const CLI::App* app : app_->get_subcommands(nullptr))
    if (app->get_name() == command) return app->help();
  return std::nullopt;
}

}  // namespace lightning::cli
