// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/key_table.h -- floor 2, the pattern room: 32-bit key -> chain of links, read without
// a lock while one writer adds and removes.
//
//   array_ --> heads |   | * | null |     eight to a cache line; looked at when the key is there
//                          '--> link --> link --> null      newest first
//              keys  | 0 | 17 |  5  |     sixteen to a cache line, so probing hardly leaves it; the
//                                         chain of key 5 has become empty
//
// K1  A reader whose pin (base/epoch.h) is younger than an Add() finds the link till it is removed.
// K2  A key's entry stays where it is for the life of an array. Probing from the key's home slot
//     meets no key 0 (an unused entry) before it; so a reader never misses a key that is there.
// K3  At most MostUsed() entries have a key, four fifths of a large array and two of a small one:
//     probing ends. Empty chains count as used; they are left out when the array is rebuilt, which
//     costs O(1) for each Add() or Remove() since the rebuild before: a new array has room for as
//     many keys again, and one goes when it is full or when less than a sixteenth has links.
// K4  `back` of the newest link tells the length of its chain, that of the others leads to the next
//     newer one. So the writer takes out any link in one step.
//
// What readers see beside K1. One that stands on an array which has been replaced may miss later
// links and meet links that have been removed since. One that stands on a removed link goes on with
// what came behind it then. Both find only what versions will tell them to ignore. But note: a link
// that is removed is missed at once by those who have not come to it yet, so whoever wants readers
// to see the past of one moment removes the link when the last of them has gone.
//
// Why a reader never reaches freed memory: arrays are retired here, links by who owns them, both
// after they were unlinked; array_, head and next are read and written seq_cst (E1 of
// base/epoch.h). A replaced array and a removed link go on leading to links that are removed later.
// That is no exception: a reader who stands on the array or the link pinned before it was unlinked
// (E2), so before the later link was, and its pin holds back both (E3).
//
// Not an absl::flat_hash_map of vectors: a reader would need a lock, or a change a copy of the map.
// The links lie in the rules, so that adding one allocates nothing.
//
// Keys are hashes that no caller can steer: they are scattered here, but many that are made to
// collide would lengthen each other's probing. Among a million different things some hundred pairs
// share a hash, and a chain.
//
// Bound     That of the links. 12 bytes for each entry; 1.25 to 2.5 entries for each key while keys
//           are added (2.5 to 5 below some hundred keys), at most 16 when most have gone.
// Threads   Find: any, with a pin. All else: one writer at a time, by a lock of the caller's.
// Lifetime  Links are the caller's. A removed link goes through the same epochs as the arrays, and
//           is not added again.
#ifndef BANYAN_LIB_PATTERN_KEY_TABLE_H_
#define BANYAN_LIB_PATTERN_KEY_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/epoch.h"

namespace banyan::inline v0_1::internal {

// What is filed under a key has this as its base. Readers use `next`.
struct Link {
  std::atomic<Link*> next{nullptr};  // older ones; seq_cst
  uintptr_t back = 0;                // the writer's (K4): a Link*, or 2 * length + 1
};

class KeyTable {
 public:
  // `retirer` outlives the table.
  explicit KeyTable(Retirer& retirer);
  ~KeyTable();  // no reader is left
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  // The newest link of the key, or null. Follow Link::next for the others.
  Link* Find(uint32_t key) const {
    key = Name(key);
    const Array& array = *array_.load(std::memory_order_seq_cst);
    for (size_t i = array.Home(key);; i = array.After(i)) {
      const uint32_t here = array.keys()[i].load(std::memory_order_seq_cst);
      if (here == key) return array.heads()[i].load(std::memory_order_seq_cst);
      if (here == kUnused) return nullptr;
    }
  }

  // Is it worth while to fetch things ahead? What is small stays in the cache.
  bool IsLarge() const {
    return array_.load(std::memory_order_seq_cst)->capacity > kCachedCapacity;
  }

  // Fetches what Find() will look at first.
  void Prefetch(uint32_t key) const {
    const Array& array = *array_.load(std::memory_order_seq_cst);
    if (array.capacity <= kCachedCapacity) return;  // see IsLarge()
    const size_t home = array.Home(Name(key));
    __builtin_prefetch(&array.keys()[home]);
    __builtin_prefetch(&array.heads()[home]);
  }

  // Puts a new link before the others of its key.
  void Add(uint32_t key, Link* link);

  // Takes out a link that was added under this key. It keeps its `next` for readers on it.
  void Remove(uint32_t key, Link* link);

  // How many links the key has. For the writer, who wants the rarest of several keys.
  uint32_t Crowd(uint32_t key) const;

  // Of the array; the links are the caller's.
  size_t bytes() const;

  // Walks everything and aborts if K2 to K4 do not hold. For tests.
  void CheckInvariants() const;

 private:
  static constexpr uint32_t kUnused = 0;
  static constexpr size_t kCapacityMin = 16;
  static constexpr size_t kCachedCapacity = 1'024;

  using Key = std::atomic<uint32_t>;
  using Head = std::atomic<Link*>;

  // The heads and then the keys follow it in the same piece of memory.
  struct alignas(Head) Array {
    size_t capacity;  // a power of two
    unsigned shift;   // leaves as many bits as the capacity has

    const Head* heads() const { return reinterpret_cast<const Head*>(this + 1); }
    Head* heads() { return reinterpret_cast<Head*>(this + 1); }
    const Key* keys() const { return reinterpret_cast<const Key*>(heads() + capacity); }
    Key* keys() { return reinterpret_cast<Key*>(heads() + capacity); }

    // Where the search for a key begins: the high bits of a product depend on all bits of the key.
    size_t Home(uint32_t key) const {
      constexpr uint32_t kFactor = 0x9e3779b1;  // near 2^32 divided by the golden ratio, and prime
      return (key * kFactor) >> shift;
    }
    size_t After(size_t i) const { return (i + 1) & (capacity - 1); }

    // Where the key is, or the unused place that it would get.
    size_t Place(uint32_t key) const;
  };

  // 0 marks an unused entry, so key 0 shares a chain with key 1.
  static uint32_t Name(uint32_t key) { return key == kUnused ? 1 : key; }

  static size_t BytesOf(size_t capacity) {
    return sizeof(Array) + capacity * (sizeof(Head) + sizeof(Key));
  }
  static size_t MostUsed(size_t capacity);
  static size_t CapacityFor(size_t keys);
  static Array* NewArray(size_t capacity);
  static void DeleteArray(void* array);

  void Rebuild(size_t capacity);

  Retirer& retirer_;
  std::atomic<Array*> array_;
  size_t used_ = 0;   // entries that have a key
  size_t alive_ = 0;  // entries that have links
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_KEY_TABLE_H_
