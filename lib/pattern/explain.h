// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/explain.h -- floor 2: why does an event not match a pattern?
//
// The judging is match.h's; here is the voice. A sentence names the field, what it holds, what the
// pattern wants, and where there is one the nearest miss, which has files of its own:
//
//   explain_value.h   the field is there: "differs in case", "is out of range by 0.5"
//   explain_path.h    it is not: "`detail.State` exists"
//   explain.cc        all conditions hold, but in different elements of one array
//
// E1  Every hint is true of this event; what is only likely is put as a question.
// E2  Time is about linear in the event's size times the pattern's. Hints that need more look at a
//     bounded part, and may be missed.
#ifndef BANYAN_LIB_PATTERN_EXPLAIN_H_
#define BANYAN_LIB_PATTERN_EXPLAIN_H_

#include "banyan/pattern.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"

namespace banyan::inline v0_1::internal {

// Explains the sub-rule with the fewest failing conditions, by its first failing one.
// ExplainMatch(p, f).matched == Match(p, f), always.
Explanation ExplainMatch(const CompiledPattern& pattern, const EventFields& fields);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EXPLAIN_H_
