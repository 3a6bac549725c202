// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_envelope.h -- floor 2: what is known of a field before any event is seen,
// because of who writes the events (LintEnvelope).
//
// E1  Nothing is known of what lies in `detail`, in a message's attributes, or without an envelope.
// E2  resources is always written, but [] leaves no field: it may be absent. detail is always
//     written, and as an object is never a field itself.
#ifndef BANYAN_LIB_PATTERN_LINT_ENVELOPE_H_
#define BANYAN_LIB_PATTERN_LINT_ENVELOPE_H_

#include <optional>
#include <string>
#include <string_view>

#include "banyan/lint.h"
#include "pattern/lint_values.h"

namespace banyan::inline v0_1::internal {

struct FieldFacts {
  enum class Presence {
    kAlways,
    kSometimes,
    kNever,
    kUnknownName,  // never, because nothing of that name exists
  };
  Presence presence = Presence::kAlways;
  // Behind the path: "is always a string of twelve digits"; of kNever and kUnknownName the whole
  // reason.
  std::string words = {};
  TextShape strings = {};  // the field is a string, one of these; unused if it is never there
};

// nullopt: nothing is known.
std::optional<FieldFacts> FactsOf(LintEnvelope envelope, const Limits& limits,
                                  std::string_view path);

// No value of the field, nor its absence, satisfies the alternative. Proved.
bool FailsFor(const FieldFacts& facts, const ValuePattern& alternative, LintBudget* budget);
// One of the values is satisfied whatever the field is. Proved.
bool HoldsFor(const FieldFacts& facts, const LintValues& values, LintBudget* budget);

// What `name` may have been meant to be, among `known`; "" if nothing is near.
std::string_view NearestName(std::string_view name, absl::Span<const std::string_view> known);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_ENVELOPE_H_
