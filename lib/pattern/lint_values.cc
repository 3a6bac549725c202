// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_values.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <variant>

namespace banyan::inline v0_1::internal {
namespace {

constexpr double kMost = std::numeric_limits<double>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The doubles beside a number; infinite behind the last. -0 is 0 (adding 0 makes it so).
double Above(double value) { return std::nextafter(value, kInfinity) + 0.0; }
double Below(double value) { return std::nextafter(value, -kInfinity) + 0.0; }

void AddAllBut(std::vector<double> excluded, std::vector<LintNumbers::Range>* ranges) {
  std::sort(excluded.begin(), excluded.end());
  double low = -kMost;
  for (const double number : excluded) {
    if (const double high = Below(number); low <= high) ranges->emplace_back(low, high);
    low = Above(number);
  }
  if (low <= kMost) ranges->emplace_back(low, kMost);
}

void SortAndJoin(std::vector<LintNumbers::Range>* ranges) {
  std::sort(ranges->begin(), ranges->end());
  std::vector<LintNumbers::Range> joined;
  for (const auto& [low, high] : *ranges) {
    if (!joined.empty() && low <= Above(joined.back().second)) {
      joined.back().second = std::max(joined.back().second, high);
    } else {
      joined.emplace_back(low, high);
    }
  }
  *ranges = std::move(joined);
}

bool IsAnyString(const TextTest& test) {
  return std::visit(
      [](const auto& kind) {
        using Test = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Test, PrefixTest> || std::is_same_v<Test, SuffixTest>) {
          return kind.text.empty();
        } else if constexpr (std::is_same_v<Test, PrefixIgnoringCaseTest> ||
                             std::is_same_v<Test, SuffixIgnoringCaseTest>) {
          return kind.text.characters().empty();
        } else if constexpr (std::is_same_v<Test, WildcardTest>) {
          const std::vector<std::string>& literals = kind.wildcard.literals();
          return literals.size() == 2 && literals[0].empty() && literals[1].empty();
        } else {
          return false;
        }
      },
      test);
}

// Do the strings cover everything? Where they are complements of finite sets the answer is exact,
// and the set is brought to its simplest form: all, or one complement.
void Simplify(LintStrings* strings, LintBudget* budget) {
  std::vector<LintTexts>& all_but = strings->all_but;
  const auto finite = std::find_if(all_but.begin(), all_but.end(), [](const LintTexts& excluded) {
    return excluded.tests().empty();
  });
  if (finite != all_but.end()) {
    // Missing is what the finite one excludes, the others exclude too, and no test admits.
    LintTexts missing;
    for (const std::string& text : finite->exact()) {
      const bool everywhere =
          std::all_of(all_but.begin(), all_but.end(), [&](const LintTexts& excluded) {
            return &excluded == &*finite || excluded.Has(text, budget) || budget->exhausted();
          });
      if (everywhere && !strings->some.Has(text, budget)) missing.Add(EqualTest{text});
    }
    if (budget->exhausted()) return;
    strings->all = missing.empty();
    strings->some = {};
    all_but.clear();
    if (!strings->all) all_but.push_back(std::move(missing));
    return;
  }
  for (size_t i = 0; i < all_but.size() && !strings->all; ++i) {
    strings->all = strings->some.HasAllOf(all_but[i], budget);
    for (size_t j = 0; j < i && !strings->all; ++j) {
      strings->all = all_but[i].HasNoneOf(all_but[j], budget);
    }
  }
  if (strings->all) *strings = {.all = true, .some = {}, .all_but = {}};
}

}  // namespace

// ---- Strings.

void LintTexts::Add(const TextTest& test) {
  LintText text(test);
  if (text.exact().has_value()) {
    exact_.insert(*text.exact());
  } else {
    tests_.push_back(std::move(text));
  }
}

bool LintTexts::Has(std::string_view text, LintBudget* budget) const {
  if (exact_.contains(text)) return true;
  return std::any_of(tests_.begin(), tests_.end(), [&](const LintText& test) {
    return budget->Spend(1 + text.size() / 8) && Passes(test.test(), text);
  });
}

bool LintTexts::HasAllOf(const LintText& test, LintBudget* budget) const {
  if (test.exact().has_value()) return Has(*test.exact(), budget);
  return std::any_of(tests_.begin(), tests_.end(),
                     [&](const LintText& own) { return test.Implies(own, budget); });
}

bool LintTexts::HasAllOf(const LintTexts& others, LintBudget* budget) const {
  return std::all_of(others.exact_.begin(), others.exact_.end(),
                     [&](const std::string& text) { return Has(text, budget); }) &&
         std::all_of(others.tests_.begin(), others.tests_.end(),
                     [&](const LintText& test) { return HasAllOf(test, budget); });
}

bool LintTexts::HasNoneOf(const LintText& test, LintBudget* budget) const {
  if (test.exact().has_value()) return !Has(*test.exact(), budget) && !budget->exhausted();
  return std::all_of(exact_.begin(), exact_.end(),
                     [&](const std::string& text) {
                       return budget->Spend(1 + text.size() / 8) && !Passes(test.test(), text);
                     }) &&
         std::all_of(tests_.begin(), tests_.end(),
                     [&](const LintText& own) { return own.Excludes(test, budget); });
}

bool LintTexts::HasNoneOf(const LintTexts& others, LintBudget* budget) const {
  return std::none_of(others.exact_.begin(), others.exact_.end(),
                      [&](const std::string& text) { return Has(text, budget); }) &&
         std::all_of(others.tests_.begin(), others.tests_.end(),
                     [&](const LintText& test) { return HasNoneOf(test, budget); }) &&
         !budget->exhausted();
}

bool LintStrings::Has(std::string_view text, LintBudget* budget) const {
  return all || some.Has(text, budget) ||
         std::any_of(all_but.begin(), all_but.end(), [&](const LintTexts& excluded) {
           return budget->Spend(1) && !excluded.Has(text, budget) && !budget->exhausted();
         });
}

bool LintStrings::HasAllOf(const LintText& test, LintBudget* budget) const {
  return all || some.HasAllOf(test, budget) ||
         std::any_of(all_but.begin(), all_but.end(),
                     [&](const LintTexts& excluded) { return excluded.HasNoneOf(test, budget); });
}

bool LintStrings::HasAllOf(const LintStrings& others, LintBudget* budget) const {
  if (all || others.empty()) return true;
  if (others.all) return false;
  const LintTexts& wanted = others.some;
  return std::all_of(wanted.exact().begin(), wanted.exact().end(),
                     [&](const std::string& text) { return Has(text, budget); }) &&
         std::all_of(wanted.tests().begin(), wanted.tests().end(),
                     [&](const LintText& test) { return HasAllOf(test, budget); }) &&
         std::all_of(others.all_but.begin(), others.all_but.end(), [&](const LintTexts& theirs) {
           // A complement is larger the less it excludes.
           return std::any_of(all_but.begin(), all_but.end(),
                              [&](const LintTexts& ours) { return theirs.HasAllOf(ours, budget); });
         });
}

// ---- Numbers.

bool LintNumbers::all() const {
  return all_others && comparable.size() == 1 && comparable.front() == Range(-kMost, kMost);
}

bool LintNumbers::HasAllOf(const LintNumbers& numbers) const {
  if (numbers.all_others && !all_others) return false;
  if (!all_others &&
      !std::all_of(numbers.others.begin(), numbers.others.end(),
                   [this](const std::string& text) { return others.contains(text); }))
    return false;
  return std::all_of(
      numbers.comparable.begin(), numbers.comparable.end(), [this](const Range& wanted) {
        const auto after = std::upper_bound(
            comparable.begin(), comparable.end(), wanted.first,
            [](double number, const Range& range) { return number < range.first; });
        return after != comparable.begin() && wanted.second <= std::prev(after)->second;
      });
}

std::optional<LintNumbers::Range> ComparableRange(const NumberRange& range) {
  double low = range.low.value_or(-kMost) + 0.0;
  double high = range.high.value_or(kMost) + 0.0;
  if (range.low.has_value() && !range.low_included) low = Above(low);
  if (range.high.has_value() && !range.high_included) high = Below(high);
  if (low > high) return std::nullopt;
  return LintNumbers::Range(low, high);
}

// ---- All values.

LintValues LintValues::Of(absl::Span<const ValuePattern> alternatives, LintBudget* budget) {
  LintValues set;
  const auto add_all_literals = [&set] { set.is_true = set.is_false = set.is_null = true; };
  for (const ValuePattern& alternative : alternatives) {
    std::visit(
        [&](const auto& kind) {
          using Kind = std::decay_t<decltype(kind)>;
          if constexpr (std::is_same_v<Kind, TextTest>) {
            if (IsAnyString(kind)) {
              set.strings.all = true;
            } else {
              set.strings.some.Add(kind);
            }
          } else if constexpr (std::is_same_v<Kind, NumberEqual>) {
            if (kind.value.has_value()) {
              set.numbers.comparable.emplace_back(*kind.value + 0.0, *kind.value + 0.0);
            } else {
              set.numbers.others.insert(kind.text);
            }
          } else if constexpr (std::is_same_v<Kind, NumberRange>) {
            if (const auto range = ComparableRange(kind)) set.numbers.comparable.push_back(*range);
          } else if constexpr (std::is_same_v<Kind, Literal>) {
            set.is_true = set.is_true || kind.kind == ValueKind::kTrue;
            set.is_false = set.is_false || kind.kind == ValueKind::kFalse;
            set.is_null = set.is_null || kind.kind == ValueKind::kNull;
          } else if constexpr (std::is_same_v<Kind, Present>) {
            add_all_literals();
            AddAllBut({}, &set.numbers.comparable);
            set.numbers.all_others = true;
            set.strings.all = true;
          } else if constexpr (std::is_same_v<Kind, Absent>) {
            set.absent = true;
          } else if constexpr (std::is_same_v<Kind, AnythingButText>) {
            add_all_literals();
            AddAllBut({}, &set.numbers.comparable);
            set.numbers.all_others = true;
            if (std::any_of(kind.tests.begin(), kind.tests.end(), IsAnyString)) return;
            LintTexts& excluded = set.strings.all_but.emplace_back();
            for (const TextTest& test : kind.tests) excluded.Add(test);
          } else {
            static_assert(std::is_same_v<Kind, AnythingButNumber>);
            add_all_literals();
            AddAllBut(kind.numbers, &set.numbers.comparable);
            set.numbers.all_others = true;
            set.strings.all = true;
          }
        },
        alternative);
  }
  SortAndJoin(&set.numbers.comparable);
  if (set.numbers.all_others) set.numbers.others.clear();
  if (set.strings.all) {
    set.strings = {.all = true, .some = {}, .all_but = {}};
  } else {
    Simplify(&set.strings, budget);
  }
  return set;
}

bool LintValues::HasAllOf(const LintValues& others, LintBudget* budget) const {
  return (absent || !others.absent) && (is_true || !others.is_true) &&
         (is_false || !others.is_false) && (is_null || !others.is_null) &&
         numbers.HasAllOf(others.numbers) && strings.HasAllOf(others.strings, budget);
}

std::optional<std::vector<std::string>> LintValues::Words() const {
  const bool finite = !absent && !strings.all && strings.all_but.empty() &&
                      strings.some.tests().empty() && !numbers.all_others &&
                      std::all_of(numbers.comparable.begin(), numbers.comparable.end(),
                                  [](const auto& range) { return range.first == range.second; });
  if (!finite) return std::nullopt;
  std::vector<std::string> words;
  for (const std::string& text : strings.some.exact()) words.push_back(StrCat("s", text));
  for (const auto& range : numbers.comparable) {
    words.push_back(StrCat("n", std::bit_cast<uint64_t>(range.first)));
  }
  for (const std::string& text : numbers.others) words.push_back(StrCat("o", text));
  if (is_true) words.emplace_back("true");
  if (is_false) words.emplace_back("false");
  if (is_null) words.emplace_back("null");
  return words;
}

}  // namespace banyan::inline v0_1::internal
