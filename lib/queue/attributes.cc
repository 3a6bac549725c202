// SPDX-License-Identifier: Apache-2.0
#include "queue/attributes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/redrive_policy.h"
#include "queue/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// --- Values --------------------------------------------------------------------------------------

absl::Status BadAttribute(std::string_view name, std::string_view value, std::string_view rule) {
  return Error(AwsError::kQueueInvalidAttributeValue, "Invalid value for the parameter ", name,
               ". Reason: \"", value, "\" ", rule, ".");
}

absl::Status UnknownAttribute(std::string_view name) {
  return Error(AwsError::kQueueInvalidAttributeName, "Unknown Attribute ", name, ".");
}

// Digits and nothing else: a sign, a blank or a fraction is a mistake, not a number. Ranges are
// ValidateQueueOptions' business.
absl::StatusOr<int64_t> ParseWholeNumber(std::string_view name, std::string_view value) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) {
    return BadAttribute(name, value, "is not a whole number, written in digits only");
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(ToAbsl(value), &number)) {
    return BadAttribute(name, value, "is larger than any number allowed here");
  }
  return number;
}

absl::StatusOr<absl::Duration> ParseSeconds(std::string_view name, std::string_view value) {
  BANYAN_ASSIGN_OR_RETURN(const int64_t seconds, ParseWholeNumber(name, value));
  return absl::Seconds(seconds);
}

absl::StatusOr<bool> ParseBoolean(std::string_view name, std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return BadAttribute(name, value, "is neither \"true\" nor \"false\"");
}

// Rounded up: a queue set to less than a second by its options does not show none.
std::string ShowSeconds(absl::Duration d) {
  return StrCat(absl::ToInt64Seconds(absl::Ceil(d, absl::Seconds(1))));
}

std::string ShowBoolean(bool value) { return value ? "true" : "false"; }

std::optional<std::string> ShowIfSet(const std::string& value) {
  if (value.empty()) return std::nullopt;
  return value;
}

// --- The table -----------------------------------------------------------------------------------

struct OptionRow {
  std::string_view name;
  absl::Status (*set)(std::string_view name, std::string_view value, QueueOptions* options);
  std::optional<std::string> (*show)(const QueueOptions& options);  // nothing: not set
  bool fifo_only = false;
};

template <absl::Duration QueueOptions::*kField>
absl::Status SetSeconds(std::string_view name, std::string_view value, QueueOptions* options) {
  BANYAN_ASSIGN_OR_RETURN(options->*kField, ParseSeconds(name, value));
  return absl::OkStatus();
}
template <absl::Duration QueueOptions::*kField>
std::optional<std::string> Seconds(const QueueOptions& options) {
  return ShowSeconds(options.*kField);
}

template <bool QueueOptions::*kField>
absl::Status SetBoolean(std::string_view name, std::string_view value, QueueOptions* options) {
  BANYAN_ASSIGN_OR_RETURN(options->*kField, ParseBoolean(name, value));
  return absl::OkStatus();
}
template <bool QueueOptions::*kField>
std::optional<std::string> Boolean(const QueueOptions& options) {
  return ShowBoolean(options.*kField);
}

template <std::string QueueOptions::*kField>
absl::Status SetText(std::string_view, std::string_view value, QueueOptions* options) {
  options->*kField = value;
  return absl::OkStatus();
}
template <std::string QueueOptions::*kField>
std::optional<std::string> Text(const QueueOptions& options) {
  return ShowIfSet(options.*kField);
}

absl::Status SetSize(std::string_view name, std::string_view value, QueueOptions* options) {
  BANYAN_ASSIGN_OR_RETURN(options->message_bytes_max, ParseWholeNumber(name, value));
  return absl::OkStatus();
}
std::optional<std::string> ShowSize(const QueueOptions& options) {
  return StrCat(options.message_bytes_max);
}

absl::Status SetScope(std::string_view name, std::string_view value, QueueOptions* options) {
  if (value != "queue" && value != "messageGroup") {
    return BadAttribute(name, value, "is neither \"queue\" nor \"messageGroup\"");
  }
  options->deduplication_scope =
      value == "queue" ? DeduplicationScope::kQueue : DeduplicationScope::kMessageGroup;
  return absl::OkStatus();
}
std::optional<std::string> ShowScope(const QueueOptions& options) {
  return options.deduplication_scope == DeduplicationScope::kQueue ? "queue" : "messageGroup";
}

absl::Status SetThroughput(std::string_view name, std::string_view value, QueueOptions* options) {
  if (value != "perQueue" && value != "perMessageGroupId") {
    return BadAttribute(name, value, "is neither \"perQueue\" nor \"perMessageGroupId\"");
  }
  options->fifo_throughput_limit = value == "perQueue" ? FifoThroughputLimit::kPerQueue
                                                       : FifoThroughputLimit::kPerMessageGroupId;
  return absl::OkStatus();
}
std::optional<std::string> ShowThroughput(const QueueOptions& options) {
  return options.fifo_throughput_limit == FifoThroughputLimit::kPerQueue ? "perQueue"
                                                                         : "perMessageGroupId";
}

absl::Status SetRedrive(std::string_view, std::string_view value, QueueOptions* options) {
  options->redrive.reset();
  if (value.empty()) return absl::OkStatus();
  BANYAN_ASSIGN_OR_RETURN(options->redrive, ParseRedrivePolicy(value));
  return absl::OkStatus();
}
std::optional<std::string> ShowRedrive(const QueueOptions& options) {
  if (!options.redrive.has_value()) return std::nullopt;
  return RedrivePolicyText(*options.redrive);
}

absl::Status SetRedriveAllow(std::string_view, std::string_view value, QueueOptions* options) {
  options->redrive_allow = {};
  if (value.empty()) return absl::OkStatus();
  BANYAN_ASSIGN_OR_RETURN(options->redrive_allow, ParseRedriveAllowPolicy(value));
  return absl::OkStatus();
}
std::optional<std::string> ShowRedriveAllow(const QueueOptions& options) {
  if (options.redrive_allow == RedriveAllowPolicy()) return std::nullopt;
  return RedriveAllowPolicyText(options.redrive_allow);
}

// Sheet, section 2: the default is not shown.
std::optional<std::string> ShowKeyReuse(const QueueOptions& options) {
  if (options.kms_data_key_reuse_period == QueueOptions().kms_data_key_reuse_period) {
    return std::nullopt;
  }
  return ShowSeconds(options.kms_data_key_reuse_period);
}

// What can be set and shown, by name.
constexpr OptionRow kOptions[] = {
    {"ContentBasedDeduplication", SetBoolean<&QueueOptions::content_based_deduplication>,
     Boolean<&QueueOptions::content_based_deduplication>, true},
    {"DeduplicationScope", SetScope, ShowScope, true},
    {"DelaySeconds", SetSeconds<&QueueOptions::delay>, Seconds<&QueueOptions::delay>},
    {"FifoQueue", SetBoolean<&QueueOptions::fifo>, Boolean<&QueueOptions::fifo>, true},
    {"FifoThroughputLimit", SetThroughput, ShowThroughput, true},
    {"KmsDataKeyReusePeriodSeconds", SetSeconds<&QueueOptions::kms_data_key_reuse_period>,
     ShowKeyReuse},
    {"KmsMasterKeyId", SetText<&QueueOptions::kms_master_key_id>,
     Text<&QueueOptions::kms_master_key_id>},
    {"MaximumMessageSize", SetSize, ShowSize},
    {"MessageRetentionPeriod", SetSeconds<&QueueOptions::retention>,
     Seconds<&QueueOptions::retention>},
    {"Policy", SetText<&QueueOptions::policy>, Text<&QueueOptions::policy>},
    {"ReceiveMessageWaitTimeSeconds", SetSeconds<&QueueOptions::receive_wait>,
     Seconds<&QueueOptions::receive_wait>},
    {"RedriveAllowPolicy", SetRedriveAllow, ShowRedriveAllow},
    {"RedrivePolicy", SetRedrive, ShowRedrive},
    {"SqsManagedSseEnabled", SetBoolean<&QueueOptions::sqs_managed_sse>,
     Boolean<&QueueOptions::sqs_managed_sse>},
    {"VisibilityTimeout", SetSeconds<&QueueOptions::visibility_timeout>,
     Seconds<&QueueOptions::visibility_timeout>},
};

// What can only be shown.
struct FactRow {
  std::string_view name;
  std::string (*show)(const QueueFacts& facts);
};
constexpr FactRow kFacts[] = {
    {"ApproximateNumberOfMessages", [](const QueueFacts& f) { return StrCat(f.depth.visible); }},
    {"ApproximateNumberOfMessagesDelayed",
     [](const QueueFacts& f) { return StrCat(f.depth.delayed); }},
    {"ApproximateNumberOfMessagesNotVisible",
     [](const QueueFacts& f) { return StrCat(f.depth.in_flight); }},
    {"CreatedTimestamp", [](const QueueFacts& f) { return StrCat(f.created_unix_seconds); }},
    {"LastModifiedTimestamp", [](const QueueFacts& f) { return StrCat(f.modified_unix_seconds); }},
    {"QueueArn", [](const QueueFacts& f) { return f.arn; }},
};

template <typename Row, size_t kCount>
const Row* FindRow(const Row (&rows)[kCount], std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::optional<std::string> Show(const OptionRow& row, const QueueOptions& options) {
  if (row.fifo_only && !options.fifo) return std::nullopt;
  return row.show(options);
}

bool IsGiven(const AttributeMap& given, const char* name, std::string_view value) {
  const auto found = given.find(name);
  return found != given.end() && found->second == value;
}

// What kind of queue it will be, or that it stays what it is.
absl::Status ApplyFifoQueue(const AttributeMap& given, AttributesFor what, QueueOptions* options) {
  const auto found = given.find("FifoQueue");
  if (found == given.end()) return absl::OkStatus();
  if (what == AttributesFor::kExistingQueue && !options->fifo)
    return OnlyForFifoQueues("FifoQueue");
  BANYAN_ASSIGN_OR_RETURN(const bool fifo, ParseBoolean("FifoQueue", found->second));
  if (what == AttributesFor::kNewQueue) {
    // To say of a standard queue that it is one is an error, too.
    if (!fifo) return OnlyForFifoQueues("FifoQueue");
    options->fifo = true;
  } else if (!fifo) {
    return Error(AwsError::kQueueInvalidAttributeValue,
                 "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
                 "supported.");
  }
  return absl::OkStatus();
}

template <typename Field>
bool Differs(const QueueOptions& asked, const QueueOptions& stored, Field QueueOptions::*field) {
  return asked.*field != stored.*field && asked.*field != QueueOptions().*field;
}

}  // namespace

absl::StatusOr<QueueOptions> ApplyAttributes(QueueOptions base, const AttributeMap& given,
                                             AttributesFor what, const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(ApplyFifoQueue(given, what, &base));
  for (const auto& [name, value] : given) {
    const OptionRow* row = FindRow(kOptions, name);
    if (row == nullptr) return UnknownAttribute(name);
    if (row->fifo_only && !base.fifo) return OnlyForFifoQueues(name);
    BANYAN_RETURN_IF_ERROR(row->set(name, value, &base));
  }

  const auto key = given.find("KmsMasterKeyId");
  const bool key_given = key != given.end() && !key->second.empty();
  if (key_given && given.find("SqsManagedSseEnabled") == given.end()) base.sqs_managed_sse = false;
  if (!key_given && IsGiven(given, "SqsManagedSseEnabled", "true")) base.kms_master_key_id.clear();

  BANYAN_RETURN_IF_ERROR(ValidateQueueOptions(base, limits));
  return base;
}

absl::StatusOr<AttributeMap> ShowAttributes(const QueueOptions& options, const QueueFacts& facts,
                                            absl::Span<const std::string> names) {
  AttributeMap shown;
  const auto show_option = [&](const OptionRow& row) {
    if (std::optional<std::string> value = Show(row, options)) {
      shown.emplace(row.name, *std::move(value));
    }
  };
  for (const std::string& name : names) {
    if (name == "All") {
      for (const OptionRow& row : kOptions) show_option(row);
      for (const FactRow& row : kFacts) shown.emplace(row.name, row.show(facts));
    } else if (const OptionRow* option = FindRow(kOptions, name)) {
      show_option(*option);
    } else if (const FactRow* fact = FindRow(kFacts, name)) {
      shown.emplace(fact->name, fact->show(facts));
    } else {
      return UnknownAttribute(name);
    }
  }
  return shown;
}

std::string_view FirstDifference(const AttributeMap& given, const QueueOptions& asked,
                                 const QueueOptions& stored) {
  for (const auto& [name, value] : given) {
    const OptionRow* row = FindRow(kOptions, name);
    if (row != nullptr && Show(*row, asked) != Show(*row, stored)) return row->name;
  }
  return {};
}

std::string_view FirstDifference(const QueueOptions& asked, const QueueOptions& stored) {
  using Options = QueueOptions;
  if (Differs(asked, stored, &Options::visibility_timeout)) return "VisibilityTimeout";
  if (Differs(asked, stored, &Options::delay)) return "DelaySeconds";
  if (Differs(asked, stored, &Options::receive_wait)) return "ReceiveMessageWaitTimeSeconds";
  if (Differs(asked, stored, &Options::retention)) return "MessageRetentionPeriod";
  if (Differs(asked, stored, &Options::message_bytes_max)) return "MaximumMessageSize";
  if (Differs(asked, stored, &Options::fifo)) return "FifoQueue";
  if (Differs(asked, stored, &Options::content_based_deduplication)) {
    return "ContentBasedDeduplication";
  }
  if (Differs(asked, stored, &Options::deduplication_scope)) return "DeduplicationScope";
  if (Differs(asked, stored, &Options::fifo_throughput_limit)) return "FifoThroughputLimit";
  if (Differs(asked, stored, &Options::redrive)) return "RedrivePolicy";
  if (Differs(asked, stored, &Options::redrive_allow)) return "RedriveAllowPolicy";
  if (Differs(asked, stored, &Options::policy)) return "Policy";
  if (Differs(asked, stored, &Options::kms_master_key_id)) return "KmsMasterKeyId";
  if (Differs(asked, stored, &Options::kms_data_key_reuse_period)) {
    return "KmsDataKeyReusePeriodSeconds";
  }
  if (Differs(asked, stored, &Options::sqs_managed_sse)) return "SqsManagedSseEnabled";
  // Banyan's own.
  if (Differs(asked, stored, &Options::in_flight_max)) return "in_flight_max";
  if (Differs(asked, stored, &Options::fairness)) return "fairness";
  if (Differs(asked, stored, &Options::messages_max)) return "messages_max";
  if (Differs(asked, stored, &Options::bytes_max)) return "bytes_max";
  if (Differs(asked, stored, &Options::when_full)) return "when_full";
  if (Differs(asked, stored, &Options::block_max)) return "block_max";
  if (Differs(asked, stored, &Options::test_delivery)) return "test_delivery";
  return {};
}

absl::Status QueueExistsWithAnother(std::string_view attribute) {
  return Error(AwsError::kQueueNameExists,
               "A queue already exists with the same name and a different value for attribute ",
               attribute);
}

absl::Status OnlyForFifoQueues(std::string_view attribute) {
  // Two of the four are so unknown to a standard queue that they do not even have a sentence.
  if (attribute == "FifoQueue" || attribute == "ContentBasedDeduplication") {
    return UnknownAttribute(attribute);
  }
  return Error(AwsError::kQueueInvalidAttributeName, "You can specify the ", attribute,
               " only when FifoQueue is set to true.");
}

}  // namespace banyan::inline v0_1::internal
