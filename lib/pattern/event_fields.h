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
// F1  Fields are scalars. Objects and arrays are never fields; [] and {} leave a path without any.
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
#include "pattern/element_search.h"
#include "pattern/event_limits.h"
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
  using Element = ElementTable::Element;

  // What stands at a path beside its fields. Matching does not look at it; Explain does.
  enum Beside : uint8_t {
    kObject = 1,
    kArray = 2,
    kIgnoredAttribute = 4,  // of a type that filter policies do not look at
    kUnreadableArray = 8,   // a String.Array that is no JSON array
  };
  struct Node {  // of F2; node 0 is the root
    std::map<std::string, uint32_t, std::less<>> children;
    std::vector<Field> fields;
    uint8_t beside = 0;  // bits of Beside
  };

  // nullopt, with the reason and its place in *error if that is given, for what is not a JSON
  // object or is beyond the limits: then, and only then, EventChecker refuses it, too. Bytes are
  // counted before any is read. Text behind the last brace is not read.
  static std::optional<EventFields> FromJson(std::string_view json, const EventLimits& limits,
                                             std::string* error = nullptr);

  // Each attribute is a field: String a string, Number a number with its text, String.Array its
  // elements (none if it is no JSON array); other types have no field.
  static EventFields FromAttributes(const Attributes& attributes);

  // The fields of a path, in document order; empty if there are none.
  absl::Span<const Field> Find(std::string_view path) const;

  // True for a message without attributes, which no policy matches, not even {"exists": false}.
  bool matches_nothing() const { return matches_nothing_; }

  const ElementTable& elements() const { return elements_; }
  const Element& element(uint32_t e) const { return elements_[e]; }
  uint32_t array_node(uint32_t array) const { return array_nodes_[array]; }  // where it stands
  const Node& node(uint32_t n) const { return nodes_[n]; }
  uint32_t node_count() const { return static_cast<uint32_t>(nodes_.size()); }

 private:
  EventFields() = default;
  uint32_t Descend(uint32_t node, std::string_view key);  // F2
  uint32_t OpenArray(uint32_t node);
  // Adds what the value at the reader's current token holds. False on a syntax error, and at the
  // name for which *names_left, which counts down, has none left.
  bool AddValue(JsonReader& reader, uint32_t node, int64_t* names_left);

  std::vector<Node> nodes_ = std::vector<Node>(1);
  ElementTable elements_;
  std::vector<uint32_t> array_nodes_;
  bool matches_nothing_ = false;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_FIELDS_H_
