// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_text.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace banyan::inline v0_1::internal {
namespace {

constexpr TextShape::Bytes kAnyByte[] = {{0x00, 0xFF}};
constexpr TextShape::Bytes kAddressBytes[] = {
    {'0', '9'}, {'a', 'f'}, {'A', 'F'}, {'.', '.'}, {':', ':'}};
constexpr TextShape::Bytes kHexDigits[] = {{'0', '9'}, {'a', 'f'}, {'A', 'F'}};

// Pairs of states that are compared at most; beyond, nothing is proved.
constexpr size_t kPairsMax = 4'000'000;

void Append(const FoldedText& text, TextShape* shape) {
  for (const BothCases& c : text.characters()) shape->ThenEither(c.lower, c.upper);
}

// The characters without case at the front or back of a text.
std::string FixedFront(const FoldedText& text) {
  std::string fixed;
  for (const BothCases& c : text.characters()) {
    if (c.lower != c.upper) break;
    fixed += c.lower;
  }
  return fixed;
}
std::string FixedBack(const FoldedText& text) {
  std::string fixed;
  for (auto c = text.characters().rbegin(); c != text.characters().rend(); ++c) {
    if (c->lower != c->upper) break;
    fixed.insert(0, c->lower);
  }
  return fixed;
}

// What lies in an address or block: no string that lacks one of these bytes' kinds.
TextShape AddressShape() {
  constexpr TextShape::Bytes kSeparators[] = {{'.', '.'}, {':', ':'}};
  TextShape shape;
  shape.ThenAnyNumberOf(kHexDigits).ThenOneOf(kSeparators).ThenAnyNumberOf(kAddressBytes);
  return shape;
}

TextShape ShapeOf(const TextTest& test) {
  TextShape shape;
  std::visit(
      [&shape](const auto& kind) {
        using Test = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Test, EqualTest>) {
          shape.Then(kind.text);
        } else if constexpr (std::is_same_v<Test, PrefixTest>) {
          shape.Then(kind.text).ThenAnything();
        } else if constexpr (std::is_same_v<Test, SuffixTest>) {
          shape.ThenAnything().Then(kind.text);
        } else if constexpr (std::is_same_v<Test, EqualIgnoringCaseTest>) {
          Append(kind.text, &shape);
        } else if constexpr (std::is_same_v<Test, PrefixIgnoringCaseTest>) {
          Append(kind.text, &shape);
          shape.ThenAnything();
        } else if constexpr (std::is_same_v<Test, SuffixIgnoringCaseTest>) {
          shape.ThenAnything();
          Append(kind.text, &shape);
        } else if constexpr (std::is_same_v<Test, WildcardTest>) {
          const std::vector<std::string>& literals = kind.wildcard.literals();
          for (size_t i = 0; i < literals.size(); ++i) {
            if (i > 0) shape.ThenAnything();
            shape.Then(literals[i]);
          }
        } else {
          shape = AddressShape();
        }
      },
      test);
  return shape;
}

bool IsAddressTest(const TextTest& test) {
  return std::holds_alternative<AddressTest>(test) || std::holds_alternative<BlockTest>(test);
}

bool Contains(const IpBlock& outer, const IpBlock& inner) {
  return outer.bits() <= inner.bits() && outer.Contains(inner.base());
}

}  // namespace

TextShape& TextShape::Then(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const uint32_t from = last();
    edges_.emplace_back();
    Add(from, last(), {byte, byte});
  }
  return *this;
}

TextShape& TextShape::ThenEither(std::string_view a, std::string_view b) {
  if (a == b) return Then(a);
  const uint32_t from = last();
  const uint32_t to = from + static_cast<uint32_t>(a.size() + b.size()) - 1;
  edges_.resize(to + 1);
  uint32_t inner = from + 1;
  for (const std::string_view text : {a, b}) {
    uint32_t at = from;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      const uint32_t next = i + 1 == text.size() ? to : inner++;
      Add(at, next, {byte, byte});
      at = next;
    }
  }
  return *this;
}

TextShape& TextShape::ThenOneOf(absl::Span<const Bytes> bytes) {
  const uint32_t from = last();
  edges_.emplace_back();
  for (const Bytes& range : bytes) Add(from, last(), range);
  return *this;
}

TextShape& TextShape::ThenAnyNumberOf(absl::Span<const Bytes> bytes) {
  for (const Bytes& range : bytes) Add(last(), last(), range);
  return *this;
}

TextShape& TextShape::ThenAnything() { return ThenAnyNumberOf(kAnyByte); }

bool TextShape::Includes(const TextShape& outer, const TextShape& inner, LintBudget* budget) {
  const size_t pairs = outer.size() * inner.size();
  if (pairs > kPairsMax || !budget->Spend(pairs)) return false;
  // simulated[i * outer.size() + o]: what can follow state i of the inner chain can follow state o
  // of the outer one. Backwards, so that what an edge leads to is known (T2); a pair of loops leads
  // to the pair itself, which may then be taken for granted.
  std::vector<bool> simulated(pairs, false);
  for (uint32_t i = inner.last() + 1; i-- > 0;) {
    for (uint32_t o = outer.last() + 1; o-- > 0;) {
      if (i == inner.last() && o != outer.last()) continue;
      const auto has_answer = [&](const Edge& wanted) {
        return std::any_of(outer.edges_[o].begin(), outer.edges_[o].end(), [&](const Edge& edge) {
          return edge.bytes.low <= wanted.bytes.low && wanted.bytes.high <= edge.bytes.high &&
                 ((wanted.to == i && edge.to == o) ||
                  simulated[wanted.to * outer.size() + edge.to]);
        });
      };
      simulated[i * outer.size() + o] =
          std::all_of(inner.edges_[i].begin(), inner.edges_[i].end(), has_answer);
    }
  }
  return simulated[0];
}

bool TextShape::AreDisjoint(const TextShape& a, const TextShape& b, LintBudget* budget) {
  const size_t pairs = a.size() * b.size();
  if (pairs > kPairsMax || !budget->Spend(pairs)) return false;
  std::vector<bool> seen(pairs, false);
  std::vector<std::pair<uint32_t, uint32_t>> open = {{0, 0}};
  seen[0] = true;
  while (!open.empty()) {
    const auto [at_a, at_b] = open.back();
    open.pop_back();
    if (at_a == a.last() && at_b == b.last()) return false;
    for (const Edge& x : a.edges_[at_a]) {
      for (const Edge& y : b.edges_[at_b]) {
        if (x.bytes.high < y.bytes.low || y.bytes.high < x.bytes.low) continue;
        const size_t pair = x.to * b.size() + y.to;
        if (seen[pair]) continue;
        seen[pair] = true;
        open.emplace_back(x.to, y.to);
      }
    }
  }
  return true;
}

LintText::LintText(const TextTest& test) : test_(&test) {
  std::visit(
      [this](const auto& kind) {
        using Test = std::decay_t<decltype(kind)>;
        if constexpr (std::is_same_v<Test, EqualTest>) {
          exact_ = kind.text;
        } else if constexpr (std::is_same_v<Test, PrefixTest>) {
          front_ = kind.text;
        } else if constexpr (std::is_same_v<Test, SuffixTest>) {
          back_ = kind.text;
        } else if constexpr (std::is_same_v<Test, EqualIgnoringCaseTest>) {
          const bool has_case =
              std::any_of(kind.text.characters().begin(), kind.text.characters().end(),
                          [](const BothCases& c) { return c.lower != c.upper; });
          front_ = FixedFront(kind.text);
          if (!has_case) {
            exact_ = front_;
          } else {
            back_ = FixedBack(kind.text);
          }
        } else if constexpr (std::is_same_v<Test, PrefixIgnoringCaseTest>) {
          front_ = FixedFront(kind.text);
        } else if constexpr (std::is_same_v<Test, SuffixIgnoringCaseTest>) {
          back_ = FixedBack(kind.text);
        } else if constexpr (std::is_same_v<Test, WildcardTest>) {
          const std::vector<std::string>& literals = kind.wildcard.literals();
          front_ = literals.front();
          back_ = literals.back();
          if (literals.size() == 1) exact_ = literals.front();
        }
      },
      test);
  if (exact_.has_value()) front_ = back_ = *exact_;
}

const TextShape& LintText::shape() const {
  if (shape_ == nullptr) shape_ = std::make_shared<const TextShape>(ShapeOf(*test_));
  return *shape_;
}

bool LintText::Implies(const LintText& other, LintBudget* budget) const {
  if (!budget->Spend(1)) return false;
  if (exact_.has_value()) {
    return budget->Spend(exact_->size() / 8) && Passes(other.test(), *exact_);
  }
  if (other.exact_.has_value()) return false;
  const auto* address = std::get_if<AddressTest>(test_);
  const auto* block = std::get_if<BlockTest>(test_);
  if (const auto* that = std::get_if<AddressTest>(other.test_)) {
    return address != nullptr && address->address == that->address;
  }
  if (const auto* that = std::get_if<BlockTest>(other.test_)) {
    if (address != nullptr) return that->block.Contains(address->address);
    return block != nullptr && Contains(that->block, block->block);
  }
  if (const auto* that = std::get_if<PrefixTest>(other.test_)) {
    if (front_.starts_with(that->text)) return true;
    if (std::holds_alternative<PrefixTest>(*test_)) return false;
  }
  if (const auto* that = std::get_if<SuffixTest>(other.test_)) {
    if (back_.ends_with(that->text)) return true;
    if (std::holds_alternative<SuffixTest>(*test_)) return false;
  }
  return TextShape::Includes(other.shape(), shape(), budget);
}

bool LintText::Excludes(const LintText& other, LintBudget* budget) const {
  if (!budget->Spend(1)) return false;
  if (exact_.has_value()) {
    return budget->Spend(exact_->size() / 8) && !Passes(other.test(), *exact_);
  }
  if (other.exact_.has_value()) {
    return budget->Spend(other.exact_->size() / 8) && !Passes(test(), *other.exact_);
  }
  if (IsAddressTest(*test_) && IsAddressTest(*other.test_)) {
    // Addresses and blocks of addresses are nested or apart.
    return !Implies(other, budget) && !other.Implies(*this, budget) && !budget->exhausted();
  }
  return TextShape::AreDisjoint(shape(), other.shape(), budget);
}

bool LintText::HoldsFor(const TextShape& strings, LintBudget* budget) const {
  return !IsAddressTest(*test_) && TextShape::Includes(shape(), strings, budget);
}

bool LintText::FailsFor(const TextShape& strings, LintBudget* budget) const {
  return TextShape::AreDisjoint(shape(), strings, budget);
}

}  // namespace banyan::inline v0_1::internal
