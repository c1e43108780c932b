// Commands, their options and their arguments, declared once; parsing, help and suggestions follow from that.
//
//   Command command = line.add("count", "Counts keys.", "lightning_db count --path orders");
//   command.text("--prefix", options->prefix, "KEY", "only keys that begin with this");
//   command.runs([options] { return count(*options); });
//
// What is parsed into must live as long as the CommandLine. The parser is CLI11; only command_line.cc knows.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"

namespace CLI {
class App;
}

namespace lightning::cli {

// A handle, cheap to copy. Every function returns the command itself, so that declarations can be chained.
class Command {
 public:
  Command& argument(const std::string& name, std::string& into, const std::string& type, const std::string& help);
  Command& optional_argument(const std::string& name, std::string& into, const std::string& type,
                             const std::string& help);
  // `names`: "--output", or "--output,output" for one that may be given as an argument, too. `group`: the heading that
  // the help shows it under.
  Command& text(const std::string& names, std::string& into, const std::string& type, const std::string& help,
                const std::string& group = "");
  Command& texts(const std::string& names, std::vector<std::string>& into, const std::string& type,
                 const std::string& help, const std::string& group = "");
  Command& number(const std::string& names, std::uint64_t& into, const std::string& type, const std::string& help,
                  std::uint64_t smallest, std::uint64_t largest, const std::string& group = "");
  Command& choice(const std::string& names, std::string& into, const std::vector<std::string>& choices,
                  const std::string& help);
  Command& flag(const std::string& names, bool& into, const std::string& help, const std::string& group = "");
  // At most one of these flags.
  Command& exclusive(const std::vector<std::string>& names);
  bool given(const std::string& name) const;  // after parsing
  void runs(std::function<CommandResult()> body);

 private:
  friend class CommandLine;
  Command(CLI::App& app, Context& context) : app_(&app), context_(&context) {}
  CLI::App* app_;
  Context* context_;
};

// What there is to complete.
struct CommandWords {
  struct Option {
    std::string name, help;  // with its dashes
    bool takes_value = false;
  };
  std::string name, description;
  std::vector<Option> options;
};

// Threads: one.
class CommandLine {
 public:
  explicit CommandLine(Context& context);
  ~CommandLine();

  // A new command, with the options that all share. `examples` come first in its help, one per line.
  Command add(const std::string& name, const std::string& description, const std::string& examples);
  Context& context() { return context_; }

  // Leaves in context().command what to run. Else the exit code: help was printed, or a mistake was reported.
  std::optional<ExitCode> parse(int argc, const char* const* argv);

  std::vector<CommandWords> words() const;
  // Of one command, or of the program for an empty name; none if there is no such command.
  std::optional<std::string> help(const std::string& command) const;

 private:
  std::string explain(const std::string& parser_message) const;

  Context& context_;
  std::unique_ptr<CLI::App> app_;
};

}  // namespace lightning::cli
