// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event_bus_explain.cc -- floor 5: what an event would do on a bus, without doing it.
#include <optional>
#include <utility>

#include "base/strings.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "route/event.h"
#include "route/event_bus_core.h"
#include "route/explain_text.h"

namespace banyan::inline v0_1 {

namespace internal {

absl::StatusOr<std::vector<RuleExplanation>> EventBusCore::Explain(
    std::string_view event_json) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::string error;
  const std::optional<EventFields> fields =
      EventFields::FromJson(event_json, EventLimits(env_->limits), &error);
  if (!fields.has_value()) return NotAnEvent(error);

  // Targets are asked under no lock (B4).
  std::vector<RuleExplanation> list;
  std::vector<std::pair<size_t, LiveTarget>> to_ask;  // of which of them
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return Gone();
    for (const auto& [name, rule] : rules_) {
      Explanation verdict = {.matched = false,
                             .sentence = "The rule has a schedule and no pattern."};
      if (rule.pattern != nullptr) verdict = ExplainMatch(*rule.pattern, *fields);
      if (!rule.enabled) verdict = {.matched = false, .sentence = "The rule is disabled."};
      if (verdict.matched) {
        for (const LiveTarget& target : rule.targets) to_ask.emplace_back(list.size(), target);
      }
      list.push_back({.rule_name = name, .verdict = std::move(verdict), .targets = {}});
    }
  }
  const Delivery delivery = {
      .message = MakeMessage({.accepted = env_->runtime.Read(), .body = Payload(event_json)})};
  for (const auto& [rule, target] : to_ask) {
    list[rule].targets.push_back({target.what.id, target.courier->Foresee(delivery)});
  }
  return list;
}

}  // namespace internal

std::string ToString(absl::Span<const RuleExplanation> explanations) {
  size_t matched = 0;
  size_t targets = 0;
  size_t reached = 0;
  std::string lines;
  for (const RuleExplanation& rule : explanations) {
    internal::StrAppend(&lines, rule.rule_name,
                        rule.verdict.matched ? " matches" : " does not match");
    if (!rule.verdict.matched) internal::StrAppend(&lines, ": ", rule.verdict.sentence);
    lines.push_back('\n');
    matched += rule.verdict.matched ? 1 : 0;
    for (const TargetExplanation& target : rule.targets) {
      ++targets;
      reached += target.forecast.reaches() ? 1 : 0;
      internal::AppendForecast(&lines, target.forecast);
    }
  }
  return internal::StrCat("matches ", matched, " of ", explanations.size(),
                          explanations.size() == 1 ? " rule" : " rules", ", reaches ", reached,
                          " of ", targets, targets == 1 ? " target\n" : " targets\n", lines);
}

}  // namespace banyan::inline v0_1
