#include "txn/transaction_iterator.h"

#include <algorithm>

#include "format/range_cover.h"

namespace lightning::txn {

TransactionIterator::TransactionIterator(std::shared_ptr<Core> core, format::KeyspaceId keyspace,
                                         std::unique_ptr<engine::DatabaseIterator> base)
    : core_(std::move(core)), keyspace_(keyspace), base_(std::move(base)), tracks_(core_->tracks_reads()) {
  if (tracks_) core_->iterators_.push_back(this);
}

TransactionIterator::~TransactionIterator() {
  if (!tracks_) return;
  if (!ended()) record_way();
  std::erase(core_->iterators_, this);
}

Status TransactionIterator::status() const {
  if (ended()) return core_->ended_error();
  if (!own_status_) return own_status_;
  return base_->status();
}

// Every seek, and now and then a step, is a call of the transaction: it is not idle, and ends if its time is over.
bool TransactionIterator::begin_move() {
  if (ended()) return false;
  constexpr std::uint32_t kStepsPerCall = 256;
  if (steps_++ % kStepsPerCall != 0) return true;
  const Core::Call call(*core_);
  return call.entered().has_value();
}

void TransactionIterator::record_way() {
  if (!tracks_ || !way_open_) return;
  way_open_ = false;
  const bool stands = valid_;
  if (forward_) {
    core_->track_range(keyspace_, way_start_, stands ? KeyRanges::End(KeyRanges::after(key())) : base_->upper_bound());
  } else {
    core_->track_range(keyspace_, stands ? key() : std::string_view(base_->lower_bound().value_or("")), way_end_);
  }
}

// --- own writes -----------------------------------------------------------------------------------------------------

void TransactionIterator::own_from(std::string_view key, bool inclusive) {
  const WriteSet::Key from{keyspace_, key};
  own_ = inclusive ? map().lower_bound(from) : map().upper_bound(from);
  own_valid_ = own_in_keyspace(own_);
  own_edits_ = core_->writes_.edits();
}

void TransactionIterator::own_until(std::string_view key, bool inclusive) {
  const WriteSet::Key until{keyspace_, key};
  own_ = inclusive ? map().upper_bound(until) : map().lower_bound(until);
  own_valid_ = own_ != map().begin() && own_in_keyspace(--own_);
  own_edits_ = core_->writes_.edits();
}

bool TransactionIterator::own_is_there() {
  const WriteSet& writes = core_->writes_;
  const WriteSet::Version& newest = *writes.or_erased(keyspace_, own_->first.bytes, own_->second.newest);
  if (newest.type == format::EntryType::kErase) return false;
  const auto below = [this](std::string& base) -> Result<bool> {
    if (!base_->valid() || base_->key() != own_->first.bytes) return false;
    base.assign(base_->value());
    return true;
  };
  const auto there =
      core_->resolve_own(*core_->tree(keyspace_), own_->first.bytes, newest, below, own_value_, &own_expires_ms_);
  if (!there) own_status_ = there.error();
  on_own_ = valid_ = there && *there;
  return !there || *there;
}

// --- both -----------------------------------------------------------------------------------------------------------

void TransactionIterator::base_out_of_erased() {
  if (core_->writes_.ranges().empty() || !base_->valid()) return;
  const format::RangeCover cover({&core_->writes_.erased(keyspace_)}, format::kSequenceMax);
  if (cover.covering(base_->key()) == 0) return;
  if (forward_) {
    if (const auto shown = cover.shown_from(base_->key(), 0)) {
      base_->seek(*shown);
    } else {
      base_->seek_to_last();
      if (base_->valid()) base_->next();
    }
    return;
  }
  const std::string_view from = cover.shown_before(base_->key(), 0);
  if (from.empty()) {
    base_->seek_to_first();
  } else {
    base_->seek_for_prev(from);
  }
  if (base_->valid() && (from.empty() || base_->key() == from)) base_->prev();
}

// From where both cursors stand, to the first key that is there.
void TransactionIterator::find_forward() {
  valid_ = on_own_ = false;
  for (;;) {
    while (own_valid_ && own_->second.newest == nullptr) own_valid_ = own_in_keyspace(++own_);
    if (own_valid_ && beyond_upper(own_->first.bytes)) own_valid_ = false;
    base_out_of_erased();
    if (!base_->valid() && !base_->status()) return;  // what comes next may be behind the failure
    if (!own_valid_ || (base_->valid() && base_->key() < own_->first.bytes)) {
      valid_ = base_->valid();
      return;
    }
    if (own_is_there()) return;
    if (base_->valid() && base_->key() == own_->first.bytes) base_->next();
    own_valid_ = own_in_keyspace(++own_);
  }
}

void TransactionIterator::find_backward() {
  valid_ = on_own_ = false;
  const auto step_back = [this] { own_valid_ = own_ != map().begin() && own_in_keyspace(--own_); };
  for (;;) {
    while (own_valid_ && own_->second.newest == nullptr) step_back();
    if (own_valid_ && below_lower(own_->first.bytes)) own_valid_ = false;
    base_out_of_erased();
    if (!base_->valid() && !base_->status()) return;
    if (!own_valid_ || (base_->valid() && base_->key() > own_->first.bytes)) {
      valid_ = base_->valid();
      return;
    }
    if (own_is_there()) return;
    if (base_->valid() && base_->key() == own_->first.bytes) base_->prev();
    step_back();
  }
}

// --- moves ----------------------------------------------------------------------------------------------------------

void TransactionIterator::seek_to_first() {
  seek(base_->lower_bound() ? std::string_view(*base_->lower_bound()) : std::string_view());
}

void TransactionIterator::seek(std::string_view target) {
  record_way();
  valid_ = false;
  steps_ = 0;
  own_status_ = {};
  if (!begin_move()) return;
  if (below_lower(target)) target = *base_->lower_bound();
  way_start_.assign(target);
  way_open_ = forward_ = true;
  own_from(way_start_, true);
  base_->seek(way_start_);
  find_forward();
}

void TransactionIterator::seek_to_last() {
  record_way();
  valid_ = false;
  steps_ = 0;
  own_status_ = {};
  if (!begin_move()) return;
  forward_ = false;
  way_open_ = true;
  way_end_ = base_->upper_bound();
  if (way_end_) {
    own_until(*way_end_, false);
  } else {
    own_ = map().lower_bound(WriteSet::Key{keyspace_ + 1, {}});
    own_valid_ = own_ != map().begin() && own_in_keyspace(--own_);
    own_edits_ = core_->writes_.edits();
  }
  base_->seek_to_last();
  find_backward();
}

void TransactionIterator::seek_for_prev(std::string_view target) {
  if (beyond_upper(target)) return seek_to_last();
  record_way();
  valid_ = false;
  steps_ = 0;
  own_status_ = {};
  if (!begin_move()) return;
  forward_ = false;
  way_open_ = true;
  way_end_ = KeyRanges::after(target);
  own_until(target, true);
  base_->seek_for_prev(target);
  find_backward();
}

void TransactionIterator::next() {
  if (!forward_) {
    // What lies behind is recorded; the other cursor goes to the other side of the current key.
    const std::string current(key());
    const bool was_valid = valid_;
    record_way();
    if (!was_valid || !begin_move()) {
      valid_ = false;
      return;
    }
    forward_ = way_open_ = true;
    way_start_ = current;
    own_from(current, false);
    base_->seek(current);
    if (base_->valid() && base_->key() == current) base_->next();
    return find_forward();
  }
  if (!begin_move()) {
    valid_ = false;
    return;
  }
  if (core_->writes_.edits() != own_edits_) {
    const std::string current(key());
    if (base_->valid() && base_->key() == current) base_->next();
    own_from(current, false);
  } else if (on_own_) {
    if (base_->valid() && base_->key() == own_->first.bytes) base_->next();
    own_valid_ = own_in_keyspace(++own_);
  } else {
    base_->next();
  }
  find_forward();
}

void TransactionIterator::prev() {
  if (forward_) {
    const std::string current(key());
    record_way();
    if (!begin_move()) {
      valid_ = false;
      return;
    }
    forward_ = false;
    way_open_ = true;
    way_end_ = KeyRanges::after(current);
    own_until(current, false);
    base_->seek_for_prev(current);
    if (base_->valid() && base_->key() == current) base_->prev();
    return find_backward();
  }
  if (!begin_move()) {
    valid_ = false;
    return;
  }
  if (core_->writes_.edits() != own_edits_) {
    const std::string current(key());
    if (base_->valid() && base_->key() == current) base_->prev();
    own_until(current, false);
  } else if (on_own_) {
    if (base_->valid() && base_->key() == own_->first.bytes) base_->prev();
    own_valid_ = own_ != map().begin() && own_in_keyspace(--own_);
  } else {
    base_->prev();
  }
  find_backward();
}

}  // namespace lightning::txn
