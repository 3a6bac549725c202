// SPDX-License-Identifier: Apache-2.0
#include "banyan/pattern.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "pattern/match.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1 {
namespace {

using internal::EventFields;

absl::Status InvalidEvent() {
  return internal::Error(AwsError::kBusValidation, "Parameter Event is not valid.");
}

bool LooksAtAttributes(PatternLanguage language) {
  return language == PatternLanguage::kSnsMessageAttributes;
}

// For an event that is not looked into.
Explanation NoMatch(std::string sentence) {
  Explanation explanation;
  explanation.sentence = std::move(sentence);
  return explanation;
}

// Does the event have all that EventBridge puts on every one?
bool HasEnvelope(std::string_view event_json, size_t depth_max) {
  constexpr std::string_view kNames[] = {"id",   "account", "source",
                                         "time", "region",  "detail-type"};
  bool seen[std::size(kNames)] = {};
  internal::JsonReader reader(event_json, depth_max);
  if (reader.Next() != internal::JsonToken::kStartObject) return false;
  while (reader.Next() == internal::JsonToken::kName) {
    for (size_t i = 0; i < std::size(kNames); ++i) seen[i] = seen[i] || reader.text() == kNames[i];
    reader.Next();
    if (!reader.SkipValue()) return false;
  }
  if (reader.token() != internal::JsonToken::kEndObject) return false;
  for (const bool found : seen) {
    if (!found) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<EventPattern> EventPattern::Parse(std::string_view json, PatternLanguage language,
                                                 const Limits& limits) {
  internal::CompileResult result = internal::CompilePattern(json, language, limits);
  if (const auto* error = std::get_if<internal::PatternError>(&result)) {
    return internal::PatternStatus(*error, json, language);
  }
  return EventPattern(
      std::get<std::shared_ptr<const internal::CompiledPattern>>(std::move(result)));
}

bool EventPattern::Matches(std::string_view event_json) const {
  if (LooksAtAttributes(language())) return false;
  const std::optional<EventFields> fields =
      EventFields::FromJson(event_json, compiled_->event_limits());
  return fields.has_value() && internal::Match(*compiled_, *fields);
}

bool EventPattern::Matches(const Attributes& attributes) const {
  return LooksAtAttributes(language()) &&
         internal::Match(*compiled_, EventFields::FromAttributes(attributes));
}

Explanation EventPattern::Explain(std::string_view event_json) const {
  if (LooksAtAttributes(language())) {
    return NoMatch("the pattern looks at message attributes, not at JSON");
  }
  std::string error;
  const std::optional<EventFields> fields =
      EventFields::FromJson(event_json, compiled_->event_limits(), &error);
  if (fields.has_value()) return internal::ExplainMatch(*compiled_, *fields);
  return NoMatch(internal::StrCat("the event cannot be read: ", error));
}

Explanation EventPattern::Explain(const Attributes& attributes) const {
  if (!LooksAtAttributes(language())) {
    return NoMatch("the pattern looks at JSON, not at message attributes");
  }
  return internal::ExplainMatch(*compiled_, EventFields::FromAttributes(attributes));
}

std::string_view EventPattern::text() const { return compiled_->text(); }

PatternLanguage EventPattern::language() const { return compiled_->language(); }

absl::StatusOr<bool> TestEventPattern(std::string_view pattern_json, std::string_view event_json,
                                      const Limits& limits) {
  const internal::EventLimits event_limits(limits);
  const std::optional<EventFields> fields = EventFields::FromJson(event_json, event_limits);
  if (!fields.has_value() || !HasEnvelope(event_json, event_limits.depth_max)) {
    return InvalidEvent();
  }
  // Whatever may be wrong with the pattern, the service complains about the event first.
  const absl::StatusOr<EventPattern> pattern =
      EventPattern::Parse(pattern_json, PatternLanguage::kEventBridge, limits);
  if (!pattern.ok()) return pattern.status();
  return pattern->Matches(event_json);
}

}  // namespace banyan::inline v0_1
