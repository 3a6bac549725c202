// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/event_line.h -- floor 7: from a line of text to what rules are matched against.
#ifndef BANYAN_LIB_TOOL_EVENT_LINE_H_
#define BANYAN_LIB_TOOL_EVENT_LINE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "banyan/attributes.h"
#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "tool/lines.h"

namespace banyan::inline v0_1::tool {

// Why a line is no event. Lines are counted by kind.
enum class BadLine { kTooLong, kNotAnObject, kMalformed, kTwoValues, kNoAttributes };
constexpr size_t kBadLineKinds = 5;

// "not a JSON object"
std::string_view BadLineName(BadLine kind);

struct Refusal {
  BadLine kind;
  std::string reason;  // more than the kind says; may be empty
};

struct BlankLine {};

// With kSnsMessageAttributes the attributes, else the text, of which the result is a view.
using EventLine = std::variant<CheckedEvent, Attributes, Refusal, BlankLine>;

EventLine ReadEventLine(const Line& line, PatternLanguage language, const Limits& limits);

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_EVENT_LINE_H_
