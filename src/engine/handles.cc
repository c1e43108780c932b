// What the engine hands out, and takes back: snapshots, pinned values, keyspaces.
#include "engine/engine.h"

namespace lightning {

Snapshot::Snapshot(std::shared_ptr<engine::Engine> engine, engine::LiveSnapshot* live)
    : engine_(std::move(engine)), live_(live), sequence_(live->sequence) {}
Snapshot::Snapshot(Snapshot&& other) noexcept { *this = std::move(other); }
Snapshot& Snapshot::operator=(Snapshot&& other) noexcept {
  std::swap(engine_, other.engine_);
  std::swap(live_, other.live_);
  std::swap(sequence_, other.sequence_);
  return *this;
}
Snapshot::~Snapshot() {
  if (live_ == nullptr) return;
  engine_->release_snapshot(*live_);
  delete live_;
}

PinnedValue::PinnedValue() = default;
PinnedValue::PinnedValue(PinnedValue&& other) noexcept { *this = std::move(other); }
PinnedValue& PinnedValue::operator=(PinnedValue&& other) noexcept {
  std::swap(found_, other.found_);
  std::swap(value_, other.value_);
  std::swap(pin_, other.pin_);
  std::swap(unpin_, other.unpin_);
  return *this;
}
PinnedValue::~PinnedValue() { reset(); }
void PinnedValue::reset() {
  if (pin_ != nullptr) unpin_(pin_);
  pin_ = nullptr;
  found_ = false;
  value_ = {};
}

const std::string& Keyspace::name() const {
  static const std::string kNone;
  return tree_ ? tree_->name : kNone;
}
std::uint32_t Keyspace::id() const { return tree_ ? tree_->id : 0; }
const KeyspaceOptions& Keyspace::options() const {
  static const KeyspaceOptions kDefault;
  return tree_ ? tree_->options : kDefault;
}

}  // namespace lightning
