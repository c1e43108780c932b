// Shell completions, written from the commands and options themselves, so that they cannot fall behind.

#include "cli/commands.h"

namespace lightning::cli {

namespace {

std::string joined_names(const std::vector<CommandWords>& commands) {
  std::string names;
  for (const CommandWords& command : commands) names += (names.empty() ? "" : " ") + command.name;
  return names;
}

// Quoted for the inside of single quotes in any shell.
std::string quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) text.replace(at, 1, "'\\''");
  return text;
}

std::string bash_script(const std::vector<CommandWords>& commands) {
  std::string cases;
  for (const CommandWords& command : commands) {
    std::string options;
    for (const CommandWords::Option& option : command.options) options += (options.empty() ? "" : " ") + option.name;
    cases += "    " + command.name + ") words='" + options + "' ;;\n";
  }
  return R"(# bash completion for lightning_db; made by `lightning_db completion bash`
_lightning_db() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    --path) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --config|--input|--output|--value-file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --preset) mapfile -t COMPREPLY < <(compgen -W 'production high_throughput high_durability low_memory' -- "$current"); return ;;
    --format) mapfile -t COMPREPLY < <(compgen -W 'jsonl csv tsv dump' -- "$current"); return ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    words=')" +
         joined_names(commands) + R"( --help --version'
  else
    case ${COMP_WORDS[1]} in
)" + cases +
         R"(    *) words='' ;;
    esac
  fi
  if [[ ${COMP_WORDS[1]} == completion && $COMP_CWORD -eq 2 ]]; then words='bash zsh fish'; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _lightning_db lightning_db
)";
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
  const auto escaped_colons = [](std::string text) {
    for (std::size_t at = 0; (at = text.find_first_of(":[]", at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
  };
  std::string list, cases;
  for (const CommandWords& command : commands) {
    list += "    '" + quoted(command.name + ":" + escaped_colons(command.description)) + "'\n";
    cases += "    " + command.name + ")\n      _arguments";
    for (const CommandWords::Option& option : command.options) {
      cases += " \\\n        '" + option.name + "[" + quoted(escaped_colons(option.help)) + "]";
      if (option.takes_value) cases += ":value:_files";
      cases += "'";
    }
    cases += " \\\n        '*:argument:_files' ;;\n";
  }
  return "#compdef lightning_db\n# zsh completion for lightning_db; made by `lightning_db completion "
         "zsh`\n_lightning_db() {\n  local -a "
         "commands=(\n" +
         list +
         "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n  local "
         "command=$words[2]\n"
         "  shift words\n  (( CURRENT-- ))\n  case $command in\n" +
         cases + "  esac\n}\n_lightning_db \"$@\"\n";
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string script =
      "# fish completion for lightning_db; made by `lightning_db completion fish`\ncomplete -c lightning_db -f\n";
  for (const CommandWords& command : commands) {
    script += "complete -c lightning_db -n __fish_use_subcommand -a " + command.name + " -d '" +
              quoted(command.description) + "'\n";
    for (const CommandWords::Option& option : command.options) {
      script +=
          "complete -c lightning_db -n '__fish_seen_subcommand_from " + command.name + "' -l " + option.name.substr(2);
      if (option.takes_value) script += " -r -F";
      script += " -d '" + quoted(option.help) + "'\n";
    }
  }
  return script;
}

}  // namespace

Result<std::string> completion_script(const std::vector<CommandWords>& commands, const std::string& shell) {
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  return Error(ErrorCode::kInvalidArgument, "unknown shell " + shell + "; there are bash, zsh and fish");
}

}  // namespace lightning::cli
