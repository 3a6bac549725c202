// SPDX-License-Identifier: Apache-2.0
#include "pattern/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <system_error>

#include "base/json.h"

namespace banyan::inline v0_1::internal {
namespace {

// A decimal text taken apart: value = 0.digits * 10^exponent, no zero at either end of the digits.
// Two texts have the same value exactly if their parts are equal.
struct Decimal {
  // No double's shortest form has more digits, so of longer texts this much is enough to know.
  static constexpr int kDigitsMax = 18;

  bool negative = false;
  int count = 0;
  int64_t exponent = 0;
  char digits[kDigitsMax + 1];

  explicit Decimal(std::string_view text) {
    if (text.starts_with('-')) {
      negative = true;
      text.remove_prefix(1);
    }
    bool behind_point = false;
    int zeros = 0;  // since the last other digit; those at the end say nothing
    size_t i = 0;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '.') {
        behind_point = true;
      } else if (c == 'e' || c == 'E') {
        break;
      } else if (c == '0' && count == 0) {
        exponent -= behind_point;
      } else {
        exponent += !behind_point;
        if (c == '0') {
          ++zeros;
          continue;
        }
        for (; zeros > 0 && count < kDigitsMax; --zeros) digits[count++] = '0';
        zeros = 0;
        if (count < kDigitsMax) digits[count++] = c;
      }
    }
    if (i == text.size()) return;
    std::string_view scale = text.substr(i + 1);
    if (scale.starts_with('+')) scale.remove_prefix(1);
    int64_t shift = 0;
    // An exponent that overflows belongs to a number no double can hold, or to zero: both are
    // decided before this is asked.
    std::from_chars(scale.data(), scale.data() + scale.size(), shift);
    exponent += shift;
  }

  bool operator==(const Decimal& other) const {
    return negative == other.negative && exponent == other.exponent && count == other.count &&
           std::memcmp(digits, other.digits, static_cast<size_t>(count)) == 0;
  }
};

bool IsZero(std::string_view text) {
  const std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
  return mantissa.find_first_not_of("-0.") == std::string_view::npos;
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  JsonReader reader(text);
  return reader.Next() == JsonToken::kNumber && reader.raw() == text;
}

std::optional<double> DoubleOutOfRange(std::string_view text) {
  if (IsZero(text)) return 0.0;
  return std::nullopt;
}

bool IsComparable(std::string_view text, double nearest) {
  if (nearest == 0) return IsZero(text);
  // At most 15 significant digits always survive the round trip, more than 17 never do.
  constexpr int kAlways = std::numeric_limits<double>::digits10;
  const bool is_normal = std::abs(nearest) >= std::numeric_limits<double>::min();
  if (text.size() <= kAlways && is_normal) return true;
  // Most programs write the shortest form, and this one. (Of a large integer it has all digits, not
  // the shortest.)
  constexpr double kLarge = 1e15;
  if (std::abs(nearest) < kLarge) {
    char usual[32];
    const std::to_chars_result end = std::to_chars(usual, usual + sizeof(usual), nearest);
    if (text == std::string_view(usual, static_cast<size_t>(end.ptr - usual))) return true;
  }
  const Decimal written(text);
  constexpr int kNeverAbove = std::numeric_limits<double>::max_digits10;
  if (written.count > kNeverAbove) return false;
  if (written.count <= kAlways && is_normal) return true;
  char shortest[32];
  // Scientific, because the plain form of a large integer prints all of its digits, not the
  // shortest.
  const std::to_chars_result end =
      std::to_chars(shortest, shortest + sizeof(shortest), nearest, std::chars_format::scientific);
  return written == Decimal(std::string_view(shortest, static_cast<size_t>(end.ptr - shortest)));
}

std::optional<double> ComparableNumber(std::string_view text) {
  if (!IsJsonNumber(text)) return std::nullopt;
  size_t size = 0;
  const std::optional<double> nearest = NearestDouble(text, &size);
  if (!nearest.has_value() || !IsComparable(text, *nearest)) return std::nullopt;
  return *nearest == 0 ? 0.0 : *nearest;  // -0 and 0e999999999999 too
}

}  // namespace banyan::inline v0_1::internal
