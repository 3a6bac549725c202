// SPDX-License-Identifier: Apache-2.0
#include "pattern/rule_places.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace banyan::inline v0_1::internal {
namespace {

// How much each place adds to the cost of a condition. Guesses: an equal text is rare, a prefix of
// a letter is not, and every event has a present field.
constexpr uint64_t kCostOfPresent = 1000;
constexpr uint64_t kCostOfLiteral = 50;
constexpr uint64_t kCostOfRange = 24;
constexpr uint64_t kCostOfOpenRange = 200;
constexpr uint64_t kCostOfBlock = 8;
constexpr uint64_t kCostOfReading = 4;  // once for a condition

uint64_t CostOfPart(size_t length) {
  switch (length) {
    case 0:
      return kCostOfPresent;
    case 1:
      return 40;
    case 2:
      return 12;
    default:
      return 3;
  }
}

class PlaceMaker {
 public:
  PlaceMaker(const PathNode& node, Places* out) : node_(node), out_(*out) {}

  // ---- Elements of a leaf array. False: no place (L2).

  bool operator()(const TextTest& test) { return std::visit(*this, test), true; }
  bool operator()(const NumberEqual& number) {
    if (number.value.has_value()) return Number(*number.value);
    return Add(KeyKind::kNumberText, 0, HashOf(number.text), 0);
  }
  bool operator()(const NumberRange& range) {
    if (range.low.has_value() && range.low == range.high) return Number(*range.low);
    const bool is_open = !range.low.has_value() || !range.high.has_value();
    PackedRule::Plan& plan = out_.plans.emplace_back();
    plan.place.path = node_.id();
    plan.place.kind = KeyKind::kRange;
    plan.range = &range;
    out_.cost += CostOfReading() + (is_open ? kCostOfOpenRange : kCostOfRange);
    return true;
  }
  bool operator()(const Literal& literal) {
    return Add(KeyKind::kLiteral, 0, static_cast<uint64_t>(literal.kind), kCostOfLiteral);
  }
  bool operator()(const Present&) { return AnyValue(); }
  bool operator()(const Absent&) { return false; }
  bool operator()(const AnythingButText&) { return AnyValue(); }
  bool operator()(const AnythingButNumber&) { return AnyValue(); }

  // ---- Tests of a string.

  void operator()(const EqualTest& test) { Add(KeyKind::kText, 0, HashOf(test.text), 0); }
  void operator()(const PrefixTest& test) { Prefix(KeyKind::kPrefix, test.text); }
  void operator()(const SuffixTest& test) { Suffix(KeyKind::kSuffix, test.text); }
  void operator()(const EqualIgnoringCaseTest& test) {
    const std::optional<std::string> text = test.text.Ascii();
    if (!text.has_value()) {
      AnyValue();
    } else {
      Add(KeyKind::kFoldedText, 0, AffixHashes(*text, false, true).Of(text->size()), 0);
    }
  }
  void operator()(const PrefixIgnoringCaseTest& test) {
    const std::optional<std::string> text = test.text.Ascii();
    Prefix(KeyKind::kFoldedPrefix, text.value_or(""));
  }
  void operator()(const SuffixIgnoringCaseTest& test) {
    const std::optional<std::string> text = test.text.Ascii();
    Suffix(KeyKind::kFoldedSuffix, text.value_or(""));
  }
  void operator()(const WildcardTest& test) {
    const std::vector<std::string>& literals = test.wildcard.literals();
    if (literals.size() == 1) {
      Add(KeyKind::kText, 0, HashOf(literals[0]), 0);
      return;
    }
    // By its longest literal; at equal length one at an end, which is looked up once and not at
    // each place of the value.
    const std::string& first = literals.front();
    const std::string& last = literals.back();
    const auto middle = std::max_element(
        literals.begin(), literals.end(),
        [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
    const size_t gram = std::min(middle->size(), kGramMax);
    if (first.size() >= gram && first.size() >= last.size()) {
      Prefix(KeyKind::kPrefix, first);
    } else if (last.size() >= gram) {
      Suffix(KeyKind::kSuffix, last);
    } else {
      Add(KeyKind::kGram, gram, LoadUpTo8(middle->data(), gram), 4 * CostOfPart(gram));
    }
  }
  void operator()(const AddressTest& test) {
    Add(KeyKind::kAddress, 0, HashOfAddress(test.address), 0);
  }
  void operator()(const BlockTest& test) {
    const int bits = test.block.bits();
    Add(KeyKind::kBlock, static_cast<size_t>(bits), HashOfAddress(Masked(test.block.base(), bits)),
        kCostOfBlock);
  }

 private:
  bool Add(KeyKind kind, size_t length, uint64_t hash, uint64_t cost) {
    PackedRule::Plan& plan = out_.plans.emplace_back();
    plan.place.key = LookupKey(node_.key_base(), kind, length, hash);
    plan.place.path = node_.id();
    plan.place.kind = kind;
    plan.place.length = static_cast<uint32_t>(length) & 0xffffff;
    out_.cost += cost;
    return true;
  }
  // Where the path's first number is filed, all its values have to be read, and that takes as long
  // as a few visits.
  uint64_t CostOfReading() {
    const Access* access = node_.access();
    if (access != nullptr && (access->Has(KeyKind::kNumber) || access->Has(KeyKind::kRange))) {
      return 0;
    }
    return std::exchange(cost_of_reading_, 0);
  }
  bool AnyValue() { return Add(KeyKind::kPresent, 0, 0, kCostOfPresent); }
  bool Number(double number) {
    Add(KeyKind::kNumber, 0, HashOfNumber(number), CostOfReading() + 1);
    out_.plans.back().number = number;
    return true;
  }

  void Prefix(KeyKind kind, std::string_view text) {
    if (text.empty()) {
      AnyValue();
      return;
    }
    const size_t length = std::min(text.size(), kAffixMax);
    Add(kind, length, AffixHashes(text, false, false).Of(length), CostOfPart(length));
  }
  void Suffix(KeyKind kind, std::string_view text) {
    if (text.empty()) {
      AnyValue();
      return;
    }
    const size_t length = std::min(text.size(), kAffixMax);
    Add(kind, length, AffixHashes(text, true, false).Of(length), CostOfPart(length));
  }

  uint64_t cost_of_reading_ = kCostOfReading;
  const PathNode& node_;
  Places& out_;
};

}  // namespace

uint64_t HashOfAddress(const IpAddress& address) {
  uint64_t high, low;
  std::memcpy(&high, address.bytes.data(), 8);
  std::memcpy(&low, address.bytes.data() + 8, 8);
  return Mix64(high + Mix64(low + (address.is_v4 ? 1 : 0)));
}

PackedRule::Plan PlaceOfAnyValue(const PathNode& node) {
  PackedRule::Plan plan;
  plan.place.key = LookupKey(node.key_base(), KeyKind::kPresent, 0, 0);
  plan.place.path = node.id();
  plan.place.kind = KeyKind::kPresent;
  return plan;
}

std::optional<Places> PlacesOf(const Condition& condition, const PathNode& node) {
  Places out;
  PlaceMaker maker(node, &out);
  for (const ValuePattern& value : condition.leaf->values) {
    if (!std::visit(maker, value)) return std::nullopt;
  }
  // Elements may share a place: all kinds of anything-but do.
  auto& plans = out.plans;
  const auto what = [](const PackedRule::Plan& plan) {
    return std::tuple(plan.place.kind, plan.place.length, plan.place.key, plan.range);
  };
  std::sort(plans.begin(), plans.end(),
            [&](const auto& a, const auto& b) { return what(a) < what(b); });
  plans.erase(std::unique(plans.begin(), plans.end(),
                          [&](const auto& a, const auto& b) { return what(a) == what(b); }),
              plans.end());
  return out;
}

}  // namespace banyan::inline v0_1::internal
