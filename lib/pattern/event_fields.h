// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_fields.h -- floor 2: one event, taken apart once for all patterns.
//
//   {"d": [{"a": 1}, {"a": [2, 3]}], "e": "x"}
//
//   paths      root - d - a        fields   d.a = 1  in element 1
//                   \ e                     d.a = 2  in element 2
//   elements   0 (outside of arrays)        d.a = 3  in element 2
//              |- 1 = array 0, {"a": 1}     e = "x"  in element 0
//              `- 2 = array 0, {"a": [2, 3]}
//
// F1  Fields are scalars. Objects and arrays are never fields, [] and {} leave no trace.
// F2  Paths are a tree of segments; a key with dots walks several of them, so dotted keys and
//     nesting are the same. The tree's size is linear in the event's, which a list of joined paths
//     is not.
// F3  Elements are the objects and arrays inside arrays, numbered in document order, so the
//     elements inside element e are e + 1 .. last(e). A scalar belongs to the element around it,
//     not to one of its own: scalars of one array never contradict each other.
// F4  A repeated name keeps all its values; a repeated array is another array.
#ifndef BANYAN_LIB_PATTERN_EVENT_FIELDS_H_
#define BANYAN_LIB_PATTERN_EVENT_FIELDS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

class JsonReader;

// Threads   Immutable once made.
class EventFields {
 public:
  struct Field {
    Value value;
    uint32_t element;
  };
  // Element 0 is everything outside of arrays; its parent and array mean nothing.
  struct Element {
    uint32_t parent;
    uint32_t array;
    uint32_t last;
  };

  // nullopt, with the reason in *error if that is given, for what is not a JSON object. Text behind
  // the last brace is not read. `depth_max` bounds nesting.
  static std::optional<EventFields> FromJson(std::string_view json, size_t depth_max,
                                             std::string* error = nullptr);

  // Each attribute is a field: String a string, Number a number with its text, String.Array its
  // elements (none if it is no JSON array); other types are ignored.
  static EventFields FromAttributes(const Attributes& attributes);

  // The fields of a path, in document order; empty if there are none.
  absl::Span<const Field> Find(std::string_view path) const;

  // True for a message without attributes, which no policy matches, not even {"exists": false}.
  bool matches_nothing() const { return matches_nothing_; }

  const Element& element(uint32_t e) const { return elements_[e]; }
  uint32_t element_count() const { return static_cast<uint32_t>(elements_.size()); }
  uint32_t array_count() const { return array_count_; }

 private:
  struct Node {
    std::map<std::string, uint32_t, std::less<>> children;
    std::vector<Field> fields;
  };

  EventFields() = default;
  uint32_t Descend(uint32_t node, std::string_view key);  // F2
  uint32_t OpenElement(uint32_t parent, uint32_t array);
  // Adds what the value at the reader's current token holds. False on a syntax error.
  bool AddValue(JsonReader& reader, uint32_t node);

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::vector<Element> elements_ = {{.parent = 0, .array = 0, .last = 0}};
  uint32_t array_count_ = 0;
  bool matches_nothing_ = false;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_FIELDS_H_
