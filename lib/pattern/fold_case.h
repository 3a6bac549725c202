// SPDX-License-Identifier: Apache-2.0
//
// Ignoring case as the engine behind EventBridge does it.
//
// Each character c of the pattern asks the value for lower(c) or for upper(c), by the full Unicode
// mappings of the root locale. Consequences worth knowing:
//   - A mapping may be longer than the character: a pattern "\u00df" (sharp s) accepts "SS".
//   - It is not symmetric: a pattern "SS" does not accept the sharp s, and the sharp s not "ss".
//   - A character that is neither its own lower nor its own upper case (titlecase letters) does not
//     accept itself.
//
// The mappings are a table written by make_fold_case_table.py: ICU would be 36 MB beside a library
// that embeds, and the C library's towupper() knows the process's locale only, one character at a
// time.
#ifndef BANYAN_LIB_PATTERN_FOLD_CASE_H_
#define BANYAN_LIB_PATTERN_FOLD_CASE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banyan::inline v0_1::internal {

// One character in both cases, UTF-8. Equal for characters without case.
struct BothCases {
  std::string lower;
  std::string upper;
};

BothCases CasesOf(char32_t c);

// A pattern text prepared for comparison without case. Values are UTF-8.
class FoldedText {
 public:
  explicit FoldedText(std::string_view text);

  bool EqualTo(std::string_view value) const;
  bool PrefixOf(std::string_view value) const;
  bool SuffixOf(std::string_view value) const;

  // The text in small letters if it is ASCII, so that a value is accepted exactly if its ASCII
  // letters made small are this; nullopt if it is not.
  std::optional<std::string> Ascii() const;

  const std::vector<BothCases>& characters() const { return characters_; }

 private:
  // How many bytes at the front of `value` the whole text takes; nullopt if it is not there.
  std::optional<size_t> LengthAtFront(std::string_view value) const;

  // No choice is ever needed while matching: a character's lower case never begins or ends with its
  // upper case, nor the reverse (a test walks all of Unicode).
  std::vector<BothCases> characters_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_FOLD_CASE_H_
