// SPDX-License-Identifier: Apache-2.0
//
// Numbers as patterns compare them.
//
// A number is *comparable* if a double holds it exactly as far as decimal text goes: the shortest
// decimal form of the nearest finite double has the same value. 300 and 3.00E+2 are comparable and
// equal; 9007199254740993 and 1e400 are not comparable: no order is known for them, and they equal
// only their own text.
#ifndef BANYAN_LIB_PATTERN_NUMBER_H_
#define BANYAN_LIB_PATTERN_NUMBER_H_

#include <optional>
#include <string_view>

namespace banyan::inline v0_1::internal {

// `text` in the grammar of a JSON number. Linear in its length.
bool IsJsonNumber(std::string_view text);

// The value of a comparable number; nullopt if `text` is not one, or is no JSON number at all.
std::optional<double> ComparableNumber(std::string_view text);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_NUMBER_H_
