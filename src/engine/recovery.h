// Recovery: keeps the book of an opening. It runs the stages in turn, tells the caller how far they are, and writes the
// report; what the stages do is the engine's (open.cc, replay.cc).
//
// The file RECOVERY in the store says that an attempt is under way and what became of those before it. It is for
// people only: nothing depends on it, and what cannot be read or written of it is passed over.
//
// Threads: the one that opens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "env/env.h"
#include "lightning/open_options.h"
#include "lightning/recovery.h"

namespace lightning::engine {

inline constexpr std::string_view kRecoveryJournalName = "RECOVERY";

class Recovery {
 public:
  Recovery(env::Env& env, const std::string& path, bool read_only, const OpenOptions& options);

  // One stage. Its error ends the opening, and so does a caller that has had enough (kRecoveryInterrupted).
  Status run(RecoveryStage stage, const std::function<Status()>& body);
  void skip(RecoveryStage stage, std::string why);
  // Forgets what was done: the stages begin again (a reader beside a writer).
  void start_again();

  // --- from within a stage
  // How far it is. Asks the caller now and then.
  Status progress(std::uint64_t done, std::uint64_t total);
  void looked_at(std::uint64_t items, std::uint64_t bytes, std::string checked);
  void note(RecoveryNote::Kind kind, std::string text, std::string file = {});

  // --- the journal, while the lock is held
  void read_journal();
  void write_journal(const Error* error = nullptr);
  void remove_journal();

  RecoveryReport& report() { return report_; }
  // The report is complete.
  void end(const Status& status);

 private:
  RecoveryStageReport& current() { return report_.stages[static_cast<std::size_t>(stage_)]; }
  Status ask(std::uint64_t done, std::uint64_t total);
  std::string journal_path() const;

  env::Env& env_;
  const RecoveryProgressFunction& progress_;
  RecoveryReport* const wanted_;
  const std::uint64_t begun_ns_;
  RecoveryReport report_;
  RecoveryStage stage_ = RecoveryStage::kInitialization;
  std::uint64_t told_ns_ = 0;
  bool journal_written_ = false;
};

}  // namespace lightning::engine
