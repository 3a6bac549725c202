// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/match.h -- floor 2: does an event match a pattern?
//
// The plain reading of the language, kept as the referee of faster matchers and as the judge that
// Explain (explain.h) asks.
//
// M1  A pattern matches if one of its sub-rules does; a sub-rule, if one field per condition can be
//     chosen so that each satisfies its condition and no two lie in different elements of one
//     array. Whether all can hold together is the question of
//     element_search.h.
#ifndef BANYAN_LIB_PATTERN_MATCH_H_
#define BANYAN_LIB_PATTERN_MATCH_H_

#include <cstddef>
#include <cstdint>

#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"

namespace banyan::inline v0_1::internal {

bool Match(const CompiledPattern& pattern, const EventFields& fields);

// How a sub-rule came out. `first_failing` is a condition's place; unused if all hold together.
struct Verdict {
  enum class Kind {
    kMatched,
    kUnmet,      // some conditions fail alone
    kTornApart,  // each holds alone, but not all in one choice of array elements
    kGaveUp,     // the search for one had gone on for kStepsMax
  };
  Kind kind = Kind::kMatched;
  size_t first_failing = 0;
  size_t failing = 0;  // conditions that fail alone
};

enum class Thoroughness { kUntilFirstFailure, kCountFailures };

// `steps`: what searches among array elements may cost; kStepsMax for a pattern and an event.
Verdict Judge(const SubRule& sub_rule, const EventFields& fields, Thoroughness thoroughness,
              int64_t* steps);

// Whether the field's value is one that the condition asks for.
bool Satisfies(const Condition& condition, const EventFields::Field& field);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_MATCH_H_
