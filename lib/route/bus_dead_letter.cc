// SPDX-License-Identifier: Apache-2.0
#include "route/bus_dead_letter.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "banyan/error.h"
#include "base/strings.h"
#include "base/utf8.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kMessageBytesMax = 1'024;

std::string_view ErrorCode(const absl::Status& refusal) {
  const AwsErrorRow* row = FindAwsError(refusal);
  if (row != nullptr && row->error == AwsError::kBusThirdAccountHop) return row->code;
  switch (refusal.code()) {
    case absl::StatusCode::kNotFound:
      return "NO_RESOURCE";
    case absl::StatusCode::kPermissionDenied:
      return "NO_PERMISSIONS";
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return "SDK_CLIENT_ERROR";
    default:
      return "ERROR_FROM_TARGET";
  }
}

}  // namespace

// A handler may answer with any bytes, and a queue takes only characters that XML knows: the rest
// becomes '?'. Never empty, which a queue refuses, too.
std::string DeadLetterErrorMessage(const absl::Status& refusal) {
  const absl::string_view message = refusal.message();
  std::string_view rest = ToStd(message);
  std::string text;
  while (!rest.empty() && text.size() < kMessageBytesMax) {
    const size_t length = Utf8Length(rest);
    const auto first = static_cast<unsigned char>(rest.front());
    const std::string_view character = rest.substr(0, length);
    // U+FFFE and U+FFFF are UTF-8, but not XML.
    if (length == 0 || first < 0x20 || character == "\xEF\xBF\xBE" || character == "\xEF\xBF\xBF") {
      text.push_back('?');
    } else {
      text.append(character);
    }
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  if (text.empty()) text = absl::StatusCodeToString(refusal.code());
  return text;
}

Delivery MakeBusDeadLetter(const Delivery& event, const GivenUp& why, std::string_view rule_arn,
                           std::string_view target_arn) {
  Attributes attributes = {{"RULE_ARN", rule_arn},
                           {"TARGET_ARN", target_arn},
                           {"ERROR_CODE", ErrorCode(why.last_refusal)},
                           {"ERROR_MESSAGE", DeadLetterErrorMessage(why.last_refusal)},
                           {"RETRY_ATTEMPTS", absl::StrCat(why.retries)}};
  if (!why.exhausted.empty()) attributes.Set("EXHAUSTED_RETRY_CONDITION", why.exhausted);
  const Message& original = *event.message;
  return {.message = MakeMessage({.id = original.id,
                                  .event_id = original.event_id,
                                  .accepted = original.accepted,
                                  .trace_header = original.trace_header(),
                                  .attributes = std::move(attributes),
                                  .body = original.body})};
}

}  // namespace banyan::inline v0_1::internal
