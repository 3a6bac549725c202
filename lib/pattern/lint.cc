// SPDX-License-Identifier: Apache-2.0
#include "banyan/lint.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/check.h"
#include "base/json.h"
#include "base/strings.h"
#include "pattern/lint_list.h"
#include "pattern/lint_mistakes.h"
#include "pattern/lint_model.h"
#include "pattern/lint_rules.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1 {
namespace internal {
namespace {

using LintKind = LintWarning::Kind;

// Steps of comparing: a step is some nanoseconds. One pattern may take a second of a slow machine,
// all rules together a few.
constexpr int64_t kPatternSteps = 20'000'000;
constexpr int64_t kAllSteps = 100'000'000;

std::string_view NameOf(PatternService service) {
  switch (service) {
    case PatternService::kEventBus:
      return "EventBridge";
    case PatternService::kPipes:
      return "EventBridge Pipes";
    case PatternService::kSnsMessageAttributes:
      return "SNS (message attributes)";
    case PatternService::kSnsMessageBody:
      return "SNS (message body)";
  }
  return "";
}

PatternLanguage LanguageOf(PatternService service) {
  switch (service) {
    case PatternService::kEventBus:
    case PatternService::kPipes:
      return PatternLanguage::kEventBridge;
    case PatternService::kSnsMessageAttributes:
      return PatternLanguage::kSnsMessageAttributes;
    case PatternService::kSnsMessageBody:
      return PatternLanguage::kSnsMessageBody;
  }
  return PatternLanguage::kEventBridge;
}

// The warnings about one pattern.
class PatternLinter {
 public:
  PatternLinter(std::string_view text, const LintOptions& options, const PatternModel& model,
                LintBudget* budget)
      : text_(text), options_(options), model_(model), budget_(*budget) {}

  std::vector<LintWarning> Run() {
    if (model_.compiled == nullptr) {
      SayInvalid();
      return std::move(warnings_);
    }
    if (model_.or_complaint.has_value()) {
      SayAt(LintKind::kOrIsField, "", model_.or_complaint->offset,
            StrCat("\"$or\" is read as the name of a field, because it is no valid relation: ",
                   model_.or_complaint->reason));
    }
    LintReplaced();
    for (const LeafModel& leaf : model_.leaves) {
      if (leaf.is_live) LintLeaf(leaf);
    }
    LintBranches();
    LintPortability();
    return Finish();
  }

 private:
  void SayAt(LintKind kind, const std::string& path, size_t offset, std::string sentence) {
    warnings_.push_back(
        {.kind = kind, .path = path, .sentence = std::move(sentence), .offset = offset});
    notes_.emplace_back();
  }
  void Say(LintKind kind, const std::string& path, std::string sentence) {
    SayAt(kind, path, 0, std::move(sentence));
    notes_.back().is_placed = false;
  }

  void SayInvalid() {
    const PatternError& error = model_.error;
    LintWarning& warning = warnings_.emplace_back();
    warning.kind = LintKind::kInvalid;
    warning.sentence = StrCat("the pattern is not valid: ", error.reason);
    warning.line = error.line;
    warning.column = error.column;
    warning.offset = error.offset;
  }

  std::vector<LintWarning> Finish() {
    std::vector<size_t> order(warnings_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return warnings_[a].offset < warnings_[b].offset;
    });
    std::vector<LintWarning> sorted;
    for (const size_t i : order) {
      if (sorted.size() == options_.warnings_max) break;
      LintWarning& warning = sorted.emplace_back(std::move(warnings_[i]));
      if (const size_t other = notes_[i].other_offset; other != 0) {
        const TextPosition at = PositionAt(text_, other);
        StrAppend(&warning.sentence, " (line ", at.line, ", column ", at.column, ")");
      }
      if (!notes_[i].is_placed) continue;
      const TextPosition at = PositionAt(text_, warning.offset);
      warning.line = at.line;
      warning.column = at.column;
    }
    const size_t left_out = order.size() - sorted.size();
    if (left_out > 0) {
      sorted.push_back({.kind = LintKind::kCutShort,
                        .sentence = left_out == 1
                                        ? "there is one more warning"
                                        : StrCat("there are ", left_out, " more warnings")});
    }
    if (budget_.exhausted()) {
      sorted.push_back({.kind = LintKind::kCutShort,
                        .sentence = "the pattern is too large to compare all of its parts; some "
                                    "that say nothing new may not be named"});
    }
    return sorted;
  }

  // ---- One leaf.

  // Where each alternative of the leaf stands.
  struct Place {
    size_t begin;
    std::string_view text;
  };
  std::vector<Place> PlacesOf(const LeafModel& leaf) const {
    std::vector<Place> places;
    const size_t start = leaf.leaf->begin;
    JsonReader reader(text_.substr(start));
    reader.Next();
    while (reader.Next() != JsonToken::kEndArray) {
      const size_t begin = reader.begin();
      const bool is_read = reader.SkipValue();
      BANYAN_CHECK(is_read, "the text was parsed before");
      places.push_back({start + begin, text_.substr(start + begin, reader.end() - begin)});
    }
    return places;
  }

  void LintLeaf(const LeafModel& leaf) {
    const std::vector<Place> places = PlacesOf(leaf);
    BANYAN_CHECK(places.size() == leaf.leaf->values.size(), "each alternative stands somewhere");
    const bool is_unknown =
        leaf.facts.has_value() && leaf.facts->presence == FieldFacts::Presence::kUnknownName;
    if (is_unknown) {
      SayAt(LintKind::kUnknownField, leaf.path, leaf.name_begin,
            StrCat(leaf.facts->words,
                   leaf.can_hold ? "; it is always absent, so this asks nothing" : Consequence()));
    } else if (!leaf.can_hold) {
      SayAt(model_.can_match ? LintKind::kDeadBranch : LintKind::kNeverMatches, leaf.path,
            leaf.leaf->begin,
            StrCat(WhyNever(leaf, 0, places[0].text), TheOthers(leaf), Consequence()));
    }
    // What the list says by itself is wrong in another way, and said of any field.
    const bool asks_nothing = leaf.values.absent && leaf.values.HasAllPresent();
    if (is_unknown ? asks_nothing : leaf.always_holds) {
      SayAt(LintKind::kPassesEverything, leaf.path, leaf.leaf->begin, WhyAlways(leaf));
    } else if (places.size() > 1 && leaf.values.HasAllPresent()) {
      SayAt(LintKind::kPassesEverything, leaf.path, leaf.leaf->begin,
            StrCat(leaf.path, ": the alternatives ", Shown(leaf.leaf->text),
                   " together pass every value; they ask no more than [{\"exists\":true}]"));
    } else if (!is_unknown && leaf.can_hold) {
      LintAlternatives(leaf, places);
    }
    const bool is_text_field =
        leaf.facts.has_value() && leaf.facts->presence <= FieldFacts::Presence::kSometimes;
    for (const Place& place : places) {
      const std::string mistake = MistakeInElement(place.text, is_text_field);
      if (!mistake.empty()) {
        SayAt(LintKind::kLooksWrong, leaf.path, place.begin, StrCat(leaf.path, ": ", mistake));
      }
    }
    const std::string mistake = MistakeInName(leaf.path, leaf.name, leaf.leaf->text);
    if (!mistake.empty()) SayAt(LintKind::kLooksWrong, leaf.path, leaf.name_begin, mistake);
  }

  void LintAlternatives(const LeafModel& leaf, const std::vector<Place>& places) {
    const std::vector<ValuePattern>& values = leaf.leaf->values;
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_dead = IsEmptyRange(values[i]) ||
                           (leaf.facts.has_value() && FailsFor(*leaf.facts, values[i], &budget_));
      if (is_dead) {
        SayAt(LintKind::kDeadValue, leaf.path, places[i].begin, WhyNever(leaf, i, places[i].text));
      }
    }
    for (const CoveredValue& covered : FindCovered(values, &budget_)) {
      const std::string what = Shown(places[covered.value].text);
      const std::string by = Shown(places[covered.by].text);
      SayAt(LintKind::kRedundantValue, leaf.path, places[covered.value].begin,
            covered.is_same && what == by
                ? StrCat(leaf.path, ": ", what, " is listed twice")
                : StrCat(leaf.path, ": ", what,
                         covered.is_same ? " says the same as " : " is covered by ", by,
                         covered.is_same ? "" : " in the same list"));
    }
  }

  static bool IsEmptyRange(const ValuePattern& value) {
    const auto* range = std::get_if<NumberRange>(&value);
    return range != nullptr && !ComparableRange(*range).has_value();
  }

  // The proof. Alternative `i` of the leaf never holds.
  static std::string WhyNever(const LeafModel& leaf, size_t i, std::string_view text) {
    const ValuePattern& value = leaf.leaf->values[i];
    if (IsEmptyRange(value)) {
      return StrCat(leaf.path, ": no number that can be compared lies between the bounds of ",
                    Shown(text));
    }
    const FieldFacts& facts = *leaf.facts;
    if (facts.presence == FieldFacts::Presence::kNever) {
      return StrCat(facts.words, ": ", leaf.path, " is never there");
    }
    if (std::holds_alternative<Absent>(value)) {
      return StrCat(leaf.path, " is in every event: ", Shown(text), " never holds");
    }
    return StrCat(leaf.path, " ", facts.words, ": ", Shown(text), " never holds");
  }

  // Behind why the first alternative never holds. A field that is never there is reason enough for
  // all of them.
  static std::string TheOthers(const LeafModel& leaf) {
    const size_t others = leaf.leaf->values.size() - 1;
    const bool is_never_there =
        leaf.facts.has_value() && leaf.facts->presence == FieldFacts::Presence::kNever;
    if (others == 0 || is_never_there) return "";
    return others == 1 ? ", and the other alternative never holds either"
                       : StrCat(", and the ", others, " other alternatives never hold either");
  }

  std::string_view Consequence() const {
    return model_.can_match ? "; no event matches through this branch of \"$or\""
                            : "; no event can match";
  }

  static std::string WhyAlways(const LeafModel& leaf) {
    const std::string asked = Shown(leaf.leaf->text);
    if (!leaf.facts.has_value() || (leaf.values.absent && leaf.values.HasAllPresent())) {
      return StrCat(leaf.path, ": ", asked, " holds whether the field is there or not");
    }
    const FieldFacts& facts = *leaf.facts;
    switch (facts.presence) {
      case FieldFacts::Presence::kAlways:
        return StrCat(leaf.path, " is in every event and ", facts.words, ": ", asked,
                      " holds for every event");
      case FieldFacts::Presence::kSometimes:
        return StrCat(leaf.path, " ", facts.words, ": ", asked, " holds for every event");
      default:
        return StrCat(facts.words, ": ", leaf.path, " is never there, and ", asked,
                      " holds for every event");
    }
  }

  // ---- Leaves beside each other.

  // Of two conditions on one path the later counts, wherever both apply.
  void LintReplaced() {
    std::map<std::string_view, std::vector<const LeafModel*>> by_path;
    for (const LeafModel& leaf : model_.leaves) by_path[leaf.path].push_back(&leaf);
    for (const auto& [path, leaves] : by_path) {
      if (leaves.size() < 2) continue;
      for (const LeafModel* leaf : leaves) {
        const LeafModel* by = ReplacementOf(*leaf);
        if (by == nullptr) continue;
        SayAt(LintKind::kReplacedCondition, leaf->path, leaf->name_begin,
              StrCat(leaf->path, ": of several conditions on one path the last counts; ",
                     Shown(leaf->leaf->text),
                     leaf->is_live ? " is replaced in a branch of \"$or\" by " : " is replaced by ",
                     Shown(by->leaf->text)));
        notes_.back().other_offset = by->name_begin;
      }
    }
  }

  // The first that takes the leaf's place in a sub-rule where it applies; null if none does.
  const LeafModel* ReplacementOf(const LeafModel& leaf) {
    for (const SubRuleModel& sub_rule : model_.sub_rules) {
      if (!budget_.Spend(1 + leaf.branches.size())) return nullptr;
      const bool applies = std::includes(sub_rule.choices.begin(), sub_rule.choices.end(),
                                         leaf.branches.begin(), leaf.branches.end());
      if (!applies) continue;
      const auto at =
          std::lower_bound(sub_rule.conditions.begin(), sub_rule.conditions.end(), leaf.path,
                           [](const LeafModel* have, const std::string& path) {
                             return Utf16Less()(have->path, path);
                           });
      BANYAN_CHECK(at != sub_rule.conditions.end() && (*at)->path == leaf.path,
                   "a condition may be replaced, not removed");
      if (*at != &leaf) return *at;
    }
    return nullptr;
  }

  void LintBranches() {
    for (const ImpliedBranch& implied : FindImpliedBranches(model_, &budget_)) {
      const auto [number, branch] = implied.branch;
      const std::string other = implied.by == implied.branch
                                    ? "other branches"
                                    : StrCat("branch ", implied.by.second + 1);
      SayAt(LintKind::kRedundantBranch, "", model_.ors[number].branch_begins[branch],
            StrCat(
                "branch ", branch + 1, " of \"$or\" ",
                implied.is_same ? "asks the same as " : "adds nothing to ", other,
                implied.is_same ? "" : ": every event that matches through it matches without it"));
    }
  }

  // ---- Other services.

  void LintPortability() {
    if (!options_.portable_to.has_value()) return;
    const PatternService service = *options_.portable_to;
    const PatternLanguage language = LanguageOf(service);
    if (language != options_.language) {
      const CompileResult result = CompilePattern(text_, language, options_.limits);
      if (const auto* error = std::get_if<PatternError>(&result)) {
        std::string sentence = StrCat(NameOf(service), " refuses this pattern: ", error->reason);
        if (error->line > 0) {
          SayAt(LintKind::kNotPortable, "", error->offset, std::move(sentence));
        } else {
          Say(LintKind::kNotPortable, "", std::move(sentence));
        }
        return;
      }
    }
    if (language != PatternLanguage::kEventBridge) return;
    for (const LeafModel& leaf : model_.leaves) {
      for (const Place& place : PlacesOf(leaf)) {
        const std::string name = OperatorForPort(place.text, service);
        if (name.empty()) continue;
        SayAt(LintKind::kNotPortable, leaf.path, place.begin,
              StrCat(leaf.path, ": ", NameOf(service),
                     name == "exactly" ? " does not document " : " does not take ", name,
                     ", as in ", Shown(place.text)));
      }
    }
  }

  // The operator in an alternative that the service may refuse; "" if there is none.
  static std::string OperatorForPort(std::string_view element, PatternService service) {
    JsonReader reader(element);
    if (reader.Next() != JsonToken::kStartObject || reader.Next() != JsonToken::kName) return "";
    const std::string name(reader.text());
    if (name == "exactly") return name;
    if (service != PatternService::kPipes) return "";
    if (name == "wildcard") return name;
    if (name != "anything-but" || reader.Next() != JsonToken::kStartObject) return "";
    reader.Next();
    return StrCat("anything-but with ", reader.text());
  }

  const std::string_view text_;
  const LintOptions& options_;
  const PatternModel& model_;
  LintBudget& budget_;
  std::vector<LintWarning> warnings_;
  // Beside warnings_. Lines and columns are worked out for those only that are shown: each takes a
  // look at all of the text before it.
  struct Note {
    bool is_placed = true;    // the offset has a meaning
    size_t other_offset = 0;  // a second place that the sentence names at its end; 0 is none
  };
  std::vector<Note> notes_;
};

std::string RepeatedIdSentence(std::string_view id, size_t count) {
  return StrCat(count == 2 ? "two" : StrCat(count), " rules are called \"", id,
                "\", so they are not compared with others");
}

std::string ImpliedSentence(const ImpliedRule& implied, const std::string& other) {
  std::string sentence =
      implied.is_same
          ? StrCat("this rule matches the same events as rule \"", other, "\"")
          : StrCat("every event that matches this rule matches rule \"", other, "\" as well");
  if (!implied.target.empty()) {
    StrAppend(&sentence, ", and both deliver to ", implied.target, ", which gets it twice");
  }
  return sentence;
}

}  // namespace
}  // namespace internal

std::string_view LintKindName(LintWarning::Kind kind) {
  switch (kind) {
    case LintWarning::Kind::kInvalid:
      return "invalid";
    case LintWarning::Kind::kNeverMatches:
      return "never-matches";
    case LintWarning::Kind::kDeadBranch:
      return "dead-branch";
    case LintWarning::Kind::kDeadValue:
      return "dead-value";
    case LintWarning::Kind::kPassesEverything:
      return "passes-everything";
    case LintWarning::Kind::kRedundantValue:
      return "redundant-value";
    case LintWarning::Kind::kRedundantBranch:
      return "redundant-branch";
    case LintWarning::Kind::kImpliedRule:
      return "implied-rule";
    case LintWarning::Kind::kEqualRule:
      return "equal-rule";
    case LintWarning::Kind::kRepeatedId:
      return "repeated-id";
    case LintWarning::Kind::kUnknownField:
      return "unknown-field";
    case LintWarning::Kind::kOrIsField:
      return "or-is-field";
    case LintWarning::Kind::kReplacedCondition:
      return "replaced-condition";
    case LintWarning::Kind::kNotPortable:
      return "not-portable";
    case LintWarning::Kind::kLooksWrong:
      return "looks-wrong";
    case LintWarning::Kind::kCutShort:
      return "cut-short";
  }
  return "";
}

std::vector<LintWarning> LintPattern(std::string_view pattern, const LintOptions& options) {
  internal::LintBudget budget(internal::kPatternSteps);
  const std::unique_ptr<internal::PatternModel> model =
      internal::ModelOf(pattern, options, &budget);
  return internal::PatternLinter(pattern, options, *model, &budget).Run();
}

std::vector<LintWarning> LintRules(absl::Span<const LintRule> rules, const LintOptions& options) {
  std::vector<std::unique_ptr<internal::PatternModel>> models;
  std::vector<std::vector<LintWarning>> warnings;
  int64_t left = internal::kAllSteps;
  for (const LintRule& rule : rules) {
    const int64_t share = std::min(left, internal::kPatternSteps);
    internal::LintBudget budget(share);
    models.push_back(internal::ModelOf(rule.pattern, options, &budget));
    warnings.push_back(
        internal::PatternLinter(rule.pattern, options, *models.back(), &budget).Run());
    left -= share - budget.left();
  }
  const internal::IdCounts ids = internal::CountIds(rules);
  absl::flat_hash_set<std::string_view> said;
  for (size_t i = 0; i < rules.size(); ++i) {
    const size_t count = ids.at(rules[i].id);
    if (count == 1 || !said.insert(rules[i].id).second) continue;
    warnings[i].push_back({.kind = LintWarning::Kind::kRepeatedId,
                           .sentence = internal::RepeatedIdSentence(rules[i].id, count)});
  }
  internal::LintBudget budget(internal::kAllSteps);
  for (const internal::ImpliedRule& implied :
       internal::FindImpliedRules(models, rules, ids, &budget)) {
    const std::string& other = rules[implied.by].id;
    warnings[implied.rule].push_back(
        {.kind = implied.is_same ? LintWarning::Kind::kEqualRule : LintWarning::Kind::kImpliedRule,
         .other_rule_id = other,
         .sentence = internal::ImpliedSentence(implied, other)});
  }

  std::vector<LintWarning> all;
  for (size_t i = 0; i < rules.size(); ++i) {
    for (LintWarning& warning : warnings[i]) {
      warning.rule_id = rules[i].id;
      all.push_back(std::move(warning));
    }
  }
  if (budget.exhausted()) {
    all.push_back({.kind = LintWarning::Kind::kCutShort,
                   .sentence = "there are too many rules that ask the same fields to compare them "
                               "all; some that are implied by others may not be named"});
  }
  return all;
}

}  // namespace banyan::inline v0_1
