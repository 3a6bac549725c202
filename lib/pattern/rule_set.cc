// SPDX-License-Identifier: Apache-2.0
#include "banyan/rule_set.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <variant>

#include "message/errors.h"
#include "pattern/rule_index.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1 {

namespace internal {

class RuleSetCore {
 public:
  RuleSetCore(PatternLanguage language_in, const Limits& limits_in)
      : language(language_in), limits(limits_in), index(limits_in) {}

  // Nothing but one of the two is ever looked at.
  RuleIndex::Input Only(const std::string_view* json) const {
    RuleIndex::Input input;
    if (!for_attributes()) input.json = json;
    return input;
  }
  bool for_attributes() const { return language == PatternLanguage::kSnsMessageAttributes; }

  const PatternLanguage language;
  const Limits limits;
  RuleIndex index;
  std::atomic<int64_t> refused_events{0};
  std::atomic<int64_t> refused_by_limits{0};
};

}  // namespace internal

namespace {

// A visitor for rules that hands on their ids.
auto IdsTo(absl::FunctionRef<void(std::string_view)> visit) {
  return [visit](const internal::PackedRule& rule) { visit(rule.id()); };
}

template <typename Event>
std::vector<std::string> ListMatches(const RuleSet& rules, const Event& event) {
  std::vector<std::string> ids;
  rules.Match(event, [&ids](std::string_view id) { ids.emplace_back(id); });
  return ids;
}

template <typename Event>
std::vector<RuleVerdict> ExplainAll(const internal::RuleSetCore& core, const Event& event) {
  std::vector<RuleVerdict> verdicts;
  core.index.ForEachRule([&](const internal::PackedRule& rule) {
    // The text was compiled before, under the same limits.
    verdicts.push_back(
        {.id = std::string(rule.id()),
         .verdict = EventPattern::Parse(rule.text(), core.language, core.limits)->Explain(event)});
  });
  std::sort(verdicts.begin(), verdicts.end(),
            [](const RuleVerdict& a, const RuleVerdict& b) { return a.id < b.id; });
  return verdicts;
}

}  // namespace

RuleSet::RuleSet(PatternLanguage language, const Limits& limits)
    : core_(std::make_unique<internal::RuleSetCore>(language, limits)) {}

RuleSet::~RuleSet() = default;

absl::Status RuleSet::Put(std::string_view id, std::string_view pattern_json) {
  internal::CompileResult result =
      internal::CompilePattern(pattern_json, core_->language, core_->limits);
  if (const auto* error = std::get_if<internal::PatternError>(&result)) {
    return internal::PatternStatus(*error, pattern_json, core_->language);
  }
  const bool has_room = core_->index.Put(
      {.input =
           core_->for_attributes() ? internal::RuleInput::kAttributes : internal::RuleInput::kJson,
       .pattern = std::get<std::shared_ptr<const internal::CompiledPattern>>(std::move(result)),
       .id = id,
       .keep_text = true,
       .payload = nullptr});
  if (has_room) return absl::OkStatus();
  return internal::Error(AwsError::kBusLimitExceeded,
                         "The rule set is full: limits.pattern.rules_max is ",
                         core_->limits.pattern.rules_max, ".");
}

bool RuleSet::Remove(std::string_view id) { return core_->index.Remove(id); }

size_t RuleSet::Match(std::string_view event_json,
                      absl::FunctionRef<void(std::string_view)> visit) const {
  using Refusal = internal::RuleIndex::Refusal;
  Refusal refused = Refusal::kNone;
  const size_t count = core_->index.Match(core_->Only(&event_json), IdsTo(visit), &refused);
  if (refused != Refusal::kNone) {
    core_->refused_events.fetch_add(1, std::memory_order_relaxed);
    if (refused == Refusal::kBeyondLimits) {
      core_->refused_by_limits.fetch_add(1, std::memory_order_relaxed);
    }
  }
  return count;
}

size_t RuleSet::Match(const CheckedEvent& event,
                      absl::FunctionRef<void(std::string_view)> visit) const {
  internal::RuleIndex::Input input;
  if (!core_->for_attributes()) input.event = &event;
  return core_->index.Match(input, IdsTo(visit));
}

size_t RuleSet::Match(absl::Span<const CheckedEvent> events,
                      absl::FunctionRef<void(size_t, std::string_view)> visit) const {
  if (core_->for_attributes()) return 0;
  return internal::RuleIndex::Moment(core_->index)
      .Match(events,
             [visit](size_t event, const internal::PackedRule& rule) { visit(event, rule.id()); });
}

size_t RuleSet::Match(const Attributes& attributes,
                      absl::FunctionRef<void(std::string_view)> visit) const {
  internal::RuleIndex::Input input;
  if (core_->for_attributes()) input.attributes = &attributes;
  return core_->index.Match(input, IdsTo(visit));
}

std::vector<std::string> RuleSet::Match(std::string_view event_json) const {
  return ListMatches(*this, event_json);
}
std::vector<std::string> RuleSet::Match(const CheckedEvent& event) const {
  return ListMatches(*this, event);
}
std::vector<std::string> RuleSet::Match(const Attributes& attributes) const {
  return ListMatches(*this, attributes);
}

std::vector<RuleVerdict> RuleSet::Explain(std::string_view event_json) const {
  return ExplainAll(*core_, event_json);
}
std::vector<RuleVerdict> RuleSet::Explain(const Attributes& attributes) const {
  return ExplainAll(*core_, attributes);
}

PatternLanguage RuleSet::language() const { return core_->language; }

RuleSetStats RuleSet::Stats() const {
  return {.rules = core_->index.size(),
          .memory_bytes = static_cast<int64_t>(core_->index.MemoryBytes()),
          .refused_events = core_->refused_events.load(std::memory_order_relaxed),
          .refused_by_limits = core_->refused_by_limits.load(std::memory_order_relaxed),
          .searches_given_up = core_->index.searches_given_up()};
}

}  // namespace banyan::inline v0_1
