// SPDX-License-Identifier: Apache-2.0
//
// What one element of a pattern's leaf array asks of one value of an event.
//
//   leaf array   ["x", 5, {"prefix": "a"}, {"exists": false}]
//   elements     Equal Number Prefix        Absent            (ORed)
//
// V1  Types never convert: text tests see strings only, number tests numbers only, literals only
//     themselves. AnythingBut passes every value of a type it does not list.
// V2  Nothing here matches an absent field: `Absent` is decided by the matcher, which knows the
//     field's surroundings, and answers false here.
#ifndef BANYAN_LIB_PATTERN_VALUE_PATTERN_H_
#define BANYAN_LIB_PATTERN_VALUE_PATTERN_H_

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pattern/fold_case.h"
#include "pattern/ip.h"
#include "pattern/wildcard.h"

namespace banyan::inline v0_1::internal {

enum class ValueKind { kString, kNumber, kTrue, kFalse, kNull };

// One value of an event.
struct Value {
  ValueKind kind;
  std::string text;  // decoded characters of a string; of the others the JSON text
};

std::string JsonText(const Value& value);  // as JSON would write it

// ---- Tests of a string's characters.

struct EqualTest {
  std::string text;
  bool Passes(std::string_view value) const { return value == text; }
};
struct PrefixTest {
  std::string text;
  bool Passes(std::string_view value) const { return value.starts_with(text); }
};
struct SuffixTest {
  std::string text;
  bool Passes(std::string_view value) const { return value.ends_with(text); }
};
struct EqualIgnoringCaseTest {
  FoldedText text;
  bool Passes(std::string_view value) const { return text.EqualTo(value); }
};
struct PrefixIgnoringCaseTest {
  FoldedText text;
  bool Passes(std::string_view value) const { return text.PrefixOf(value); }
};
struct SuffixIgnoringCaseTest {
  FoldedText text;
  bool Passes(std::string_view value) const { return text.SuffixOf(value); }
};
struct WildcardTest {
  Wildcard wildcard;
  bool Passes(std::string_view value) const { return wildcard.Matches(value); }
};
struct AddressTest {
  IpAddress address;  // every spelling of it passes
  bool Passes(std::string_view value) const { return ParseIpAddress(value) == address; }
};
struct BlockTest {
  IpBlock block;
  bool Passes(std::string_view value) const {
    const std::optional<IpAddress> address = ParseIpAddress(value);
    return address.has_value() && block.Contains(*address);
  }
};

using TextTest =
    std::variant<EqualTest, PrefixTest, SuffixTest, EqualIgnoringCaseTest, PrefixIgnoringCaseTest,
                 SuffixIgnoringCaseTest, WildcardTest, AddressTest, BlockTest>;

bool Passes(const TextTest& test, std::string_view value);

// ---- Elements of a leaf array.

struct NumberEqual {
  std::string text;             // equal text is equal, whatever a double makes of it
  std::optional<double> value;  // unset if not comparable, see number.h
};
struct NumberRange {
  std::optional<double> low, high;  // unset: open to that side
  bool low_included = false, high_included = false;
};
struct Literal {
  ValueKind kind;  // true, false or null
};
struct Present {};
struct Absent {};
struct AnythingButText {
  std::vector<TextTest> tests;  // passes what passes none of them; if EqualTests, ascending
};
struct AnythingButNumber {
  std::vector<double> numbers;  // ascending
};

using ValuePattern = std::variant<TextTest, NumberEqual, NumberRange, Literal, Present, Absent,
                                  AnythingButText, AnythingButNumber>;

// `text` as in Value.
bool Matches(const ValuePattern& pattern, ValueKind kind, std::string_view text);
inline bool Matches(const ValuePattern& pattern, const Value& value) {
  return Matches(pattern, value.kind, value.text);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_VALUE_PATTERN_H_
