#include "sim/bad_disk.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "api/database_access.h"
#include "base/fiber.h"
#include "base/hash.h"
#include "env/simulated_world.h"
#include "lightning/database.h"

namespace lightning::sim {

namespace {

constexpr const char* kPath = "/store";
constexpr std::uint64_t kKeys = 30;

using Content = std::map<std::string, std::string>;

// The only client's writes, as the states that they led to, oldest first. A reader finds the newest of them; after an
// end of the process or the power, one that is not older than what had to survive.
class Past {
 public:
  // A call will lead from the newest state to `next`; until it is answered, both may be found.
  void asked(Content next) { states_.push_back(std::move(next)); }
  void applied() { certain_ = states_.size() - 1; }
  void refused() { states_.pop_back(); }
  void durable() { durable_ = certain_; }
  const Content& newest() const { return states_.back(); }

  // What must be found no older than: after a power cut, after a death of the process, and where even what is durable
  // may be lost.
  std::size_t after_power_cut() const { return durable_; }
  std::size_t after_death() const { return certain_; }

  // Whether a reader who knows that the state is not older than `from` may find this.
  bool may_be(const Content& found, std::size_t from) const {
    return std::find(states_.begin() + static_cast<std::ptrdiff_t>(from), states_.end(), found) != states_.end();
  }
  bool may_be(const std::string& key, const std::optional<std::string>& value, std::size_t from) const {
    return std::any_of(states_.begin() + static_cast<std::ptrdiff_t>(from), states_.end(), [&](const Content& state) {
      const auto found = state.find(key);
      return found == state.end() ? !value : value == found->second;
    });
  }
  // A store that was opened again holds this, one of the states.
  void settle(const Content& found) {
    states_.assign(1, found);
    certain_ = durable_ = 0;
  }

 private:
  std::vector<Content> states_{Content{}};
  std::size_t certain_ = 0, durable_ = 0;
};

// Errors that are right when a disk refuses, and those that are right when it lies.
bool tells_of_refusal(ErrorCode code) {
  switch (code) {
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
    case ErrorCode::kSyncFailed:
    case ErrorCode::kReadOnlyMode:
    case ErrorCode::kStalled:
      return true;
    default:
      return false;
  }
}

bool tells_of_damage(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCorruption:
    case ErrorCode::kTableMissing:
    case ErrorCode::kTableCorrupt:
    case ErrorCode::kWalMissing:
    case ErrorCode::kWalCorrupt:
    case ErrorCode::kManifestCorrupt:
    case ErrorCode::kBlobMissing:
    case ErrorCode::kBlobCorrupt:
    case ErrorCode::kStaleStore:
      return true;
    default:
      return false;
  }
}

class BadDiskRun {
 public:
  BadDiskRun(std::uint64_t seed, const std::function<void(const std::string&)>& tell)
      : dice_(seed * 0x9e3779b97f4a7c15u + 3), world_(dice_.next(), disk_of(dice_)), tell_(tell) {
    config_ = small_config();
    config_.wal_sync_mode = dice_.one_in(3) ? WalSyncMode::kPeriodic : WalSyncMode::kSync;
    config_.memtable_bytes = dice_.one_in(2) ? 16 << 10 : 48 << 10;
    config_.compression_enabled = dice_.one_in(2);
    config_.blob_threshold = dice_.one_in(3) ? 0 : 256;
    config_.write_stall_timeout = std::chrono::milliseconds(500);
    constexpr IntegrityLevel kLevels[] = {IntegrityLevel::kBasic, IntegrityLevel::kStandard, IntegrityLevel::kParanoid};
    config_.integrity_validation_level = kLevels[dice_.below(std::size(kLevels))];
    lies_ = dice_.one_in(2);
    config_.block_parity = dice_.one_in(3);
  }

  RunResult run() {
    const std::uint64_t lives = 2 + dice_.below(4);
    for (std::uint64_t life = 0; life < lives && result_.failure.empty() && !over_; ++life) {
      if (life > 0 && lies_ && dice_.one_in(2)) damage_something();
      add_faults();
      if (dice_.one_in(2)) arm();
      live([&](Database& db) { use(db); });
    }
    heal();
    if (result_.failure.empty() && !over_) live([](Database&) {});
    return result_;
  }

 private:
  static env::SimulatedDiskOptions disk_of(env::Dice& dice) {
    env::SimulatedDiskOptions disk;
    disk.write_back = dice.one_in(2);
    disk.append_buffer_bytes = dice.one_in(2) ? 0 : 4 << 10;
    return disk;
  }

  void say(const std::string& text) const {
    if (tell_) tell_(text);
  }
  void fail(const std::string& text) {
    if (result_.failure.empty()) result_.failure = "life " + std::to_string(lives_) + ": " + text;
  }

  // --- what the disk does

  void add_faults() {
    constexpr env::FileClass kClasses[] = {env::FileClass::kTable, env::FileClass::kBlob, env::FileClass::kManifest,
                                           env::FileClass::kLog, env::FileClass::kSuperblock};
    for (std::uint64_t count = dice_.below(4); count > 0; --count) {
      env::Fault fault;
      if (!dice_.one_in(3)) fault.file_class = kClasses[dice_.below(std::size(kClasses))];
      fault.nth = 1 + dice_.below(1 + dice_.below(60));
      if (lies_ && dice_.one_in(2)) {
        constexpr env::FaultEffect kLies[] = {env::FaultEffect::kStoreWrong, env::FaultEffect::kStoreNothing,
                                              env::FaultEffect::kStoreElsewhere, env::FaultEffect::kReadWrong,
                                              env::FaultEffect::kReadElsewhere};
        fault.effect = kLies[dice_.below(std::size(kLies))];
        const bool reads =
            fault.effect == env::FaultEffect::kReadWrong || fault.effect == env::FaultEffect::kReadElsewhere;
        fault.kind = reads ? env::IoKind::kRead : env::IoKind::kWrite;
        lied_ = true;
        lied_about_order_ = lied_about_order_ || !fault.file_class || is_about_order(*fault.file_class);
      } else {
        constexpr env::IoKind kKinds[] = {env::IoKind::kCreate, env::IoKind::kWrite,         env::IoKind::kSync,
                                          env::IoKind::kRead,   env::IoKind::kSyncDirectory, env::IoKind::kRemove};
        fault.kind = kKinds[dice_.below(std::size(kKinds))];
        fault.sticky = dice_.one_in(4);
        fault.os_error = fault.kind != env::IoKind::kRead && dice_.one_in(3) ? 28 : 5;  // ENOSPC, EIO
      }
      refused_ = true;
      world_.files.add_fault(fault);
    }
    if (dice_.one_in(8)) {
      world_.files.set_capacity(200 << 10);
      refused_ = true;
    }
  }

  void heal() {
    world_.files.clear_faults();
    world_.files.set_capacity(std::uint64_t{1} << 40);
    world_.files.cancel_crash();
    refused_ = false;
  }

  static bool is_about_order(env::FileClass file_class) {
    return file_class != env::FileClass::kTable && file_class != env::FileClass::kBlob;
  }

  // Rot, lost and misplaced sectors, files cut, gone or old. Of the log and the manifest, the newest end may be lost
  // without a trace: that is what a torn end looks like.
  void damage_something() {
    std::vector<std::string> paths = world_.files.files_below(kPath);
    std::erase_if(paths, [](const std::string& path) { return path.ends_with("/LOCK"); });
    if (paths.empty()) return;
    const std::string& path = paths[dice_.below(paths.size())];
    const std::string content = world_.files.content(path);
    if (content.empty()) return;
    constexpr std::uint64_t kSector = 512;
    const std::uint64_t offset = dice_.below(content.size());
    const std::uint64_t sector = offset / kSector * kSector;
    const std::uint64_t bytes = std::min<std::uint64_t>(kSector, content.size() - sector);
    const std::uint64_t kind = dice_.below(6);
    switch (kind) {
      case 0:
        world_.files.flip_bit(path, offset, static_cast<unsigned>(dice_.below(8)));
        break;
      case 1:
        world_.files.overwrite(path, sector, std::string(bytes, '\0'));
        break;
      case 2: {
        const std::string other = world_.files.content(paths[dice_.below(paths.size())]);
        if (other.size() < bytes) return;
        const std::uint64_t from = dice_.below(other.size() - bytes + 1) / kSector * kSector;
        world_.files.overwrite(path, sector, other.substr(from, bytes));
        break;
      }
      case 3:
        world_.files.truncate_file(path, offset);
        break;
      case 4:
        world_.files.delete_file(path);
        break;
      default: {
        const std::string other = world_.files.content(paths[dice_.below(paths.size())]);
        world_.files.put_file(path, other);
      }
    }
    say("damage " + std::to_string(kind) + " of " + path + " at " + std::to_string(offset));
    lied_ = true;
    const bool of_data = path.find("/tables/") != std::string::npos || path.find("/blobs/") != std::string::npos;
    lied_about_order_ = lied_about_order_ || !of_data;
  }

  void arm() {
    const auto stage = static_cast<env::CrashStage>(dice_.below(3));
    world_.files.set_crash_at(1 + dice_.below(1 + dice_.below(300)), stage,
                              [] { base::FiberScheduler::current()->kill_world(); });
  }

  // --- lives

  void live(const std::function<void(Database&)>& body) {
    ++lives_;
    settled_ = false;
    base::FiberScheduler fibers(dice_.next(), {.steps_max = 3'000'000});
    const base::WorldEnd end = fibers.run([&] {
      doing_ = "opening";
      auto db = DatabaseAccess::open_as_given(world_.env, kPath, config_, false);
      if (!db) {
        judge(db.error(), "open");
        over_ = over_ || lied_;
        return;
      }
      compare(*db);
      if (!result_.failure.empty() || over_) return;
      body(*db);
      doing_ = "closing";
      if (const Status closed = db->close(); !closed) {
        judge(closed.error(), "close");
      } else {
        past_.durable();
      }
    });
    const std::uint64_t facts[] = {result_.hash, fibers.trace_hash(), world_.files.trace_hash()};
    result_.hash = base::hash64({reinterpret_cast<const char*>(facts), sizeof facts});
    if (end == base::WorldEnd::kDeadlock || end == base::WorldEnd::kStepLimit)
      fail((end == base::WorldEnd::kDeadlock ? "deadlock, " : "no end in sight, ") + doing_ + ": " + fibers.report());
    heal();
    // What the process had left to its operating system dies with the power only.
    ++result_.crashes;
    const bool power = dice_.one_in(2);
    if (power) {
      world_.files.crash(env::CrashMode::kRandom);
    } else {
      world_.files.process_death();
    }
    say(power ? "the power is cut" : "the process ends");
    // A life that never got as far as to look leaves what the one before left.
    const std::size_t left = power ? past_.after_power_cut() : past_.after_death();
    required_ = settled_ ? left : std::min(required_, left);
  }

  void judge(const Error& error, const std::string& what) {
    ++result_.errors;
    say("  " + what + ": " + error.to_string());
    if (tells_of_damage(error.code())) {
      if (!lied_) return fail(what + " finds damage where there is none: " + error.to_string());
      if (error.context().file.empty()) return fail(what + " does not say where the damage is: " + error.to_string());
      return;
    }
    if (tells_of_refusal(error.code()) && (refused_ || lied_)) return;
    fail(what + ": " + error.to_string());
  }

  // What an opened store holds, as far as it can be read.
  void compare(Database& db) {
    doing_ = "comparing";
    if (lied_about_order_) required_ = 0;
    Content found;
    const Status scanned = read_all(db, found);
    if (!scanned) judge(scanned.error(), "scan");
    for (std::uint64_t i = 0; i < kKeys && result_.failure.empty(); ++i) {
      const std::string key = key_number(i);
      const auto value = db.get(key);
      if (!value) {
        judge(value.error(), "get");
        continue;
      }
      if (!past_.may_be(key, *value, required_)) return fail(wrong(key, *value));
      if (!scanned) continue;
      const auto scanned_value = found.find(key);
      if (value->has_value() != (scanned_value != found.end()) || (*value && **value != scanned_value->second))
        return fail("a scan and a get disagree about " + key);
    }
    if (!result_.failure.empty()) return;
    if (!scanned) {
      over_ = true;  // what is there is no longer known
      return;
    }
    if (!past_.may_be(found, required_)) return fail("a scan shows what no order of writes explains");
    past_.settle(found);
    settled_ = true;
    ++result_.recoveries;
  }

  // On an error `content` holds what came before it.
  static Status read_all(Database& db, Content& content) {
    Iterator it = db.iterate();
    for (it.seek_to_first(); it.valid(); it.next()) {
      std::string value(it.value());
      if (!it.status()) break;  // a large value is read when it is asked for
      content.emplace_hint(content.end(), it.key(), std::move(value));
    }
    return it.status();
  }

  static std::string wrong(const std::string& key, const std::optional<std::string>& value) {
    return "get of " + key + " finds " +
           (value ? "'" + value->substr(0, 24) + "'.. (" + std::to_string(value->size()) + " bytes)" : "nothing") +
           ", which it never may";
  }

  // --- the program

  static std::string key_number(std::uint64_t i) { return "key" + std::to_string(100 + i); }

  std::string value() {
    std::string text = std::to_string(++values_) + ":";
    const std::uint64_t bytes = dice_.one_in(5) ? dice_.below(6000) : dice_.below(200);
    while (text.size() < bytes) text += dice_.one_in(2) ? "all alike and all alike " : std::to_string(dice_.next());
    return text;
  }

  void use(Database& db) {
    bool writes = true;
    for (std::uint64_t step = 0, steps = 20 + dice_.below(80); step < steps && result_.failure.empty(); ++step) {
      ++result_.calls;
      switch (dice_.below(14)) {
        case 0:
          upkeep("flush", true, [&] { return db.flush(); });
          break;
        case 1:
          upkeep("compact_range", false, [&] { return db.compact_range(); });
          break;
        case 2:
          upkeep("sync", true, [&] { return db.sync(); });
          break;
        case 3:
          look_at_all(db);
          break;
        case 4:
          check(db);
          break;
        case 5:
        case 6:
        case 7:
          look(db);
          break;
        default:
          if (writes) writes = write(db);
      }
    }
  }

  // False after an outcome that is not known: what came later could not be placed.
  bool write(Database& db) {
    doing_ = "writing";
    WriteBatch batch;
    Content next = past_.newest();
    for (std::uint64_t count = dice_.one_in(3) ? 1 + dice_.below(8) : 1; count > 0; --count) {
      const std::uint64_t number = dice_.below(kKeys);
      const std::string key = key_number(number);
      if (dice_.one_in(12)) {
        const std::string end = key_number(number + 1 + dice_.below(4));
        batch.erase_range(db.default_keyspace(), {.start = key, .end = end});
        next.erase(next.lower_bound(key), next.lower_bound(end));
      } else if (dice_.one_in(5)) {
        batch.erase(db.default_keyspace(), key);
        next.erase(key);
      } else {
        const std::string put = value();
        batch.put(db.default_keyspace(), key, put);
        next[key] = put;
      }
    }
    past_.asked(std::move(next));
    const auto written = db.write(batch);
    if (written) {
      past_.applied();
      if (config_.wal_sync_mode == WalSyncMode::kSync) past_.durable();
      return true;
    }
    judge(written.error(), "write");
    if (written.error().outcome() != WriteOutcome::kNotApplied) return false;
    past_.refused();
    return true;
  }

  void upkeep(const char* what, bool makes_durable, const std::function<Status()>& call) {
    doing_ = what;
    if (const Status done = call(); !done) {
      judge(done.error(), what);
    } else if (makes_durable) {
      past_.durable();
    }
  }

  void look(Database& db) {
    doing_ = "get";
    const std::string key = key_number(dice_.below(kKeys));
    const auto value = db.get(key);
    if (!value) {
      judge(value.error(), "get");
    } else if (!past_.may_be(key, *value, past_.after_death())) {
      fail(wrong(key, *value));
    }
  }

  void look_at_all(Database& db) {
    doing_ = "scan";
    Content found;
    const Status scanned = read_all(db, found);
    if (!scanned) {
      judge(scanned.error(), "scan");
      // What came before the error is right nevertheless.
      for (const auto& [key, value] : found)
        if (!past_.may_be(key, value, past_.after_death())) return fail("before its error a scan shows a wrong " + key);
    } else if (!past_.may_be(found, past_.after_death())) {
      fail("a scan shows what nobody wrote");
    }
  }

  void check(Database& db) {
    doing_ = "check";
    const auto report = db.check();
    if (!report) return judge(report.error(), "check");
    for (const auto& finding : report->findings) judge(finding.error, "check");
  }

  env::Dice dice_;
  env::SimulatedWorld world_;
  const std::function<void(const std::string&)>& tell_;
  LightningDbConfig config_;
  Past past_;
  RunResult result_;
  std::string doing_;
  std::size_t required_ = 0;  // no older than this must be what the next life finds
  std::uint64_t lives_ = 0, values_ = 0;
  bool settled_ = false;           // in this life
  bool lies_ = false;              // this disk does
  bool lied_ = false;              // it has, or may have
  bool lied_about_order_ = false;  // about files that say what came when: an end may be missing
  bool refused_ = false;           // calls may fail in this life
  bool over_ = false;              // the store can no longer be opened or read as a whole, and says so
};

}  // namespace

RunResult run_seed_on_bad_disk(std::uint64_t seed, const std::function<void(const std::string&)>& tell) {
  return BadDiskRun(seed, tell).run();
}

}  // namespace lightning::sim
