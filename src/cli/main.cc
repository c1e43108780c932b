#include "cli/commands.h"

int main(int argc, char** argv) { return lightning::cli::run_command_line(argc, argv); }
