// SPDX-License-Identifier: Apache-2.0
//
// A rule set against the interpreter: the same rules, the same events, the same ids in the order of
// Put(), whatever was put, replaced and removed before.
//
//   BANYAN_TEST_SEED=n     repeats a run
//   BANYAN_TEST_ROUNDS=n   a longer one; about 500 pairs of rule and event each
//
// A disagreement is made small (fewer calls, shorter patterns, a shorter event) and printed as a
// test to be kept. That this search finds what is wrong is tested, too, on sets that are.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"
#include "pattern/match.h"
#include "pattern_testing.h"
#include "random_patterns.h"
#include "recorded_cases.h"

namespace banyan::inline v0_1::internal {
namespace {

using Ids = std::vector<std::string>;

#ifdef BANYAN_SANITIZER
constexpr int kAgreementScale = 20;
#else
constexpr int kAgreementScale = 1;
#endif

// ---- Who is compared.

// A rule set, or something that takes itself for one.
class Subject {
 public:
  Subject(PatternLanguage language, const Limits& its_limits)
      : set(language, its_limits), limits(its_limits) {}
  virtual ~Subject() = default;

  virtual absl::Status Put(std::string_view id, std::string_view pattern) {
    return set.Put(id, pattern);
  }
  virtual bool Remove(std::string_view id) { return set.Remove(id); }
  virtual Ids Match(std::string_view json) const { return set.Match(json); }
  virtual Ids Match(const CheckedEvent& event) const { return set.Match(event); }
  virtual Ids Match(const Attributes& attributes) const { return set.Match(attributes); }

  RuleSet set;
  const Limits limits;
};
using MakeSubject = std::function<std::unique_ptr<Subject>(PatternLanguage, const Limits&)>;

std::unique_ptr<Subject> MakeRuleSet(PatternLanguage language, const Limits& limits) {
  return std::make_unique<Subject>(language, limits);
}

// What a rule set should be: the interpreter, rule by rule. EventPattern::Matches() is this, too,
// but would take the event apart for every rule.
class Referee {
 public:
  struct Rule {
    std::string id;
    std::shared_ptr<const CompiledPattern> pattern;
  };

  Referee(PatternLanguage language, const Limits& limits) : language_(language), limits_(limits) {}

  bool Put(const std::string& id, std::string_view text) {
    CompileResult result = CompilePattern(text, language_, limits_);
    auto* pattern = std::get_if<std::shared_ptr<const CompiledPattern>>(&result);
    if (pattern == nullptr) return false;
    Remove(id);
    rules_.push_back({id, std::move(*pattern)});
    return true;
  }
  bool Remove(const std::string& id) {
    return std::erase_if(rules_, [&id](const Rule& rule) { return rule.id == id; }) > 0;
  }

  Ids Match(const EventFields& fields) const {
    Ids ids;
    for (const Rule& rule : rules_) {
      if (internal::Match(*rule.pattern, fields)) ids.push_back(rule.id);
    }
    return ids;
  }

  const std::vector<Rule>& rules() const { return rules_; }
  PatternLanguage language() const { return language_; }
  const Limits& limits() const { return limits_; }

 private:
  PatternLanguage language_;
  Limits limits_;
  std::vector<Rule> rules_;
};

struct Call {
  bool is_put = true;
  std::string id;
  std::string pattern;  // of a Put
};

// An event's text, or a message's attributes.
using Input = std::variant<std::string, Attributes>;

std::string ListText(const Ids& ids) {
  std::string text = "{";
  for (const std::string& id : ids) text += (text.size() > 1 ? ", " : "") + id;
  return text + "}";
}

// Feeds both; answers what they disagree about, "" if nothing.
std::string Apply(const Call& call, Subject& subject, Referee& referee) {
  if (call.is_put) {
    const bool expected = referee.Put(call.id, call.pattern);
    const absl::Status status = subject.Put(call.id, call.pattern);
    if (status.ok() != expected) {
      return "Put(" + call.id + ", " + call.pattern + ") is " + status.ToString();
    }
  } else if (const bool expected = referee.Remove(call.id); subject.Remove(call.id) != expected) {
    return "Remove(" + call.id + ") does not say " + (expected ? "true" : "false");
  }
  const int64_t rules = subject.set.Stats().rules;
  return rules == static_cast<int64_t>(referee.rules().size())
             ? ""
             : "Stats().rules is " + std::to_string(rules);
}

std::string Compare(const Input& input, const Subject& subject, const Referee& referee,
                    size_t* matches = nullptr) {
  const auto differ = [](std::string_view form, const Ids& got, const Ids& expected) {
    if (got == expected) return std::string();
    return "Match(" + std::string(form) + ") finds " + ListText(got) + ", expected " +
           ListText(expected);
  };
  if (const auto* attributes = std::get_if<Attributes>(&input)) {
    const Ids expected = referee.Match(EventFields::FromAttributes(*attributes));
    if (matches != nullptr) *matches += expected.size();
    return differ("attributes", subject.Match(*attributes), expected);
  }
  // What lies behind the text must not matter to a reader who looks at many bytes at once. A
  // sanitizer wants to see where it ends.
  std::string buffer = std::get<std::string>(input);
  const size_t size = buffer.size();
#ifdef BANYAN_SANITIZER
  const std::vector<char> exact(buffer.begin(), buffer.end());
  const std::string_view json(exact.data(), size);
#else
  buffer += "\"}],\\0{:";
  const std::string_view json(buffer.data(), size);
#endif
  const auto fields = EventFields::FromJson(json, EventLimits(referee.limits()));
  const Ids expected = fields.has_value() ? referee.Match(*fields) : Ids();
  if (matches != nullptr) *matches += expected.size();
  std::string difference = differ("text", subject.Match(json), expected);
  if (!difference.empty()) return difference;
  const auto checked = CheckedEvent::Check(json, referee.limits());
  if (checked.ok() != fields.has_value()) {
    return "Check() says " + checked.status().ToString() + ", the reader " +
           (fields.has_value() ? "has no objection" : "refuses");
  }
  return checked.ok() ? differ("checked", subject.Match(*checked), expected) : "";
}

// ---- Making a disagreement small.

// The calls so far and the event that showed it.
struct Found {
  PatternLanguage language = PatternLanguage::kEventBridge;
  Limits limits;
  std::vector<Call> calls;
  Input input;
};

std::string Replay(const Found& found, const MakeSubject& make) {
  const std::unique_ptr<Subject> subject = make(found.language, found.limits);
  Referee referee(found.language, found.limits);
  for (const Call& call : found.calls) {
    const std::string difference = Apply(call, *subject, referee);
    if (!difference.empty()) return difference;
  }
  return Compare(found.input, *subject, referee);
}

// Takes parts out of the list as long as `still_fails`, large parts first.
template <typename T>
void ShrinkList(std::vector<T>* list,
                const std::function<bool(const std::vector<T>&)>& still_fails) {
  for (size_t size = std::max<size_t>(list->size() / 2, 1);; size /= 2) {
    for (size_t at = 0; at < list->size();) {
      std::vector<T> shorter = *list;
      const auto begin = shorter.begin() + static_cast<ptrdiff_t>(at);
      shorter.erase(begin, begin + static_cast<ptrdiff_t>(std::min(size, shorter.size() - at)));
      if (still_fails(shorter)) {
        *list = std::move(shorter);
      } else {
        at += size;
      }
    }
    if (size == 1) return;
  }
}

// Parts of a tree go, children come in place of their parents, texts become shorter.
std::vector<JsonTree> SmallerTrees(const JsonTree& tree) {
  std::vector<JsonTree> smaller;
  if (tree.is_scalar()) {
    if (tree.kind == JsonTree::Kind::kString && tree.text.size() > 1) {
      size_t half = tree.text.size() / 2;
      while (half > 0 && IsUtf8Continuation(tree.text[half])) --half;
      for (const std::string& text : {tree.text.substr(0, half), tree.text.substr(half)}) {
        smaller.push_back({.kind = tree.kind, .text = text, .children = {}});
      }
    }
    return smaller;
  }
  for (size_t i = 0; i < tree.children.size(); ++i) {
    smaller.push_back(tree);
    smaller.back().children.erase(smaller.back().children.begin() + static_cast<ptrdiff_t>(i));
  }
  for (const JsonTree::Member& child : tree.children) smaller.push_back(child.value);
  for (size_t i = 0; i < tree.children.size(); ++i) {
    for (JsonTree& child : SmallerTrees(tree.children[i].value)) {
      smaller.push_back(tree);
      smaller.back().children[i].value = std::move(child);
    }
  }
  return smaller;
}

void ShrinkJson(std::string* json, const std::function<bool(const std::string&)>& still_fails) {
  int tries_left = 3'000;
  std::optional<JsonTree> tree = ParseTree(*json);
  if (tree.has_value() && still_fails(PlainText(*tree))) {
    for (bool progress = true; progress && tries_left > 0;) {
      progress = false;
      for (JsonTree& smaller : SmallerTrees(*tree)) {
        if (--tries_left <= 0) break;
        if (!still_fails(PlainText(smaller))) continue;
        *tree = std::move(smaller);
        progress = true;
        break;
      }
    }
    *json = PlainText(*tree);
    return;
  }
  // It is about how the text is written: take out bytes.
  std::vector<char> bytes(json->begin(), json->end());
  ShrinkList<char>(&bytes, [&](const std::vector<char>& shorter) {
    return --tries_left > 0 && still_fails(std::string(shorter.begin(), shorter.end()));
  });
  json->assign(bytes.begin(), bytes.end());
}

void Shrink(Found* found, const MakeSubject& make) {
  int replays_left = 3'000;  // a failing test that never ends helps nobody
  const auto fails = [&](const Found& candidate) {
    return --replays_left > 0 && !Replay(candidate, make).empty();
  };
  for (int pass = 0; pass < 2; ++pass) {
    ShrinkList<Call>(&found->calls, [&](const std::vector<Call>& calls) {
      Found candidate = *found;
      candidate.calls = calls;
      return fails(candidate);
    });
    if (auto* json = std::get_if<std::string>(&found->input)) {
      ShrinkJson(json, [&](const std::string& shorter) {
        Found candidate = *found;
        candidate.input = shorter;
        return fails(candidate);
      });
    } else {
      const auto& attributes = std::get<Attributes>(found->input);
      std::vector<Attributes::Entry> entries(attributes.begin(), attributes.end());
      const auto together = [](const std::vector<Attributes::Entry>& list) {
        Attributes joined;
        for (const auto& [name, value] : list) joined.Set(name, value);
        return joined;
      };
      ShrinkList<Attributes::Entry>(&entries, [&](const std::vector<Attributes::Entry>& shorter) {
        Found candidate = *found;
        candidate.input = together(shorter);
        return fails(candidate);
      });
      found->input = together(entries);
    }
    for (size_t i = 0; i < found->calls.size(); ++i) {
      ShrinkJson(&found->calls[i].pattern, [&](const std::string& shorter) {
        Found candidate = *found;
        candidate.calls[i].pattern = shorter;
        return fails(candidate);
      });
    }
  }
}

// ---- Printing it.

bool IsReadable(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0 || (length == 1 && (text[0] < ' ' || text[0] == '\x7f'))) return false;
    text.remove_prefix(length);
  }
  return true;
}

// As C++ writes it: raw where a person can read that.
std::string Literal(std::string_view text) {
  if (IsReadable(text) && text.find(")\"") == std::string_view::npos) {
    return "R\"(" + std::string(text) + ")\"";
  }
  std::string out = "std::string_view(\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c >= ' ' && c < '\x7f') {
      out += c;
      continue;
    }
    const unsigned byte = static_cast<unsigned char>(c);
    out += '\\';
    for (int shift = 6; shift >= 0; shift -= 3)
      out += static_cast<char>('0' + ((byte >> shift) & 7));
  }
  return out + "\", " + std::to_string(text.size()) + ")";
}

std::string AsTest(const Found& found) {
  const char* languages[] = {"kEventBridge", "kSnsMessageAttributes", "kSnsMessageBody"};
  std::string out = "TEST(RuleSetRegressionTest, NameMe) {\n";
  out += std::string("  RuleSet rules(PatternLanguage::") +
         languages[static_cast<size_t>(found.language)] + ");\n";
  Referee referee(found.language, found.limits);
  for (const Call& call : found.calls) {
    if (call.is_put) {
      out += "  EXPECT_EQ(rules.Put(" + Literal(call.id) + ",\n                      " +
             Literal(call.pattern) + ").ok(), " +
             (referee.Put(call.id, call.pattern) ? "true" : "false") + ");\n";
    } else {
      out += "  EXPECT_EQ(rules.Remove(" + Literal(call.id) + "), " +
             (referee.Remove(call.id) ? "true" : "false") + ");\n";
    }
  }
  Ids expected;
  if (const auto* json = std::get_if<std::string>(&found.input)) {
    out += "  const std::string_view event = " + Literal(*json) + ";\n";
    const auto fields = EventFields::FromJson(*json, EventLimits(found.limits));
    if (fields.has_value()) expected = referee.Match(*fields);
  } else {
    const auto& attributes = std::get<Attributes>(found.input);
    out += "  Attributes event;\n";
    for (const auto& [name, value] : attributes) {
      out += "  event.Set(" + Literal(name) + ", {" + Literal(value.type) + ", " +
             Literal(value.value) + "});\n";
    }
    expected = referee.Match(EventFields::FromAttributes(attributes));
  }
  std::string ids;
  for (const std::string& id : expected) ids += (ids.empty() ? "" : ", ") + Literal(id);
  out += "  EXPECT_THAT(rules.Match(event), ElementsAre(" + ids + "));\n";
  if (std::holds_alternative<std::string>(found.input)) {
    out += "  EXPECT_THAT(rules.Match(CheckedEvent::Check(event).value()), ElementsAre(" + ids +
           "));\n";
  }
  return out + "}\n";
}

// ---- Rounds of random calls and events.

struct Totals {
  size_t pairs = 0;    // of rule and event
  size_t matches = 0;  // pairs that match
  size_t events = 0;
};

void ExpectSameTogether(const RuleSet& set, const Limits& limits,
                        const std::vector<std::string>& texts) {
  std::vector<CheckedEvent> events;
  std::vector<Ids> expected;
  size_t total = 0;
  for (const std::string& text : texts) {
    absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(text, limits);
    if (!event.ok()) continue;
    expected.push_back(set.Match(*event));
    total += expected.back().size();
    events.push_back(*std::move(event));
  }
  std::vector<Ids> got(events.size());
  const size_t count =
      set.Match(events, [&got](size_t event, std::string_view id) { got[event].emplace_back(id); });
  EXPECT_EQ(got, expected);
  EXPECT_EQ(count, total);
}

// One world, one set, calls and events mixed. What was found, if something was.
std::optional<Found> Round(PatternLanguage language, uint64_t seed, const MakeSubject& make,
                           Totals* totals) {
  std::mt19937_64 random(seed);
  const auto below = [&random](size_t bound) { return static_cast<size_t>(random() % bound); };
  Limits limits = Limits::Aws();
  if (below(2) == 0) limits.pattern.wildcard_complexity_max = 100;
  RandomPatterns generator(language, random);
  const std::unique_ptr<Subject> subject = make(language, limits);
  Referee referee(language, limits);
  Found history{.language = language, .limits = limits, .calls = {}, .input = {}};

  // Most sets are small; then there are more of them.
  const size_t rules = below(20) == 0 ? 30 + below(170) : 1 + below(12);
  const size_t ids = 1 + rules + below(1 + rules / 4);  // fewer free ids: more replacements
  const size_t phases = 4;
  for (size_t phase = 0; phase < phases; ++phase) {
    const size_t calls = phase == 0 ? rules : 1 + below(1 + rules / 3);
    for (size_t i = 0; i < calls; ++i) {
      Call call{.is_put = phase == 0 || below(3) > 0,
                .id = "r" + std::to_string(below(ids)),
                .pattern = ""};
      if (call.is_put) {
        // Now and then a text that is there already under another id: rules share conditions.
        const bool again = !referee.rules().empty() && below(12) == 0;
        call.pattern = again ? referee.rules()[below(referee.rules().size())].pattern->text()
                             : generator.Pattern();
      }
      history.calls.push_back(call);
      const std::string difference = Apply(call, *subject, referee);
      if (!difference.empty()) return history;
    }
    std::vector<const CompiledPattern*> near;
    for (const Referee::Rule& rule : referee.rules()) near.push_back(rule.pattern.get());
    std::vector<std::string> texts;
    for (size_t i = 0, events = 16; i < events; ++i) {
      const Input input = language == PatternLanguage::kSnsMessageAttributes
                              ? Input(generator.Message(near))
                              : Input(generator.Event(near));
      ++totals->events;
      totals->pairs += near.size();
      if (!Compare(input, *subject, referee, &totals->matches).empty()) {
        history.input = input;
        return history;
      }
      if (std::holds_alternative<std::string>(input)) texts.push_back(std::get<std::string>(input));
    }
    // What each event has just been found right about, all together.
    ExpectSameTogether(subject->set, limits, texts);
  }
  return std::nullopt;
}

// Runs rounds until one fails; then shrinks what it found.
std::optional<Found> Search(PatternLanguage language, int rounds, std::mt19937_64& random,
                            const MakeSubject& make, Totals* totals) {
  for (int round = 0; round < rounds; ++round) {
    std::optional<Found> found = Round(language, random(), make, totals);
    if (!found.has_value()) continue;
    if (Replay(*found, make).empty()) {
      ADD_FAILURE() << "a difference that does not come again in a new set: " << AsTest(*found);
      return found;
    }
    Shrink(&*found, make);
    return found;
  }
  return std::nullopt;
}

int Rounds(int standard) {
  const char* chosen = std::getenv("BANYAN_TEST_ROUNDS");
  return chosen != nullptr ? std::atoi(chosen) : std::max(1, standard / kAgreementScale);
}

class RuleSetAgreementTest : public ::testing::TestWithParam<PatternLanguage> {};

TEST_P(RuleSetAgreementTest, FindsWhatTheInterpreterFinds) {
  std::mt19937_64 random = SeededRandom();
  Totals totals;
  const int rounds = Rounds(GetParam() == PatternLanguage::kEventBridge ? 1'300 : 500);
  const auto found = Search(GetParam(), rounds, random, MakeRuleSet, &totals);
  if (found.has_value()) {
    ADD_FAILURE() << Replay(*found, MakeRuleSet) << "\n" << AsTest(*found);
    return;
  }
  std::cout << "             " << totals.pairs << " pairs of rule and event, "
            << 100 * totals.matches / totals.pairs << " % match; " << totals.events << " events\n";
  // A test of "no" against "no" would be worth little.
  EXPECT_GT(totals.matches, totals.pairs / 6);
  EXPECT_LT(totals.matches, totals.pairs / 6 * 5);
}

INSTANTIATE_TEST_SUITE_P(Languages, RuleSetAgreementTest,
                         ::testing::Values(PatternLanguage::kEventBridge,
                                           PatternLanguage::kSnsMessageAttributes,
                                           PatternLanguage::kSnsMessageBody));

// ---- The search itself: sets that are wrong in one way must be found out.

// Takes an included bound for an excluded one.
class ConfusesBounds : public Subject {
 public:
  using Subject::Subject;
  absl::Status Put(std::string_view id, std::string_view pattern) override {
    std::string text(pattern);
    if (const size_t at = text.find("\">=\""); at != std::string::npos)
      text.replace(at, 4, "\">\"");
    const bool is_valid = EventPattern::Parse(text, set.language(), limits).ok();
    return set.Put(id, is_valid ? text : pattern);
  }
};

// Loses a rule where many match.
class LosesTheSixth : public Subject {
 public:
  using Subject::Subject;
  Ids Match(std::string_view json) const override {
    Ids ids = set.Match(json);
    if (ids.size() > 5) ids.erase(ids.begin() + 5);
    return ids;
  }
};

// Keeps a replaced rule's place.
class KeepsPlaces : public Subject {
 public:
  using Subject::Subject;
  absl::Status Put(std::string_view id, std::string_view pattern) override {
    const absl::Status status = set.Put(id, pattern);
    if (status.ok()) places_.emplace(id, places_.size());
    return status;
  }
  Ids Match(std::string_view json) const override {
    Ids ids = set.Match(json);
    std::sort(ids.begin(), ids.end(), [this](const std::string& a, const std::string& b) {
      return places_.at(a) < places_.at(b);
    });
    return ids;
  }
  bool Remove(std::string_view id) override {
    places_.erase(std::string(id));
    return set.Remove(id);
  }

 private:
  std::map<std::string, size_t> places_;
};

// Stops reading an object when it has seen a name twice.
class ForgetsRepeatedNames : public Subject {
 public:
  using Subject::Subject;
  Ids Match(const CheckedEvent& event) const override {
    JsonTree tree = *ParseTree(event.json());
    Cut(&tree);
    return set.Match(PlainText(tree));
  }

 private:
  static void Cut(JsonTree* tree) {
    std::vector<JsonTree::Member> kept;
    for (JsonTree::Member& child : tree->children) {
      Cut(&child.value);
      const bool repeated = tree->kind == JsonTree::Kind::kObject &&
                            std::any_of(kept.begin(), kept.end(), [&child](const auto& before) {
                              return before.name == child.name;
                            });
      if (!repeated) kept.push_back(std::move(child));
    }
    tree->children = std::move(kept);
  }
};

// Takes elements of arrays for one.
class MergesElements : public Subject {
 public:
  using Subject::Subject;
  Ids Match(const CheckedEvent& event) const override {
    JsonTree tree = *ParseTree(event.json());
    Merge(&tree);
    return set.Match(PlainText(tree));
  }

 private:
  static void Merge(JsonTree* tree) {
    for (JsonTree::Member& child : tree->children) Merge(&child.value);
    if (tree->kind != JsonTree::Kind::kArray) return;
    std::vector<JsonTree::Member> kept;
    JsonTree* object = nullptr;
    for (JsonTree::Member& child : tree->children) {
      if (child.value.kind == JsonTree::Kind::kObject && object != nullptr) {
        for (auto& member : child.value.children) object->children.push_back(std::move(member));
        continue;
      }
      kept.push_back(std::move(child));
      kept.reserve(tree->children.size());  // `object` stays where it is
      if (kept.back().value.kind == JsonTree::Kind::kObject && object == nullptr) {
        object = &kept.back().value;
      }
    }
    tree->children = std::move(kept);
  }
};

// Believes a text that is broken behind what it needs.
class TrustsTails : public Subject {
 public:
  using Subject::Subject;
  Ids Match(std::string_view json) const override {
    if (CheckedEvent::Check(json, limits).ok()) return set.Match(json);
    return set.Match(std::string(json.substr(0, json.find_last_of(",}"))) + "}");
  }
};

template <typename Wrong>
void ExpectFound(std::string_view what) {
  SCOPED_TRACE(what);
  std::mt19937_64 random = SeededRandom();
  Totals totals;
  const MakeSubject make = [](PatternLanguage language, const Limits& limits) {
    return std::make_unique<Wrong>(language, limits);
  };
  const auto found = Search(PatternLanguage::kEventBridge, 2'000, random, make, &totals);
  ASSERT_TRUE(found.has_value());
  size_t bytes = std::get<std::string>(found->input).size();
  for (const Call& call : found->calls) bytes += call.pattern.size();
  std::cout << "             " << what << ": after " << totals.pairs << " pairs, "
            << found->calls.size() << " calls and " << bytes << " bytes left\n";
  EXPECT_NE(Replay(*found, make), "");
  EXPECT_EQ(Replay(*found, MakeRuleSet), "") << AsTest(*found);
  EXPECT_LE(found->calls.size(), 7u) << AsTest(*found);
  // Names of 200 bytes stay as they are, and a pattern may need some of them.
  EXPECT_LE(bytes, 2'000u * (1 + found->calls.size())) << AsTest(*found);
}

TEST(RuleSetAgreementSearchTest, FindsAWrongBound) { ExpectFound<ConfusesBounds>("bounds"); }
TEST(RuleSetAgreementSearchTest, FindsALostRule) { ExpectFound<LosesTheSixth>("the sixth"); }
TEST(RuleSetAgreementSearchTest, FindsAWrongOrder) { ExpectFound<KeepsPlaces>("order"); }
TEST(RuleSetAgreementSearchTest, FindsAForgottenName) {
  ExpectFound<ForgetsRepeatedNames>("names");
}
TEST(RuleSetAgreementSearchTest, FindsMergedElements) { ExpectFound<MergesElements>("elements"); }
TEST(RuleSetAgreementSearchTest, FindsATrustedTail) { ExpectFound<TrustsTails>("tails"); }

TEST(RuleSetAgreementSearchTest, PrintsATestThatCanBeKept) {
  const Found found{.language = PatternLanguage::kEventBridge,
                    .limits = Limits::Aws(),
                    .calls = {{.is_put = true, .id = "r", .pattern = R"({"a":["\t"]})"}},
                    .input = std::string("{\"a\":\"\\t\"}\x01")};
  EXPECT_EQ(AsTest(found), R"x(TEST(RuleSetRegressionTest, NameMe) {
  RuleSet rules(PatternLanguage::kEventBridge);
  EXPECT_EQ(rules.Put(R"(r)",
                      R"({"a":["\t"]})").ok(), true);
  const std::string_view event = std::string_view("{\"a\":\"\\t\"}\001", 11);
  EXPECT_THAT(rules.Match(event), ElementsAre(R"(r)"));
  EXPECT_THAT(rules.Match(CheckedEvent::Check(event).value()), ElementsAre(R"(r)"));
}
)x");
}

// ---- Everything that was recorded, in one set.

// Events as AWS's services send them, by shape; the values are made up.
constexpr std::string_view kServiceEvents[] = {
    R"({"version":"0","id":"0b7c1f5e-4c1a-4b0e-9e7e-0d5a4f0a9b11","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","account":"111122223333","time":"2026-03-01T10:00:00Z","region":"eu-west-1","resources":["arn:aws:ec2:eu-west-1:111122223333:instance/i-0abc"],"detail":{"instance-id":"i-0abc","state":"pending"}})",
    R"({"version":"0","id":"1","detail-type":"Object Created","source":"aws.s3","account":"111122223333","time":"2026-03-01T10:00:01Z","region":"eu-west-1","resources":["arn:aws:s3:::photos"],"detail":{"version":"0","bucket":{"name":"photos"},"object":{"key":"in/2026/cat.png","size":51200,"etag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"00617F08299329D189"},"request-id":"C3D13FE58DE4C810","requester":"111122223333","source-ip-address":"10.0.0.1","reason":"PutObject"}})",
    R"({"version":"0","id":"2","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","account":"111122223333","time":"2026-03-01T10:00:02Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}},"eventSource":"iam.amazonaws.com","eventName":"CreateUser","sourceIPAddress":"2001:db8::1","requestParameters":{"userName":"bob","tags":[{"key":"team","value":"blue"},{"key":"stage","value":"prod"}]},"responseElements":null,"readOnly":false}})",
    R"({"version":"0","id":"3","detail-type":"CloudWatch Alarm State Change","source":"aws.cloudwatch","account":"111122223333","time":"2026-03-01T10:00:03Z","region":"eu-west-1","resources":["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:hot"],"detail":{"alarmName":"hot","state":{"value":"ALARM","reasonData":"{\"threshold\":80.0,\"recentDatapoints\":[81.5,99.9]}"},"previousState":{"value":"OK"},"configuration":{"metrics":[{"id":"m1","metricStat":{"period":300,"stat":"Average"},"returnData":true}]}}})",
    R"({ "version" : "0", "id" : "4", "detail-type" : "Order Placed", "source" : "shop.orders", "account" : "111122223333", "time" : "2026-03-01T10:00:04Z", "region" : "eu-west-1", "resources" : [ ], "detail" : { "state" : "paid", "total" : 1.20E+2, "items" : [ { "sku" : "A-1", "count" : 2 }, { "sku" : "B\u002d2", "count" : 0, "gift" : null } ], "note" : "say \"hi\" \\ \ud83d\ude00" } })",
    R"({"version":"0","id":"5","detail-type":"ECS Task State Change","source":"aws.ecs","account":"111122223333","time":"2026-03-01T10:00:05Z","region":"eu-west-1","resources":["arn:aws:ecs:eu-west-1:111122223333:task/one"],"detail":{"attachments":[{"id":"a","type":"eni","details":[{"name":"subnetId","value":"subnet-1"},{"name":"privateIPv4Address","value":"10.0.139.255"}]}],"containers":[{"exitCode":1,"name":"web"},{"exitCode":0,"name":"log"}],"cpu":"256","desiredStatus":"STOPPED","lastStatus":"RUNNING"}})",
};

// Patterns for them, beside those of the files.
constexpr std::string_view kServicePatterns[] = {
    R"({"source":["aws.ec2"],"detail":{"state":["pending","running"]}})",
    R"({"source":[{"prefix":"aws."}],"detail-type":[{"anything-but":{"prefix":"EC2"}}]})",
    R"({"detail":{"bucket":{"name":["photos"]},"object":{"key":[{"wildcard":"in/*.png"}],"size":[{"numeric":[">",1024,"<=",51200]}]}}})",
    R"({"detail":{"source-ip-address":[{"cidr":"10.0.0.0/8"}]}})",
    R"({"detail":{"sourceIPAddress":["2001:DB8:0:0:0:0:0:1"],"readOnly":[false],"responseElements":[null]}})",
    R"({"detail":{"requestParameters":{"tags":{"key":["team"],"value":["prod"]}}}})",
    R"({"detail":{"requestParameters":{"tags":{"key":["stage"],"value":["prod"]}}}})",
    R"({"detail":{"state":{"value":["ALARM"]},"previousState":{"value":[{"anything-but":"ALARM"}]}}})",
    R"({"$or":[{"detail":{"total":[120]}},{"detail":{"containers":{"exitCode":[{"numeric":[">",0]}]}}}]})",
    R"({"detail":{"items":{"sku":["B-2"],"gift":[null],"none":[{"exists":false}]}}})",
    R"({"resources":[{"exists":false}]})",
    R"({"detail":{"containers":{"exitCode":[1],"name":["log"]}}})",
};

TEST(RuleSetRecordedTest, AllPatternsInOneSetAgreeOnAllEvents) {
  std::vector<std::string> patterns(std::begin(kServicePatterns), std::end(kServicePatterns));
  std::vector<std::string> events(std::begin(kServiceEvents), std::end(kServiceEvents));
  for (const Case& c : ReadCases(ProbesPath())) {
    patterns.push_back(c.at("pattern_text"));
    events.push_back(c.at("event_text"));
  }
  ASSERT_GT(patterns.size(), 280u);
  for (const Case& c : ReadCases(ConformancePath("ruler-cases-expected.jsonl"))) {
    patterns.push_back(c.at("pattern"));
    events.push_back(c.at("event"));
  }
  for (const Case& c : ReadCases(ConformancePath("ruler-recorded-cases.jsonl"))) {
    for (const std::string& op_text : ReadList(c.at("ops"))) {
      const Case op = ReadCase(op_text);
      if (op.contains("add")) patterns.push_back(op.at("add"));
      if (op.contains("event")) events.push_back(op.at("event"));
    }
  }
  for (const Case& c : ReadCases(ConformancePath("ruler-recorded-checks.jsonl"))) {
    patterns.push_back(c.at("pattern_text"));
  }
  Found all{.language = PatternLanguage::kEventBridge,
            .limits = EngineLimits(),
            .calls = {},
            .input = {}};
  for (size_t i = 0; i < patterns.size(); ++i) {
    all.calls.push_back({.is_put = true, .id = "p" + std::to_string(i), .pattern = patterns[i]});
  }

  Subject subject(all.language, all.limits);
  Referee referee(all.language, all.limits);
  for (const Call& call : all.calls) ASSERT_EQ(Apply(call, subject, referee), "");
  size_t matches = 0;
  const auto try_all = [&] {
    for (size_t i = 0; i < events.size(); i += kAgreementScale) {
      const std::string difference = Compare(events[i], subject, referee, &matches);
      if (difference.empty()) continue;
      all.input = events[i];
      if (!Replay(all, MakeRuleSet).empty()) Shrink(&all, MakeRuleSet);
      FAIL() << difference << "\n" << AsTest(all);
    }
  };
  try_all();
  std::cout << "             " << events.size() << " events, " << referee.rules().size()
            << " rules, " << matches << " matches\n";
  EXPECT_GT(matches, events.size() / kAgreementScale);

  // The same with every second rule gone, then with all of them new.
  for (size_t i = 0; i < patterns.size(); i += 2) {
    all.calls.push_back({.is_put = false, .id = "p" + std::to_string(i), .pattern = ""});
    ASSERT_EQ(Apply(all.calls.back(), subject, referee), "");
  }
  try_all();
  for (size_t i = 0; i < patterns.size(); ++i) {
    all.calls.push_back({.is_put = true,
                         .id = "p" + std::to_string(i),
                         .pattern = patterns[patterns.size() - 1 - i]});
    ASSERT_EQ(Apply(all.calls.back(), subject, referee), "");
  }
  try_all();
}

TEST(RuleSetRecordedTest, ExplainAgreesAndGoesByIds) {
  std::mt19937_64 random = SeededRandom();
  for (int round = 0; round < 200 / kAgreementScale; ++round) {
    RandomPatterns generator(PatternLanguage::kEventBridge, random);
    RuleSet rules;
    Referee referee(PatternLanguage::kEventBridge, Limits::Aws());
    std::set<std::string> ids;
    for (int i = 0; i < 6; ++i) {
      const std::string id = std::to_string(random() % 100), text = generator.Pattern();
      ASSERT_EQ(rules.Put(id, text).ok(), referee.Put(id, text)) << text;
    }
    std::vector<const CompiledPattern*> near;
    for (const Referee::Rule& rule : referee.rules()) {
      near.push_back(rule.pattern.get());
      ids.insert(rule.id);
    }
    for (int i = 0; i < 8; ++i) {
      const std::string event = generator.Event(near);
      const Ids matching = rules.Match(event);
      Ids explained;
      for (const RuleVerdict& rule : rules.Explain(event)) {
        explained.push_back(rule.id);
        const bool matches = std::find(matching.begin(), matching.end(), rule.id) != matching.end();
        EXPECT_EQ(rule.verdict.matched, matches) << rule.id << "\n" << event;
        EXPECT_FALSE(rule.verdict.sentence.empty());
      }
      EXPECT_EQ(explained, Ids(ids.begin(), ids.end()));
    }
  }
}

// The referee of this file is what the public interpreter says.
TEST(RuleSetRecordedTest, TheRefereeIsTheInterpreter) {
  std::mt19937_64 random = SeededRandom();
  for (int round = 0; round < 400 / kAgreementScale; ++round) {
    RandomPatterns generator(PatternLanguage::kEventBridge, random);
    const std::string text = generator.Pattern();
    const auto pattern = EventPattern::Parse(text);
    Referee referee(PatternLanguage::kEventBridge, Limits::Aws());
    ASSERT_EQ(referee.Put("r", text), pattern.ok()) << text;
    if (!pattern.ok()) continue;
    const CompiledPattern* near[] = {referee.rules().front().pattern.get()};
    for (int i = 0; i < 10; ++i) {
      const std::string event = generator.Event(near);
      const auto fields = EventFields::FromJson(event, EventLimits());
      const bool expected = fields.has_value() && !referee.Match(*fields).empty();
      EXPECT_EQ(pattern->Matches(event), expected) << text << "\n" << event;
    }
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
