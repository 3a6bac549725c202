// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/explain_text.h -- floor 2: what two texts have in common, as a person sees it.
//
// Texts are UTF-8; bytes that are not are compared as they are.
#ifndef BANYAN_LIB_PATTERN_EXPLAIN_TEXT_H_
#define BANYAN_LIB_PATTERN_EXPLAIN_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace banyan::inline v0_1::internal {

// Ways in which texts differ that people overlook. Bits.
enum Lookalike : unsigned {
  kCase = 1,
  kEnds = 2,         // white space at the ends
  kSpaces = 4,       // the kind of white space: U+00A0 for a space
  kInvisible = 8,    // characters that show nothing: U+200B
  kComposition = 16  // one character for a letter and its accent, or two
};
inline constexpr unsigned kAnyLookalike = kCase | kEnds | kSpaces | kInvisible | kComposition;

// `text` in a form in which those differences are gone.
std::string Without(std::string_view text, unsigned lookalikes);

using TextComparison = absl::FunctionRef<bool(std::string_view value, std::string_view wanted)>;

// What keeps `value` from passing `wanted` if it is nothing but `lookalikes`: "case and white space
// at the end". Empty if there is more to it. `passes` is asked about both texts without them. Texts
// of more than two thousand bytes are not looked at.
std::string LookalikeDifference(std::string_view value, std::string_view wanted,
                                unsigned lookalikes, TextComparison passes);

// How many characters two texts share at their front, or at their end.
size_t SharedAtFront(std::string_view a, std::string_view b);
size_t SharedAtEnd(std::string_view a, std::string_view b);

// Insertions, deletions, replacements and swaps of neighbours that make `a` to `b`; nullopt if
// there are more than `max` or a text has more than 64 bytes.
std::optional<size_t> EditDistance(std::string_view a, std::string_view b, size_t max);

// The characters of `text`; a byte that is no UTF-8 becomes a number that no character has.
std::u32string Characters(std::string_view text);

std::string_view Trimmed(std::string_view text);  // without ASCII white space at the ends

// Text for a sentence: long ones cut between two characters, with "..." behind.
std::string Cut(std::string_view text);
// A path for a sentence: in backticks, cut, and what is no printable character escaped.
std::string Ticked(std::string_view path);
std::string Escaped(std::string_view path);  // the same without backticks
// At the start of a sentence: bare, but in quotes if it has an empty name and so is hard to see.
std::string Subject(std::string_view path);
bool HasEmptyName(std::string_view path);  // "", ".a", "a..b", "a."

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EXPLAIN_TEXT_H_
