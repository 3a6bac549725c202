// SPDX-License-Identifier: Apache-2.0
#include "route/schedule_invocation.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "banyan/error.h"
#include "base/check.h"
#include "base/json.h"
#include "base/strings.h"
#include "route/bus_dead_letter.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kWordBegin = "<aws.scheduler.";

// The input as this attempt sends it. One pass: what stands in for a word is not looked at again.
std::string Render(std::string_view input, const Delivery& delivery) {
  const Invocation& invocation = InvocationOf(delivery);
  const std::string attempt = absl::StrCat(delivery.attempt);
  const std::array<std::pair<std::string_view, std::string_view>, 4> words = {{
      {"schedule-arn>", delivery.source_arn},
      {"scheduled-time>", invocation.scheduled_time()},
      {"execution-id>", invocation.execution_id()},
      {"attempt-number>", attempt},
  }};
  std::string text;
  text.reserve(input.size());
  for (;;) {
    const size_t begin = input.find(kWordBegin);
    text.append(input.substr(0, begin));
    if (begin == std::string_view::npos) return text;
    input.remove_prefix(begin + kWordBegin.size());
    std::string_view value = kWordBegin;  // an unknown word stays as it is
    for (const auto& [word, its_value] : words) {
      if (!input.starts_with(word)) continue;
      value = its_value;
      input.remove_prefix(word.size());
      break;
    }
    text.append(value);
  }
}

// The delivery with its body as this attempt sends it; nullopt if that is as it was given.
std::optional<Payload> RenderedBody(const Delivery& delivery) {
  const std::string_view input = delivery.message->body.view();
  if (input.find(kWordBegin) == std::string_view::npos) return std::nullopt;
  return Payload(Render(input, delivery));
}

MessageRef WithBody(const Message& message, Payload body, Attributes attributes) {
  return MakeMessage({.id = message.id,
                      .event_id = message.event_id,
                      .accepted = message.accepted,
                      .trace_header = message.trace_header(),
                      .attributes = std::move(attributes),
                      .body = std::move(body)});
}

// What the target's service calls the refusal.
std::string RefusalCode(const absl::Status& refusal) {
  if (const AwsErrorRow* row = FindAwsError(refusal)) return std::string(row->code);
  return absl::StatusCodeToString(refusal.code());
}

}  // namespace

std::string ScheduledTimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

const Invocation& InvocationOf(const Delivery& delivery) {
  BANYAN_CHECK(delivery.presentation != nullptr, "a schedule's delivery has its invocation");
  return static_cast<const Invocation&>(*delivery.presentation);
}

std::optional<absl::Status> InvocationSink::Accept(const Delivery& delivery, LaterFn later) {
  std::optional<Payload> body = RenderedBody(delivery);
  if (!body.has_value()) return target_->Accept(delivery, later);
  Delivery rendered = delivery;
  rendered.message = WithBody(*delivery.message, *std::move(body), {});
  rendered.presented_bytes.reset();
  return target_->Accept(rendered, later);
}

std::string ScheduledEvent(const Id& id, std::string_view source, std::string_view arn,
                           absl::Time scheduled, std::string_view detail, const Environment& env) {
  std::string json =
      StrCat(R"({"version":"0","id":")", id.ToString(), R"(","detail-type":"Scheduled Event",)",
             R"("source":")", source, R"(","account":")", env.account, R"(","time":")",
             ScheduledTimeText(scheduled), R"(","region":")", env.region, R"(","resources":[)");
  AppendJsonString(&json, arn);
  StrAppend(&json, R"(],"detail":)", detail, "}");
  return json;
}

Delivery MakeScheduleDeadLetter(const Delivery& delivery, const GivenUp& why,
                                std::string_view target_arn) {
  const Invocation& invocation = InvocationOf(delivery);
  Attributes attributes = {{"ERROR_CODE", RefusalCode(why.last_refusal)},
                           {"ERROR_MESSAGE", DeadLetterErrorMessage(why.last_refusal)},
                           {"EXECUTION_ID", invocation.execution_id()},
                           {"RETRY_ATTEMPTS", absl::StrCat(why.retries)},
                           {"SCHEDULE_ARN", delivery.source_arn},
                           {"SCHEDULED_TIME", invocation.scheduled_time()},
                           {"TARGET_ARN", target_arn},
                           {"IS_PAYLOAD_TRUNCATED", "false"}};
  if (!why.exhausted.empty()) attributes.Set("EXHAUSTED_RETRY_CONDITION", why.exhausted);
  const Message& original = *delivery.message;
  return {.message = WithBody(original, RenderedBody(delivery).value_or(original.body),
                              std::move(attributes))};
}

}  // namespace banyan::inline v0_1::internal
