// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_mistakes.h -- floor 2: what is legal and looks as if something else was meant.
//
// Guesses, by looks alone; nothing here knows what a pattern matches.
#ifndef BANYAN_LIB_PATTERN_LINT_MISTAKES_H_
#define BANYAN_LIB_PATTERN_LINT_MISTAKES_H_

#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

// `element` is one alternative as the pattern writes it. `is_text_field`: the field is known to be
// a string, so that a number in quotes is right. "" if nothing looks wrong.
std::string MistakeInElement(std::string_view element, bool is_text_field);

// A field called like an operator, below another: {"state": {"prefix": ["x"]}}.
std::string MistakeInName(std::string_view path, std::string_view name, std::string_view leaf_text);

// A value as a sentence quotes it: long ones are cut.
std::string Shown(std::string_view json);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_MISTAKES_H_
