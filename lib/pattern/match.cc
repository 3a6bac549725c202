// SPDX-License-Identifier: Apache-2.0
#include "pattern/match.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/strings.h"
#include "base/utf8.h"

namespace banyan::inline v0_1::internal {
namespace {

using Field = EventFields::Field;

constexpr uint32_t kOutside = 0;  // the element that is no array's

bool Satisfies(const Condition& condition, const Field& field) {
  const std::vector<ValuePattern>& values = condition.leaf->values;
  return std::any_of(values.begin(), values.end(),
                     [&field](const ValuePattern& value) { return Matches(value, field.value); });
}

// A condition looked at alone, without the choices for the others.
struct Lone {
  std::vector<uint32_t> elements;  // of the fields that satisfy it, sorted, each once
  std::vector<uint32_t> all;       // of all fields of its path; only filled if absence is accepted
  bool has_fields = false;
  bool in_arrays = false;  // some field of the path lies in an array element

  bool can_hold(const Condition& condition) const {
    return !elements.empty() || (condition.accepts_absence && !(has_fields && !in_arrays));
  }
};

void SortOnce(std::vector<uint32_t>* elements) {
  std::sort(elements->begin(), elements->end());
  elements->erase(std::unique(elements->begin(), elements->end()), elements->end());
}

Lone LookAt(const Condition& condition, const EventFields& fields) {
  Lone lone;
  for (const Field& field : fields.Find(condition.path)) {
    lone.has_fields = true;
    lone.in_arrays = lone.in_arrays || field.element != kOutside;
    if (Satisfies(condition, field)) lone.elements.push_back(field.element);
    if (condition.accepts_absence) lone.all.push_back(field.element);
  }
  SortOnce(&lone.elements);
  SortOnce(&lone.all);
  return lone;
}

// The elements around a set of elements, as a tree that can be walked from outside in, skipping
// whole arrays but for their pinned element.
class ElementTree {
 public:
  ElementTree(const EventFields& fields, const std::vector<uint32_t>& targets) {
    std::vector<uint32_t> involved = targets;
    absl::flat_hash_set<uint32_t> seen;
    for (const uint32_t target : targets) {
      for (uint32_t e = target; seen.insert(e).second && e != kOutside;) {
        e = fields.element(e).parent;
        involved.push_back(e);
      }
    }
    SortOnce(&involved);
    elements_ = std::move(involved);
    for (const uint32_t e : elements_) {
      if (e == kOutside) continue;
      const EventFields::Element& element = fields.element(e);
      std::vector<Fork>& forks = forks_[element.parent];
      // Document order: the involved elements of one array follow each other among their siblings.
      if (forks.empty() || forks.back().array != element.array) {
        forks.push_back({.array = element.array, .elements = {}});
      }
      forks.back().elements.push_back(e);
    }
    is_target_.assign(elements_.size(), false);
    for (const uint32_t target : targets) is_target_[IndexOf(target)] = true;
  }

  const std::vector<uint32_t>& elements() const { return elements_; }

  // Calls `visit` for each target that no pin contradicts, until it answers true; answers whether
  // it did. pins[a] is the pinned element of array a, kOutside if it has none. Stops when *steps
  // reaches zero.
  template <typename Visit>
  bool AnyConsistent(const std::vector<uint32_t>& pins, int64_t* steps, const Visit& visit) const {
    if (elements_.empty()) return false;
    std::vector<uint32_t> open = {kOutside};
    while (!open.empty()) {
      if (--*steps <= 0) return false;
      const uint32_t e = open.back();
      open.pop_back();
      if (is_target_[IndexOf(e)] && visit(e)) return true;
      const auto forks = forks_.find(e);
      if (forks == forks_.end()) continue;
      for (const Fork& fork : forks->second) {
        const uint32_t pin = pins[fork.array];
        if (pin == kOutside) {
          open.insert(open.end(), fork.elements.rbegin(), fork.elements.rend());
        } else if (std::binary_search(fork.elements.begin(), fork.elements.end(), pin)) {
          open.push_back(pin);
        }
      }
    }
    return false;
  }

 private:
  struct Fork {
    uint32_t array;
    std::vector<uint32_t> elements;
  };

  size_t IndexOf(uint32_t e) const {
    return static_cast<size_t>(std::lower_bound(elements_.begin(), elements_.end(), e) -
                               elements_.begin());
  }

  std::vector<uint32_t> elements_;  // sorted; with kOutside unless empty
  std::vector<bool> is_target_;
  std::map<uint32_t, std::vector<Fork>> forks_;  // by parent
};

// The search of M1 to M4 over the conditions that have fields in arrays; the others were decided
// alone.
class Search {
 public:
  enum class Answer { kYes, kNo, kGaveUp };

  explicit Search(const EventFields& fields)
      : fields_(fields),
        pins_(fields.array_count(), kOutside),
        last_use_(fields.array_count(), 0) {}

  // In sorted order of paths. `index` is the condition's place in its sub-rule.
  void Add(size_t index, const Condition& condition, const Lone& lone) {
    Step step{.index = index,
              .accepts_absence = condition.accepts_absence,
              .choices = ElementTree(fields_, lone.elements),
              .all = ElementTree(fields_, lone.all)};
    for (const ElementTree* tree : {&step.choices, &step.all}) {
      for (const uint32_t e : tree->elements()) {
        if (e != kOutside) last_use_[fields_.element(e).array] = steps_.size();
      }
    }
    steps_.push_back(std::move(step));
  }

  Answer Run() {
    if (From(0, {})) return Answer::kYes;
    return budget_ > 0 ? Answer::kNo : Answer::kGaveUp;
  }

  // After kNo: the condition that the search could never get past.
  size_t stuck_at() const { return steps_[furthest_].index; }

 private:
  struct Step {
    size_t index;
    bool accepts_absence;
    ElementTree choices;  // elements of the fields that satisfy the condition
    ElementTree all;      // of all fields of the path, if absence is accepted
  };

  // Can the conditions from `s` on be satisfied beside the pins? `chosen` are the innermost
  // elements that were pinned for the conditions before, as far as they were live then.
  bool From(size_t s, std::vector<uint32_t> chosen) {
    if (s == steps_.size()) return true;
    furthest_ = std::max(furthest_, s);
    const std::pair<size_t, std::vector<uint32_t>> state(s, LivePins(s, std::move(chosen)));
    if (dead_ends_.contains(state)) return false;
    const Step& step = steps_[s];
    const std::vector<uint32_t>& live = state.second;

    std::vector<uint32_t> choices;
    step.choices.AnyConsistent(pins_, &budget_, [&choices](uint32_t e) {
      choices.push_back(e);
      return false;
    });
    for (const uint32_t e : choices) {
      if (budget_ <= 0) return false;
      const size_t pinned_before = pinned_.size();
      Pin(e);
      std::vector<uint32_t> next = live;
      next.push_back(e);
      const bool found = From(s + 1, std::move(next));
      Unpin(pinned_before);
      if (found) return true;
    }
    if (step.accepts_absence &&
        !step.all.AnyConsistent(pins_, &budget_, [](uint32_t) { return true; }) && budget_ > 0 &&
        From(s + 1, live)) {
      return true;
    }
    if (budget_ > 0) dead_ends_.insert(state);
    return false;
  }

  // The chosen elements as far as conditions from `s` on can tell them apart (M3), innermost ones
  // only.
  std::vector<uint32_t> LivePins(size_t s, std::vector<uint32_t> chosen) {
    budget_ -= static_cast<int64_t>(chosen.size()) + 1;
    for (uint32_t& e : chosen) {
      while (e != kOutside && last_use_[fields_.element(e).array] < s) {
        e = fields_.element(e).parent;
        --budget_;
      }
    }
    SortOnce(&chosen);
    size_t kept = 0;
    for (size_t i = 0; i < chosen.size(); ++i) {
      const bool is_around_next =
          i + 1 < chosen.size() && chosen[i + 1] <= fields_.element(chosen[i]).last;
      if (chosen[i] != kOutside && !is_around_next) chosen[kept++] = chosen[i];
    }
    chosen.resize(kept);
    return chosen;
  }

  void Pin(uint32_t e) {
    for (; e != kOutside; e = fields_.element(e).parent) {
      uint32_t& pin = pins_[fields_.element(e).array];
      if (pin == e) return;  // so are all around it
      BANYAN_DCHECK(pin == kOutside, "M1: a choice contradicts no pin");
      pin = e;
      pinned_.push_back(e);
      --budget_;
    }
  }

  void Unpin(size_t keep) {
    for (; pinned_.size() > keep; pinned_.pop_back()) {
      pins_[fields_.element(pinned_.back()).array] = kOutside;
    }
  }

  const EventFields& fields_;
  std::vector<Step> steps_;
  std::vector<uint32_t> pins_;    // by array
  std::vector<size_t> last_use_;  // by array: the last step with an element of it
  std::vector<uint32_t> pinned_;  // pins in the order they were set
  absl::flat_hash_set<std::pair<size_t, std::vector<uint32_t>>> dead_ends_;
  int64_t budget_ = kStepsMax;
  size_t furthest_ = 0;
};

// How a sub-rule came out. `first_failing` is a condition's place; unused if all hold together.
struct Verdict {
  enum class Kind { kMatched, kUnmet, kTornApart, kGaveUp };
  Kind kind = Kind::kMatched;
  size_t first_failing = 0;
  size_t failing = 0;  // conditions that fail alone
};

enum class Thoroughness { kUntilFirstFailure, kCountFailures };

Verdict Judge(const SubRule& sub_rule, const EventFields& fields, Thoroughness thoroughness) {
  Verdict verdict;
  std::vector<std::pair<size_t, Lone>> in_arrays;
  for (size_t i = 0; i < sub_rule.conditions.size(); ++i) {
    const Condition& condition = sub_rule.conditions[i];
    Lone lone = LookAt(condition, fields);
    if (!lone.can_hold(condition)) {
      if (verdict.failing == 0) verdict.first_failing = i;
      verdict.kind = Verdict::Kind::kUnmet;
      ++verdict.failing;
      if (thoroughness == Thoroughness::kUntilFirstFailure) return verdict;
    } else if (lone.in_arrays) {
      in_arrays.emplace_back(i, std::move(lone));
    }
  }
  if (verdict.failing > 0 || in_arrays.empty()) return verdict;

  Search search(fields);
  for (const auto& [i, lone] : in_arrays) search.Add(i, sub_rule.conditions[i], lone);
  switch (search.Run()) {
    case Search::Answer::kYes:
      break;
    case Search::Answer::kNo:
      verdict = {
          .kind = Verdict::Kind::kTornApart, .first_failing = search.stuck_at(), .failing = 0};
      break;
    case Search::Answer::kGaveUp:
      verdict = {.kind = Verdict::Kind::kGaveUp, .first_failing = search.stuck_at(), .failing = 0};
      break;
  }
  return verdict;
}

// Values of a field for a person: the first few, long ones cut.
std::string SeenText(absl::Span<const Field> fields) {
  constexpr size_t kValuesMax = 5;
  constexpr size_t kLengthMax = 200;
  std::string seen;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) seen += ", ";
    if (i == kValuesMax) {
      StrAppend(&seen, "and ", fields.size() - i, " more");
      break;
    }
    std::string text = JsonText(fields[i].value);
    if (text.size() > kLengthMax) {
      size_t cut = kLengthMax;
      while (cut > 0 && IsUtf8Continuation(text[cut])) --cut;
      text = text.substr(0, cut) + "...";
    }
    seen += text;
  }
  return seen;
}

Explanation Describe(const SubRule& sub_rule, const Verdict& verdict, const EventFields& fields) {
  const Condition& condition = sub_rule.conditions[verdict.first_failing];
  Explanation explanation{.matched = false,
                          .path = condition.path,
                          .wanted = condition.leaf->text,
                          .seen = SeenText(fields.Find(condition.path)),
                          .sentence = ""};
  if (verdict.kind == Verdict::Kind::kTornApart) {
    explanation.sentence =
        StrCat(condition.path, " is ", explanation.seen, ", the pattern wants ", explanation.wanted,
               " in the same array element as the conditions before it");
  } else if (verdict.kind == Verdict::Kind::kGaveUp) {
    explanation.sentence =
        StrCat("the event repeats names so often that choosing array elements for ", condition.path,
               " was given up after ", kStepsMax, " steps");
  } else {
    explanation.sentence = StrCat(condition.path, explanation.seen.empty() ? " is absent" : " is ",
                                  explanation.seen, ", the pattern wants ", explanation.wanted);
  }
  return explanation;
}

}  // namespace

bool Match(const CompiledPattern& pattern, const EventFields& fields) {
  if (fields.matches_nothing()) return false;
  return std::any_of(pattern.sub_rules().begin(), pattern.sub_rules().end(),
                     [&fields](const SubRule& sub_rule) {
                       return Judge(sub_rule, fields, Thoroughness::kUntilFirstFailure).kind ==
                              Verdict::Kind::kMatched;
                     });
}

Explanation ExplainMatch(const CompiledPattern& pattern, const EventFields& fields) {
  if (fields.matches_nothing()) {
    return {
        .matched = false,
        .path = "",
        .wanted = "",
        .seen = "",
        .sentence = "the message has no attributes, and such a message matches no filter policy"};
  }
  const SubRule* nearest = nullptr;
  Verdict nearest_verdict;
  for (const SubRule& sub_rule : pattern.sub_rules()) {
    const Verdict verdict = Judge(sub_rule, fields, Thoroughness::kCountFailures);
    if (verdict.kind == Verdict::Kind::kMatched) {
      return {
          .matched = true, .path = "", .wanted = "", .seen = "", .sentence = "the event matches"};
    }
    if (nearest == nullptr || verdict.failing < nearest_verdict.failing) {
      nearest = &sub_rule;
      nearest_verdict = verdict;
    }
  }
  BANYAN_CHECK(nearest != nullptr, "a pattern has at least one sub-rule");
  return Describe(*nearest, nearest_verdict, fields);
}

}  // namespace banyan::inline v0_1::internal
