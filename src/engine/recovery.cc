#include "engine/recovery.h"

#include <charconv>
#include <cstdio>

namespace lightning {

namespace {

constexpr std::string_view kStageNames[kRecoveryStages] = {
    "Initialization", "LockAcquisition",     "ConfigurationValidation", "KeyUnlock",
    "ResourceCheck",  "ManifestRecovery",    "TableInventory",          "WalDiscovery",
    "WalValidation",  "TransactionRecovery", "ConsistencyValidation",   "Finalization"};

std::string milliseconds(std::chrono::nanoseconds took) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(took.count()) / 1e6);
  return text;
}

}  // namespace

std::string_view name_of(RecoveryStage stage) {
  const auto index = static_cast<std::size_t>(stage);
  return index < kRecoveryStages ? kStageNames[index] : "unknown";
}

std::string_view name_of(RecoveryStageReport::Outcome outcome) {
  switch (outcome) {
    case RecoveryStageReport::Outcome::kNotReached:
      return "not reached";
    case RecoveryStageReport::Outcome::kSkipped:
      return "skipped";
    case RecoveryStageReport::Outcome::kDone:
      return "done";
    case RecoveryStageReport::Outcome::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view name_of(RecoveryNote::Kind kind) {
  switch (kind) {
    case RecoveryNote::Kind::kRolledBack:
      return "rolled back";
    case RecoveryNote::Kind::kIsolated:
      return "isolated";
    case RecoveryNote::Kind::kSetAside:
      return "set aside";
    case RecoveryNote::Kind::kWarning:
      return "warning";
  }
  return "unknown";
}

const RecoveryStageReport* RecoveryReport::failed_stage() const {
  for (const RecoveryStageReport& stage : stages)
    if (stage.outcome == RecoveryStageReport::Outcome::kFailed) return &stage;
  return nullptr;
}

std::string RecoveryReport::to_string() const {
  std::string text = path +
                     (error     ? ": not opened, after "
                      : created ? ": created in "
                                : ": opened in ") +
                     milliseconds(took) + (read_only ? ", for reading only" : "") + "\n";
  for (std::size_t i = 0; i < kRecoveryStages; ++i) {
    const RecoveryStageReport& stage = stages[i];
    char line[96];
    std::snprintf(line, sizeof line, "%2zu  %-24s %-12s", i + 1, std::string(name_of(stage.stage)).c_str(),
                  std::string(name_of(stage.outcome)).c_str());
    text += line;
    if (stage.outcome == RecoveryStageReport::Outcome::kDone ||
        stage.outcome == RecoveryStageReport::Outcome::kFailed) {
      std::snprintf(line, sizeof line, "%10s", milliseconds(stage.took).c_str());
      text += line;
    } else if (!stage.checked.empty()) {
      text += std::string(10, ' ');
    }
    if (!stage.checked.empty()) text += "  " + stage.checked;
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  for (const RecoveryNote& note : notes) {
    text += std::string(name_of(note.kind)) + ": " + note.text;
    if (!note.file.empty()) text += " (" + note.file + ")";
    text += '\n';
  }
  if (notes_left_out > 0) text += "and " + std::to_string(notes_left_out) + " more\n";
  if (error) text += error->to_string() + "\n";
  return text;
}

namespace engine {

namespace {
constexpr std::uint64_t kTellEveryNs = 100'000'000;
constexpr std::uint64_t kJournalBytesMax = 4096;
}  // namespace

Recovery::Recovery(env::Env& env, const std::string& path, bool read_only, const OpenOptions& options)
    : env_(env),
      progress_(options.recovery_progress),
      wanted_(options.recovery_report),
      begun_ns_(env.clock.monotonic_ns()) {
  report_.path = path;
  report_.read_only = read_only;
  start_again();
}

void Recovery::start_again() {
  report_.stages = {};
  for (std::size_t i = 0; i < kRecoveryStages; ++i) report_.stages[i].stage = static_cast<RecoveryStage>(i);
  report_.notes.clear();
  report_.notes_left_out = 0;
}

Status Recovery::run(RecoveryStage stage, const std::function<Status()>& body) {
  stage_ = stage;
  const std::uint64_t begun = env_.clock.monotonic_ns();
  Status status = ask(0, 0);
  if (status) status = body();
  RecoveryStageReport& book = current();
  book.took = std::chrono::nanoseconds(env_.clock.monotonic_ns() - begun);
  book.outcome = status ? RecoveryStageReport::Outcome::kDone : RecoveryStageReport::Outcome::kFailed;
  return status;
}

void Recovery::skip(RecoveryStage stage, std::string why) {
  stage_ = stage;
  current().outcome = RecoveryStageReport::Outcome::kSkipped;
  current().checked = std::move(why);
}

Status Recovery::ask(std::uint64_t done, std::uint64_t total) {
  if (!progress_) return {};
  told_ns_ = env_.clock.monotonic_ns();
  const bool go_on = progress_(
      {.stage = stage_, .done = done, .total = total, .elapsed = std::chrono::nanoseconds(told_ns_ - begun_ns_)});
  if (go_on) return {};
  return Error(ErrorCode::kRecoveryInterrupted, "the opening was interrupted by its caller in stage " +
                                                    std::string(name_of(stage_)) + "; nothing was changed")
      .with_advice("open again: it starts from the beginning");
}

Status Recovery::progress(std::uint64_t done, std::uint64_t total) {
  if (!progress_ || env_.clock.monotonic_ns() - told_ns_ < kTellEveryNs) return {};
  return ask(done, total);
}

void Recovery::looked_at(std::uint64_t items, std::uint64_t bytes, std::string checked) {
  current().items = items;
  current().bytes = bytes;
  current().checked = std::move(checked);
}

void Recovery::note(RecoveryNote::Kind kind, std::string text, std::string file) {
  if (report_.notes.size() == RecoveryReport::kNotesMax) {
    ++report_.notes_left_out;
    return;
  }
  report_.notes.push_back({.kind = kind, .stage = stage_, .text = std::move(text), .file = std::move(file)});
}

// --- the journal --------------------------------------------------------------------------------------------------

std::string Recovery::journal_path() const { return report_.path + "/" + std::string(kRecoveryJournalName); }

// "attempt 3", then lines for people.
void Recovery::read_journal() {
  const auto text = env_.files.read_file(journal_path(), kJournalBytesMax);
  if (!text || !text->starts_with("attempt ")) return;
  std::uint32_t attempts = 0;
  const char* const begin = text->data() + std::string_view("attempt ").size();
  if (std::from_chars(begin, text->data() + text->size(), attempts).ec != std::errc()) return;
  report_.failed_attempts = attempts;
  std::string last = text->substr(0, text->find_last_not_of('\n') + 1);
  for (char& c : last)
    if (static_cast<unsigned char>(c) < ' ') c = c == '\n' ? ';' : '?';
  note(RecoveryNote::Kind::kWarning,
       std::to_string(attempts) + " earlier attempts to open this store did not succeed, the last one: " + last,
       journal_path());
}

void Recovery::write_journal(const Error* error) {
  std::string text = "attempt " + std::to_string(report_.failed_attempts + 1) + "\nstage " +
                     std::string(name_of(stage_)) + "\nat " + std::to_string(env_.clock.wall_ns()) + " ns since 1970\n";
  if (error != nullptr) text += "error " + error->to_string().substr(0, kJournalBytesMax / 2) + "\n";
  if (const auto removed = env_.files.remove(journal_path()); !removed && journal_written_) return;
  auto file = env_.files.create_writable(journal_path(), env::FileClass::kOther);
  if (!file || !(*file)->append(text) || !(*file)->close()) return;
  journal_written_ = true;
}

void Recovery::remove_journal() {
  if (!journal_written_ && report_.failed_attempts == 0) return;
  if (const auto removed = env_.files.remove(journal_path()); !removed) return;
}

void Recovery::end(const Status& status) {
  report_.took = std::chrono::nanoseconds(env_.clock.monotonic_ns() - begun_ns_);
  if (!status) {
    report_.error = status.error();
    if (journal_written_) write_journal(&status.error());
  }
  if (wanted_ != nullptr) *wanted_ = report_;
}

}  // namespace engine
}  // namespace lightning
