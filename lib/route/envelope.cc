// SPDX-License-Identifier: Apache-2.0
#include "banyan/envelope.h"

#include <optional>

#include "absl/functional/function_ref.h"
#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "route/event.h"

namespace banyan::inline v0_1 {

namespace {

using internal::Error;
using internal::JsonReader;
using internal::JsonToken;
using internal::StrCat;

constexpr size_t kDepthMax = 1000;  // as of events that are put

absl::Status NotANotification(std::string_view reason) {
  return Error(AwsError::kTopicInvalidParameter,
               "Invalid parameter: Notification Reason: ", reason);
}

// Calls `visit` with the reader at the value of each member of the object that `json` is. Then the
// reader may stand where that value ends. False: it is no object, see ObjectFault().
bool ForEachMember(std::string_view json,
                   absl::FunctionRef<void(std::string_view name, JsonReader* value)> visit) {
  JsonReader reader(json, kDepthMax);
  if (reader.Next() != JsonToken::kStartObject) return false;
  while (reader.Next() == JsonToken::kName) {
    const std::string name(reader.text());
    reader.Next();
    visit(name, &reader);
    if (!reader.SkipValue()) return false;
  }
  return reader.token() == JsonToken::kEndObject && reader.AtEndOfText();
}

}  // namespace

absl::StatusOr<std::string> UnwrapNotification(std::string_view notification) {
  std::optional<std::string> message;
  const auto visit = [&message](std::string_view name, JsonReader* value) {
    if (name == "Message" && value->token() == JsonToken::kString) message = value->text();
  };
  if (!ForEachMember(notification, visit)) {
    return NotANotification(internal::ObjectFault(notification, kDepthMax));
  }
  if (!message.has_value()) return NotANotification("there is no string named Message in it");
  return *std::move(message);
}

absl::StatusOr<UnwrappedEvent> UnwrapEvent(std::string_view event) {
  std::optional<std::string> source;
  std::optional<std::string> detail_type;
  UnwrappedEvent unwrapped;
  const auto visit = [&](std::string_view name, JsonReader* value) {
    const bool is_string = value->token() == JsonToken::kString;
    if (name == "source" && is_string) source = value->text();
    if (name == "detail-type" && is_string) detail_type = value->text();
    if (name != "detail" || value->token() != JsonToken::kStartObject) return;
    const size_t begin = value->begin();
    if (value->SkipValue()) unwrapped.detail = event.substr(begin, value->end() - begin);
  };
  if (!ForEachMember(event, visit)) {
    return internal::NotAnEvent(internal::ObjectFault(event, kDepthMax));
  }
  if (!source.has_value()) return internal::NotAnEvent("there is no string named source in it");
  if (!detail_type.has_value()) {
    return internal::NotAnEvent("there is no string named detail-type in it");
  }
  if (unwrapped.detail.empty())
    return internal::NotAnEvent("there is no object named detail in it");
  unwrapped.source = *std::move(source);
  unwrapped.detail_type = *std::move(detail_type);
  return unwrapped;
}

}  // namespace banyan::inline v0_1
