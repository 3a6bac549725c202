// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_list.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "pattern/lint_values.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

// ---- Equal alternatives have equal words.

std::string WordOf(const FoldedText& text) {
  std::string word;
  for (const BothCases& c : text.characters()) {
    StrAppend(&word, c.lower.size(), ",", c.upper.size(), ":", c.lower, c.upper);
  }
  return word;
}

std::string WordOf(const IpAddress& address) {
  return StrCat(address.is_v4 ? "4" : "6", std::string(address.bytes.begin(), address.bytes.end()));
}

std::string WordOf(const TextTest& test) {
  if (const LintText text(test); text.exact().has_value()) return StrCat("=", *text.exact());
  return std::visit(
      [](const auto& kind) -> std::string {
        using Test = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Test, EqualTest>) {
          return StrCat("=", kind.text);
        } else if constexpr (std::is_same_v<Test, PrefixTest>) {
          return StrCat("p", kind.text);
        } else if constexpr (std::is_same_v<Test, SuffixTest>) {
          return StrCat("s", kind.text);
        } else if constexpr (std::is_same_v<Test, EqualIgnoringCaseTest>) {
          return StrCat("I=", WordOf(kind.text));
        } else if constexpr (std::is_same_v<Test, PrefixIgnoringCaseTest>) {
          return StrCat("Ip", WordOf(kind.text));
        } else if constexpr (std::is_same_v<Test, SuffixIgnoringCaseTest>) {
          return StrCat("Is", WordOf(kind.text));
        } else if constexpr (std::is_same_v<Test, WildcardTest>) {
          std::string word = "*";
          for (const std::string& literal : kind.wildcard.literals()) {
            StrAppend(&word, literal.size(), ":", literal);
          }
          return word;
        } else if constexpr (std::is_same_v<Test, AddressTest>) {
          return StrCat("a", WordOf(kind.address));
        } else {
          static_assert(std::is_same_v<Test, BlockTest>);
          return StrCat("c", kind.block.bits(), ":", WordOf(kind.block.base()));
        }
      },
      test);
}

std::string WordOf(double number) { return StrCat(std::bit_cast<uint64_t>(number + 0.0), ","); }

std::string WordOf(const ValuePattern& value) {
  return std::visit(
      [](const auto& kind) -> std::string {
        using Kind = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Kind, TextTest>) {
          return StrCat("t", WordOf(kind));
        } else if constexpr (std::is_same_v<Kind, NumberEqual>) {
          if (!kind.value.has_value()) return StrCat("o", kind.text);
          return StrCat("n", WordOf(*kind.value), WordOf(*kind.value));
        } else if constexpr (std::is_same_v<Kind, NumberRange>) {
          const std::optional<LintNumbers::Range> range = ComparableRange(kind);
          return range.has_value() ? StrCat("n", WordOf(range->first), WordOf(range->second)) : "0";
        } else if constexpr (std::is_same_v<Kind, Literal>) {
          return StrCat("l", static_cast<int>(kind.kind));
        } else if constexpr (std::is_same_v<Kind, Present>) {
          return "present";
        } else if constexpr (std::is_same_v<Kind, Absent>) {
          return "absent";
        } else {
          std::set<std::string> words;
          if constexpr (std::is_same_v<Kind, AnythingButText>) {
            for (const TextTest& test : kind.tests) words.insert(WordOf(test));
          } else {
            for (const double number : kind.numbers) words.insert(WordOf(number));
          }
          std::string all = std::is_same_v<Kind, AnythingButText> ? "!t" : "!n";
          for (const std::string& word : words) StrAppend(&all, word.size(), ":", word);
          return all;
        }
      },
      value);
}

// Each character in lower case. Values that are equal ignoring case mostly have equal ones; where
// not (sharp s), nothing is found.
std::string Lower(std::string_view text) {
  std::string lower;
  while (!text.empty()) lower += CasesOf(TakeUtf8(&text)).lower;
  return lower;
}
std::string Lower(const FoldedText& text) {
  std::string lower;
  for (const BothCases& c : text.characters()) lower += c.lower;
  return lower;
}

// Texts by which others begin, or end.
class AffixIndex {
 public:
  void Add(std::string_view text, size_t value) {
    values_.try_emplace(std::string(text), value);
    lengths_.insert(text.size());
  }
  // The value with the shortest text that passes; `cut` takes that many bytes from the right end.
  template <typename Cut>
  size_t Find(std::string_view text, size_t except, LintBudget* budget, const Cut& cut) const {
    for (const size_t length : lengths_) {
      if (length > text.size() || !budget->Spend(1 + length / 8)) break;
      const auto found = values_.find(cut(text, length));
      if (found != values_.end() && found->second != except) return found->second;
    }
    return kNone;
  }

 private:
  absl::flat_hash_map<std::string, size_t, StringViewHash, StringViewEqual> values_;
  std::set<size_t> lengths_;
};

class Finder {
 public:
  Finder(absl::Span<const ValuePattern> values, LintBudget* budget)
      : values_(values), budget_(*budget), by_(values.size(), kNone), same_(values.size(), false) {}

  std::vector<CoveredValue> Run() {
    if (values_.size() < 2) return {};
    FindEqual();
    SweepNumbers();
    FileTexts();
    for (size_t i = 0; i < values_.size() && !budget_.exhausted(); ++i) {
      if (by_[i] == kNone) LookUp(i);
      if (by_[i] == kNone) HoldAgainstOthers(i);
    }
    std::vector<CoveredValue> covered;
    for (size_t i = 0; i < values_.size(); ++i) {
      if (by_[i] != kNone) covered.push_back({i, by_[i], same_[i]});
    }
    return covered;
  }

 private:
  const TextTest* Text(size_t i) const { return std::get_if<TextTest>(&values_[i]); }

  void FindEqual() {
    absl::flat_hash_map<std::string, size_t> first;
    for (size_t i = 0; i < values_.size(); ++i) {
      const auto [entry, is_new] = first.try_emplace(WordOf(values_[i]), i);
      if (is_new) continue;
      by_[i] = entry->second;
      same_[i] = true;
    }
  }

  // In order of their low ends, larger ones first: who is covered by one is covered by the one that
  // reaches furthest so far.
  void SweepNumbers() {
    struct Numbers {
      LintNumbers::Range range;
      size_t value;
    };
    std::vector<Numbers> sorted;
    for (size_t i = 0; i < values_.size(); ++i) {
      if (by_[i] != kNone) continue;
      const auto* equal = std::get_if<NumberEqual>(&values_[i]);
      const auto* range = std::get_if<NumberRange>(&values_[i]);
      if (equal != nullptr && equal->value.has_value()) {
        sorted.push_back({{*equal->value + 0.0, *equal->value + 0.0}, i});
      } else if (range != nullptr) {
        if (const auto comparable = ComparableRange(*range)) sorted.push_back({*comparable, i});
      }
    }
    std::sort(sorted.begin(), sorted.end(), [](const Numbers& a, const Numbers& b) {
      return a.range.first != b.range.first ? a.range.first < b.range.first
                                            : a.range.second > b.range.second;
    });
    const Numbers* furthest = nullptr;
    for (const Numbers& numbers : sorted) {
      if (furthest != nullptr && numbers.range.second <= furthest->range.second) {
        by_[numbers.value] = furthest->value;
      } else {
        furthest = &numbers;
      }
    }
  }

  void FileTexts() {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (by_[i] != kNone) continue;
      if (const TextTest* test = Text(i)) {
        if (const auto* prefix = std::get_if<PrefixTest>(test)) {
          prefixes_.Add(prefix->text, i);
          continue;
        }
        if (const auto* suffix = std::get_if<SuffixTest>(test)) {
          suffixes_.Add(suffix->text, i);
          continue;
        }
        if (LintText(*test).exact().has_value()) continue;
        if (const auto* equal = std::get_if<EqualIgnoringCaseTest>(test)) {
          ignoring_case_.try_emplace(Lower(equal->text), i);
          continue;
        }
      }
      const bool covers_more = Text(i) != nullptr ||
                               std::holds_alternative<AnythingButText>(values_[i]) ||
                               std::holds_alternative<AnythingButNumber>(values_[i]);
      if (covers_more) others_.push_back({i, LintValues::Of(values_.subspan(i, 1), &budget_)});
    }
  }

  void LookUp(size_t i) {
    const TextTest* test = Text(i);
    if (test == nullptr) return;
    const LintText text(*test);
    const auto left = [](std::string_view s, size_t n) { return s.substr(0, n); };
    const auto right = [](std::string_view s, size_t n) { return s.substr(s.size() - n); };
    Cover(i, prefixes_.Find(text.front(), i, &budget_, left));
    if (by_[i] == kNone) Cover(i, suffixes_.Find(text.back(), i, &budget_, right));
    if (by_[i] == kNone && text.exact().has_value() && !ignoring_case_.empty()) {
      const auto found = ignoring_case_.find(Lower(*text.exact()));
      if (found != ignoring_case_.end() && Passes(*Text(found->second), *text.exact())) {
        Cover(i, found->second);
      }
    }
  }

  void HoldAgainstOthers(size_t i) {
    if (others_.empty()) return;
    const LintValues own = LintValues::Of(values_.subspan(i, 1), &budget_);
    if (own.present_empty()) return;  // absence, or a range without numbers: said elsewhere
    for (const auto& [o, values] : others_) {
      if (o == i || by_[i] != kNone || !budget_.Spend(1)) continue;
      if (values.HasAllOf(own, &budget_)) Cover(i, o);
    }
  }

  // Unless `by` itself is covered by i, in one or more steps: then they are equal, and one stays.
  void Cover(size_t i, size_t by) {
    if (by == kNone) return;
    for (size_t at = by; at != kNone; at = by_[at]) {
      if (at == i) return;
    }
    by_[i] = by;
  }

  const absl::Span<const ValuePattern> values_;
  LintBudget& budget_;
  std::vector<size_t> by_;
  std::vector<bool> same_;
  AffixIndex prefixes_, suffixes_;
  absl::flat_hash_map<std::string, size_t> ignoring_case_;
  std::vector<std::pair<size_t, LintValues>> others_;
};

}  // namespace

std::vector<CoveredValue> FindCovered(absl::Span<const ValuePattern> values, LintBudget* budget) {
  return Finder(values, budget).Run();
}

}  // namespace banyan::inline v0_1::internal
