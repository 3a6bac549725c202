// SPDX-License-Identifier: Apache-2.0
#include "pattern/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

#include "base/json.h"

namespace banyan::inline v0_1::internal {
namespace {

// A decimal text taken apart: value = 0.digits * 10^exponent, no zero at either end of `digits`.
// Two texts have the same value exactly if their parts are equal.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;

  bool operator==(const Decimal&) const = default;
};

Decimal Normalize(std::string_view text) {
  Decimal decimal;
  const size_t mark = text.find_first_of("eE");
  int64_t scale = 0;
  if (mark != std::string_view::npos) {
    std::string_view exponent = text.substr(mark + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    // An exponent that overflows belongs to a number no double can hold, or to zero: both are
    // decided before this function is asked.
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), scale);
    text = text.substr(0, mark);
  }
  if (text.starts_with('-')) {
    decimal.negative = true;
    text.remove_prefix(1);
  }
  const size_t point = std::min(text.find('.'), text.size());
  decimal.digits.append(text.substr(0, point));
  decimal.exponent = static_cast<int64_t>(point) + scale;
  if (point < text.size()) decimal.digits.append(text.substr(point + 1));

  const size_t first = std::min(decimal.digits.find_first_not_of('0'), decimal.digits.size());
  decimal.digits.erase(0, first);
  decimal.exponent -= static_cast<int64_t>(first);
  decimal.digits.erase(decimal.digits.find_last_not_of('0') + 1);
  return decimal;
}

bool IsZero(std::string_view text) {
  const std::string_view mantissa = text.substr(0, text.find_first_of("eE"));
  return mantissa.find_first_not_of("-0.") == std::string_view::npos;
}

}  // namespace

bool IsJsonNumber(std::string_view text) {
  JsonReader reader(text);
  return reader.Next() == JsonToken::kNumber && reader.raw() == text;
}

std::optional<double> ComparableNumber(std::string_view text) {
  if (!IsJsonNumber(text)) return std::nullopt;
  if (IsZero(text)) return 0.0;  // -0 and 0e999999999999 too
  double value = 0;
  const std::from_chars_result parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
  // At most 15 significant digits always survive the round trip.
  size_t digits = 0;
  for (const char c : text.substr(0, text.find_first_of("eE"))) digits += c >= '0' && c <= '9';
  if (digits <= std::numeric_limits<double>::digits10 &&
      std::abs(value) >= std::numeric_limits<double>::min()) {
    return value;
  }
  char shortest[32];
  // Scientific, because the plain form of a large integer prints all of its digits, not the
  // shortest.
  const std::to_chars_result written =
      std::to_chars(shortest, shortest + sizeof(shortest), value, std::chars_format::scientific);
  const std::string_view form(shortest, static_cast<size_t>(written.ptr - shortest));
  if (Normalize(form) != Normalize(text)) return std::nullopt;
  return value;
}

}  // namespace banyan::inline v0_1::internal
