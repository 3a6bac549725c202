// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_envelope.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

using Presence = FieldFacts::Presence;
using Bytes = TextShape::Bytes;

constexpr Bytes kDigit[] = {{'0', '9'}};
constexpr Bytes kAny[] = {{0x00, 0xFF}};
constexpr Bytes kRegion[] = {{'a', 'z'}, {'0', '9'}, {'-', '-'}};
constexpr Bytes kUuid[] = {{'0', '9'}, {'a', 'f'}, {'A', 'F'}, {'-', '-'}};
constexpr Bytes kReplayName[] = {{'a', 'z'}, {'A', 'Z'}, {'0', '9'},
                                 {'.', '.'}, {'-', '-'}, {'_', '_'}};

constexpr std::string_view kBusNames[] = {"version",   "id",    "detail-type", "source",
                                          "account",   "time",  "region",      "replay-name",
                                          "resources", "detail"};

TextShape Repeated(absl::Span<const Bytes> bytes, int times) {
  TextShape shape;
  for (int i = 0; i < times; ++i) shape.ThenOneOf(bytes);
  return shape;
}

// 2026-01-31T23:59:59Z
TextShape TimeShape() {
  TextShape shape;
  for (const char c : std::string_view("dddd-dd-ddTdd:dd:ddZ")) {
    if (c == 'd') {
      shape.ThenOneOf(kDigit);
    } else {
      shape.Then(std::string_view(&c, 1));
    }
  }
  return shape;
}

FieldFacts BusMember(std::string_view name) {
  FieldFacts facts;
  if (name == "version") {
    facts.words = "is always \"0\"";
    facts.strings.Then("0");
  } else if (name == "id") {
    facts.words = "is always a UUID, a string of 36 hexadecimal digits and hyphens";
    facts.strings = Repeated(kUuid, 36);
  } else if (name == "account") {
    facts.words = "is always a string of twelve digits";
    facts.strings = Repeated(kDigit, 12);
  } else if (name == "time") {
    facts.words = "is always a string like \"2026-01-31T23:59:59Z\"";
    facts.strings = TimeShape();
  } else if (name == "region") {
    facts.words = "is always a string of lower-case letters, digits and hyphens";
    facts.strings.ThenAnyNumberOf(kRegion);
  } else if (name == "replay-name") {
    facts.presence = Presence::kSometimes;
    facts.words = "is a string of letters, digits, \".\", \"-\" and \"_\", if it is there";
    facts.strings.ThenOneOf(kReplayName).ThenAnyNumberOf(kReplayName);
  } else if (name == "resources") {
    facts.presence = Presence::kSometimes;
    facts.words = "is a list of strings";
    facts.strings.ThenAnything();
  } else {  // detail-type, source
    facts.words = "is always a string that is not empty";
    facts.strings.ThenOneOf(kAny).ThenAnything();
  }
  return facts;
}

std::optional<FieldFacts> BusFacts(std::string_view path) {
  const std::string_view name = path.substr(0, path.find('.'));
  const bool is_below = name.size() < path.size();
  if (std::find(std::begin(kBusNames), std::end(kBusNames), name) == std::end(kBusNames)) {
    const std::string_view near = NearestName(name, kBusNames);
    return FieldFacts{
        .presence = Presence::kUnknownName,
        .words = StrCat("EventBridge's envelope has no member \"", name, "\"",
                        near.empty() ? "; what an event is about lies below \"detail\""
                                     : StrCat(" (did you mean \"", near, "\"?)"))};
  }
  if (name == "detail") {
    if (is_below) return std::nullopt;
    return FieldFacts{.presence = Presence::kNever,
                      .words = "detail is an object, and only what lies in it is a field"};
  }
  if (is_below) {
    return FieldFacts{
        .presence = Presence::kNever,
        .words = StrCat(name, name == "resources" ? " is a list of strings" : " is a string",
                        ", so nothing lies below it")};
  }
  return BusMember(name);
}

// Why no attribute can be called so; "" if one can.
std::string BadAttributeName(std::string_view name, int64_t bytes_max) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (name.empty()) return "it would have to be empty";
  if (static_cast<int64_t>(name.size()) > bytes_max) {
    return StrCat("a name has at most ", bytes_max, " bytes");
  }
  if (!std::all_of(name.begin(), name.end(), is_allowed)) {
    return "a name has letters, digits, \"_\", \"-\" and \".\" only";
  }
  if (name.front() == '.' || name.back() == '.') return "a name has no dot at its ends";
  if (name.find("..") != std::string_view::npos) return "a name has no two dots in a row";
  return "";
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<FieldFacts> FactsOf(LintEnvelope envelope, const Limits& limits,
                                  std::string_view path) {
  if (envelope == LintEnvelope::kEventBus) return BusFacts(path);
  if (envelope == LintEnvelope::kSnsAttributes) {
    const std::string fault = BadAttributeName(path, limits.topic.attribute_name_max);
    if (!fault.empty()) {
      return FieldFacts{
          .presence = Presence::kUnknownName,
          .words = StrCat("no message attribute can be called \"", path, "\": ", fault)};
    }
  }
  return std::nullopt;
}

bool FailsFor(const FieldFacts& facts, const ValuePattern& alternative, LintBudget* budget) {
  const bool never = facts.presence == Presence::kNever || facts.presence == Presence::kUnknownName;
  if (std::holds_alternative<Absent>(alternative)) return facts.presence == Presence::kAlways;
  if (never) return true;
  if (const auto* test = std::get_if<TextTest>(&alternative)) {
    return LintText(*test).FailsFor(facts.strings, budget);
  }
  if (const auto* listed = std::get_if<AnythingButText>(&alternative)) {
    return std::any_of(listed->tests.begin(), listed->tests.end(), [&](const TextTest& test) {
      return LintText(test).HoldsFor(facts.strings, budget);
    });
  }
  // Numbers and literals: the field is a string. Present and anything-but numbers let strings pass.
  return !std::holds_alternative<Present>(alternative) &&
         !std::holds_alternative<AnythingButNumber>(alternative);
}

bool HoldsFor(const FieldFacts& facts, const LintValues& values, LintBudget* budget) {
  const auto holds_for_strings = [&] {
    const LintStrings& strings = values.strings;
    if (strings.all) return true;
    // Of exact values one is enough only if the field can have no other.
    const bool covered =
        std::any_of(strings.some.tests().begin(), strings.some.tests().end(),
                    [&](const LintText& test) { return test.HoldsFor(facts.strings, budget); }) ||
        std::any_of(strings.some.exact().begin(), strings.some.exact().end(),
                    [&](const std::string& text) {
                      TextShape only;
                      only.Then(text);
                      return TextShape::Includes(only, facts.strings, budget);
                    });
    if (covered) return true;
    return std::any_of(
        strings.all_but.begin(), strings.all_but.end(), [&](const LintTexts& excluded) {
          return std::all_of(excluded.exact().begin(), excluded.exact().end(),
                             [&](const std::string& text) {
                               TextShape only;
                               only.Then(text);
                               return TextShape::AreDisjoint(only, facts.strings, budget);
                             }) &&
                 std::all_of(
                     excluded.tests().begin(), excluded.tests().end(),
                     [&](const LintText& test) { return test.FailsFor(facts.strings, budget); });
        });
  };
  switch (facts.presence) {
    case Presence::kAlways:
      return holds_for_strings();
    case Presence::kSometimes:
      return values.absent && holds_for_strings();
    case Presence::kNever:
    case Presence::kUnknownName:
      return values.absent;
  }
  return false;
}

std::string_view NearestName(std::string_view name, absl::Span<const std::string_view> known) {
  constexpr size_t kLengthMax = 64;  // no name that is meant is longer
  if (name.size() > kLengthMax) return {};
  const auto plain = [](std::string_view text) {
    std::string letters;
    for (const char c : text) {
      if (c == '-' || c == '_' || c == ' ') continue;
      letters.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return letters;
  };
  std::string_view nearest;
  size_t least = 3;  // more than two slips are another word
  for (const std::string_view candidate : known) {
    const size_t distance = EditDistance(plain(name), plain(candidate));
    if (distance < least && distance < candidate.size() - 1) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace banyan::inline v0_1::internal
