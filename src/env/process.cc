#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "env/env.h"
#include "env/process.h"

namespace lightning::env {

std::string process_description() {
  std::string command = "unknown command";
  if (std::FILE* file = std::fopen("/proc/self/cmdline", "re")) {
    std::array<char, 160> buffer;
    const std::size_t bytes = std::fread(buffer.data(), 1, buffer.size(), file);
    std::fclose(file);
    // Arguments are separated by zero bytes; two are enough to tell the program and its subcommand, and no key or value
    // given on the command line is written down.
    command.clear();
    int arguments = 0;
    for (std::size_t i = 0; i < bytes && arguments < 2; ++i) {
      const bool end = buffer[i] == 0;
      if (end && ++arguments == 2) break;
      command += end ? ' ' : buffer[i];
    }
    while (!command.empty() && command.back() == ' ') command.pop_back();
  }
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return "pid " + std::to_string(::getpid()) + " (" + command + ") on host " + host.data();
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace lightning::env
