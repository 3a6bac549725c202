// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_scan.h -- floor 2: one pass over an event that picks up what rules ask for.
//
//   names walk the PathTree; a name that is no child is skipped with its value, unread:
//
//   {"detail": {"noise": {...}, "state": "paid", ...}, "more": {...}}
//     ^ child     ^ jump         ^ wanted        ^ nothing is left to find here: jump to the end
//
// N1  The text was checked (CheckedEvent), so nothing is doubted: a quote is followed by its quote,
//     a bracket by its bracket, a name by a colon.
// N2  Where no name repeats, an object is left as soon as each child of its node was seen once.
//     Where one may (EventOutline::may_repeat), every member is looked at, and names with dots walk
//     several edges.
// N3  Fields and array elements are those of EventFields (F1, F3, F4), but only the wanted ones and
//     those around them.
// N4  Values are views: of the event, or of `texts` if an escape had to be undone.
//
// Threads   One scan, one ScannedEvent, one thread.
#ifndef BANYAN_LIB_PATTERN_EVENT_SCAN_H_
#define BANYAN_LIB_PATTERN_EVENT_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/attributes.h"
#include "banyan/rule_set.h"
#include "pattern/element_search.h"
#include "pattern/path_tree.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

// A wanted value of an event.
struct FoundValue {
  enum class NumberState : uint8_t {
    kUnread,        // the text only
    kNone,          // no finite double is near
    kNearest,       // `number` is the nearest double, nobody asked more yet
    kComparable,    // and it stands for the text, see number.h
    kIncomparable,  // and it does not
  };
  static constexpr uint32_t kNoMore = UINT32_MAX;

  std::string_view text;  // decoded characters of a string, of the others the JSON text
  double number = 0;
  ValueKind kind;
  NumberState number_state = NumberState::kUnread;
  uint32_t element;         // see EventFields
  uint32_t next = kNoMore;  // the path's next value

  // The nearest double; false if there is none.
  bool ReadNumber();
  // Whether `number` stands for the text.
  bool Comparable();
};

// Empties a container and frees its memory. (`= {}` would be an empty list, and keep it.)
template <typename T>
void Free(T* container) {
  *container = T();
}

class ScannedEvent {
 public:
  // Forgets the event before, keeps the memory.
  void Clear();
  // Forgets the event before and its memory.
  void GiveBack();
  // Is that worth while?
  bool IsLarge() const { return values_.size() > 2048 || texts_used_ > 16; }

  // The first value of a path, FoundValue::kNoMore if there is none.
  uint32_t First(uint32_t path) const {
    return path < paths_.size() && paths_[path].stamp == stamp_ ? paths_[path].first
                                                                : FoundValue::kNoMore;
  }
  // Does some value of the path lie in an array element? Only if it has values.
  bool InArrays(uint32_t path) const { return paths_[path].in_arrays; }
  FoundValue& At(uint32_t value) { return values_[value]; }

  // Which of the ranges listed in an Access the path's values were found in, one bit for each. Only
  // if it has values.
  struct RangesHit {
    const Access* listed_by = nullptr;
    uint32_t bits = 0;
  };
  RangesHit& ranges_hit(uint32_t path) {
    Path& at = paths_[path];
    if (at.ranges_hit == kNoRangesHit) {
      at.ranges_hit = static_cast<uint32_t>(ranges_hit_.size()) & kNoRangesHit;
      ranges_hit_.emplace_back();
    }
    return ranges_hit_[at.ranges_hit];
  }
  const ElementTable& elements() const { return elements_; }

  // Call on_value(const PathNode&, FoundValue&) for each wanted value when it is found.
  template <typename OnValue>
  void ScanJson(const CheckedEvent& event, const PathNode& root, const OnValue& on_value);
  // As EventFields::FromAttributes() reads them.
  template <typename OnValue>
  void ScanAttributes(const Attributes& attributes, const PathNode& root, const OnValue& on_value);

 private:
  static constexpr uint32_t kNoRangesHit = (uint32_t{1} << 31) - 1;
  struct Path {
    uint32_t stamp = 0;
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t in_arrays : 1 = 0;
    uint32_t ranges_hit : 31 = kNoRangesHit;  // index, or none yet
  };
  static_assert(sizeof(Path) == 16);  // there is one for each path, in each ScannedEvent
  template <typename OnValue>
  class Walk;

  FoundValue& Add(const PathNode& node, ValueKind kind, std::string_view text, uint32_t element);
  // Characters of a string that is written with escapes.
  std::string_view Decoded(std::string_view quoted);
  std::string& NewText();

  std::vector<FoundValue> values_;
  std::vector<Path> paths_;  // by id of the node
  std::vector<RangesHit> ranges_hit_;
  uint32_t stamp_ = 1;
  ElementTable elements_;
  std::deque<std::string> texts_;  // the first texts_used_ are this event's
  size_t texts_used_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_SCAN_H_
