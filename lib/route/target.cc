// SPDX-License-Identifier: Apache-2.0
#include "banyan/target.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "banyan/event_bus.h"
#include "banyan/topic.h"
#include "base/mix.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "deliver/function_core.h"
#include "deliver/json_path.h"
#include "deliver/retry.h"
#include "deliver/stream_target.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/bus_target.h"
#include "route/event_bus_core.h"
#include "route/rule_target.h"
#include "route/topic_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1 {

Target::Target(const Topic& topic) : to_(topic.core()) {}
Target::Target(const EventBus& bus) : to_(bus.core()) {}

Target Target::Url(std::string url) {
  // What is no URL at all is refused by who is given it, with its text.
  std::string protocol = url.starts_with("http://") ? "http" : "https";
  return Target(NotificationEndpoint{std::move(protocol), std::move(url)});
}
Target Target::Email(std::string address) {
  return Target(NotificationEndpoint{"email", std::move(address)});
}
Target Target::EmailJson(std::string address) {
  return Target(NotificationEndpoint{"email-json", std::move(address)});
}
Target Target::Sms(std::string number) {
  return Target(NotificationEndpoint{"sms", std::move(number)});
}
Target Target::Application(std::string endpoint_arn) {
  return Target(NotificationEndpoint{"application", std::move(endpoint_arn)});
}

namespace internal {

namespace {

constexpr size_t kTargetIdMax = 64;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// "queue.billing". A name too long for an id is cut and ends in a hash of the whole.
std::string DefaultId(std::string_view kind, std::string_view name) {
  std::string id = StrCat(kind, ".", name);
  if (id.size() <= kTargetIdMax) return id;
  uint64_t hash = 0;
  for (char c : name) hash = Mix64(hash + kMixStep + static_cast<unsigned char>(c));
  id.resize(kTargetIdMax - 17);
  return StrCat(id, "-", absl::StrFormat("%016x", hash));
}

absl::Status ValidateTargetId(std::string_view id, size_t index) {
  if (!std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", id,
                 "' at 'targets.", index,
                 ".member.id' failed to satisfy constraint: Member must satisfy regular expression "
                 "pattern: [\\.\\-_A-Za-z0-9]+");
  }
  if (id.size() > kTargetIdMax) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", id,
                 "' at 'targets.", index,
                 ".member.id' failed to satisfy constraint: Member must have length less than or "
                 "equal to ",
                 kTargetIdMax);
  }
  return absl::OkStatus();
}

absl::Status BadTarget(std::string_view id, std::string_view reason) {
  return Error(AwsError::kBusValidation, "Parameter Target is not valid for target ", id,
               ". Reason: ", reason);
}

}  // namespace

bool IsFifoQueue(const Target& target) {
  const Queue* queue = std::get_if<Queue>(&target.to());
  return queue != nullptr && queue->core() != nullptr && queue->core()->fifo();
}

bool IsAtHome(const Target& target, const Environment& env) {
  const auto at_home = [&env](const auto& core) {
    return core == nullptr || core->env().get() == &env;
  };
  const bool destination_at_home = std::visit(
      [&at_home](const auto& to) {
        if constexpr (requires { to.core(); }) {
          return at_home(to.core());
        } else if constexpr (requires { to.address; }) {
          return true;  // in no broker
        } else {
          return at_home(to);
        }
      },
      target.to());
  return destination_at_home &&
         (!target.dead_letter().has_value() || at_home(target.dead_letter()->core()));
}

std::string_view FieldForRulesOnly(const Target& target) {
  if (!target.partition_key_path().empty()) return "PartitionKeyPath";
  if (!target.message_group_id().empty()) return "MessageGroupId";
  if (target.input().has_value()) return "Input";
  if (target.input_path().has_value()) return "InputPath";
  if (target.input_template().has_value()) return "InputTransformer";
  return {};
}

namespace {

// The destination, and what it is called.
struct Endpoint {
  std::string_view kind;
  std::string_view name;
  std::shared_ptr<Sink> sink;  // null: the handle names nothing
};

Endpoint EndpointOfTarget(const Target& target, std::optional<JsonPath> key_path,
                          const EventBusCore* own_bus) {
  if (const Queue* queue = std::get_if<Queue>(&target.to())) {
    return {"queue", queue->name(), queue->core()};
  }
  if (const Function* function = std::get_if<Function>(&target.to())) {
    return {"function", function->name(), function->core()};
  }
  if (const auto* topic = std::get_if<std::shared_ptr<TopicCore>>(&target.to())) {
    if (*topic == nullptr) return {"topic", "", nullptr};
    return {"topic", (*topic)->name(), *topic};
  }
  if (const auto* bus = std::get_if<std::shared_ptr<EventBusCore>>(&target.to())) {
    if (*bus == nullptr) return {"bus", "", nullptr};
    return {"bus", (*bus)->name(), std::make_shared<BusTarget>(*bus, own_bus)};
  }
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    return {endpoint->protocol, "", nullptr};
  }
  const Stream& stream = std::get<Stream>(target.to());
  if (stream.core() == nullptr) return {"stream", "", nullptr};
  return {"stream", stream.name(),
          std::make_shared<StreamTarget>(stream.core(), std::move(key_path))};
}

absl::Status ValidatePartitionKeyPath(const Target& target, std::string_view id, bool is_path,
                                      const Limits& limits) {
  const std::string& path = target.partition_key_path();
  if (path.empty()) return absl::OkStatus();
  if (!std::holds_alternative<Stream>(target.to())) {
    return BadTarget(id, "PartitionKeyPath is for streams only.");
  }
  if (!is_path) {
    return BadTarget(id, StrCat("\"", path, "\" is not a path like $.detail.order.id."));
  }
  if (Utf8Characters(path) > limits.bus.input_path_max) {
    return BadTarget(
        id, StrCat("PartitionKeyPath is longer than ", limits.bus.input_path_max, " characters."));
  }
  return absl::OkStatus();
}

absl::Status ValidateMessageGroupId(const Target& target, std::string_view id, size_t index,
                                    int64_t length_max) {
  const std::string& group = target.message_group_id();
  if (group.empty()) {
    return IsFifoQueue(target) ? BadTarget(id, "A FIFO queue needs a MessageGroupId.")
                               : absl::OkStatus();
  }
  if (!std::holds_alternative<Queue>(target.to())) {
    return BadTarget(id, "MessageGroupId is for queues only.");
  }
  if (static_cast<int64_t>(group.size()) > length_max) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", group,
                 "' at 'targets.", index,
                 ".member.sqsParameters.messageGroupId' failed to satisfy constraint: Member must "
                 "have length less than or equal to ",
                 length_max);
  }
  if (!std::all_of(group.begin(), group.end(), [](char c) { return c > ' ' && c < '\x7F'; })) {
    return BadTarget(id, StrCat("MessageGroupId \"", group,
                                "\" has other characters than letters, digits and punctuation."));
  }
  return absl::OkStatus();
}

absl::Status ValidateDeadLetter(const Target& target, std::string_view id) {
  if (!target.dead_letter().has_value()) return absl::OkStatus();
  const std::shared_ptr<QueueCore>& queue = target.dead_letter()->core();
  if (queue == nullptr) return BadTarget(id, "The dead-letter handle names no queue.");
  if (queue->fifo()) return BadTarget(id, "The dead-letter queue of a rule is a standard queue.");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RuleTarget> ResolveRuleTarget(const Target& target, size_t index,
                                             const EventBusCore* own_bus, const Environment& env,
                                             std::optional<int64_t> group_id_max) {
  const Limits& limits = env.limits;
  std::optional<JsonPath> key_path;
  if (!target.partition_key_path().empty()) key_path = JsonPath::Parse(target.partition_key_path());
  const bool has_good_key_path = key_path.has_value();
  Endpoint endpoint = EndpointOfTarget(target, std::move(key_path), own_bus);

  std::string id = target.id().empty() ? DefaultId(endpoint.kind, endpoint.name) : target.id();
  BANYAN_RETURN_IF_ERROR(ValidateTargetId(id, index));
  if (std::holds_alternative<NotificationEndpoint>(target.to())) {
    return BadTarget(id, StrCat("A rule cannot deliver to protocol ", endpoint.kind,
                                "; a topic's subscription can."));
  }
  if (endpoint.sink == nullptr) return BadTarget(id, "The handle names nothing.");
  if (const auto* topic = std::get_if<std::shared_ptr<TopicCore>>(&target.to());
      topic != nullptr && (*topic)->fifo()) {
    return BadTarget(id, "A FIFO topic cannot be a target: no event has a message group.");
  }
  BANYAN_RETURN_IF_ERROR(ValidatePartitionKeyPath(target, id, has_good_key_path, limits));
  BANYAN_RETURN_IF_ERROR(ValidateMessageGroupId(
      target, id, index, group_id_max.value_or(limits.bus.message_group_id_max)));
  BANYAN_RETURN_IF_ERROR(ValidateDeadLetter(target, id));
  if (!IsAtHome(target, env)) {
    return BadTarget(id, "It, or its dead-letter queue, belongs to another broker.");
  }
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const TargetInput> input,
                          TargetInput::Compile(target, id, index, limits));
  if (input != nullptr && endpoint.kind == "bus") {
    return BadTarget(id,
                     "A bus takes events as they are: it has no Input, InputPath or "
                     "InputTransformer.");
  }
  if (target.retry().has_value()) {
    BANYAN_RETURN_IF_ERROR(
        ValidateRetryPolicy(*target.retry(), BusRetryLimits(), AwsError::kBusValidation));
  }
  return RuleTarget{std::move(id), target, std::move(endpoint.sink), std::move(input)};
}

bool SameTarget(const Target& a, const Target& b) {
  return a.to() == b.to() && a.retry() == b.retry() && a.dead_letter() == b.dead_letter() &&
         a.partition_key_path() == b.partition_key_path() &&
         a.message_group_id() == b.message_group_id() && a.input() == b.input() &&
         a.input_path() == b.input_path() && a.input_paths() == b.input_paths() &&
         a.input_template() == b.input_template();
}

}  // namespace internal

}  // namespace banyan::inline v0_1
