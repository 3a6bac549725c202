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

size_t KeyTable::Array::Place(uint32_t key) const {
  size_t i = Home(key);
  while (true) {
    const uint32_t here = keys()[i].load(std::memory_order_relaxed);
    if (here == key || here == kUnused) return i;
    i = After(i);
  }
}

namespace {

// K4.
uintptr_t BackOfNewest(size_t length) { return 2 * length + 1; }
bool IsNewest(const Link& link) { return (link.back & 1) != 0; }
size_t LengthFrom(const Link& newest) { return newest.back / 2; }

uintptr_t BackTo(const Link& newer) { return reinterpret_cast<uintptr_t>(&newer); }
Link* Newer(const Link& link) { return reinterpret_cast<Link*>(link.back); }

}  // namespace

void KeyTable::Add(uint32_t key, Link* link) {
  BANYAN_CHECK(link->back == 0, "a link is added once");
  key = Name(key);
  Array* array = array_.load(std::memory_order_relaxed);
  size_t place = array->Place(key);
  const bool first = array->keys()[place].load(std::memory_order_relaxed) == kUnused;
  if (first) {
    if (used_ + 1 > MostUsed(array->capacity)) {
      Rebuild(CapacityFor(alive_));
      array = array_.load(std::memory_order_relaxed);
      place = array->Place(key);
    }
    ++used_;
  }

  Head& head = array->heads()[place];
  Link* const newest = head.load(std::memory_order_relaxed);
  if (newest == nullptr) {
    ++alive_;
    link->back = BackOfNewest(1);
  } else {
    link->back = BackOfNewest(LengthFrom(*newest) + 1);
    newest->back = BackTo(*link);
  }
  link->next.store(newest, std::memory_order_relaxed);  // published with the head
  head.store(link, std::memory_order_seq_cst);
  // The key comes last, so that who finds it finds the link.
  if (first) array->keys()[place].store(key, std::memory_order_seq_cst);
}

void KeyTable::Remove(uint32_t key, Link* link) {
  Array& array = *array_.load(std::memory_order_relaxed);
  Head& head = array.heads()[array.Place(Name(key))];
  Link* const newest = head.load(std::memory_order_relaxed);
  Link* const next = link->next.load(std::memory_order_relaxed);
  BANYAN_CHECK(newest != nullptr && link->back != 0 && (link == newest || !IsNewest(*link)),
               "a link is removed from the chain it is in");
  if (link != newest) {
    newest->back = BackOfNewest(LengthFrom(*newest) - 1);
    if (next != nullptr) next->back = link->back;
    Newer(*link)->next.store(next, std::memory_order_seq_cst);
    link->back = 0;
    return;
  }
  if (next != nullptr) next->back = BackOfNewest(LengthFrom(*link) - 1);
  link->back = 0;
  head.store(next, std::memory_order_seq_cst);
  if (next != nullptr) return;
  --alive_;
  if (array.capacity > kCapacityMin && 16 * alive_ < array.capacity) Rebuild(CapacityFor(alive_));
}

uint32_t KeyTable::Crowd(uint32_t key) const {
  const Link* newest = Find(key);
  return newest == nullptr ? 0 : static_cast<uint32_t>(LengthFrom(*newest));
}

size_t KeyTable::bytes() const { return BytesOf(array_.load(std::memory_order_relaxed)->capacity); }

void KeyTable::CheckInvariants() const {
  Array& array = *array_.load(std::memory_order_seq_cst);
  size_t used = 0;
  size_t alive = 0;
  for (size_t i = 0; i < array.capacity; ++i) {
    const uint32_t key = array.keys()[i].load(std::memory_order_relaxed);
    const Link* newest = array.heads()[i].load(std::memory_order_relaxed);
    BANYAN_CHECK(key != kUnused || newest == nullptr, "an unused entry has no links");
    if (key == kUnused) continue;
    BANYAN_CHECK(array.Place(key) == i, "K2");
    ++used;
    if (newest == nullptr) continue;
    ++alive;
    size_t length = 0;
    const Link* newer = nullptr;
    for (const Link* link = newest; link != nullptr;
         newer = link, link = link->next.load(std::memory_order_relaxed)) {
      BANYAN_CHECK(newer == nullptr ? IsNewest(*link) : link->back == BackTo(*newer),
                   "K4: back leads back");
      ++length;
    }
    BANYAN_CHECK(LengthFrom(*newest) == length, "K4: the newest tells the length");
  }
  BANYAN_CHECK(used == used_ && alive == alive_, "the entries are counted");
  BANYAN_CHECK(used <= MostUsed(array.capacity), "K3: there are unused entries");
  BANYAN_CHECK(array.capacity == kCapacityMin || 16 * alive >= array.capacity, "K3: it shrinks");
}

// A small array keeps more room: there, what is looked for is found or missed at its home, and room
// is cheap.
size_t KeyTable::MostUsed(size_t capacity) {
  constexpr size_t kSmall = 256;
  return (capacity <= kSmall ? 2 : 4) * capacity / 5;
}

// So that as many keys again have room.
size_t KeyTable::CapacityFor(size_t keys) {
  size_t capacity = kCapacityMin;
  while (2 * keys > MostUsed(capacity)) capacity *= 2;
  return capacity;
}

KeyTable::Array* KeyTable::NewArray(size_t capacity) {
  BANYAN_CHECK(capacity <= size_t{1} << 31, "there are fewer keys than numbers for them");
  auto* array = new (::operator new(BytesOf(capacity)))
      Array{.capacity = capacity, .shift = static_cast<unsigned>(32 - std::countr_zero(capacity))};
  std::uninitialized_value_construct_n(array->heads(), capacity);
  std::uninitialized_value_construct_n(array->keys(), capacity);
  return array;
}

void KeyTable::DeleteArray(void* array) { ::operator delete(array); }

void KeyTable::Rebuild(size_t capacity) {
  Array* const old = array_.load(std::memory_order_relaxed);
  Array* const fresh = NewArray(capacity);
  for (size_t i = 0; i < old->capacity; ++i) {
    Link* const newest = old->heads()[i].load(std::memory_order_relaxed);
    if (newest == nullptr) continue;
    const uint32_t key = old->keys()[i].load(std::memory_order_relaxed);
    const size_t place = fresh->Place(key);
    fresh->keys()[place].store(key, std::memory_order_relaxed);  // published with the array
    fresh->heads()[place].store(newest, std::memory_order_relaxed);
  }
  used_ = alive_;
  array_.store(fresh, std::memory_order_seq_cst);
  retirer_.Retire(old, &DeleteArray, BytesOf(old->capacity));
}

}  // namespace banyan::inline v0_1::internal
