// SPDX-License-Identifier: Apache-2.0
#include "stream/shard_log.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>

#include "base/check.h"
#include "base/memory.h"
#include "base/mix.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr uint32_t kCapacityFirst = 16u << 10;
constexpr uint32_t kCapacitySteadyMax = 1u << 20;

// A segment has a slot for so many bytes: for records as large as those of the segment before, on the
// average, rounded down to a power of two. It is closed by their number if they have become smaller.
constexpr uint32_t kBytesPerSlotFirst = 64;
constexpr uint32_t kBytesPerSlotMax = 4096;

// Memory kept for the next segments, so that a shard in balance allocates nothing.
constexpr int64_t kSparesKept = 2;

// The tail of a segment: bit 63 closed, bits 32..62 records claimed, bits 0..31 bytes claimed.
constexpr uint64_t kClosed = Segment::kClosed;
constexpr uint64_t kOneRecord = uint64_t{1} << 32;

constexpr bool IsClosed(uint64_t tail) { return (tail & kClosed) != 0; }
constexpr uint32_t RecordsClaimed(uint64_t tail) {
  return static_cast<uint32_t>((tail & ~kClosed) >> 32);
}
constexpr uint32_t BytesClaimed(uint64_t tail) { return static_cast<uint32_t>(tail); }
// Without the headers.
constexpr int64_t ContentClaimed(uint64_t tail) {
  return int64_t{BytesClaimed(tail)} -
         int64_t{RecordsClaimed(tail)} * static_cast<int64_t>(sizeof(RecordHeader));
}

bool Fits(const Segment& segment, uint64_t tail, size_t need) {
  return !IsClosed(tail) && RecordsClaimed(tail) < segment.slots_max &&
         need <= segment.capacity - BytesClaimed(tail);
}

// L3: every claim is published. Acquires from each writer, so that the memory may be used again.
bool Complete(const Segment& segment) {
  // order: tail under mu_
  const uint32_t claimed = RecordsClaimed(segment.tail.load(std::memory_order_acquire));
  for (uint32_t i = 0; i < claimed; ++i) {
    // order: complete slot
    if (segment.slots[i].load(std::memory_order_acquire) == 0) return false;
  }
  return true;
}

// L4: a pin is taken only by raising holders from above 0.
bool TryPin(Segment* segment) {
  int64_t holders = segment->holders.load(std::memory_order_relaxed);
  do {
    if (holders == 0) return false;
    // order: pin
  } while (!segment->holders.compare_exchange_weak(holders, holders + 1, std::memory_order_acquire,
                                                   std::memory_order_relaxed));
  return true;
}

RecordHeader HeaderAt(const char* bytes) {
  RecordHeader header;
  std::memcpy(&header, bytes, sizeof(header));
  return header;
}

uint32_t CapacityFor(size_t need, uint32_t usual) {
  return std::max(usual, static_cast<uint32_t>(std::bit_ceil(need)));
}

uint32_t BytesPerSlotAfter(uint64_t tail) {
  const uint32_t records = std::max<uint32_t>(RecordsClaimed(tail), 1);
  return std::clamp(std::bit_floor(BytesClaimed(tail) / records), kBytesPerSlotFirst,
                    kBytesPerSlotMax);
}

char* Put(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

SequenceNumber ShardIdentity::Sequence(uint64_t position, int64_t unix_ns) const {
  const int64_t second = std::max<int64_t>(unix_ns, 0) / 1'000'000'000;
  return {.number = position + 1,
          .second = second,
          .shard_created_second = created_second,
          .shard_index = index};
}

SequenceNumber ShardIdentity::StartingSequence() const {
  return {.number = 0,
          .second = created_second,
          .shard_created_second = created_second,
          .shard_index = index};
}

SequenceNumber ShardIdentity::EndingSequence(int64_t unix_ns) const {
  return {.number = kEndingNumber,
          .second = std::max<int64_t>(unix_ns, 0) / 1'000'000'000,
          .shard_created_second = created_second,
          .shard_index = index};
}

Id ShardIdentity::EventId(uint64_t position) const {
  // The bits that make a UUID say "version 4, variant 1".
  return {(Mix64(event_seed + 2 * position) & ~uint64_t{0xF000}) | 0x4000,
          (Mix64(event_seed + 2 * position + 1) & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62)};
}

int64_t ShardLog::LeastBytesMax(int64_t record_bytes_max) {
  // A segment for the largest record is at most twice its size, rounded up to a power of two, and
  // two of them must fit beside a segment in use. The rest is slack for few words in a comment.
  return std::max<int64_t>(16 * kCapacityFirst, 8 * record_bytes_max);
}

ShardLog::ShardLog(const ShardIdentity& identity, int64_t bytes_max, int64_t retention_ns,
                   OnTrimmed on_trimmed, WhenShardFull when_full)
    : identity_(identity),
      bytes_max_(bytes_max),
      retention_ns_(retention_ns),
      when_full_(when_full),
      capacity_steady_(static_cast<uint32_t>(std::bit_floor(static_cast<uint64_t>(
          std::clamp<int64_t>(bytes_max / 16, kCapacityFirst, kCapacitySteadyMax))))),
      capacity_next_(kCapacityFirst),
      on_trimmed_(std::move(on_trimmed)) {}

ShardLog::~ShardLog() {
  MutexLock lock(&mu_);
  for (const std::unique_ptr<Segment>& segment : segments_) {
    if (segment->slots != nullptr) TakeMemory(segment.get());
  }
}

// --- Writers -------------------------------------------------------------------------------------

ShardLog::AppendOutcome ShardLog::Append(const NewRecord& record, Instant now, uint64_t* position) {
  const RecordHeader header = {.unix_ns = now.unix_ns,
                               .uptime_ns = now.uptime_ns,
                               .data_bytes = static_cast<uint32_t>(record.data.size()),
                               .key_bytes = static_cast<uint16_t>(record.partition_key.size()),
                               .trace_bytes_and_flag = static_cast<uint16_t>(
                                   record.trace_header.size() |
                                   (record.event_id.has_value() ? RecordHeader::kHasEventId : 0u))};
  const size_t need = sizeof(header) + header.event_id_bytes() + header.key_bytes +
                      header.trace_bytes() + header.data_bytes;
  for (;;) {
    Segment* segment = current_.load(std::memory_order_acquire);  // order: look at current
    if (segment != nullptr) {
      uint64_t tail = segment->tail.load(std::memory_order_relaxed);
      while (Fits(*segment, tail, need)) {
        if (!segment->tail.compare_exchange_weak(tail, tail + kOneRecord + need,
                                                 std::memory_order_acquire,  // order: claim
                                                 std::memory_order_relaxed)) {
          continue;
        }
        // Claimed. L3 keeps the segment until the slot is published.
        const uint32_t offset = BytesClaimed(tail);
        const uint32_t slot = RecordsClaimed(tail);
        if (const size_t aside = header.event_id_bytes() + header.trace_bytes(); aside != 0) {
          bytes_aside_.fetch_add(static_cast<int64_t>(aside), std::memory_order_relaxed);
        }
        *position = segment->base + slot;
        char* to = segment->bytes + offset;
        std::memcpy(to, &header, sizeof(header));
        to += sizeof(header);
        if (record.event_id.has_value()) {
          static_assert(sizeof(Id) == RecordHeader::kEventIdBytes);
          std::memcpy(to, &*record.event_id, sizeof(Id));
          to += sizeof(Id);
        }
        to = Put(to, record.partition_key);
        to = Put(to, record.trace_header);
        Put(to, record.data);
        // Nothing is there before; an exchange because it must be sequentially consistent (L9).
        segment->slots[slot].exchange(offset + 1, std::memory_order_seq_cst);  // order: publish
        return AppendOutcome::kStored;
      }
    }
    const AppendOutcome turned = Turnover(segment, need, now.uptime_ns);
    if (turned != AppendOutcome::kStored) return turned;
  }
}

ShardLog::AppendOutcome ShardLog::Turnover(const Segment* full, size_t need,
                                           int64_t now_uptime_ns) {
  MutexLock lock(&mu_);
  if (sealed_tip_.load(std::memory_order_relaxed) != kNotSealed) return AppendOutcome::kClosed;
  Segment* const old = current_.load(std::memory_order_relaxed);
  if (old != full) return AppendOutcome::kStored;  // somebody was quicker: try again there

  if (ring_ == nullptr) {
    // Every segment but the few small first ones has the steady capacity or more (L7), so a ring
    // of this size is not what runs out first.
    const uint64_t entries = std::bit_ceil(static_cast<uint64_t>(bytes_max_) / capacity_steady_ +
                                           std::bit_width(capacity_steady_));
    ring_ = std::make_unique<Entry[]>(entries);
    ring_mask_ = entries - 1;
  }
  TrimExpired(now_uptime_ns);
  const uint32_t capacity = CapacityFor(need, capacity_next_);
  const uint32_t bytes_per_slot =
      old == nullptr ? kBytesPerSlotFirst
                     : BytesPerSlotAfter(old->tail.load(std::memory_order_relaxed));
  Segment* const fresh = Obtain(capacity, capacity / bytes_per_slot);
  if (fresh == nullptr) return AppendOutcome::kFull;  // `full` stays: a smaller record may fit
  capacity_next_ = std::min(capacity_next_ * 2, capacity_steady_);

  uint64_t base = 0;
  if (old != nullptr) {
    // L1: after this no claim succeeds there, and the count is final.
    const uint64_t tail = old->tail.fetch_or(kClosed, std::memory_order_acq_rel);  // order: close
    base = old->base + RecordsClaimed(tail);
    content_closed_ += ContentClaimed(tail);
  }
  // L4: nobody holds it, so these writes are seen by nobody before the two release stores.
  const uint32_t used = RecordsClaimed(fresh->tail.load(std::memory_order_relaxed));
  for (uint32_t i = 0; i < used; ++i) fresh->slots[i].store(0, std::memory_order_relaxed);
  fresh->tail.store(kClosed, std::memory_order_relaxed);
  fresh->base = base;
  fresh->newest_unix_ns.store(Segment::kUnknown, std::memory_order_relaxed);
  fresh->holders.store(1, std::memory_order_release);  // order: link

  const uint64_t end = end_.load(std::memory_order_relaxed);
  EntryAt(end).base.store(base, std::memory_order_release);      // order: entry base
  EntryAt(end).segment.store(fresh, std::memory_order_release);  // order: entry segment
  end_.store(end + 1, std::memory_order_seq_cst);                // order: end. L9
  fresh->tail.store(0, std::memory_order_release);               // order: open
  current_.store(fresh, std::memory_order_release);              // order: current
  return AppendOutcome::kStored;
}

Segment* ShardLog::Obtain(uint32_t capacity, uint32_t slots_max) {
  const int64_t footprint = Segment::Footprint(capacity, slots_max);
  for (;;) {
    const bool ring_has_room =
        end_.load(std::memory_order_relaxed) - first_.load(std::memory_order_relaxed) <= ring_mask_;
    Segment* bare = nullptr;  // of that shape, without memory
    for (const std::unique_ptr<Segment>& segment : segments_) {
      if (segment->capacity != capacity || segment->slots_max != slots_max) continue;
      if (segment->holders.load(std::memory_order_acquire) != 0) continue;  // order: spare
      if (segment->slots != nullptr && ring_has_room) return segment.get();
      bare = segment.get();
    }
    if (bytes_held_ + footprint > bytes_max_) ReleaseSpares(0);
    if (bytes_held_ + footprint <= bytes_max_ && ring_has_room) {
      if (bare == nullptr) {
        bare = segments_.emplace_back(std::make_unique<Segment>(capacity, slots_max)).get();
      }
      GiveMemory(bare);
      return bare;
    }
    if (when_full_ == WhenShardFull::kThrottle) return nullptr;
    // Do not trim what would not help: then the records are worth more than the refusal.
    if (!CouldMakeRoom(footprint) || !UnlinkOldest()) return nullptr;
  }
}

bool ShardLog::CouldMakeRoom(int64_t footprint) const {
  int64_t free = bytes_max_ - bytes_held_;
  const uint64_t newest = end_.load(std::memory_order_relaxed) - 1;
  for (uint64_t i = first_.load(std::memory_order_relaxed); i < newest && free < footprint; ++i) {
    const Segment& segment = *EntryAt(i).segment.load(std::memory_order_relaxed);
    if (segment.holders.load(std::memory_order_relaxed) == 1) free += segment.footprint();
  }
  return free >= footprint;
}

void ShardLog::GiveMemory(Segment* segment) {
  const size_t slot_bytes = segment->slots_max * sizeof(std::atomic<uint32_t>);
  char* const block = static_cast<char*>(Allocate(slot_bytes + segment->capacity));
  segment->slots = reinterpret_cast<std::atomic<uint32_t>*>(block);
  for (uint32_t i = 0; i < segment->slots_max; ++i)
    ::new (&segment->slots[i]) std::atomic<uint32_t>(0);
  segment->bytes = block + slot_bytes;
  segment->tail.store(kClosed, std::memory_order_relaxed);  // no slot is used
  bytes_held_ += segment->footprint();
}

void ShardLog::TakeMemory(Segment* segment) {
  Free(segment->slots);
  segment->slots = nullptr;
  segment->bytes = nullptr;
  bytes_held_ -= segment->footprint();
}

void ShardLog::ReleaseSpares(int64_t keep) {
  for (const std::unique_ptr<Segment>& segment : segments_) {
    if (segment->slots == nullptr) continue;
    if (segment->holders.load(std::memory_order_acquire) != 0) continue;  // order: give back
    if (keep-- <= 0) TakeMemory(segment.get());
  }
}

// --- Trimming ------------------------------------------------------------------------------------

void ShardLog::RaiseHorizon(uint64_t horizon) {
  const uint64_t before = horizon_.load(std::memory_order_relaxed);
  if (horizon <= before) return;
  horizon_.store(horizon, std::memory_order_release);  // order: horizon
  if (on_trimmed_) on_trimmed_(before, horizon);
}

bool ShardLog::UnlinkOldest() {
  const uint64_t first = first_.load(std::memory_order_relaxed);
  if (first == end_.load(std::memory_order_relaxed)) return false;
  Segment* const segment = EntryAt(first).segment.load(std::memory_order_relaxed);
  const uint64_t tail = segment->tail.load(std::memory_order_acquire);  // order: tail under mu_
  if (!IsClosed(tail) || !Complete(*segment)) return false;

  const uint64_t end = segment->base + RecordsClaimed(tail);
  const uint64_t horizon = horizon_.load(std::memory_order_relaxed);
  if (horizon < end) trimmed_early_ += static_cast<int64_t>(end - horizon);
  RaiseHorizon(end);                                         // L6: before it goes
  first_.store(first + 1, std::memory_order_release);        // order: first
  segment->holders.fetch_sub(1, std::memory_order_release);  // order: unlink
  return true;
}

void ShardLog::TrimWhile(absl::FunctionRef<bool(const RecordHeader&, uint64_t)> is_over) {
  for (;;) {
    const uint64_t first = first_.load(std::memory_order_relaxed);
    if (first == end_.load(std::memory_order_relaxed)) return;
    const Segment& oldest = *EntryAt(first).segment.load(std::memory_order_relaxed);
    const uint64_t tail = oldest.tail.load(std::memory_order_acquire);  // order: tail under mu_
    const uint64_t end = oldest.base + RecordsClaimed(tail);
    uint64_t horizon = horizon_.load(std::memory_order_relaxed);
    for (; horizon < end; ++horizon) {
      // order: trim slot
      const uint32_t slot = oldest.slots[horizon - oldest.base].load(std::memory_order_acquire);
      if (slot == 0 || !is_over(HeaderAt(oldest.bytes + slot - 1), horizon)) break;
    }
    RaiseHorizon(horizon);
    if (horizon < end || !UnlinkOldest()) return;
  }
}

void ShardLog::TrimExpired(int64_t now_uptime_ns) {
  const int64_t expired = now_uptime_ns - retention_ns_.load(std::memory_order_relaxed);
  TrimWhile(
      [expired](const RecordHeader& header, uint64_t) { return header.uptime_ns <= expired; });
}

void ShardLog::TrimTo(uint64_t position) {
  MutexLock lock(&mu_);
  const uint64_t before = horizon_.load(std::memory_order_relaxed);
  TrimWhile([position](const RecordHeader&, uint64_t at) { return at < position; });
  trimmed_early_ += static_cast<int64_t>(horizon_.load(std::memory_order_relaxed) - before);
  ReleaseSpares(kSparesKept);
}

void ShardLog::Trim(int64_t now_uptime_ns) {
  MutexLock lock(&mu_);
  TrimExpired(now_uptime_ns);
  ReleaseSpares(kSparesKept);
}

void ShardLog::SealLocked() {
  if (sealed_tip_.load(std::memory_order_relaxed) != kNotSealed) return;
  uint64_t tip = 0;
  if (Segment* const last = current_.load(std::memory_order_relaxed); last != nullptr) {
    const uint64_t tail = last->tail.fetch_or(kClosed, std::memory_order_acq_rel);  // order: close
    tip = last->base + RecordsClaimed(tail);
    content_closed_ += ContentClaimed(tail);
    current_.store(nullptr, std::memory_order_release);  // order: clear current
  }
  // order: seal
  sealed_tip_.store(tip, std::memory_order_seq_cst);  // L9: it ends a watcher's waiting, too
}

void ShardLog::Seal() {
  MutexLock lock(&mu_);
  SealLocked();
}

void ShardLog::Close() {
  MutexLock lock(&mu_);
  SealLocked();
  on_trimmed_ = nullptr;  // the stream ends as a whole, not record by record
  while (UnlinkOldest()) {
  }
  ReleaseSpares(0);
}

// --- Readers -------------------------------------------------------------------------------------

SegmentPin ShardLog::Find(uint64_t* position) const {
  for (;;) {
    uint64_t low = first_.load(std::memory_order_acquire);      // order: look at first
    const uint64_t end = end_.load(std::memory_order_acquire);  // order: look at end
    if (low >= end) return {};
    // order: look at horizon
    *position = std::max(*position, horizon_.load(std::memory_order_acquire));

    // The last linked segment that begins at or before the position. While we look, trimming and
    // turnover may change what we look at; the checks below notice.
    uint64_t high = end;
    while (high - low > 1) {
      const uint64_t middle = low + (high - low) / 2;
      // order: look at entry base
      const bool at_or_before = EntryAt(middle).base.load(std::memory_order_acquire) <= *position;
      (at_or_before ? low : high) = middle;
    }
    // order: look at entry segment
    Segment* const segment = EntryAt(low).segment.load(std::memory_order_acquire);
    if (!TryPin(segment)) continue;  // trimmed meanwhile: first_ has moved
    SegmentPin pin(segment);
    if (segment->base > *position) continue;  // trimmed meanwhile: horizon_ has moved
    // order: tail of a pinned segment
    const uint32_t claimed = RecordsClaimed(segment->tail.load(std::memory_order_acquire));
    if (*position < segment->base + claimed) return pin;
    // order: look at end again
    if (low + 1 == end_.load(std::memory_order_acquire)) return pin;  // the tip
  }
}

bool ShardLog::Watch(uint64_t position) const {
  watched_.store(true, std::memory_order_seq_cst);  // order: watch
  // order: watch end
  const uint64_t end = end_.load(std::memory_order_seq_cst);  // Find() then sees as much
  const uint64_t sealed_tip = sealed_tip_.load(std::memory_order_seq_cst);  // order: watch seal
  // order: look at horizon
  position = std::max(position, horizon_.load(std::memory_order_acquire));
  if (position >= sealed_tip) return false;
  if (end == 0) return true;
  const SegmentPin pin = Find(&position);
  // Only a sealed log is ever emptied. If it was sealed before we raised the flag, nobody will wake
  // us.
  if (!pin) return sealed_tip == kNotSealed;
  if (position - pin->base >= pin->slots_max) return true;
  // Whatever the tail said: the slot itself has the last word.
  // order: watch slot
  return pin->slots[position - pin->base].load(std::memory_order_seq_cst) == 0;
}

ShardLog::ReadEnd ShardLog::Read(uint64_t position, const ReadLimits& limits, int64_t now_uptime_ns,
                                 BatchState* batch) const {
  ReadEnd end = ReadWhatIsThere(position, limits, now_uptime_ns, batch);
  const uint64_t horizon = horizon_.load(std::memory_order_acquire);  // order: look at horizon
  if (!end.unread_uptime_ns.has_value()) end.position = std::max(end.position, horizon);
  end.ended = end.position >= sealed_tip_.load(std::memory_order_acquire);  // order: look at seal
  return end;
}

ShardLog::ReadEnd ShardLog::ReadWhatIsThere(uint64_t position, const ReadLimits& limits,
                                            int64_t now_uptime_ns, BatchState* batch) const {
  const int64_t expired = now_uptime_ns - retention_ns_.load(std::memory_order_relaxed);
  ReadEnd end = {position};
  int64_t records = 0;
  for (;;) {
    SegmentPin pin = Find(&end.position);
    if (!pin) return end;
    // order: tail of a pinned segment
    const uint64_t tail = pin->tail.load(std::memory_order_acquire);
    const uint64_t claimed = pin->base + RecordsClaimed(tail);
    const uint64_t from = end.position;
    const int64_t records_before = records;
    for (; end.position < claimed; ++end.position) {
      // order: read slot
      const uint32_t slot = pin->slots[end.position - pin->base].load(std::memory_order_acquire);
      if (slot == 0) break;  // L2: claimed, not published; so nothing behind it may be shown
      const char* const at = pin->bytes + slot - 1;
      const RecordHeader header = HeaderAt(at);
      if (records == 0 && header.uptime_ns <= expired) continue;  // ended, not yet trimmed
      const int64_t size = int64_t{header.key_bytes} + int64_t{header.data_bytes};
      if (records == limits.records_max || (records > 0 && end.bytes + size > limits.bytes_max)) {
        end.unread_uptime_ns = header.uptime_ns;
        break;
      }
      if (records == 0) {
        const uint64_t here =
            std::min<uint64_t>(claimed - end.position, static_cast<uint64_t>(limits.records_max));
        batch->records.reserve(static_cast<size_t>(here));
      }
      batch->records.push_back(Record(at, end.position, &identity_));
      ++records;
      end.bytes += size;
      end.last_uptime_ns = header.uptime_ns;
    }
    const bool stopped = end.position < claimed;
    if (records > records_before) batch->pins.push_back(std::move(pin));
    if (stopped) return end;
    // At the segment's end as it was seen. Go on if its successor is there already; an open
    // segment, and one that gave nothing, have none to speak of.
    if (!IsClosed(tail) || end.position == from) return end;
  }
}

uint64_t ShardLog::FindTime(uint64_t position, int64_t unix_ns) const {
  for (;;) {
    const SegmentPin pin = Find(&position);
    if (!pin) return position;
    // order: tail of a pinned segment
    const uint64_t tail = pin->tail.load(std::memory_order_acquire);
    const uint64_t claimed = pin->base + RecordsClaimed(tail);
    const uint64_t from = position;
    const int64_t newest = pin->newest_unix_ns.load(std::memory_order_relaxed);
    if (newest != Segment::kUnknown && newest < unix_ns) {
      position = std::max(position, claimed);
    }
    int64_t newest_seen = Segment::kUnknown;
    for (; position < claimed; ++position) {
      // order: read slot
      const uint32_t slot = pin->slots[position - pin->base].load(std::memory_order_acquire);
      if (slot == 0) return position;  // being put right now
      const int64_t arrival = HeaderAt(pin->bytes + slot - 1).unix_ns;
      if (arrival >= unix_ns) return position;
      newest_seen = std::max(newest_seen, arrival);
    }
    // The wall clock may have stepped back, so only a look at every record tells the newest. It
    // is kept: the next search passes the whole segment in one step.
    if (IsClosed(tail) && from == pin->base && newest == Segment::kUnknown) {
      pin.get()->newest_unix_ns.store(newest_seen, std::memory_order_relaxed);
    }
    if (!IsClosed(tail) || position == from) return position;
  }
}

// --- Books ---------------------------------------------------------------------------------------

ShardLog::Books ShardLog::GetBooks() const {
  MutexLock lock(&mu_);
  Books books;
  books.horizon = horizon_.load(std::memory_order_relaxed);
  books.tip = sealed_tip_.load(std::memory_order_relaxed);
  books.sealed = books.tip != kNotSealed;
  if (!books.sealed) books.tip = 0;
  if (const Segment* last = current_.load(std::memory_order_relaxed); last != nullptr) {
    const uint64_t tail = last->tail.load(std::memory_order_acquire);  // order: tail under mu_
    books.tip = last->base + RecordsClaimed(tail);
    books.bytes_put = ContentClaimed(tail);
  }
  books.bytes_put += content_closed_ - bytes_aside_.load(std::memory_order_relaxed);
  books.trimmed_early = trimmed_early_;
  books.bytes_held = bytes_held_;

  int64_t linked = 0;
  int64_t spare = 0;
  for (uint64_t i = first_.load(std::memory_order_relaxed);
       i < end_.load(std::memory_order_relaxed); ++i) {
    linked += EntryAt(i).segment.load(std::memory_order_relaxed)->footprint();
  }
  for (const std::unique_ptr<Segment>& segment : segments_) {
    if (segment->slots != nullptr && segment->holders.load(std::memory_order_relaxed) == 0) {
      spare += segment->footprint();
    }
  }
  books.bytes_pinned = bytes_held_ - linked - spare;
  return books;
}

void ShardLog::CheckInvariants() const {
  MutexLock lock(&mu_);
  const uint64_t first = first_.load(std::memory_order_relaxed);
  const uint64_t end = end_.load(std::memory_order_relaxed);
  const Segment* const current = current_.load(std::memory_order_relaxed);
  const uint64_t horizon = horizon_.load(std::memory_order_relaxed);

  int64_t held = 0;
  int64_t open = 0;
  for (const std::unique_ptr<Segment>& segment : segments_) {
    const uint64_t tail = segment->tail.load(std::memory_order_acquire);  // order: tail under mu_
    if (segment->slots != nullptr) held += segment->footprint();
    if (!IsClosed(tail)) ++open;
    BANYAN_CHECK(IsClosed(tail) || segment.get() == current, "L1: only the current one is open");
    BANYAN_CHECK(segment->slots != nullptr || segment->holders.load() == 0, "L4: held, no memory");
  }
  BANYAN_CHECK(open == (current != nullptr ? 1 : 0), "L1: one segment is open");
  BANYAN_CHECK(held == bytes_held_, "L7: bytes held are counted");
  BANYAN_CHECK(held <= bytes_max_, "L7: within the bound");

  uint64_t next = 0;
  for (uint64_t i = first; i < end; ++i) {
    const Segment& segment = *EntryAt(i).segment.load(std::memory_order_relaxed);
    const uint64_t tail = segment.tail.load(std::memory_order_acquire);  // order: tail under mu_
    const uint32_t claimed = RecordsClaimed(tail);
    BANYAN_CHECK(segment.holders.load() >= 1, "L4: linked counts 1");
    BANYAN_CHECK(segment.base == EntryAt(i).base.load(), "the ring knows the base");
    BANYAN_CHECK(i == first || segment.base == next, "L1: numbers are dense");
    BANYAN_CHECK(&segment == current || IsClosed(tail), "L1: all but the current one are closed");
    BANYAN_CHECK(claimed <= segment.slots_max && BytesClaimed(tail) <= segment.capacity,
                 "claims are inside");
    uint32_t after = 0;
    for (uint32_t slot = 0; slot < claimed; ++slot) {
      // order: complete slot
      const uint32_t at = segment.slots[slot].load(std::memory_order_acquire);
      BANYAN_CHECK(at == 0 || (at > after && at <= BytesClaimed(tail)), "L2: records in order");
      if (at != 0) after = at;
    }
    BANYAN_CHECK(i != first || horizon >= segment.base, "L6: nothing linked is missing below");
    next = segment.base + claimed;
  }
  BANYAN_CHECK(first == end || horizon <= next, "L6: the horizon is not past the tip");
}

}  // namespace banyan::inline v0_1::internal
