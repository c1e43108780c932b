// A backup as one stream of bytes, and a database from it: in bounded memory, at both ends. docs/format/backup.md.
//
// What is in memory only is written to tables whose size is not known before they end, so data travels in frames, and
// the catalogue, which says what there should have been, comes last.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "env/env.h"
#include "lightning/backup.h"

namespace lightning::backup {

Result<BackupInfo> send(env::Env& env, const std::shared_ptr<engine::Engine>& engine, const BackupSink& sink,
                        const BackupOptions& options);
Result<BackupInfo> receive(env::Env& env, const BackupSource& source, const std::string& path,
                           const RestoreOptions& options);

}  // namespace lightning::backup
