// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_checker.h -- floor 2: is this text a JSON object, and where are its parts?
//
//   text --copy--> padded scratch --simdjson stage 1--> index of { } [ ] : , and scalars' first bytes
//                                                          |
//                          yes, with an outline <--- our walk over the index ---> doubt
//                                                                                   |
//                               yes, with an outline, or no, with words <--- JsonReader
//
// C1  JsonReader defines what a JSON object is. The fast way may only say "yes", and only where the
//     reader would say yes with the same last byte; whatever it does not like, it hands on. But what
//     is beyond the limits is not an event for either, and is read twice only to say where.
// C2  What simdjson proves: UTF-8, no control character inside a string, no string left open, and
//     that each byte outside strings which is neither white space nor indexed belongs to the scalar
//     that began before it. All of the grammar is left to the walk.
// C3  Text behind the object is not judged: stage 1 may dislike it, the reader does not see it.
// C4  An event costs time linear in its bytes, and at most some 15 bytes of scratch for each of its
//     own while it is looked at. Less than 1 MiB stays behind.
//
// Why not simdjson's own parser: it refuses 1e400 and "\ud800", which are legal, converts each
// number, and writes a tape nobody reads.
//
// Why the copy: simdjson asks for readable bytes behind the text, which is the caller's and has
// none. The walk uses them, too: it looks at eight bytes at once without asking where the end is.
#ifndef BANYAN_LIB_PATTERN_EVENT_CHECKER_H_
#define BANYAN_LIB_PATTERN_EVENT_CHECKER_H_

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "banyan/limits.h"
#include "banyan/rule_set.h"

namespace banyan::inline v0_1::internal {

// Threads   One thread at a time. Whoever checks often keeps one: its scratch is used again.
class EventChecker {
 public:
  EventChecker();
  ~EventChecker();
  EventChecker(const EventChecker&) = delete;
  EventChecker& operator=(const EventChecker&) = delete;

  // Something for Check() to write to.
  static CheckedEvent Blank() { return CheckedEvent(); }

  // For a text that was made from checked parts: the caller answers for the outline.
  static CheckedEvent Assume(std::string_view json, EventOutline outline) {
    CheckedEvent event;
    event.json_ = json;
    event.outline_ = std::move(outline);
    return event;
  }

  // True if `json` is an object within the limits; *event then describes it and points to `json`.
  // False: it is not, *event is blank, and *status, if given, says why; leaving it out saves making
  // the words. The memory of *event is used again.
  // *beyond_limits, if given, tells a text that is too large, too deep or too rich in names from
  // one that is no object.
  bool Check(std::string_view json, const Limits& limits, CheckedEvent* event,
             absl::Status* status = nullptr, bool* beyond_limits = nullptr);

 private:
  struct Scratch;

  bool CheckFast(std::string_view json, const Limits::Pattern& limits, CheckedEvent* event,
                 bool* is_bomb);
  bool CheckStrictly(std::string_view json, const Limits::Pattern& limits, CheckedEvent* event,
                     absl::Status* status);

  std::unique_ptr<Scratch> scratch_;  // null before the first check
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_CHECKER_H_
