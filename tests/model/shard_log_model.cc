// SPDX-License-Identifier: Apache-2.0
#include "shard_log_model.h"

#include <algorithm>

namespace banyan::model {

namespace {

constexpr Order kRelaxedOrder = Order::kRelaxed;

// As strong as `order`, but not more than a release.
Order AtMostRelease(Order order) { return Releases(order) ? Order::kRelease : order; }

}  // namespace

ShardLogModel::ShardLogModel(World* world, const Orders& orders, const Shape& shape)
    : w_(*world),
      orders_(orders),
      shape_(shape),
      mu_(w_.NewMutex()),
      current_(w_.NewAtomic("current", 0, mu_)),
      first_(w_.NewAtomic("first", 0, mu_)),
      end_(w_.NewAtomic("end", 0, mu_)),
      horizon_(w_.NewAtomic("horizon", 0, mu_)),
      sealed_tip_(w_.NewAtomic("sealed tip", kNotSealed, mu_)),
      watched_(w_.NewAtomic("watched")),
      children_(w_.NewPlain("children")),
      ring_made_(w_.NewPlain("the ring")) {
  for (int i = 0; i < shape.ring; ++i) {
    const std::string n = std::to_string(i);
    ring_.push_back({w_.NewAtomic("entry " + n + " base", 0, mu_),
                     w_.NewAtomic("entry " + n + " segment", 0, mu_)});
  }
  // One more than have memory at a time: the last reader of a spare may leave it so late that its
  // memory is given back, and another segment made.
  for (int i = 0; i < shape.segments_max + 1; ++i) {
    const std::string name(1, static_cast<char>('A' + i));
    Segment s = {.name = name,
                 .object = w_.NewPlain(name),
                 .block = w_.NewPlain(name + "'s block"),
                 .base = w_.NewPlain(name + "'s base"),
                 .tail = w_.NewAtomic(name + "'s tail", kClosed),
                 .holders = w_.NewAtomic(name + "'s holders")};
    for (int slot = 0; slot < shape.slots; ++slot) {
      const std::string n = std::to_string(slot);
      s.slots.push_back(w_.NewAtomic(name + "'s slot " + n));
      s.first_halves.push_back(w_.NewPlain(name + "'s record " + n));
      s.second_halves.push_back(w_.NewPlain(name + "'s record " + n + ", second half"));
    }
    segments_.push_back(std::move(s));
  }
}

ShardLogModel::Segment* ShardLogModel::Follow(Value address) {
  if (!w_.Check(address != 0, "a null pointer is followed")) return nullptr;
  Segment& segment = segments_[static_cast<size_t>(address) - 1];
  w_.Read(segment.object);
  return &segment;
}

// --- Writers -------------------------------------------------------------------------------------

Task<ShardLogModel::AppendOutcome> ShardLogModel::Append(Value record) {
  for (;;) {
    const Value current = co_await w_.Load(current_, orders_[Site::kCurrentLoad]);
    if (current != 0) {
      Segment& s = *Follow(current);
      Value tail = co_await w_.Load(s.tail, kRelaxedOrder);
      while (!IsClosed(tail) && RecordsClaimed(tail) < shape_.slots) {
        const bool claimed = co_await w_.CompareExchange(s.tail, &tail, tail + 1,
                                                         orders_[Site::kClaim], kRelaxedOrder);
        if (!claimed) continue;
        const size_t slot = static_cast<size_t>(RecordsClaimed(tail));
        const Value position = w_.Read(s.base) + static_cast<Value>(slot);
        w_.Check(records_.emplace(position, record).second, "L1: a number is given twice");
        w_.Check(w_.Read(s.block) == 1, "L3: claimed in a segment without memory");
        w_.Write(s.first_halves[slot], record);
        w_.Write(s.second_halves[slot], record);
        const Value there = static_cast<Value>(slot) + 1;
        if (shape_.watched) {
          co_await w_.Exchange(s.slots[slot], there, orders_[Site::kPublish]);
        } else {
          co_await w_.Store(s.slots[slot], there, AtMostRelease(orders_[Site::kPublish]));
        }
        ++stored_;
        co_return AppendOutcome::kStored;
      }
    }
    co_await w_.Lock(mu_);
    const AppendOutcome turned = co_await Turnover(current);
    w_.Unlock(mu_);
    if (turned != AppendOutcome::kStored) co_return turned;
  }
}

Task<ShardLogModel::AppendOutcome> ShardLogModel::Turnover(Value full) {
  const Value sealed_tip = co_await w_.Load(sealed_tip_, kRelaxedOrder);
  if (sealed_tip != kNotSealed) co_return AppendOutcome::kClosed;
  const Value old = co_await w_.Load(current_, kRelaxedOrder);
  if (old != full) co_return AppendOutcome::kStored;
  if (!has_ring_) {
    has_ring_ = true;
    w_.Write(ring_made_, 1);
  }
  co_await TrimExpired();
  const Value address = co_await Obtain();
  if (address == 0) co_return AppendOutcome::kFull;
  Segment& fresh = *Follow(address);

  Value base = 0;
  if (old != 0) {
    Segment& before = *Follow(old);
    const Value tail = co_await w_.FetchOr(before.tail, kClosed, orders_[Site::kClose]);
    base = w_.Read(before.base) + RecordsClaimed(tail);
  }
  const Value last_use = co_await w_.Load(fresh.tail, kRelaxedOrder);
  for (size_t i = 0; i < static_cast<size_t>(RecordsClaimed(last_use)); ++i) {
    co_await w_.Store(fresh.slots[i], 0, kRelaxedOrder);
  }
  co_await w_.Store(fresh.tail, kClosed, kRelaxedOrder);
  w_.Write(fresh.base, base);
  co_await w_.Store(fresh.holders, 1, orders_[Site::kLink]);

  const Value end = co_await w_.Load(end_, kRelaxedOrder);
  co_await w_.Store(EntryAt(end).base, base, orders_[Site::kEntryBaseStore]);
  co_await w_.Store(EntryAt(end).segment, address, orders_[Site::kEntrySegmentStore]);
  const Order end_order = orders_[Site::kEndStore];
  co_await w_.Store(end_, end + 1, shape_.watched ? end_order : AtMostRelease(end_order));
  co_await w_.Store(fresh.tail, 0, orders_[Site::kOpen]);
  co_await w_.Store(current_, address, orders_[Site::kCurrentStore]);
  co_return AppendOutcome::kStored;
}

Task<Value> ShardLogModel::Obtain() {
  for (;;) {
    const Value end = co_await w_.Load(end_, kRelaxedOrder);
    const Value first = co_await w_.Load(first_, kRelaxedOrder);
    const bool ring_has_room = end - first < shape_.ring;
    Value bare = 0;
    for (size_t i = 0; i < segments_.size() && segments_[i].made; ++i) {
      const Value holders = co_await w_.Load(segments_[i].holders, orders_[Site::kSpare]);
      if (holders != 0) continue;
      if (segments_[i].memory && ring_has_room) co_return static_cast<Value>(i) + 1;
      bare = static_cast<Value>(i) + 1;
    }
    if (held_ + 1 > shape_.segments_max) co_await ReleaseSpares(0);
    if (held_ + 1 <= shape_.segments_max && ring_has_room) {
      for (size_t i = 0; i < segments_.size() && bare == 0; ++i) {
        if (segments_[i].made) continue;
        segments_[i].made = true;
        w_.Write(segments_[i].object, 1);
        bare = static_cast<Value>(i) + 1;
      }
      if (!w_.Check(bare != 0, "the scenario needs more segments")) co_return 0;
      co_await GiveMemory(&segments_[static_cast<size_t>(bare) - 1]);
      co_return bare;
    }
    const bool could = co_await CouldMakeRoom();
    if (!could) co_return 0;
    const bool unlinked = co_await UnlinkOldest();
    if (!unlinked) co_return 0;
  }
}

Task<bool> ShardLogModel::CouldMakeRoom() {
  if (held_ < shape_.segments_max) co_return true;
  const Value end = co_await w_.Load(end_, kRelaxedOrder);
  const Value first = co_await w_.Load(first_, kRelaxedOrder);
  for (Value i = first; i < end - 1; ++i) {
    const Value address = co_await w_.Load(EntryAt(i).segment, kRelaxedOrder);
    const Value holders = co_await w_.Load(Follow(address)->holders, kRelaxedOrder);
    if (holders == 1) co_return true;
  }
  co_return false;
}

Task<> ShardLogModel::GiveMemory(Segment* segment) {
  const bool new_cells = w_.Read(segment->block) == 0;
  w_.Check(new_cells, "memory is given twice");
  w_.Write(segment->block, 1);
  for (const Atomic slot : segment->slots) {
    const Value old = w_.Known(slot);
    if (old != 0) co_await w_.Store(slot, 0, kRelaxedOrder);
  }
  co_await w_.Store(segment->tail, kClosed, kRelaxedOrder);
  segment->memory = true;
  ++held_;
}

void ShardLogModel::TakeMemory(Segment* segment) {
  for (const Plain cell : segment->first_halves) w_.Write(cell, -1);
  for (const Plain cell : segment->second_halves) w_.Write(cell, -1);
  w_.Write(segment->block, 0);
  segment->memory = false;
  --held_;
}

Task<> ShardLogModel::ReleaseSpares(int keep) {
  for (Segment& segment : segments_) {
    if (!segment.memory) continue;
    const Value holders = co_await w_.Load(segment.holders, orders_[Site::kGiveBack]);
    if (holders != 0) continue;
    if (keep-- <= 0) TakeMemory(&segment);
  }
}

// --- Trimming ------------------------------------------------------------------------------------

Task<> ShardLogModel::RaiseHorizon(Value horizon) {
  const Value before = co_await w_.Load(horizon_, kRelaxedOrder);
  if (horizon <= before) co_return;
  co_await w_.Store(horizon_, horizon, orders_[Site::kHorizonStore]);
}

Task<bool> ShardLogModel::Complete(Segment* segment) {
  const Value tail = co_await w_.Load(segment->tail, orders_[Site::kTailUnderLock]);
  for (size_t i = 0; i < static_cast<size_t>(RecordsClaimed(tail)); ++i) {
    const Value slot = co_await w_.Load(segment->slots[i], orders_[Site::kCompleteSlot]);
    if (slot == 0) co_return false;
  }
  co_return true;
}

Task<bool> ShardLogModel::UnlinkOldest() {
  const Value first = co_await w_.Load(first_, kRelaxedOrder);
  const Value end = co_await w_.Load(end_, kRelaxedOrder);
  if (first == end) co_return false;
  const Value address = co_await w_.Load(EntryAt(first).segment, kRelaxedOrder);
  Segment& segment = *Follow(address);
  const Value tail = co_await w_.Load(segment.tail, orders_[Site::kTailUnderLock]);
  if (!IsClosed(tail)) co_return false;
  const bool complete = co_await Complete(&segment);
  if (!complete) co_return false;

  co_await RaiseHorizon(w_.Read(segment.base) + RecordsClaimed(tail));
  co_await w_.Store(first_, first + 1, orders_[Site::kFirstStore]);
  co_await w_.FetchAdd(segment.holders, -1, orders_[Site::kUnlink]);
  co_return true;
}

Task<> ShardLogModel::TrimExpired() {
  for (;;) {
    const Value first = co_await w_.Load(first_, kRelaxedOrder);
    const Value ring_end = co_await w_.Load(end_, kRelaxedOrder);
    if (first == ring_end) co_return;
    const Value address = co_await w_.Load(EntryAt(first).segment, kRelaxedOrder);
    Segment& oldest = *Follow(address);
    const Value tail = co_await w_.Load(oldest.tail, orders_[Site::kTailUnderLock]);
    const Value base = w_.Read(oldest.base);
    const Value end = base + RecordsClaimed(tail);
    Value horizon = co_await w_.Load(horizon_, kRelaxedOrder);
    for (; horizon < end; ++horizon) {
      const size_t at = static_cast<size_t>(horizon - base);
      const Value slot = co_await w_.Load(oldest.slots[at], orders_[Site::kTrimSlot]);
      if (slot == 0 || w_.Read(oldest.first_halves[at]) >= shape_.retained_from) break;
    }
    co_await RaiseHorizon(horizon);
    if (horizon < end) co_return;
    const bool unlinked = co_await UnlinkOldest();
    if (!unlinked) co_return;
  }
}

Task<> ShardLogModel::Trim(int spares_kept) {
  co_await w_.Lock(mu_);
  co_await TrimExpired();
  co_await ReleaseSpares(spares_kept);
  w_.Unlock(mu_);
}

Task<> ShardLogModel::SealLocked() {
  const Value sealed_tip = co_await w_.Load(sealed_tip_, kRelaxedOrder);
  if (sealed_tip != kNotSealed) co_return;
  Value tip = 0;
  const Value current = co_await w_.Load(current_, kRelaxedOrder);
  if (current != 0) {
    Segment& last = *Follow(current);
    const Value tail = co_await w_.FetchOr(last.tail, kClosed, orders_[Site::kClose]);
    tip = w_.Read(last.base) + RecordsClaimed(tail);
    co_await w_.Store(current_, 0, orders_[Site::kCurrentClear]);
  }
  co_await w_.Store(sealed_tip_, tip, orders_[Site::kSeal]);
}

Task<> ShardLogModel::Seal() {
  co_await w_.Lock(mu_);
  co_await SealLocked();
  w_.Unlock(mu_);
}

Task<> ShardLogModel::Close() {
  co_await w_.Lock(mu_);
  co_await SealLocked();
  closed_ = true;
  for (bool more = true; more;) more = co_await UnlinkOldest();
  co_await ReleaseSpares(0);
  w_.Unlock(mu_);
}

// --- Readers -------------------------------------------------------------------------------------

Task<bool> ShardLogModel::TryPin(Segment* segment) {
  Value holders = co_await w_.Load(segment->holders, shape_.refused_pin);
  for (;;) {
    if (holders == 0) co_return false;
    const bool pinned = co_await w_.CompareExchange(segment->holders, &holders, holders + 1,
                                                    orders_[Site::kPin], shape_.refused_pin);
    if (pinned) co_return true;
  }
}

Task<> ShardLogModel::Unpin(Value address) {
  co_await w_.FetchAdd(segments_[static_cast<size_t>(address) - 1].holders, -1,
                       orders_[Site::kUnpin]);
}

void ShardLogModel::CheckLookingAgain(Value first, Value end, Value horizon) {
  const bool changed =
      w_.Known(first_) != first || w_.Known(end_) != end || w_.Known(horizon_) != horizon;
  w_.Check(changed, "F2: Find looks again, and may find nothing changed");
}

Task<Value> ShardLogModel::Find(Value* position, bool* gave_up) {
  for (int round = 0; round < shape_.rounds; ++round) {
    const Value first = co_await w_.Load(first_, orders_[Site::kFirstLoad]);
    const Value end = co_await w_.Load(end_, orders_[Site::kEndLoad]);
    if (first >= end) {
      w_.Check(first == 0 || closed_, "F1: Find calls a log empty that is not");
      co_return 0;
    }
    const Value horizon = co_await w_.Load(horizon_, orders_[Site::kHorizonLoad]);
    *position = std::max(*position, horizon);

    w_.Read(ring_made_);
    Value low = first;
    Value high = end;
    while (high - low > 1) {
      const Value middle = low + (high - low) / 2;
      const Value base = co_await w_.Load(EntryAt(middle).base, orders_[Site::kEntryBaseLoad]);
      (base <= *position ? low : high) = middle;
    }
    const Value address = co_await w_.Load(EntryAt(low).segment, orders_[Site::kEntrySegmentLoad]);
    Segment* const segment = Follow(address);
    if (segment == nullptr) co_return 0;
    const bool pinned = co_await TryPin(segment);
    if (!pinned) {
      if (shape_.refused_pins_count) CheckLookingAgain(first, end, horizon);
      continue;
    }
    const Value base = w_.Read(segment->base);
    if (base > *position) {
      CheckLookingAgain(first, end, horizon);
      co_await Unpin(address);
      continue;
    }
    const Value tail = co_await w_.Load(segment->tail, orders_[Site::kTailOfPinned]);
    if (*position < base + RecordsClaimed(tail)) co_return address;
    const Value end_now = co_await w_.Load(end_, orders_[Site::kEndAgain]);
    if (low + 1 == end_now) co_return address;
    CheckLookingAgain(first, end, horizon);
    co_await Unpin(address);
  }
  *gave_up = true;
  co_return 0;
}

Task<bool> ShardLogModel::Watch(Value position) {
  co_await w_.Store(watched_, 1, orders_[Site::kWatch]);
  const Value end = co_await w_.Load(end_, orders_[Site::kWatchEnd]);
  const Value sealed_tip = co_await w_.Load(sealed_tip_, orders_[Site::kWatchSeal]);
  const Value horizon = co_await w_.Load(horizon_, orders_[Site::kHorizonLoad]);
  position = std::max(position, horizon);
  if (position >= sealed_tip) co_return false;
  if (end == 0) co_return true;
  bool gave_up = false;
  const Value address = co_await Find(&position, &gave_up);
  if (gave_up) co_return false;
  if (address == 0) co_return sealed_tip == kNotSealed;
  Segment& s = segments_[static_cast<size_t>(address) - 1];
  const Value at = position - w_.Read(s.base);
  Value slot = 0;
  if (at < shape_.slots) {
    slot = co_await w_.Load(s.slots[static_cast<size_t>(at)], orders_[Site::kWatchSlot]);
  }
  co_await Unpin(address);
  co_return slot == 0;
}

Task<> ShardLogModel::WakeIfWatched() {
  const Value watched = co_await w_.Load(watched_, orders_[Site::kLookForWatch]);
  if (watched == 0) co_return;
  const Value taken = co_await w_.Exchange(watched_, 0, orders_[Site::kTakeWatch]);
  if (taken != 0) woken_ = true;
}

Task<ShardLogModel::ReadEnd> ShardLogModel::Read(Value position, size_t records_max, Batch* batch) {
  ReadEnd end;
  end.position = co_await ReadWhatIsThere(position, records_max, batch);
  if (!shape_.sealed) co_return end;
  const Value horizon = co_await w_.Load(horizon_, orders_[Site::kHorizonLoad]);
  if (batch->records.size() < records_max) end.position = std::max(end.position, horizon);
  const Value sealed_tip = co_await w_.Load(sealed_tip_, orders_[Site::kSealLoad]);
  end.ended = end.position >= sealed_tip;
  if (end.ended) w_.Check(w_.Read(children_) == 1, "L8: the end is seen, not the children");
  co_return end;
}

Task<Value> ShardLogModel::ReadWhatIsThere(Value position, size_t records_max, Batch* batch) {
  for (;;) {
    const Value before = position;
    const Value address = co_await Find(&position, &batch->gave_up);
    if (address == 0) co_return position;
    w_.Check(position == before || position <= w_.Known(horizon_), "L2: a gap above the horizon");
    Segment& s = segments_[static_cast<size_t>(address) - 1];
    const Value tail = co_await w_.Load(s.tail, orders_[Site::kTailOfPinned]);
    const Value base = w_.Read(s.base);
    const Value claimed = base + RecordsClaimed(tail);
    const Value from = position;
    const size_t records_before = batch->records.size();
    for (; position < claimed; ++position) {
      const size_t at = static_cast<size_t>(position - base);
      w_.Check(w_.Read(s.block) == 1, "L4: a pinned segment has no memory");
      const Value slot = co_await w_.Load(s.slots[at], orders_[Site::kReadSlot]);
      if (slot == 0) break;
      w_.Check(slot == static_cast<Value>(at) + 1, "L2: a slot of another record");
      const Value record = w_.Read(s.first_halves[at]);
      w_.Check(record == w_.Read(s.second_halves[at]), "L2: a torn record");
      w_.Check(records_.count(position) != 0 && records_.at(position) == record,
               "L2: not the record of this number");
      if (batch->records.empty() && record < shape_.retained_from) continue;
      if (batch->records.size() == records_max) break;
      batch->records.push_back({position, record, s.first_halves[at], s.second_halves[at]});
    }
    const bool stopped = position < claimed;
    if (batch->records.size() > records_before) {
      batch->pins.push_back(address);
    } else {
      co_await Unpin(address);
    }
    if (stopped || !IsClosed(tail) || position == from) co_return position;
  }
}

Task<> ShardLogModel::LetGo(Batch* batch) {
  for (const Seen& seen : batch->records) {
    w_.Check(w_.Read(seen.first_half) == seen.record && w_.Read(seen.second_half) == seen.record,
             "L4: a record changed while it was held");
  }
  for (const Value address : batch->pins) co_await Unpin(address);
  *batch = {};
}

}  // namespace banyan::model
