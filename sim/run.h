// Run: one store on one simulated disk, through all its lives and deaths.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/fiber.h"
#include "engine/tuning.h"
#include "env/simulated_world.h"
#include "lightning/config.h"
#include "sim/client.h"
#include "sim/crash_run.h"

namespace lightning::sim {

enum class Death : std::uint8_t { kNone, kProcess, kPower };

// One store on one simulated disk, through all its lives.
class Run {
 public:
  Run(std::uint64_t seed, env::SimulatedDiskOptions disk, LightningDbConfig config, ProgramOptions program)
      : dice_(seed), world_(seed, std::move(disk)), config_(std::move(config)), program_(program) {}

  // What lives from now on are tuned to.
  void tune(const engine::Tuning& tuning) { tuning_ = tuning; }
  env::SimulatedWorld& world() { return world_; }
  Scene& scene() { return scene_; }
  env::Dice& dice() { return dice_; }
  const LightningDbConfig& config() const { return config_; }
  const ProgramOptions& program() const { return program_; }
  RunResult result() const {
    RunResult result = counts_;
    result.failure = scene_.failure;
    result.calls = scene_.calls;
    return result;
  }
  bool failed() const { return scene_.failed(); }

  // A life: opens the store, compares it, and runs `body` on it. True if it lived to the end of it.
  bool live(const std::function<void(Database&)>& body, bool read_only = false);
  // What a life that ended early leaves.
  void die(Death death, env::CrashMode mode);
  void arm(std::uint64_t nth, env::CrashStage stage);
  // A life in which calls may fail, opening and closing too: what fails must say so in the right words. Ends in good
  // order.
  void live_with_faults(const std::function<void(Database&)>& body);
  void fail(const std::string& text) {
    scene_.fail("life " + std::to_string(lives_) + (scene_.doing.empty() ? "" : ", " + scene_.doing) + ": " + text);
  }

 private:
  void compare(Database& db);
  base::WorldEnd run_world(const std::function<void()>& body);

  env::Dice dice_;
  env::SimulatedWorld world_;
  const LightningDbConfig config_;
  const ProgramOptions program_;
  engine::Tuning tuning_;
  Scene scene_;
  RunResult counts_;
  std::uint64_t lives_ = 0;
  bool power_cut_ = false;  // since the last comparison
};

}  // namespace lightning::sim
