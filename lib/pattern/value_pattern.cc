// SPDX-License-Identifier: Apache-2.0
#include "pattern/value_pattern.h"

#include <algorithm>

#include "base/json.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {
namespace {

// One overload per kind of element; std::visit picks.
struct Matcher {
  ValueKind kind;
  std::string_view text;

  bool operator()(const TextTest& test) const {
    return kind == ValueKind::kString && Passes(test, text);
  }
  bool operator()(const NumberEqual& wanted) const {
    if (kind != ValueKind::kNumber) return false;
    if (text == wanted.text) return true;
    return wanted.value.has_value() && ComparableNumber(text) == wanted.value;
  }
  bool operator()(const NumberRange& range) const {
    if (kind != ValueKind::kNumber) return false;
    const std::optional<double> number = ComparableNumber(text);
    if (!number.has_value()) return false;
    if (range.low.has_value() &&
        !(range.low_included ? *number >= *range.low : *number > *range.low)) {
      return false;
    }
    if (range.high.has_value() &&
        !(range.high_included ? *number <= *range.high : *number < *range.high)) {
      return false;
    }
    return true;
  }
  bool operator()(const Literal& literal) const { return kind == literal.kind; }
  bool operator()(const Present&) const { return true; }
  bool operator()(const Absent&) const { return false; }
  bool operator()(const AnythingButText& listed) const {
    if (kind != ValueKind::kString) return true;
    if (std::holds_alternative<EqualTest>(listed.tests.front())) {  // then all are
      const auto at = std::lower_bound(listed.tests.begin(), listed.tests.end(), text,
                                       [](const TextTest& test, std::string_view wanted) {
                                         return std::get<EqualTest>(test).text < wanted;
                                       });
      return at == listed.tests.end() || std::get<EqualTest>(*at).text != text;
    }
    return std::none_of(listed.tests.begin(), listed.tests.end(),
                        [this](const TextTest& test) { return Passes(test, text); });
  }
  bool operator()(const AnythingButNumber& listed) const {
    if (kind != ValueKind::kNumber) return true;
    const std::optional<double> number = ComparableNumber(text);
    return !number.has_value() ||
           !std::binary_search(listed.numbers.begin(), listed.numbers.end(), *number);
  }
};

}  // namespace

std::string JsonText(const Value& value) {
  return value.kind == ValueKind::kString ? JsonString(value.text) : value.text;
}

bool Passes(const TextTest& test, std::string_view value) {
  return std::visit([value](const auto& kind) { return kind.Passes(value); }, test);
}

bool Matches(const ValuePattern& pattern, ValueKind kind, std::string_view text) {
  return std::visit(Matcher{kind, text}, pattern);
}

}  // namespace banyan::inline v0_1::internal
