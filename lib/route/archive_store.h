// SPDX-License-Identifier: Apache-2.0
//
// lib/route/archive_store.h -- floor 5: messages kept to be read again, in the order of their time.
//
//   directory_: [ first key, chunk ][ first key, chunk ][ ... ]      sorted
//                    |                    |
//                    v                    v
//               [ (time, arrival) -> MessageRef, ... ]               sorted, at most kChunkMax
//
//   arrivals_:  times of those that are here, in the order they came
//
// S1  An entry's key is (time, arrival); arrivals count up, so keys differ, and of one time those
//     that came first stand first.
// S2  Keys rise within a chunk and from chunk to chunk. A slot's `first` is no greater than the keys
//     of its chunk and greater than those of the chunk before. No chunk is empty.
// S3  arrivals_[i] is the time of arrival `oldest_arrival_ + i`: so the key of the oldest is known,
//     and it is found by search. Nothing else leaves but the oldest: room and retention both take
//     who came first, whatever time it carries. Mostly that is the very first entry.
// S4  A Position is a key, not a place: it means the same after appends, splits and removals.
//
// Times come in nearly rising order, and then an append is a push into the last chunk. One out of
// order moves at most a chunk's entries. Finding a time is a binary search in the directory, which
// for ten million entries is two megabytes, and one in a chunk.
//
// Why not std::map: 64 bytes for a node that lies anywhere, against 32 here; reading on from a place
// is then a walk over memory. Why not one sorted vector: an event from the past would move them all.
// Why not by retention in the order of time: events may carry any time, and one put today with the
// time of last year was put today.
//
// Counts what it holds, decides nothing: when something has to go is its owner's business. A unit
// of time is whatever the owner takes: seconds for a bus, whose events carry whole seconds.
//
// Threads: none of its own; its owner's lock guards it. What is taken out is given to the caller, to
// be let go without that lock: the last reference to a message may run a user's release function.
#ifndef BANYAN_LIB_ROUTE_ARCHIVE_STORE_H_
#define BANYAN_LIB_ROUTE_ARCHIVE_STORE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "message/message.h"
#include "route/sliding_vector.h"

namespace banyan::inline v0_1::internal {

// A receiver that is slower than a replay must not be flooded, and one that does not answer must not
// hold up the others: above so many pending deliveries, a replay pauses before it goes on.
inline constexpr int64_t kReplayPendingMany = 1'000;
inline constexpr int64_t kReplayPauseNs = 100'000'000;

class ArchiveStore {
 public:
  // Before the entry of this key; `{t, 0}` is before all of time t.
  struct Position {
    int64_t time = std::numeric_limits<int64_t>::min();
    uint64_t arrival = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
  };

  struct Entry {
    Position key;
    MessageRef message;
  };

  void Add(int64_t time, MessageRef message);

  // Who came first of those that are here. Not of an empty store.
  const Message& Oldest() const { return *oldest_; }
  Entry TakeOldest();

  // What to read: entries before time `end` of arrivals before `arrival_end` (those that were here
  // when that was next_arrival()).
  struct Range {
    int64_t end = std::numeric_limits<int64_t>::max();
    uint64_t arrival_end = std::numeric_limits<uint64_t>::max();
  };
  // How much of it in one go, so that whoever holds the lock holds it for little: entries and bytes
  // that are answered (the last may go beyond the bytes), entries that are looked at.
  struct Slice {
    size_t entries_max = 100;
    int64_t bytes_max = int64_t{1} << 20;
    size_t looks_max = 10'000;
  };
  // Appends to *out what follows *from in the range, and moves *from behind what was looked at.
  // False: there was no more in the range.
  bool Read(Position* from, const Range& range, const Slice& slice, std::vector<Entry>* out) const;

  // Entries whose time is in [begin, end). Looks at two chunks, and at the size of those between.
  int64_t CountBetween(int64_t begin, int64_t end) const;

  int64_t count() const { return static_cast<int64_t>(arrivals_.size()); }
  bool empty() const { return arrivals_.empty(); }
  // Of the messages, as Message::bytes() counts; one that others hold, too, counts in full.
  int64_t bytes() const { return bytes_; }
  uint64_t next_arrival() const { return oldest_arrival_ + arrivals_.size(); }
  // The least and the greatest time. Not of an empty store.
  int64_t first_time() const { return directory_.front().chunk.front().key.time; }
  int64_t last_time() const { return directory_.back().chunk.back().key.time; }

  // What it takes beside the messages, about.
  int64_t OwnBytes() const;

 private:
  static constexpr size_t kChunkMax = 256;
  static constexpr size_t kChunkSmall = kChunkMax / 4;  // below it, it may join its neighbour

  using Chunk = SlidingVector<Entry>;
  struct Slot {
    Position first;
    Chunk chunk;
  };

  // The last slot whose `first` is at most `key`, or the very first. Not of an empty store.
  size_t SlotOf(const Position& key) const;
  // The first entry of the chunk whose key is not below `key`.
  static size_t PlaceIn(const Chunk& chunk, const Position& key);
  void AddOutOfOrder(Entry entry);
  void Split(size_t slot);
  void JoinWithNext(size_t slot);
  void FindOldest();

  SlidingVector<Slot> directory_;
  std::deque<int64_t> arrivals_;
  uint64_t oldest_arrival_ = 0;
  const Message* oldest_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_ARCHIVE_STORE_H_
