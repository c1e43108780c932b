#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "env/os_error.h"

namespace lightning::cli {

namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

// A device or a pipe can be neither renamed over nor removed.
bool is_special(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

}  // namespace

Output::Output(std::FILE* file, std::string name, std::string temporary)
    : file_(file), name_(std::move(name)), temporary_(std::move(temporary)) {
  std::setvbuf(file_, nullptr, _IOFBF, kBufferBytes);
}

Output& Output::standard() {
  static Output output(stdout, "standard output", "");
  return output;
}

Result<std::unique_ptr<Output>> Output::create(const std::string& path) {
  const bool in_place = is_special(path);
  const std::string name = in_place ? path : path + ".partial-" + std::to_string(::getpid());
  std::FILE* file = std::fopen(name.c_str(), in_place ? "we" : "wxe");
  if (file == nullptr) return env::system_error(errno, "cannot create the output", path);
  return std::unique_ptr<Output>(new Output(file, path, in_place ? "" : name));
}

Output::~Output() {
  if (file_ == nullptr || file_ == stdout) return;
  std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status Output::failed(int os_error) {
  reader_gone_ = os_error == EPIPE;
  if (reader_gone_) return Error(ErrorCode::kCancelled, "nobody reads " + name_ + " any more");
  return env::system_error(os_error, "cannot write the output", name_);
}

Status Output::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) [[unlikely]]
    return failed(errno);
  return {};
}

Status Output::commit() {
  if (std::fflush(file_) != 0) return failed(errno);
  if (temporary_.empty()) return {};
  if (::fsync(::fileno(file_)) != 0) return failed(errno);
  if (std::rename(temporary_.c_str(), name_.c_str()) != 0) return failed(errno);
  temporary_.clear();
  return {};
}

bool Output::is_terminal() const { return ::isatty(::fileno(file_)) == 1; }

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

bool use_color() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return stderr_is_terminal() && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace lightning::cli
