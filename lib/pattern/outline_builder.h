// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/outline_builder.h -- floor 2: makes an EventOutline while somebody reads the event.
//
//   {"a":{"b":[...300 bytes...]},"c":{}}       jumps   0 {...}   next 3
//                                                      1 {"b"..  next 3
//                                                      2 [...]   next 3
//
// O1  A container takes its jump when it opens and gives it back when it closes too small. What it
//     holds is smaller still and gave back before, so the jump to give back is always the last.
// O2  No more jumps than bytes / kBytesPerJump: brackets nested without end in sight would need one
//     for every two bytes. An event that comes to the bound has its threshold doubled, and what is
//     below it taken out, as often as it takes. (Open containers stay; if they alone are that many,
//     the bound is twice their number.)
// O3  The names of the open objects lie on one stack, as hashes, inner objects' behind outer ones'.
//     An object's own are therefore together when it closes, and are compared then.
// O4  may_repeat is never false wrongly: equal names have equal hashes. It may be true wrongly:
//     names with a dot or an escape are not looked into, hashes of 64 bits may collide, and a
//     search in the table gives up early. So nobody can make the comparison slow, only useless.
#ifndef BANYAN_LIB_PATTERN_OUTLINE_BUILDER_H_
#define BANYAN_LIB_PATTERN_OUTLINE_BUILDER_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/base/attributes.h"
#include "banyan/rule_set.h"
#include "pattern/lookup_key.h"

namespace banyan::inline v0_1::internal {

class OutlineBuilder {
 public:
  // What is smaller is looked through faster than it is jumped over.
  static constexpr uint32_t kJumpBytes = 128;
  static constexpr size_t kBytesPerJump = 16;
  static constexpr size_t kJumpsAlways = 1024;
  // Names are read eight bytes at a time: so many behind a name must be readable.
  static constexpr size_t kPadding = 8;

  OutlineBuilder() {
    // What ordinary events need, in one go each.
    open_.reserve(16);
    names_.reserve(64);
  }

  // `bytes` is at least the event's size.
  void Start(size_t bytes, EventOutline* outline) {
    outline_ = outline;
    outline->jumps.clear();
    outline->jumps.reserve(8);
    outline->has_escapes = false;
    outline->may_repeat = false;
    open_.clear();
    names_.clear();
    threshold_ = kJumpBytes;
    jumps_max_ = std::max(kJumpsAlways, bytes / kBytesPerJump);
  }

  size_t depth() const { return open_.size(); }
  bool in_object() const { return open_.back().is_object; }

  // Offsets count from the event's opening bracket, which is the first to open.
  void Open(uint32_t begin, bool is_object) {
    std::vector<EventOutline::Jump>& jumps = outline_->jumps;
    if (jumps.size() >= jumps_max_) RaiseThreshold();
    open_.push_back({.jump = static_cast<uint32_t>(jumps.size()),
                     .names = static_cast<uint32_t>(names_.size()),
                     .is_object = is_object});
    jumps.push_back({.begin = begin, .end = 0, .next = 0});
  }

  // A name of the innermost object, as written between its quotes.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Name(const char* begin, size_t size) {
    if (outline_->may_repeat) return;
    uint64_t hash = 0;
    uint64_t doubt = 0;
    for (; size >= 8; begin += 8, size -= 8) {
      const uint64_t word = Load64(begin);
      doubt |= DotOrBackslash(word);
      hash = Mix(hash ^ word);
    }
    // No name holds a zero byte, so zeros behind it do not make two names one.
    const uint64_t word = Load64(begin) & ((uint64_t{1} << (8 * size)) - 1);
    doubt |= DotOrBackslash(word);
    if (doubt != 0) outline_->may_repeat = true;
    names_.push_back(std::max<uint64_t>(1, Mix(hash ^ word)));  // 0 is an empty slot
  }

  void Close(uint32_t end) {
    const OpenContainer closed = open_.back();
    open_.pop_back();
    EventOutline::Jump& jump = outline_->jumps[closed.jump];
    jump.end = end;
    if (end - jump.begin < threshold_ && !open_.empty()) outline_->jumps.pop_back();  // O1
    const size_t names = names_.size() - closed.names;
    if (names == 0) return;
    if (names > 1 && !outline_->may_repeat) CompareNames(closed.names);
    names_.resize(closed.names);
  }

  // When all is closed.
  void Finish() {
    std::vector<EventOutline::Jump>& jumps = outline_->jumps;
    for (size_t i = jumps.size(); i-- > 0;) {
      size_t next = i + 1;
      while (next < jumps.size() && jumps[next].begin < jumps[i].end) next = jumps[next].next;
      jumps[i].next = static_cast<uint32_t>(next);
    }
  }

  // Gives back what a large event has left behind.
  void Trim(size_t bytes_each) {
    TrimOne(bytes_each, &open_);
    TrimOne(bytes_each, &names_);
    TrimOne(bytes_each, &table_);
  }

 private:
  struct OpenContainer {
    uint32_t jump;   // index of its jump
    uint32_t names;  // index of its first name
    bool is_object;
  };

  static constexpr size_t kPairs = 8;    // so few names are compared each with each
  static constexpr size_t kProbes = 64;  // a search that takes longer is given up (O4)

  static uint64_t Mix(uint64_t x) {
    x *= 0x9e3779b97f4a7c15u;
    return x ^ (x >> 32);
  }

  // Not zero if one of the bytes is a dot or a backslash.
  static uint64_t DotOrBackslash(uint64_t word) {
    constexpr uint64_t kOnes = 0x0101010101010101u;
    const uint64_t dots = word ^ (kOnes * '.');
    const uint64_t backslashes = word ^ (kOnes * '\\');
    return (((dots - kOnes) & ~dots) | ((backslashes - kOnes) & ~backslashes)) & (kOnes * 0x80);
  }

  void CompareNames(size_t first) {
    const uint64_t* names = names_.data() + first;
    const size_t count = names_.size() - first;
    if (count <= kPairs) {
      bool equal = false;
      for (size_t i = 1; i < count; ++i) {
        for (size_t j = 0; j < i; ++j) equal |= names[i] == names[j];
      }
      if (equal) outline_->may_repeat = true;
      return;
    }
    const size_t slots = std::bit_ceil(2 * count);
    const int shift = 64 - std::countr_zero(slots);
    table_.assign(slots, 0);
    for (size_t i = 0; i < count; ++i) {
      size_t slot = names[i] >> shift;
      size_t probes = 0;
      while (table_[slot] != 0 && table_[slot] != names[i] && ++probes < kProbes) {
        slot = (slot + 1) & (slots - 1);
      }
      if (table_[slot] != 0) {
        outline_->may_repeat = true;
        return;
      }
      table_[slot] = names[i];
    }
  }

  // O2
  void RaiseThreshold() {
    std::vector<EventOutline::Jump>& jumps = outline_->jumps;
    do {
      threshold_ *= 2;
      size_t kept = 0;
      auto open = open_.begin();
      for (size_t i = 0; i < jumps.size(); ++i) {
        if (open != open_.end() && open->jump == i) {
          (open++)->jump = static_cast<uint32_t>(kept);
        } else if (jumps[i].end - jumps[i].begin < threshold_) {
          continue;
        }
        jumps[kept++] = jumps[i];
      }
      jumps.resize(kept);
    } while (jumps.size() > jumps_max_ / 2 && jumps.size() > open_.size());
    jumps_max_ = std::max(jumps_max_, 2 * jumps.size());
  }

  template <typename T>
  static void TrimOne(size_t bytes, std::vector<T>* v) {
    if (v->capacity() * sizeof(T) > bytes) std::vector<T>().swap(*v);
  }

  EventOutline* outline_ = nullptr;
  std::vector<OpenContainer> open_;
  std::vector<uint64_t> names_;
  std::vector<uint64_t> table_;  // open addressing, made anew for each object that needs one
  uint64_t threshold_ = kJumpBytes;
  size_t jumps_max_ = kJumpsAlways;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_OUTLINE_BUILDER_H_
