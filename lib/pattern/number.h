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

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace banyan::inline v0_1::internal {

// `text` in the grammar of a JSON number. Linear in its length.
bool IsJsonNumber(std::string_view text);

// The value of a comparable number; nullopt if `text` is not one, or is no JSON number at all.
std::optional<double> ComparableNumber(std::string_view text);

// For texts that are known to be JSON numbers. The nearest double, nullopt if that is not finite;
// reads just one number from the front and sets *size to its length.
std::optional<double> NearestDouble(std::string_view text, size_t* size);
// Its rare end: from_chars() found the number too large or too small.
std::optional<double> DoubleOutOfRange(std::string_view text);
// Is the number comparable? `nearest` is its NearestDouble(). Linear in the length of the text,
// without memory of its own.
bool IsComparable(std::string_view text, double nearest);

inline std::optional<double> NearestDouble(std::string_view text, size_t* size) {
  double value = 0;
  const std::from_chars_result parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  *size = static_cast<size_t>(parsed.ptr - text.data());
  if (parsed.ec == std::errc()) return value;
  return DoubleOutOfRange(text.substr(0, *size));
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_NUMBER_H_
