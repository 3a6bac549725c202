// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/options.h -- floor 7: words of a command line.
#ifndef BANYAN_LIB_TOOL_OPTIONS_H_
#define BANYAN_LIB_TOOL_OPTIONS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/pattern.h"

namespace banyan::inline v0_1::tool {

// One option: --name, or -letter if it has one. It sets a flag, or collects the values it is given;
// exactly one of the two is not null.
struct Option {
  std::string_view name;
  char letter = 0;
  bool* flag = nullptr;
  std::vector<std::string>* values = nullptr;
};

// Fills what the options point to and returns the words that are no options, in their order. As
// usual: --name=value or --name value, -cv for -c -v, "--" ends the options, "-" is a word.
//
// Errors  kInvalidArgument: an unknown option (names the nearest known one), or a value that is
//         missing or too many.
absl::StatusOr<std::vector<std::string>> ParseOptions(absl::Span<const std::string> words,
                                                      absl::Span<const Option> options);

// The candidate that `word` is most likely a misspelling of, or "" if none is near.
std::string_view Nearest(std::string_view word, absl::Span<const std::string_view> candidates);

// "; did you mean \"x\"?", or "" if there is no such candidate.
std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> candidates);

// The value of --language: events, sns-attributes or sns-body. The last one given counts.
absl::StatusOr<PatternLanguage> LanguageNamed(absl::Span<const std::string> values);

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_OPTIONS_H_
