// SPDX-License-Identifier: Apache-2.0
#include "pattern/key_table.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

KeyTable::KeyTable(Retirer& retirer) : retirer_(retirer), array_(NewArray(kCapacityMin)) {}

KeyTable::~KeyTable() { DeleteArray(array_.load(std::memory_order_acquire)); }

KeyTable::Entry& KeyTable::Array::Place(uint64_t key) {
  for (size_t i = Home(key);; i = After(i)) {
    Entry& entry = entries()[i];
    const uint64_t here = entry.key.load(std::memory_order_relaxed);
    if (here == key || here == kUnused) return entry;
  }
}

void KeyTable::Add(uint64_t key, Link* link) {
  key = Name(key);
  Array* array = array_.load(std::memory_order_relaxed);
  Entry* entry = &array->Place(key);
  const bool first = entry->key.load(std::memory_order_relaxed) == kUnused;
  if (first) {
    if (4 * (used_ + 1) > 3 * array->capacity) {
      Rebuild(CapacityFor(alive_ + 1));
      entry = &array_.load(std::memory_order_relaxed)->Place(key);
    }
    ++used_;
  }

  Link* const head = entry->head.load(std::memory_order_relaxed);
  if (head == nullptr) {
    ++alive_;
    link->rank = 1;
  } else {
    head->prev = link;
    link->rank = head->rank + 1;
  }
  link->prev = nullptr;
  link->next.store(head, std::memory_order_relaxed);  // published with the head
  entry->head.store(link, std::memory_order_seq_cst);
  // The key comes last, so that who finds it finds the link.
  if (first) entry->key.store(key, std::memory_order_seq_cst);
}

void KeyTable::Remove(uint64_t key, Link* link) {
  Array& array = *array_.load(std::memory_order_relaxed);
  Entry& entry = array.Place(Name(key));
  Link* const head = entry.head.load(std::memory_order_relaxed);
  Link* const next = link->next.load(std::memory_order_relaxed);
  BANYAN_CHECK(head != nullptr && (link->prev != nullptr || link == head),
               "a link is removed from the chain it is in");
  if (next != nullptr) next->prev = link->prev;
  if (link->prev != nullptr) {
    --head->rank;
    link->prev->next.store(next, std::memory_order_seq_cst);
    return;
  }
  if (next != nullptr) next->rank = head->rank - 1;
  entry.head.store(next, std::memory_order_seq_cst);
  if (next != nullptr) return;
  --alive_;
  if (array.capacity > kCapacityMin && 8 * alive_ < array.capacity) Rebuild(CapacityFor(alive_));
}

uint32_t KeyTable::Crowd(uint64_t key) const {
  const Link* head = Find(key);
  return head == nullptr ? 0 : head->rank;
}

size_t KeyTable::bytes() const { return BytesOf(array_.load(std::memory_order_relaxed)->capacity); }

void KeyTable::CheckInvariants() const {
  Array& array = *array_.load(std::memory_order_seq_cst);
  size_t used = 0;
  size_t alive = 0;
  for (size_t i = 0; i < array.capacity; ++i) {
    const Entry& entry = array.entries()[i];
    const uint64_t key = entry.key.load(std::memory_order_relaxed);
    const Link* head = entry.head.load(std::memory_order_relaxed);
    BANYAN_CHECK(key != kUnused || head == nullptr, "an unused entry has no links");
    if (key == kUnused) continue;
    BANYAN_CHECK(&array.Place(key) == &entry, "K2");
    ++used;
    if (head == nullptr) continue;
    ++alive;
    uint32_t length = 0;
    const Link* newer = nullptr;
    for (const Link* link = head; link != nullptr;
         newer = link, link = link->next.load(std::memory_order_relaxed)) {
      BANYAN_CHECK(link->prev == newer, "prev leads back");
      ++length;
    }
    BANYAN_CHECK(head->rank == length, "K4");
  }
  BANYAN_CHECK(used == used_ && alive == alive_, "the entries are counted");
  BANYAN_CHECK(4 * used <= 3 * array.capacity, "K3: a quarter is unused");
  BANYAN_CHECK(array.capacity == kCapacityMin || 8 * alive >= array.capacity, "K3: it shrinks");
}

// Half full or less (K3).
size_t KeyTable::CapacityFor(size_t keys) {
  return std::max(kCapacityMin, std::bit_ceil(2 * keys));
}

KeyTable::Array* KeyTable::NewArray(size_t capacity) {
  auto* array = new (::operator new(BytesOf(capacity)))
      Array{.capacity = capacity, .shift = static_cast<unsigned>(64 - std::countr_zero(capacity))};
  std::uninitialized_value_construct_n(array->entries(), capacity);
  return array;
}

void KeyTable::DeleteArray(void* array) { ::operator delete(array); }

void KeyTable::Rebuild(size_t capacity) {
  Array* const old = array_.load(std::memory_order_relaxed);
  Array* const fresh = NewArray(capacity);
  for (size_t i = 0; i < old->capacity; ++i) {
    const Entry& from = old->entries()[i];
    Link* const head = from.head.load(std::memory_order_relaxed);
    if (head == nullptr) continue;
    const uint64_t key = from.key.load(std::memory_order_relaxed);
    Entry& to = fresh->Place(key);
    to.key.store(key, std::memory_order_relaxed);  // published with the array
    to.head.store(head, std::memory_order_relaxed);
  }
  used_ = alive_;
  array_.store(fresh, std::memory_order_seq_cst);
  retirer_.Retire(old, &DeleteArray, BytesOf(old->capacity));
}

}  // namespace banyan::inline v0_1::internal
