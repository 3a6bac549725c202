// SPDX-License-Identifier: Apache-2.0
#include "pattern/explain_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <tuple>
#include <variant>

#include "base/json.h"
#include "base/strings.h"
#include "pattern/explain_text.h"
#include "pattern/ip.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr size_t kBytesComparedMax = 1 << 20;
constexpr size_t kAlternativesMax = 1'000;

// Kinds of misses, the most instructive first.
enum class MissKind { kLookalike, kOtherType, kExcluded, kOutOfRange, kPartly, kNone };

struct Miss {
  MissKind kind = MissKind::kNone;
  double distance = 0;      // among those of one kind the least is nearest
  std::string clause = {};  // said of the value: "differs in case"

  bool IsNearerThan(const Miss& other) const {
    return std::tie(kind, distance) < std::tie(other.kind, other.distance);
  }
};

// Decoded strings of an alternative, in order: {"anything-but": ["a", "b"]} has "a" and "b".
std::vector<std::string> StringsIn(std::string_view alternative) {
  std::vector<std::string> strings;
  JsonReader reader(alternative);
  while (true) {
    const JsonToken token = reader.Next();
    if (token == JsonToken::kEnd || token == JsonToken::kError) return strings;
    if (token == JsonToken::kString) strings.emplace_back(reader.text());
  }
}

// As a person writes it: 0.5, 1200, 1e+20.
std::string NumberText(double number) {
  char text[40];
  const std::to_chars_result end =
      std::to_chars(text, text + sizeof(text), number, std::chars_format::general, 15);
  return std::string(text, end.ptr);
}

// What a double makes of a number's text, comparable or not.
double Rounded(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string WhyNotComparable(std::string_view number) {
  size_t size = 0;
  return NearestDouble(number, &size).has_value() ? "has more or other digits than a double keeps"
                                                  : "is larger or smaller than can be compared";
}

std::string KindText(ValueKind kind) {
  switch (kind) {
    case ValueKind::kString:
      return "a string";
    case ValueKind::kNumber:
      return "a number";
    case ValueKind::kTrue:
      return "the literal true";
    case ValueKind::kFalse:
      return "the literal false";
    case ValueKind::kNull:
      return "null";
  }
  return "";
}

Miss Partly(size_t shared, std::string_view which) {
  if (shared == 0) return {};
  const std::string characters = shared == 1 ? StrCat(which, " character agrees")
                                             : StrCat(which, " ", shared, " characters agree");
  return {MissKind::kPartly, 1 / static_cast<double>(shared), StrCat("only the ", characters)};
}

std::string WhyNoAddress(std::string_view text) {
  if (ParseIpAddress(text.substr(0, text.find('/'))).has_value()) return "it is a block";
  if (text.starts_with('[')) return "it has brackets";
  if (ParseIpAddress(text.substr(0, text.find('%'))).has_value()) return "it has a zone";
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    if (ParseIpAddress(text.substr(colon + 1)).has_value()) {
      return "its last groups must be in hex, not with dots";
    }
    if (ParseIpAddress(text.substr(0, colon)).has_value()) return "it has a port";
  }
  if (!text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos) {
    return "it must have four groups from 0 to 255";
  }
  return "";
}

// Would the wildcard match if its question marks stood for any one character?
bool FitsWithJokers(const std::vector<std::string>& literals, std::string_view value) {
  constexpr size_t kBytesMax = 200;  // of either: trying places is their product
  size_t bytes = 0;
  bool has_joker = false;
  for (const std::string& literal : literals) {
    bytes += literal.size();
    has_joker = has_joker || literal.find('?') != std::string::npos;
  }
  if (!has_joker || bytes > kBytesMax || value.size() > kBytesMax) return false;
  const std::u32string text = Characters(value);
  const auto stands_at = [&text](const std::u32string& literal, size_t at) {
    if (at + literal.size() > text.size()) return false;
    return std::equal(literal.begin(), literal.end(), text.begin() + static_cast<ptrdiff_t>(at),
                      [](char32_t wanted, char32_t c) { return wanted == U'?' || wanted == c; });
  };
  const std::u32string first = Characters(literals.front()), last = Characters(literals.back());
  if (literals.size() == 1) return text.size() == first.size() && stands_at(first, 0);
  if (!stands_at(first, 0)) return false;
  size_t at = first.size();
  for (size_t i = 1; i + 1 < literals.size(); ++i) {
    const std::u32string literal = Characters(literals[i]);
    while (at <= text.size() && !stands_at(literal, at)) ++at;
    at += literal.size();
  }
  return at + last.size() <= text.size() && stands_at(last, text.size() - last.size());
}

// ---- A string that fails a test of strings.

struct TextMiss {
  std::string_view value;
  std::string_view wanted;  // the operand as written, escapes decoded

  Miss Lookalike(unsigned lookalikes, TextComparison passes) const {
    const std::string difference = LookalikeDifference(value, wanted, lookalikes, passes);
    if (difference.empty()) return {};
    return {MissKind::kLookalike, 0, StrCat("differs in ", difference)};
  }

  // For tests that ignore case in their own way: "SS" does not accept U+00DF, "k" not U+212A.
  Miss OtherCase(TextComparison passes) const {
    if (LookalikeDifference(value, wanted, kCase, passes).empty()) return {};
    return {MissKind::kLookalike, 0,
            "agrees but for case, and only the pattern's characters are tried in upper and lower "
            "case: the comparison is not symmetric"};
  }

  Miss operator()(const EqualTest&) const {
    const Miss alike = Lookalike(kAnyLookalike, [](auto a, auto b) { return a == b; });
    if (alike.kind != MissKind::kNone) return alike;
    // A bare address would accept every spelling of it: this one was asked for by `exactly`.
    const std::optional<IpAddress> address = ParseIpAddress(wanted);
    if (address.has_value() && ParseIpAddress(value) == address) {
      return {MissKind::kOtherType, 0, "is the same address, but `exactly` compares characters"};
    }
    std::string error;
    if (wanted.find('*') != std::string_view::npos) {
      const std::optional<Wildcard> wildcard = Wildcard::Parse(wanted, &error);
      if (wildcard.has_value() && wildcard->Matches(value)) {
        return {MissKind::kOtherType, 0, "a * stands for itself outside of {\"wildcard\": ...}"};
      }
    }
    if (wanted.size() > 1 && value.starts_with(wanted)) {
      return {MissKind::kPartly, 0, "goes on behind it, and a bare string must be the whole value"};
    }
    return {};
  }
  Miss operator()(const PrefixTest&) const {
    const Miss alike = Lookalike(kAnyLookalike, [](auto a, auto b) { return a.starts_with(b); });
    return alike.kind != MissKind::kNone ? alike : Partly(SharedAtFront(value, wanted), "first");
  }
  Miss operator()(const SuffixTest&) const {
    const Miss alike = Lookalike(kAnyLookalike, [](auto a, auto b) { return a.ends_with(b); });
    return alike.kind != MissKind::kNone ? alike : Partly(SharedAtEnd(value, wanted), "last");
  }
  Miss operator()(const EqualIgnoringCaseTest&) const {
    const Miss alike =
        Lookalike(kAnyLookalike & ~kCase, [](auto a, auto b) { return FoldedText(b).EqualTo(a); });
    if (alike.kind != MissKind::kNone) return alike;
    return OtherCase([](auto a, auto b) { return a == b; });
  }
  Miss operator()(const PrefixIgnoringCaseTest&) const {
    const Miss alike =
        Lookalike(kAnyLookalike & ~kCase, [](auto a, auto b) { return FoldedText(b).PrefixOf(a); });
    if (alike.kind != MissKind::kNone) return alike;
    const Miss other = OtherCase([](auto a, auto b) { return a.starts_with(b); });
    if (other.kind != MissKind::kNone) return other;
    return Partly(
        SharedAtFront(Without(value.substr(0, 4 * wanted.size()), kCase), Without(wanted, kCase)),
        "first");
  }
  Miss operator()(const SuffixIgnoringCaseTest&) const {
    const Miss alike =
        Lookalike(kAnyLookalike & ~kCase, [](auto a, auto b) { return FoldedText(b).SuffixOf(a); });
    if (alike.kind != MissKind::kNone) return alike;
    const Miss other = OtherCase([](auto a, auto b) { return a.ends_with(b); });
    if (other.kind != MissKind::kNone) return other;
    const size_t tail = std::min(value.size(), 4 * wanted.size());
    return Partly(
        SharedAtEnd(Without(value.substr(value.size() - tail), kCase), Without(wanted, kCase)),
        "last");
  }
  Miss operator()(const WildcardTest& test) const {
    const Miss alike = Lookalike(kAnyLookalike, [](auto a, auto b) {
      std::string error;
      const std::optional<Wildcard> wildcard = Wildcard::Parse(b, &error);
      return wildcard.has_value() && wildcard->Matches(a);
    });
    if (alike.kind != MissKind::kNone) return alike;
    const std::vector<std::string>& literals = test.wildcard.literals();
    if (FitsWithJokers(literals, value)) {
      return {MissKind::kOtherType, 0, "a ? stands for itself, not for any character"};
    }
    const auto says = [&literals](std::string_view verb, size_t i, std::string_view more = "") {
      const double missing = static_cast<double>(literals.size() - i);
      return Miss{MissKind::kPartly, missing,
                  StrCat("does not ", verb, " ", Cut(JsonString(literals[i])), more)};
    };
    const size_t last = literals.size() - 1;
    if (last == 0) return {};  // no star: an equal text is wanted
    std::string_view rest = value;
    if (!rest.starts_with(literals[0])) return says("begin with", 0);
    rest.remove_prefix(literals[0].size());
    for (size_t i = 1; i < last; ++i) {
      const size_t at = rest.find(literals[i]);
      if (at == std::string_view::npos) {
        const std::string& before = literals[i - 1];
        return says("contain", i,
                    before.empty() ? "" : StrCat(" behind ", Cut(JsonString(before))));
      }
      rest.remove_prefix(at + literals[i].size());
    }
    if (!value.ends_with(literals[last])) return says("end with", last);
    return {MissKind::kPartly, 0, "is too short for all the parts between the stars"};
  }
  Miss operator()(const AddressTest&) const {
    if (!ParseIpAddress(value).has_value()) return NoAddress();
    return {};
  }
  Miss operator()(const BlockTest& test) const {
    const std::optional<IpAddress> address = ParseIpAddress(value);
    if (!address.has_value()) return NoAddress();
    const auto family = [](bool is_v4) { return is_v4 ? "IPv4" : "IPv6"; };
    if (address->is_v4 != test.block.base().is_v4) {
      return {MissKind::kOtherType, 0,
              StrCat("is an ", family(address->is_v4), " address, and the block is ",
                     family(!address->is_v4))};
    }
    return {MissKind::kOutOfRange, 1, "is an address outside of the block"};
  }

  Miss NoAddress() const {
    const std::string bare = Without(value.substr(0, 100), kEnds | kInvisible);
    if (value.size() <= 100 && ParseIpAddress(bare).has_value()) {
      return {MissKind::kLookalike, 0,
              "has white space or invisible characters around the address"};
    }
    const std::string why = value.size() <= 100 ? WhyNoAddress(value) : "";
    if (!why.empty()) return {MissKind::kOtherType, 0, StrCat("is no IP address: ", why)};
    return {MissKind::kPartly, 2, "is no IP address"};
  }
};

// ---- A value that fails an alternative.

struct ValueMiss {
  const Value& value;
  std::string_view alternative;  // as the pattern writes it

  Miss operator()(const TextTest& test) const {
    if (value.kind == ValueKind::kString) {
      const std::vector<std::string> strings = StringsIn(alternative);
      if (strings.empty()) return {};
      return std::visit(TextMiss{value.text, strings.front()}, test);
    }
    if (Passes(test, value.text)) return OtherType("a string");
    if (const auto* equal = std::get_if<EqualTest>(&test)) {
      if (value.kind == ValueKind::kNull && equal->text.empty()) {
        return {MissKind::kOtherType, 0, "is null, not the empty string"};
      }
      const std::optional<double> number = ComparableNumber(equal->text);
      if (number.has_value() && number == Number()) return OtherType("a string");
    }
    return {};
  }
  Miss operator()(const NumberEqual& wanted) const {
    if (value.kind == ValueKind::kString) {
      const std::string_view text = Trimmed(value.text);
      const bool is_it = text == wanted.text ||
                         (wanted.value.has_value() && ComparableNumber(text) == wanted.value);
      return is_it ? OtherType("a number") : Miss{};
    }
    if (value.kind != ValueKind::kNumber) return {};
    const std::optional<double> number = Number();
    if (!number.has_value() || !wanted.value.has_value()) {
      const std::string& odd = number.has_value() ? wanted.text : value.text;
      if (Rounded(value.text) != Rounded(wanted.text)) return {};
      return {MissKind::kOutOfRange, 0,
              StrCat(number.has_value() ? "the pattern's number " : "", WhyNotComparable(odd),
                     ", so it equals only what is written exactly like it")};
    }
    // Worth a word only where the two look the same: what is left over of arithmetic.
    const double apart = std::abs(*number - *wanted.value);
    if (!(apart <= 1e-6 * std::abs(*wanted.value))) return {};
    return {MissKind::kOutOfRange, apart, StrCat("differs by ", NumberText(apart))};
  }
  Miss operator()(const NumberRange& range) const {
    if (value.kind == ValueKind::kString) {
      const std::string_view text = Trimmed(value.text);
      if (!ComparableNumber(text).has_value()) return {};
      const bool would_pass = Matches(range, ValueKind::kNumber, text);
      return {MissKind::kOtherType, would_pass ? 0.0 : 1.0, "is a string, not a number"};
    }
    if (value.kind != ValueKind::kNumber) return {};
    const std::optional<double> number = Number();
    if (!number.has_value()) return {MissKind::kOutOfRange, 0, WhyNotComparable(value.text)};
    const bool is_low = range.low.has_value() && *number <= *range.low;
    const double bound = is_low ? *range.low : range.high.value_or(*number);
    const double apart = std::abs(*number - bound);
    if (apart == 0)
      return {MissKind::kOutOfRange, 0, "is the bound itself, which is not in the range"};
    return {MissKind::kOutOfRange, apart,
            std::isfinite(apart) ? StrCat("is out of range by ", NumberText(apart))
                                 : "is out of range"};
  }
  Miss operator()(const Literal& literal) const {
    const std::string wanted = KindText(literal.kind);
    if (value.kind == ValueKind::kString) {
      if (literal.kind == ValueKind::kNull && value.text.empty()) {
        return {MissKind::kOtherType, 0, "is the empty string, not null"};
      }
      const std::string_view text = Trimmed(value.text);
      if (text.size() <= 5 && Without(text, kCase) == Without(alternative, kCase)) {
        return OtherType(wanted);
      }
    }
    return {};
  }
  Miss operator()(const Present&) const { return {}; }  // no value fails it
  Miss operator()(const Absent&) const {
    const bool is_odd =
        value.kind == ValueKind::kNull || (value.kind == ValueKind::kString && value.text.empty());
    const std::string also = value.kind == ValueKind::kNull ? "null" : "the empty string";
    return {MissKind::kExcluded, 1,
            is_odd ? StrCat("the field is there: ", also, " is a value, too")
                   : "the field is there, and must not be"};
  }
  Miss operator()(const AnythingButText& listed) const {
    const std::vector<std::string> strings = StringsIn(alternative);
    for (size_t i = 0; i < listed.tests.size() && i < strings.size(); ++i) {
      const TextTest& test = listed.tests[i];
      if (!Passes(test, value.text)) continue;
      const std::string_view verb = std::holds_alternative<PrefixTest>(test)     ? "begins with "
                                    : std::holds_alternative<SuffixTest>(test)   ? "ends with "
                                    : std::holds_alternative<WildcardTest>(test) ? "matches "
                                    : std::holds_alternative<EqualTest>(test)
                                        ? ""
                                        : "is, ignoring case, ";
      // Of equal texts the tests are sorted, and so in another order than as written.
      const auto* equal = std::get_if<EqualTest>(&test);
      const std::string shown = Cut(JsonString(equal != nullptr ? equal->text : strings[i]));
      return Excluded(verb.empty() ? StrCat(shown, " is one of the values")
                                   : StrCat(Shown(), " ", verb, shown));
    }
    return {};
  }
  Miss operator()(const AnythingButNumber&) const {
    return Excluded(StrCat(Shown(), " is one of the values"));
  }

  std::string Shown() const { return Cut(JsonText(value)); }
  std::optional<double> Number() const {
    return value.kind == ValueKind::kNumber ? ComparableNumber(value.text) : std::nullopt;
  }
  Miss OtherType(std::string_view wanted) const {
    return {MissKind::kOtherType, 0, StrCat("is ", KindText(value.kind), ", not ", wanted)};
  }
  static Miss Excluded(std::string_view what) {
    return {MissKind::kExcluded, 0, StrCat(what, ", which anything-but excludes")};
  }
};

}  // namespace

std::vector<std::string_view> AlternativeTexts(const LeafSyntax& leaf, size_t max) {
  std::vector<std::string_view> texts;
  const std::string_view array = leaf.text;
  JsonReader reader(array);
  reader.Next();
  while (texts.size() < max && reader.Next() != JsonToken::kEndArray) {
    const size_t begin = reader.begin();
    if (!reader.SkipValue()) break;
    texts.push_back(array.substr(begin, reader.end() - begin));
  }
  return texts;
}

std::string NearestValue(const LeafSyntax& leaf, absl::Span<const EventFields::Field> fields) {
  // Which of them is the least wrong is no help.
  const bool wants_strings = std::all_of(
      leaf.values.begin(), leaf.values.end(),
      [](const ValuePattern& value) { return std::holds_alternative<TextTest>(value); });
  const bool has_string = std::any_of(fields.begin(), fields.end(), [](const auto& field) {
    return field.value.kind == ValueKind::kString;
  });
  if (fields.size() > 1 && wants_strings && !has_string) return "none of the values is a string";

  const std::vector<std::string_view> texts = AlternativeTexts(leaf, kAlternativesMax);
  Miss nearest;
  std::string of, to;
  size_t compared = 0;
  for (const EventFields::Field& field : fields) {
    for (size_t i = 0; i < texts.size() && compared < kBytesComparedMax; ++i) {
      compared += field.value.text.size() + texts[i].size() + sizeof(Miss);
      Miss miss = std::visit(ValueMiss{field.value, texts[i]}, leaf.values[i]);
      if (!miss.IsNearerThan(nearest)) continue;
      nearest = std::move(miss);
      of = Cut(JsonText(field.value));
      to = Cut(texts[i]);
    }
  }
  const bool is_plain = fields.size() == 1 && leaf.values.size() == 1;
  if (nearest.kind == MissKind::kNone || nearest.kind == MissKind::kExcluded || is_plain) {
    return nearest.clause;
  }
  return StrCat(of, " comes nearest to ", to, ", but ", nearest.clause);
}

}  // namespace banyan::inline v0_1::internal
