// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/element_search.h -- floor 2: may these conditions hold together, arrays considered?
//
//   {"d": [{"a": 1}, {"b": 2}]}   a = [1] holds in element 1, b = [2] in element 2: not together
//
// Each condition comes with the array elements that hold a field which satisfies it. A choice of
// one field per condition is consistent if no two lie in different elements of one array.
//
// M1  A condition that accepts absence is satisfied without a field if no field of its path is
//     consistent with the fields chosen for the conditions before it (paths in sorted order, as
//     event-ruler has it).
// M2  A choice matters only by the array elements it pins down, and a pin only until the last
//     condition with fields in that array. Dead ends are remembered by (condition, live pins), so
//     without repeated names the search visits each element a bounded number of times: live pins
//     are then a chain, and the innermost says it all.
// M3  With repeated names several arrays share a path and pins multiply; choosing among them is set
//     cover. After kStepsMax steps the search gives up and the answer is no match. An event of a
//     megabyte that repeats no name stays far below, unless it nests arrays hundreds deep around
//     its elements.
//
// Why not check each combination: two conditions on an array of 100,000 objects have 10^10 of them.
#ifndef BANYAN_LIB_PATTERN_ELEMENT_SEARCH_H_
#define BANYAN_LIB_PATTERN_ELEMENT_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace banyan::inline v0_1::internal {

inline constexpr uint32_t kOutside = 0;  // the element that is no array's

// Per pattern and event, in visited elements: a fraction of a second.
inline constexpr int64_t kStepsMax = 2'000'000;

// The objects and arrays inside arrays, numbered in document order; 0 is everything outside.
struct ElementTable {
  struct Element {
    uint32_t parent;  // the element around it
    uint32_t array;   // the array it is directly in
    uint32_t last;    // those inside it are e + 1 .. last
  };
  std::vector<Element> elements = {{.parent = 0, .array = 0, .last = 0}};
  uint32_t array_count = 0;

  const Element& operator[](uint32_t e) const { return elements[e]; }
  uint32_t Open(uint32_t parent, uint32_t array) {
    const auto added = static_cast<uint32_t>(elements.size());
    elements.push_back({.parent = parent, .array = array, .last = added});
    return added;
  }
  void Close(uint32_t e) { elements[e].last = static_cast<uint32_t>(elements.size()) - 1; }
};

// The elements around a set of elements, as a tree that can be walked from outside in, skipping
// whole arrays but for their pinned element.
class ElementTree {
 public:
  ElementTree(const ElementTable& table, const std::vector<uint32_t>& targets);

  const std::vector<uint32_t>& elements() const { return elements_; }

  // Calls `visit` for each target that no pin contradicts, until it answers true; answers whether
  // it did. pins[a] is the pinned element of array a, kOutside if it has none. Stops when *steps
  // reaches zero.
  template <typename Visit>
  bool AnyConsistent(const std::vector<uint32_t>& pins, int64_t* steps, const Visit& visit) const;

 private:
  struct Fork {
    uint32_t array;
    std::vector<uint32_t> elements;
  };

  size_t IndexOf(uint32_t e) const;

  std::vector<uint32_t> elements_;  // sorted; with kOutside unless empty
  std::vector<bool> is_target_;
  std::map<uint32_t, std::vector<Fork>> forks_;  // by parent
};

class ElementSearch {
 public:
  enum class Answer { kYes, kNo, kGaveUp };

  // `steps` is what the search may cost, and is taken off as it goes; what it costs to prepare it
  // counts, too.
  ElementSearch(const ElementTable& table, int64_t* steps)
      : table_(table),
        pins_(table.array_count, kOutside),
        last_use_(table.array_count, 0),
        steps_left_(*steps) {
    steps_left_ -= table.array_count / 8;
  }

  // In sorted order of paths; only conditions whose path has fields in arrays. `index` is the
  // caller's name for the condition, `satisfied` the elements of the fields that satisfy it,
  // `all` those of all its fields, if absence is accepted; both sorted, each once.
  void Add(size_t index, bool accepts_absence, const std::vector<uint32_t>& satisfied,
           const std::vector<uint32_t>& all);

  Answer Run();

  // After another answer than kYes: the condition that the search could never get past.
  size_t stuck_at() const { return steps_[furthest_].index; }

 private:
  struct Step {
    size_t index;
    bool accepts_absence;
    ElementTree choices;  // elements of the fields that satisfy the condition
    ElementTree all;      // of all fields of the path, if absence is accepted
  };

  bool From(size_t s, std::vector<uint32_t> chosen);
  std::vector<uint32_t> LivePins(size_t s, std::vector<uint32_t> chosen);
  void Pin(uint32_t e);
  void Unpin(size_t keep);

  const ElementTable& table_;
  std::vector<Step> steps_;
  std::vector<uint32_t> pins_;    // by array
  std::vector<size_t> last_use_;  // by array: the last step with an element of it
  std::vector<uint32_t> pinned_;  // pins in the order they were set
  absl::flat_hash_set<std::pair<size_t, std::vector<uint32_t>>> dead_ends_;
  int64_t& steps_left_;
  size_t furthest_ = 0;
};

void SortOnce(std::vector<uint32_t>* elements);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_ELEMENT_SEARCH_H_
