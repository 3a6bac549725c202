// SPDX-License-Identifier: Apache-2.0
#include "route/archive_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

namespace {

// The first whose key is not below `key`. By time alone first: that is what readers ask for, and one
// comparison of integers a step. `key_of` answers an element's key.
template <typename T, typename KeyOf>
const T* LowerBound(const T* begin, const T* end, const ArchiveStore::Position& key, KeyOf key_of) {
  begin = std::lower_bound(begin, end, key.time,
                           [&](const T& t, int64_t time) { return key_of(t).time < time; });
  if (key.arrival == 0) return begin;
  end = std::upper_bound(begin, end, key.time,
                         [&](int64_t time, const T& t) { return time < key_of(t).time; });
  return std::lower_bound(begin, end, key.arrival, [&](const T& t, uint64_t arrival) {
    return key_of(t).arrival < arrival;
  });
}

}  // namespace

size_t ArchiveStore::SlotOf(const Position& key) const {
  const Slot* const begin = directory_.begin();
  const Slot* place = LowerBound(begin, directory_.end(), key,
                                 [](const Slot& slot) -> const Position& { return slot.first; });
  const bool begins_with_it = place != directory_.end() && place->first == key;
  if (!begins_with_it && place != begin) --place;
  return static_cast<size_t>(place - begin);
}

size_t ArchiveStore::PlaceIn(const Chunk& chunk, const Position& key) {
  return static_cast<size_t>(
      LowerBound(chunk.begin(), chunk.end(), key,
                 [](const Entry& entry) -> const Position& { return entry.key; }) -
      chunk.begin());
}

void ArchiveStore::Add(int64_t time, MessageRef message) {
  const Position key = {time, next_arrival()};
  bytes_ += static_cast<int64_t>(message->bytes());
  if (arrivals_.empty()) oldest_ = message.get();
  arrivals_.push_back(time);
  if (!directory_.empty() && key < directory_.back().chunk.back().key) {
    AddOutOfOrder({key, std::move(message)});
    return;
  }
  if (directory_.empty() || directory_.back().chunk.size() >= kChunkMax) {
    directory_.PushBack({key, {}});
  }
  directory_.back().chunk.PushBack({key, std::move(message)});
}

void ArchiveStore::AddOutOfOrder(Entry entry) {
  size_t slot = SlotOf(entry.key);
  if (directory_[slot].chunk.size() >= kChunkMax) {
    Split(slot);
    slot = SlotOf(entry.key);
  }
  Slot& there = directory_[slot];
  there.first = std::min(there.first, entry.key);
  const size_t place = PlaceIn(there.chunk, entry.key);
  there.chunk.Insert(place, std::move(entry));
}

void ArchiveStore::Split(size_t slot) {
  Chunk& full = directory_[slot].chunk;
  Chunk upper;
  full.MoveTailTo(full.size() / 2, &upper);
  const Position first = upper.front().key;
  directory_.Insert(slot + 1, {first, std::move(upper)});
}

ArchiveStore::Entry ArchiveStore::TakeOldest() {
  const Position key = {arrivals_.front(), oldest_arrival_};
  const size_t slot = SlotOf(key);
  Chunk& chunk = directory_[slot].chunk;
  const size_t place = PlaceIn(chunk, key);
  BANYAN_CHECK(place < chunk.size() && chunk[place].key == key, "S3: the oldest is here");
  Entry taken = chunk.Take(place);
  if (chunk.empty()) {
    directory_.Take(slot);
  } else if (chunk.size() < kChunkSmall) {
    JoinWithNext(slot);
  }
  bytes_ -= static_cast<int64_t>(taken.message->bytes());
  arrivals_.pop_front();
  ++oldest_arrival_;
  FindOldest();
  return taken;
}

// So that what leaves here and there does not leave a chunk for every entry.
void ArchiveStore::JoinWithNext(size_t slot) {
  if (slot + 1 >= directory_.size()) return;
  Chunk& chunk = directory_[slot].chunk;
  if (chunk.size() + directory_[slot + 1].chunk.size() > kChunkMax / 2) return;
  Slot next = directory_.Take(slot + 1);
  next.chunk.MoveTailTo(0, &directory_[slot].chunk);
}

void ArchiveStore::FindOldest() {
  oldest_ = nullptr;
  if (arrivals_.empty()) return;
  const Position key = {arrivals_.front(), oldest_arrival_};
  const Chunk& chunk = directory_[SlotOf(key)].chunk;
  oldest_ = chunk[PlaceIn(chunk, key)].message.get();
}

bool ArchiveStore::Read(Position* from, const Range& range, const Slice& slice,
                        std::vector<Entry>* out) const {
  if (directory_.empty()) return false;
  const size_t begun = out->size();
  int64_t bytes = 0;
  size_t looks = 0;
  size_t slot = SlotOf(*from);
  size_t place = PlaceIn(directory_[slot].chunk, *from);
  for (; slot < directory_.size(); ++slot, place = 0) {
    const Chunk& chunk = directory_[slot].chunk;
    for (; place < chunk.size(); ++place) {
      const Entry& entry = chunk[place];
      if (entry.key.time >= range.end) return false;
      if (out->size() - begun >= slice.entries_max || bytes >= slice.bytes_max ||
          looks >= slice.looks_max) {
        return true;
      }
      ++looks;
      *from = {entry.key.time, entry.key.arrival + 1};
      if (entry.key.arrival >= range.arrival_end) continue;
      bytes += static_cast<int64_t>(entry.message->bytes());
      out->push_back(entry);
    }
  }
  return false;
}

int64_t ArchiveStore::CountBetween(int64_t begin, int64_t end) const {
  if (directory_.empty() || begin >= end) return 0;
  const Position first = {begin, 0}, last = {end, 0};
  const size_t begin_slot = SlotOf(first), end_slot = SlotOf(last);
  size_t count = PlaceIn(directory_[end_slot].chunk, last);
  for (size_t slot = begin_slot; slot < end_slot; ++slot) count += directory_[slot].chunk.size();
  return static_cast<int64_t>(count - PlaceIn(directory_[begin_slot].chunk, first));
}

int64_t ArchiveStore::OwnBytes() const {
  size_t bytes = directory_.capacity() * sizeof(Slot) + arrivals_.size() * sizeof(int64_t);
  for (const Slot& slot : directory_) {
    bytes += sizeof(Chunk) + slot.chunk.capacity() * sizeof(Entry);
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace banyan::inline v0_1::internal
