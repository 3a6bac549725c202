// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/shard_log.h -- floor 3, the stream room: the records of one shard.
//
//   ring of entries   [ base 0 ] [ base 412 ] [ base 907 ] [      ]
//                        |            |            |
//   segments             A (closed)   B (closed)   C (open: current_)
//                                                  |
//   segment  slots       | 1 | 118 | 0 | 0 | ...      offset + 1 of record 0, 1, ...; 0: not there
//            bytes       | header key trace data | header key trace data | (claimed) |  free  |
//            tail        closed flag, records claimed, bytes claimed: one 64-bit word
//
// A position is a record's number in the shard, from 0, without gaps. Writers put records in,
// readers look at them where they lie, and whoever holds mu_ brings in new segments and takes away
// old ones (turnover, trimming). The life of a record:
//
//   claim     one compare-and-swap on the current segment's tail takes the bytes and the number
//   copy      into the claimed bytes, which are the claimer's alone
//   publish   one release store of the slot; from now on the writer does not touch the segment
//   trim      the whole segment is unlinked; its memory is used again when nobody holds it
//
// Invariants
//
// L1  A claim succeeds only on an open segment, and at most one segment is open: the flag is set
//     before the next segment's base is computed, and cleared again only when the segment is
//     brought in anew. Hence numbers are dense and each is given once.
// L2  A slot goes from 0 to its offset once per use of its segment. Readers go over slots in order
//     and stop at the first 0, so nobody sees a record whose predecessor could still appear.
// L3  A segment is unlinked only when it is closed and every claimed slot is published. So a
//     writer between claim and publish keeps the segment from going, without counting itself.
// L4  holders counts 1 for being linked and 1 per pin. It rises from 0 only in mu_'s hands; a pin
//     is taken only by raising it from above 0. A segment's base, slots and bytes are written only
//     while it is 0 or, for claimed bytes, by their claimer. So what a pin holder reads stays.
// L5  Segment objects live as long as the log and never change capacity. So a writer or reader that
//     still has the address of a segment long gone may look at its tail and holders: it will find
//     the segment closed, unheld, or in a new life. In the new life a writer's claim is as good as
//     any (its word was compared), and a reader finds out by the base.
// L6  horizon_ only grows, and grows before what is below it is unlinked.
// L7  bytes_held_ <= bytes_max, always.
// L8  A sealed log takes no record any more, and its tip is final. Those who read on to the tip
//     know that there is nothing behind it (ReadEnd::ended).
// L9  Nobody sleeps beside a record. Who wants to be woken for one raises `watched_` and then looks
//     whether the record is there; a writer publishes and then looks whether somebody watches.
//     One of the two sees the other.
//
// Memory order
//
//   publish (at least release) -> slot load (acquire): a reader that sees the offset sees the record.
//   publish (release) -> slot load (acquire) under mu_ in Complete(): memory that is used again was
//     left by its writers.
//   unpin (release) -> holders load of 0 (acquire) in FindSpare(): and by its readers. Later pins
//     and unpins are read-modify-writes, so they continue the release sequence of earlier ones.
//   holders = 1 (release) -> pin (acquire): a pin holder sees base and cleared slots.
//   tail = open (release) -> claim (acquire): so does a claimer. Claims continue that release
//     sequence, so each claimer acquires from the opening store, not only the first.
//   end_, first_ (release) -> (acquire): a reader that sees a ring index sees the entry. An entry
//     is used again only after first_ has passed it: a reader that saw the new content finds
//     first_ changed, or the base wrong, and looks again (Find).
//
//   publish, then watched_ load; watched_ store, then end_ and slot loads; end_ store: all five are
//     sequentially consistent (L9). In their one order either the slot's publish comes before the
//     watcher's look at it, or the watcher's flag before the writer's look at that. With less, both
//     might look before the other's store is seen. It makes publishing an exchange, 4 ns here.
//   sealed_tip_ (release) -> (acquire): a reader that sees the end sees all that was written before
//     sealing, the children of its shard above all.
//
//   In the code each operation that is more than relaxed bears a name (`order: publish`). Under that
//   name tests/model tries what breaks where it is weaker, and says so where nothing does.
//
// Why a compare-and-swap and not fetch_add: a claim that does not fit would have counted itself
// already, and the segment's final count, which the next base needs, would be known to nobody until
// the overshooting writer says so: everyone else would wait for it.
// Why an array of slots and not a size in front of each record: stale bytes of the last use would
// have to be cleared (a megabyte a segment, not 64 KiB), and a record could not be found by its
// number without walking.
// Why no lock-free free list: spare segments are looked for once a segment, under mu_, and "nobody
// holds it" is the free list; a hand-off would say the same thing twice.
//
// Threads   Append, Read, Find..., any; they wait only for mu_, and Read not even for that.
// Lifetime  Whoever holds a SegmentPin keeps the log alive by other means.
#ifndef BANYAN_LIB_STREAM_SHARD_LOG_H_
#define BANYAN_LIB_STREAM_SHARD_LOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1::internal {

// The number of a closed shard's ending sequence, as AWS writes it.
inline constexpr uint64_t kEndingNumber = 0x7FFF'FFFF'FFFF'FFFF;

// What every record of a shard has in common.
struct ShardIdentity {
  uint32_t index = 0;
  int64_t created_second = 0;
  uint64_t event_seed = 0;  // event ids of records that came with none are made from it

  SequenceNumber Sequence(uint64_t position, int64_t unix_ns) const;
  SequenceNumber StartingSequence() const;
  SequenceNumber EndingSequence(int64_t unix_ns) const;  // above all of its records
  Id EventId(uint64_t position) const;
};

// One stretch of a shard's memory. See L4 and L5 for who may touch what, and when.
struct Segment {
  Segment(uint32_t bytes_max, uint32_t records_max) : capacity(bytes_max), slots_max(records_max) {}

  const uint32_t capacity;   // bytes of records
  const uint32_t slots_max;  // records

  uint64_t base = 0;  // position of slot 0

  // One block: slots, then bytes. Null while the segment has no memory.
  std::atomic<uint32_t>* slots = nullptr;
  char* bytes = nullptr;

  // The newest arrival in it, once it is closed, complete and somebody asked; else kUnknown.
  static constexpr int64_t kUnknown = INT64_MIN;
  std::atomic<int64_t> newest_unix_ns{kUnknown};

  // Writers write one, readers the other; each has a cache line of its own, as has what both read.
  static constexpr uint64_t kClosed = uint64_t{1} << 63;
  alignas(64) std::atomic<uint64_t> tail{kClosed};  // its layout is at the top of shard_log.cc
  alignas(64) std::atomic<int64_t> holders{0};

  static int64_t Footprint(uint32_t bytes_max, uint32_t records_max) {
    return int64_t{bytes_max} + int64_t{records_max} * static_cast<int64_t>(sizeof(*slots));
  }
  int64_t footprint() const { return Footprint(capacity, slots_max); }
};

// Holds one segment (L4). Empty by default.
class SegmentPin {
 public:
  SegmentPin() = default;
  explicit SegmentPin(Segment* pinned) : segment_(pinned) {}
  SegmentPin(SegmentPin&& other) noexcept : segment_(std::exchange(other.segment_, nullptr)) {}
  SegmentPin& operator=(SegmentPin&& other) noexcept {
    std::swap(segment_, other.segment_);
    return *this;
  }
  ~SegmentPin() {
    // order: unpin
    if (segment_ != nullptr) segment_->holders.fetch_sub(1, std::memory_order_release);
  }

  explicit operator bool() const { return segment_ != nullptr; }
  const Segment* operator->() const { return segment_; }
  Segment* get() const { return segment_; }

 private:
  Segment* segment_ = nullptr;
};

// A batch of records and what keeps them where they are. `core` goes last: it owns the log.
struct BatchState {
  std::shared_ptr<const void> core;
  std::vector<SegmentPin> pins;
  std::vector<Record> records;
};

class ShardLog {
 public:
  // Told, under mu_, that positions [first, end) are gone.
  using OnTrimmed = absl::AnyInvocable<void(uint64_t first, uint64_t end)>;

  // The least bytes_max that holds records of that size, with room to turn over.
  static int64_t LeastBytesMax(int64_t record_bytes_max);

  ShardLog(const ShardIdentity& identity, int64_t bytes_max, int64_t retention_ns,
           OnTrimmed on_trimmed = nullptr, WhenShardFull when_full = WhenShardFull::kTrimOldest);
  ShardLog(const ShardLog&) = delete;
  ShardLog& operator=(const ShardLog&) = delete;
  ~ShardLog();

  const ShardIdentity& identity() const { return identity_; }

  struct NewRecord {
    std::string_view partition_key;
    std::string_view trace_header;
    std::string_view data;
    std::optional<Id> event_id;  // unset: ShardIdentity::EventId() stands for it
  };
  enum class AppendOutcome {
    kStored,
    kFull,    // there is no room (L7): batches pin too much, or nothing is to be trimmed for it
    kClosed,  // Seal() or Close() was called
  };
  // Stores a record that arrived at `now`. When it returns kStored, every Read that begins later
  // can have it as soon as the records before it are published, too.
  AppendOutcome Append(const NewRecord& record, Instant now, uint64_t* position);

  struct ReadLimits {
    int64_t records_max;
    int64_t bytes_max;  // of keys and data; a first record is given whatever its size
  };
  struct ReadEnd {
    uint64_t position;                             // where to read on
    std::optional<int64_t> unread_uptime_ns = {};  // arrival of the record there, if there is one
    bool ended = false;                            // L8: nothing will ever be there
    int64_t bytes = 0;                             // keys and data of what was read
    int64_t last_uptime_ns = 0;                    // arrival of the last of it
  };
  // Adds to `batch` the records from `position` on, or from the trim horizon if that is later.
  ReadEnd Read(uint64_t position, const ReadLimits& limits, int64_t now_uptime_ns,
               BatchState* batch) const;

  // The first position whose record arrived at `unix_ns` or later; the tip if there is none.
  uint64_t FindTime(uint64_t position, int64_t unix_ns) const;

  // Asks for a wake-up when a record is at `position` (slid to the trim horizon) or the log has
  // ended. False: so it is already, and nothing was asked.
  bool Watch(uint64_t position) const;
  // Of who has just put or sealed: whether somebody asked. Answers true once for each time asked.
  bool TakeWatch() const {
    return watched_.load(std::memory_order_seq_cst) &&           // order: look for watch
           watched_.exchange(false, std::memory_order_seq_cst);  // order: take watch
  }

  // Takes no more records, and keeps those that are there until retention has ended them (L8).
  void Seal() ABSL_LOCKS_EXCLUDED(mu_);
  // How long records rest, from the next look on. What was trimmed does not come back.
  void SetRetention(int64_t retention_ns) {
    retention_ns_.store(retention_ns, std::memory_order_relaxed);
  }
  // Ends what lies before `position`, whatever its age.
  void TrimTo(uint64_t position) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends what retention has ended by now.
  void Trim(int64_t now_uptime_ns) ABSL_LOCKS_EXCLUDED(mu_);

  struct Books {
    uint64_t horizon = 0;   // first readable position
    uint64_t tip = 0;       // one past the last claimed
    bool sealed = false;    // L8
    int64_t bytes_put = 0;  // keys and data of all records there ever were
    int64_t trimmed_early = 0;
    int64_t bytes_held = 0;
    int64_t bytes_pinned = 0;
  };
  Books GetBooks() const ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses what comes, lets go of everything that nobody holds. Again: lets go of more.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // Aborts where an invariant above does not hold. For tests, at any moment.
  void CheckInvariants() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // One linked segment. Ring indexes only grow; index i rests in ring_[i & ring_mask_].
  struct Entry {
    std::atomic<uint64_t> base{0};
    std::atomic<Segment*> segment{nullptr};
  };
  Entry& EntryAt(uint64_t index) const { return ring_[index & ring_mask_]; }

  ReadEnd ReadWhatIsThere(uint64_t position, const ReadLimits& limits, int64_t now_uptime_ns,
                          BatchState* batch) const;

  // Pins the segment that holds `*position`, or the newest if the position is at the tip; slides
  // `*position` to the trim horizon first. Empty if the log is.
  SegmentPin Find(uint64_t* position) const;

  // Replaces `full` as the current segment by one with room for `need` bytes.
  AppendOutcome Turnover(const Segment* full, size_t need, int64_t now_uptime_ns)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the oldest records for as long as `is_over` says so of their headers and positions.
  void TrimWhile(absl::FunctionRef<bool(const RecordHeader&, uint64_t)> is_over)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SealLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TrimExpired(int64_t now_uptime_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Unlinks the oldest segment, unless it is open or incomplete (L3).
  bool UnlinkOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RaiseHorizon(uint64_t horizon) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // A segment of that shape that nobody holds, with memory; null if there is no room.
  Segment* Obtain(uint32_t capacity, uint32_t slots_max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool CouldMakeRoom(int64_t footprint) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveMemory(Segment* segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeMemory(Segment* segment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReleaseSpares(int64_t keep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ShardIdentity identity_;
  const int64_t bytes_max_;
  std::atomic<int64_t> retention_ns_;
  const WhenShardFull when_full_;
  const uint32_t capacity_steady_;  // segments grow up to this

  // Made with the first segment; read by whoever has seen end_ above first_.
  std::unique_ptr<Entry[]> ring_;
  uint64_t ring_mask_ = 0;

  std::atomic<Segment*> current_{nullptr};
  std::atomic<uint64_t> first_{0};    // ring index of the oldest linked segment
  std::atomic<uint64_t> end_{0};      // one past the newest
  std::atomic<uint64_t> horizon_{0};  // L6

  static constexpr uint64_t kNotSealed = UINT64_MAX;
  std::atomic<uint64_t> sealed_tip_{kNotSealed};  // L8
  mutable std::atomic<bool> watched_{false};      // L9

  mutable Mutex mu_;
  std::vector<std::unique_ptr<Segment>> segments_ ABSL_GUARDED_BY(mu_);  // L5
  uint32_t capacity_next_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_held_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t trimmed_early_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t content_closed_ ABSL_GUARDED_BY(mu_) = 0;  // bytes in closed segments but their headers
  std::atomic<int64_t> bytes_aside_{0};              // of the content: event ids, trace headers
  OnTrimmed on_trimmed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_SHARD_LOG_H_
