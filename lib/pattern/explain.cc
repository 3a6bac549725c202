// SPDX-License-Identifier: Apache-2.0
#include "pattern/explain.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/types/span.h"
#include "base/check.h"
#include "base/strings.h"
#include "pattern/element_search.h"
#include "pattern/explain_path.h"
#include "pattern/explain_text.h"
#include "pattern/explain_value.h"
#include "pattern/match.h"

namespace banyan::inline v0_1::internal {
namespace {

using Field = EventFields::Field;

constexpr size_t kValuesShown = 5;

std::string SeenText(absl::Span<const Field> fields) {
  std::string seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) seen += ", ";
    if (i == kValuesShown) {
      StrAppend(&seen, "and ", fields.size() - i, " more");
      break;
    }
    seen += Cut(JsonText(fields[i].value));
  }
  return seen;
}

// "shipped"; or "paid", "shipped" or {"prefix":"re"}.
std::string WantedText(const LeafSyntax& leaf) {
  const std::vector<std::string_view> texts = AlternativeTexts(leaf, kValuesShown);
  const size_t more = leaf.values.size() - texts.size();
  std::string wanted;
  for (size_t i = 0; i < texts.size(); ++i) {
    const bool is_last = i + 1 == texts.size() && more == 0;
    StrAppend(&wanted, i == 0 ? "" : is_last ? " or " : ", ", Cut(texts[i]));
  }
  if (more > 0) StrAppend(&wanted, " or one of ", more, " more");
  return wanted;
}

// ---- The nearest miss.

// Said of an absent field when nothing similar is there.
std::string AbsentText(const LeafSyntax& leaf) {
  for (const ValuePattern& value : leaf.values) {
    if (const auto* literal = std::get_if<Literal>(&value)) {
      if (literal->kind == ValueKind::kNull) {
        return "null is a value, an absent field is asked for by {\"exists\":false}";
      }
    }
    if (std::holds_alternative<AnythingButText>(value) ||
        std::holds_alternative<AnythingButNumber>(value)) {
      return "anything-but asks for some other value, and there is none";
    }
    const auto* test = std::get_if<TextTest>(&value);
    if (test != nullptr && std::holds_alternative<EqualTest>(*test) &&
        std::get<EqualTest>(*test).text.empty()) {
      return "an absent field is not the empty string";
    }
  }
  return "";
}

// The array in which two elements lie apart; nullopt if they go together.
std::optional<uint32_t> ArrayApart(uint32_t a, uint32_t b, const EventFields& fields) {
  std::vector<std::pair<uint32_t, uint32_t>> pins;  // array, element
  for (uint32_t e = a; e != 0; e = fields.element(e).parent) {
    pins.emplace_back(fields.element(e).array, e);
  }
  std::sort(pins.begin(), pins.end());
  for (uint32_t e = b; e != 0; e = fields.element(e).parent) {
    const uint32_t array = fields.element(e).array;
    const auto pin = std::lower_bound(pins.begin(), pins.end(), std::pair(array, 0u));
    if (pin != pins.end() && pin->first == array && pin->second != e) return array;
  }
  return std::nullopt;
}

const Field* FirstSatisfying(const Condition& condition, const EventFields& fields) {
  for (const Field& field : fields.Find(condition.path)) {
    if (Satisfies(condition, field)) return &field;
  }
  return nullptr;
}

std::string IsText(const Condition& condition, const Field& field) {
  return StrCat(Subject(condition.path), " is ", Cut(JsonText(field.value)));
}

// For kTornApart: two conditions that stand against each other, if two are enough to see it.
struct Torn {
  std::string facts;
  std::string clause;
};

Torn TornApart(const SubRule& sub_rule, size_t stuck, const EventFields& fields) {
  const Condition& late = sub_rule.conditions[stuck];
  const Field* second = FirstSatisfying(late, fields);
  for (size_t i = stuck; i-- > 0;) {
    const Condition& early = sub_rule.conditions[i];
    const Field* first = FirstSatisfying(early, fields);
    if (first == nullptr || first->element == 0) continue;
    if (second != nullptr) {
      const std::optional<uint32_t> array = ArrayApart(first->element, second->element, fields);
      if (!array.has_value()) continue;
      const std::string_view path = PathTo(fields.array_node(*array), early.path, fields);
      return {.facts = StrCat(IsText(early, *first), " and ", IsText(late, *second)),
              .clause = StrCat("the two fields are in different elements of ", Ticked(path))};
    }
    for (const Field& field : fields.Find(late.path)) {
      if (field.element != first->element) continue;
      return {.facts = StrCat(IsText(early, *first), " and ", IsText(late, field)),
              .clause = StrCat(Ticked(late.path), " must be absent beside ", Ticked(early.path),
                               ", and is there")};
    }
  }
  return {};
}

// ---- The sentence.

Explanation Describe(const SubRule& sub_rule, const Verdict& verdict, const EventFields& fields) {
  const Condition& condition = sub_rule.conditions[verdict.first_failing];
  const LeafSyntax& leaf = *condition.leaf;
  const absl::Span<const Field> seen = fields.Find(condition.path);
  const std::string path = Subject(condition.path);
  Explanation why{.matched = false,
                  .path = condition.path,
                  .wanted = leaf.text,
                  .seen = SeenText(seen),
                  .near_miss = "",
                  .sentence = ""};
  switch (verdict.kind) {
    case Verdict::Kind::kMatched:
      break;
    case Verdict::Kind::kGaveUp:
      why.sentence = StrCat("the event repeats names so often that choosing array elements for ",
                            path, " was given up after ", kStepsMax, " steps");
      return why;
    case Verdict::Kind::kTornApart: {
      Torn torn = TornApart(sub_rule, verdict.first_failing, fields);
      if (torn.clause.empty()) {
        why.sentence = StrCat(path, " is ", why.seen, ", the pattern wants ", WantedText(leaf),
                              " in the same array element as the conditions before it");
      } else {
        why.sentence = StrCat(torn.facts, ", but ", torn.clause);
        why.near_miss = std::move(torn.clause);
      }
      return why;
    }
    case Verdict::Kind::kUnmet:
      break;
  }
  std::string state = StrCat(" is ", why.seen);
  if (seen.empty()) {
    PathHint hint = NearestPath(condition.path, fields);
    state = hint.stands_there ? " counts as absent" : " is absent";
    why.near_miss = hint.clause.empty() ? AbsentText(leaf) : std::move(hint.clause);
  } else {
    why.near_miss = NearestValue(leaf, seen);
  }
  why.sentence = StrCat(path, state, ", the pattern wants ", WantedText(leaf),
                        why.near_miss.empty() ? "" : ": ", why.near_miss);
  return why;
}

}  // namespace

Explanation ExplainMatch(const CompiledPattern& pattern, const EventFields& fields) {
  if (fields.matches_nothing()) {
    return {
        .matched = false,
        .path = "",
        .wanted = "",
        .seen = "",
        .near_miss = "",
        .sentence = "the message has no attributes, and such a message matches no filter policy"};
  }
  int64_t steps = kStepsMax;
  const SubRule* nearest = nullptr;
  Verdict nearest_verdict;
  for (const SubRule& sub_rule : pattern.sub_rules()) {
    const Verdict verdict = Judge(sub_rule, fields, Thoroughness::kCountFailures, &steps);
    if (verdict.kind == Verdict::Kind::kMatched) {
      return {.matched = true,
              .path = "",
              .wanted = "",
              .seen = "",
              .near_miss = "",
              .sentence = "the event matches"};
    }
    if (nearest == nullptr || verdict.failing < nearest_verdict.failing) {
      nearest = &sub_rule;
      nearest_verdict = verdict;
    }
  }
  BANYAN_CHECK(nearest != nullptr, "a pattern has at least one sub-rule");
  Explanation why = Describe(*nearest, nearest_verdict, fields);
  if (const size_t others = pattern.sub_rules().size() - 1; others > 0) {
    StrAppend(&why.sentence, " (", others,
              others == 1 ? " other alternative of $or fails, too)"
                          : " other alternatives of $or fail, too)");
  }
  return why;
}

}  // namespace banyan::inline v0_1::internal
