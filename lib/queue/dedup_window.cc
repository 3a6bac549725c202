// SPDX-License-Identifier: Apache-2.0
#include "queue/dedup_window.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/touch.h"

namespace banyan::inline v0_1::internal {
namespace {

// Records that one Find() forgets at most. Two: an accepted message adds one, so the debt shrinks.
constexpr size_t kForgottenPerFind = 2;

// W4. Not so far apart that a bucket's mean wastes memory, not so near that it swings at random.
constexpr size_t kRecordsPerBucketMax = 6;
constexpr size_t kRecordsPerBucketMin = 5;

struct Record {
  DedupKey key;
  FifoDedupWindow::Original original;
  int64_t accepted_ns = 0;
};

// 32 records are 1.5 KB: little for a queue that sees a message a minute, and 1 % of overhead.
struct Chunk {
  static constexpr size_t kRecords = 32;

  std::array<Record, kRecords> records;
  Chunk* next = nullptr;
};

// Part of a bucket: the first, which lies in a segment, or one that took what did not fit there.
// Used entries come first; where `records` is null there is none.
struct Block {
  static constexpr size_t kEntries = 10;

  std::array<uint32_t, kEntries> hashes = {};
  Block* next = nullptr;
  std::array<Record*, kEntries> records = {};
};
static_assert(sizeof(void*) != 8 || sizeof(Block) == 128,
              "two cache lines, the hashes in the first");

// Buckets are allocated by the segment.
struct alignas(64) Segment {
  static constexpr size_t kBuckets = 32;

  std::array<Block, kBuckets> buckets;
};

// 32 bits of the digest, each as good as any other: enough to address a bucket (24 at a hundred
// million records) and to tell most of those in it apart.
uint32_t HashOf(const DedupKey& key) { return static_cast<uint32_t>(key.lo); }

}  // namespace

DedupKey MakeDedupKey(std::string_view scope_group, std::string_view deduplication_id,
                      const SipKey& secret) {
  // The size in front tells where the group ends, so no two pairs make the same text.
  SipHasher hasher(secret);
  hasher.Add(scope_group.size());
  hasher.AddPadded(scope_group);
  const SipDigest digest = hasher.Finish(deduplication_id);
  return {.hi = digest.high, .lo = digest.low};
}

class FifoDedupWindow::Table {
 public:
  Table() {
    oldest_ = newest_ = New<Chunk>();
    GrowDirectory();
  }

  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  ~Table() {
    while (oldest_ != nullptr) Delete(std::exchange(oldest_, oldest_->next));
    for (size_t bucket = 0; bucket < buckets_; ++bucket) FreeOverflow(BucketAt(bucket));
    for (size_t i = 0; i < segments_; ++i) Delete(SegmentAt(i));
  }

  size_t size() const { return size_; }
  size_t bytes() const { return bytes_; }
  uint64_t steps() const { return steps_; }

  const Record& oldest() const { return oldest_->records[first_]; }

  void FetchAhead(const DedupKey& key) const {
    Touch(BucketAt(BucketOf(HashOf(key))).hashes.data());
  }

  // The record of `key` that was accepted after `after_ns`.
  const Record* Find(const DedupKey& key, int64_t after_ns) {
    const uint32_t hash = HashOf(key);
    for (const Block* block = &BucketAt(BucketOf(hash)); block != nullptr; block = block->next) {
      ++steps_;
      for (uint32_t found = Matches(*block, hash); found != 0; found &= found - 1) {
        const Record* record = block->records[static_cast<size_t>(std::countr_zero(found))];
        // An older record of the same key may be here still: over, but not yet forgotten.
        if (record->key == key && record->accepted_ns > after_ns) return record;
      }
    }
    return nullptr;
  }

  void Append(const Record& record) {
    BANYAN_DCHECK(size_ == 0 || Newest().accepted_ns <= record.accepted_ns, "W2: time order");
    if (end_ == Chunk::kRecords) {
      newest_->next = New<Chunk>();
      newest_ = newest_->next;
      end_ = 0;
    }
    Record& place = newest_->records[end_++];
    place = record;
    ++size_;
    AddEntry(BucketAt(BucketOf(HashOf(record.key))), HashOf(record.key), &place);
    if (size_ > kRecordsPerBucketMax * buckets_) Split();
  }

  // Not the last one: then the table goes as a whole.
  void ForgetOldest() {
    Record& record = oldest_->records[first_++];
    const uint32_t hash = HashOf(record.key);
    RemoveEntry(BucketAt(BucketOf(hash)), hash, &record);
    --size_;
    if (first_ == Chunk::kRecords) {
      Delete(std::exchange(oldest_, oldest_->next));
      first_ = 0;
    }
    if (size_ < kRecordsPerBucketMin * (buckets_ - 1)) Merge();
  }

  void CheckInvariants() const {
    size_t records = 0;
    int64_t latest_ns = std::numeric_limits<int64_t>::min();
    for (Chunk* chunk = oldest_; chunk != nullptr; chunk = chunk->next) {
      const size_t end = chunk == newest_ ? end_ : Chunk::kRecords;
      for (size_t i = chunk == oldest_ ? first_ : 0; i < end; ++i) {
        const Record& record = chunk->records[i];
        BANYAN_CHECK(record.accepted_ns >= latest_ns, "W2: records lie in the order of time");
        latest_ns = record.accepted_ns;
        ++records;
        size_t found = 0;
        const Block* block = &BucketAt(BucketOf(HashOf(record.key)));
        for (; block != nullptr; block = block->next) {
          found += static_cast<size_t>(
              std::count(block->records.begin(), block->records.end(), &record));
        }
        BANYAN_CHECK(found == 1, "W3: a record is in its bucket, once");
      }
    }
    BANYAN_CHECK(records == size_ && size_ > 0, "W5: records are counted, and there are some");
    BANYAN_CHECK(
        size_ <= kRecordsPerBucketMax * buckets_ && size_ >= kRecordsPerBucketMin * (buckets_ - 1),
        "W4: as many buckets as the records need");

    size_t entries = 0;
    for (size_t bucket = 0; bucket < buckets_; ++bucket) {
      for (const Block* block = &BucketAt(bucket); block != nullptr; block = block->next) {
        const size_t used = UsedEntries(*block);
        BANYAN_CHECK(block->next == nullptr || used == Block::kEntries, "W6: blocks are full");
        BANYAN_CHECK(used > 0 || block == &BucketAt(bucket), "W6: no block of overflow is empty");
        entries += used;
      }
    }
    BANYAN_CHECK(entries == size_, "W3: nothing but the records is in the index");
  }

 private:
  // --- the index: linear hashing (Litwin, 1980), with buckets of blocks -------------------------

  size_t BucketOf(uint32_t hash) const {
    const size_t mask = std::bit_ceil(buckets_) - 1;
    const size_t bucket = hash & mask;
    return bucket < buckets_ ? bucket : bucket & (mask >> 1);
  }

  // The bucket that holds, or held, what belongs into bucket `n` once there are more than n.
  static size_t ParentOf(size_t n) { return n - std::bit_floor(n); }

  void AddEntry(Block& bucket, uint32_t hash, Record* record) {
    Block* block = &bucket;
    while (block->next != nullptr) block = block->next, ++steps_;  // W6
    ++steps_;
    size_t i = UsedEntries(*block);
    if (i == Block::kEntries) {
      block->next = New<Block>();
      block = block->next;
      i = 0;
    }
    block->hashes[i] = hash;
    block->records[i] = record;
  }

  void RemoveEntry(Block& bucket, uint32_t hash, const Record* record) {
    Block* last = &bucket;
    Block* before_last = nullptr;
    Block* holder = nullptr;
    size_t hole = 0;
    for (Block* block = &bucket; block != nullptr; block = block->next) {
      ++steps_;
      for (uint32_t found = Matches(*block, hash); found != 0; found &= found - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(found));
        if (block->records[i] == record) holder = block, hole = i;
      }
      if (block->next != nullptr) before_last = block, last = block->next;
    }
    BANYAN_CHECK(holder != nullptr, "W3: a record is in its bucket");
    const size_t moved = UsedEntries(*last) - 1;  // W6: the last entry fills the hole
    holder->hashes[hole] = last->hashes[moved];
    holder->records[hole] = last->records[moved];
    last->records[moved] = nullptr;
    if (moved == 0 && before_last != nullptr) {
      before_last->next = nullptr;
      Delete(last);
    }
  }

  // Which entries have this hash: bit i is for entry i. Without a branch, since it would be guessed
  // wrong as often as not.
  static uint32_t Matches(const Block& block, uint32_t hash) {
    uint32_t matches = 0;
    for (size_t i = 0; i < Block::kEntries; ++i) {
      matches |= static_cast<uint32_t>(block.hashes[i] == hash) << i;
    }
    return matches == 0 ? 0 : matches & ((uint32_t{1} << UsedEntries(block)) - 1);
  }

  static size_t UsedEntries(const Block& block) {
    size_t used = 0;
    for (const Record* record : block.records) used += record != nullptr;
    return used;
  }

  // One bucket more; it gets its part of its parent's entries.
  void Split() {
    const size_t added = buckets_;
    if (added == segments_ * Segment::kBuckets) GrowDirectory();
    ++buckets_;
    Block& upper = BucketAt(added);
    Block& lower = BucketAt(ParentOf(added));
    Block all = std::exchange(lower, Block());
    const auto bit = static_cast<uint32_t>(std::bit_floor(added));
    ForEachEntry(all, [&](uint32_t hash, Record* record) {
      AddEntry((hash & bit) != 0 ? upper : lower, hash, record);
    });
    FreeOverflow(all);
  }

  // One bucket less; its parent takes the entries back.
  void Merge() {
    const size_t removed = --buckets_;
    Block all = std::exchange(BucketAt(removed), Block());
    Block& parent = BucketAt(ParentOf(removed));
    ForEachEntry(all, [&](uint32_t hash, Record* record) { AddEntry(parent, hash, record); });
    FreeOverflow(all);
    if (removed == (segments_ - 1) * Segment::kBuckets) ShrinkDirectory();
  }

  template <typename Visit>
  static void ForEachEntry(const Block& bucket, Visit&& visit) {
    for (const Block* block = &bucket; block != nullptr; block = block->next) {
      for (size_t i = 0; i < Block::kEntries && block->records[i] != nullptr; ++i) {
        visit(block->hashes[i], block->records[i]);
      }
    }
  }

  void FreeOverflow(Block& bucket) {
    while (bucket.next != nullptr) {
      ++steps_;
      Delete(std::exchange(bucket.next, bucket.next->next));
    }
  }

  // --- the directory: arrays of 1, 1, 2, 4, 8 ... pointers to segments; none is ever copied -----

  static size_t ArrayOf(size_t segment) { return static_cast<size_t>(std::bit_width(segment)); }
  static size_t PlaceOf(size_t segment) { return segment - std::bit_floor(segment); }
  static size_t SizeOf(size_t array) { return array == 0 ? 1 : size_t{1} << (array - 1); }

  Segment*& SegmentAt(size_t i) { return directory_[ArrayOf(i)][PlaceOf(i)]; }
  Segment* SegmentAt(size_t i) const { return directory_[ArrayOf(i)][PlaceOf(i)]; }
  Block& BucketAt(size_t n) {
    return SegmentAt(n / Segment::kBuckets)->buckets[n % Segment::kBuckets];
  }
  const Block& BucketAt(size_t n) const {
    return SegmentAt(n / Segment::kBuckets)->buckets[n % Segment::kBuckets];
  }

  void GrowDirectory() {
    const size_t array = ArrayOf(segments_);
    if (PlaceOf(segments_) == 0) {
      // Not made zero: that would be work, and each pointer is written before it is read.
      directory_[array] = std::make_unique_for_overwrite<Segment*[]>(SizeOf(array));
      bytes_ += SizeOf(array) * sizeof(Segment*);
    }
    SegmentAt(segments_) = New<Segment>();
    ++segments_;
  }

  void ShrinkDirectory() {
    --segments_;
    Delete(SegmentAt(segments_));
    if (PlaceOf(segments_) == 0) {
      const size_t array = ArrayOf(segments_);
      directory_[array].reset();
      bytes_ -= SizeOf(array) * sizeof(Segment*);
    }
  }

  template <typename T>
  T* New() {
    bytes_ += sizeof(T);
    return new T();
  }

  template <typename T>
  void Delete(T* dead) {
    bytes_ -= sizeof(T);
    delete dead;
  }

  const Record& Newest() const { return newest_->records[end_ - 1]; }

  // The records: [first_] of the oldest chunk to [end_ - 1] of the newest.
  Chunk* oldest_ = nullptr;
  Chunk* newest_ = nullptr;
  size_t first_ = 0;
  size_t end_ = 0;
  size_t size_ = 0;

  size_t buckets_ = 1;
  size_t segments_ = 0;
  // 2^27 segments are 2^32 buckets: all that hashes reach.
  std::array<std::unique_ptr<Segment*[]>, 28> directory_;

  size_t bytes_ = sizeof(Table);
  uint64_t steps_ = 0;
};

FifoDedupWindow::FifoDedupWindow(int64_t window_ns, size_t records_max)
    : window_ns_(window_ns), records_max_(records_max) {}
FifoDedupWindow::FifoDedupWindow(FifoDedupWindow&&) noexcept = default;
FifoDedupWindow& FifoDedupWindow::operator=(FifoDedupWindow&&) noexcept = default;
FifoDedupWindow::~FifoDedupWindow() = default;

void FifoDedupWindow::FetchAhead(const DedupKey& key) const {
  if (table_ != nullptr) table_->FetchAhead(key);
}

const FifoDedupWindow::Original* FifoDedupWindow::Find(const DedupKey& key, int64_t now_ns) {
  Forget(now_ns, kForgottenPerFind);
  if (table_ == nullptr) return nullptr;
  const Record* record = table_->Find(key, now_ns - window_ns_);
  return record == nullptr ? nullptr : &record->original;
}

void FifoDedupWindow::Insert(const DedupKey& key, const Original& original, int64_t now_ns) {
  BANYAN_CHECK(!full(), "a full window is asked before it is given more");
  if (table_ == nullptr) table_ = std::make_unique<Table>();
  table_->Append({.key = key, .original = original, .accepted_ns = now_ns});
}

size_t FifoDedupWindow::Forget(int64_t now_ns, size_t records_max) {
  if (table_ == nullptr) return 0;
  for (size_t forgotten = 0; forgotten < records_max; ++forgotten) {
    if (table_->oldest().accepted_ns > now_ns - window_ns_) return forgotten;  // W2
    if (table_->size() == 1) {
      table_.reset();
      return forgotten + 1;
    }
    table_->ForgetOldest();
  }
  return records_max;
}

void FifoDedupWindow::Trim(int64_t now_ns) { Forget(now_ns, std::numeric_limits<size_t>::max()); }

void FifoDedupWindow::Clear() { table_.reset(); }

size_t FifoDedupWindow::size() const { return table_ == nullptr ? 0 : table_->size(); }
size_t FifoDedupWindow::bytes() const { return table_ == nullptr ? 0 : table_->bytes(); }
uint64_t FifoDedupWindow::steps() const { return table_ == nullptr ? 0 : table_->steps(); }

void FifoDedupWindow::CheckInvariants() const {
  if (table_ != nullptr) table_->CheckInvariants();
}

}  // namespace banyan::inline v0_1::internal
