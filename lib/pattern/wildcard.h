// SPDX-License-Identifier: Apache-2.0
//
// The wildcard operator: `*` stands for any run of characters, also for none; `\*` and `\\` are the
// only escapes; everything else, `?` included, stands for itself; the whole value must match.
#ifndef BANYAN_LIB_PATTERN_WILDCARD_H_
#define BANYAN_LIB_PATTERN_WILDCARD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

class Wildcard {
 public:
  // nullopt on an error, whose text is then in *error, in the service's words.
  static std::optional<Wildcard> Parse(std::string_view text, std::string* error);

  // At most length of the value times length of the pattern; no backtracking over a star.
  bool Matches(std::string_view value) const;

  // The literal texts before, between and behind the stars: one more than there are stars.
  const std::vector<std::string>& literals() const { return literals_; }

 private:
  std::vector<std::string> literals_;
};

// How much work the patterns of one key can cause together: the largest number of different
// prefixes of the patterns, each pattern taken with its quotes, that can match one and the same
// string. This is what EventBridge refuses as "too complex"; `a*` has 2, `*ab*ab*ab` has 3 stars
// and 3 prefixes ending in "ab": 6. A pattern without a star is an exact text and counts 1 however
// many there are.
//
// Polynomial, unlike the measure's definition: a string that has passed the first literal of a
// pattern can pass all of its stars and then end in anything, so only the ends need to be compared.
// At most (different first literals) times (length of all patterns).
size_t WildcardComplexity(absl::Span<const Wildcard* const> wildcards);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_WILDCARD_H_
