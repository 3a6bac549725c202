// SPDX-License-Identifier: Apache-2.0
//
// tests/model/shard_log_model.h -- the protocol of stream/shard_log.h, step by step, for the
// explorer. Functions bear the names they have there.
//
// Left out, as it decides no order: sizes in bytes (a segment has so many records, memory so many
// segments), growing capacities, FindTime (it goes over a pinned segment as Read does; the one
// thing it writes is a relaxed number), TrimTo (another reason for the same steps), GetBooks and
// CheckInvariants (numbers, under mu_).
// A record is two plain cells with the same value, so that a torn one shows. Retention is a number:
// records of a lower value have ended.
//
// Checked at every step, besides data races and null pointers:
//   L1  a number is given once, and in the end the numbers are dense
//   L2  a reader gets records in order, gaps only below the trim horizon, and none torn or false
//   L4  what a pin holder has read is the same when it lets go, and its memory still there
//   L6  the horizon grows
//   L8  who is told that the log has ended sees what was written before it was sealed
//   L9  nobody sleeps beside a record, or beside the end
//   F1  Find calls the log empty only if it is
//   F2  Find looks again only when it will find first_, end_ or horizon_ changed. This makes the
//       rounds of a reader as few as the turnovers and trims beside it. A refused pin is the
//       exception, see Shape::refused_pins_count.
#ifndef BANYAN_TESTS_MODEL_SHARD_LOG_MODEL_H_
#define BANYAN_TESTS_MODEL_SHARD_LOG_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include "explorer.h"
#include "sites.h"

namespace banyan::model {

struct Shape {
  int segments_max = 2;  // that have memory at one time
  int slots = 1;         // of a segment
  int ring = 4;          // entries
  Value retained_from = 0;
  int rounds = 2;  // of one Find; then the reader gives up, as a run has to end
  // Without watchers publishing and end_ need be no more than releases, and are no more: what holds
  // then holds with seq_cst. Without a seal readers do not look for one.
  bool watched = false;
  bool sealed = false;
  // F2 for refused pins, which the code does not have; and the order that would give it.
  bool refused_pins_count = false;
  Order refused_pin = Order::kRelaxed;
};

class ShardLogModel {
 public:
  ShardLogModel(World* world, const Orders& orders, const Shape& shape);

  enum class AppendOutcome { kStored, kFull, kClosed };
  Task<AppendOutcome> Append(Value record);

  struct Seen {
    Value position;
    Value record;
    Plain first_half;
    Plain second_half;
  };
  struct Batch {
    std::vector<Value> pins;
    std::vector<Seen> records;
    bool gave_up = false;
  };
  struct ReadEnd {
    Value position = 0;
    bool ended = false;
  };
  Task<ReadEnd> Read(Value position, size_t records_max, Batch* batch);
  Task<> LetGo(Batch* batch);

  Task<bool> Watch(Value position);
  Task<> WakeIfWatched();  // TakeWatch, and what its caller does then

  Task<> Trim(int spares_kept);
  Task<> Seal();
  Task<> Close();

  // --- Threads ---

  Task<> Appends(std::vector<Value> records);
  // So many reads, each going on where the last ended; lets go of each batch after the next read.
  Task<> Reads(Value position, int times, size_t records_max);
  Task<> AppendsAndHoldsTheFirst(std::vector<Value> records);
  Task<> AppendsThenReads(std::vector<Value> records);
  Task<> Trims() { return Trim(0); }
  Task<> Closes();
  Task<> Seals();
  // Has read up to `position`, and goes to sleep unless Watch says that it need not.
  Task<> Sleeps(Value position);
  // After all others.
  Task<> CheckTheEnd();

 private:
  struct Segment {
    std::string name;
    bool made = false;    // guarded by mu_
    bool memory = false;  // guarded by mu_
    Plain object;         // written when made, read whenever its address is followed
    Plain block;          // 1: has memory
    Plain base;
    Atomic tail;
    Atomic holders;
    std::vector<Atomic> slots = {};
    std::vector<Plain> first_halves = {};
    std::vector<Plain> second_halves = {};
  };
  struct Entry {
    Atomic base;
    Atomic segment;
  };

  static constexpr Value kNotSealed = 1 << 16;
  static constexpr Value kClosed = 1 << 8;
  static bool IsClosed(Value tail) { return (tail & kClosed) != 0; }
  static Value RecordsClaimed(Value tail) { return tail & ~kClosed; }

  // The address of a segment is its number from 1; 0 is null.
  Segment* Follow(Value address);
  Entry& EntryAt(Value index) { return ring_[static_cast<size_t>(index % shape_.ring)]; }

  Task<Value> ReadWhatIsThere(Value position, size_t records_max, Batch* batch);
  Task<Value> Find(Value* position, bool* gave_up);
  Task<bool> TryPin(Segment* segment);
  Task<> Unpin(Value address);
  void CheckLookingAgain(Value first, Value end, Value horizon);

  Task<AppendOutcome> Turnover(Value full);
  Task<Value> Obtain();
  Task<bool> CouldMakeRoom();
  Task<> ReleaseSpares(int keep);
  Task<> GiveMemory(Segment* segment);
  void TakeMemory(Segment* segment);

  Task<> SealLocked();
  Task<> TrimExpired();
  Task<bool> UnlinkOldest();
  Task<bool> Complete(Segment* segment);
  Task<> RaiseHorizon(Value horizon);

  World& w_;
  const Orders orders_;
  const Shape shape_;

  Mutex mu_;
  Atomic current_;
  Atomic first_;
  Atomic end_;
  Atomic horizon_;
  Atomic sealed_tip_;
  Atomic watched_;
  Plain children_;  // of the shard: written by whoever seals, before
  Plain ring_made_;
  std::vector<Entry> ring_;
  std::vector<Segment> segments_;

  // Guarded by mu_.
  bool has_ring_ = false;
  int held_ = 0;

  // What the checks know.
  std::map<Value, Value> records_;  // by position, from the claim on
  size_t stored_ = 0;
  bool closed_ = false;
  Batch held_for_all_;
  Value asleep_at_ = -1;
  bool woken_ = false;
};

}  // namespace banyan::model

#endif  // BANYAN_TESTS_MODEL_SHARD_LOG_MODEL_H_
