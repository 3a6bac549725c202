// SPDX-License-Identifier: Apache-2.0
#include "queue/validate.h"

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"
#include "message/trace_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

// The characters of XML 1.0, which is what SQS was first spoken in.
constexpr std::string_view kAllowedCharacters =
    "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

// True if all 64 bytes are printable ASCII. Written so that compilers turn it into a few vector
// instructions: most bodies are nothing else, and every sent byte passes here.
bool AllPrintable64(const char* bytes) {
  unsigned others = 0;
  for (int i = 0; i < 64; ++i) {
    others |= static_cast<uint8_t>(static_cast<uint8_t>(bytes[i]) - 0x20) >= 0x60 ? 1u : 0u;
  }
  return others == 0;
}

// Empty if every character of `text` is allowed; else the first other one: "#x0", or "a byte that
// is not UTF-8".
std::string FirstForbiddenCharacter(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 64 && AllPrintable64(text.data())) {
      text.remove_prefix(64);
      continue;
    }
    // The rest of these 64 bytes one character at a time.
    const size_t stop = text.size() > 64 ? text.size() - 64 : 0;
    while (text.size() > stop) {
      const unsigned char byte = static_cast<unsigned char>(text[0]);
      if (byte < 0x80) {
        if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') {
          return absl::StrCat("#x", absl::Hex(byte));
        }
        text.remove_prefix(1);
        continue;
      }
      if (Utf8Length(text) == 0) return "a byte that is not UTF-8";
      const char32_t c = TakeUtf8(&text);
      if (c == 0xFFFE || c == 0xFFFF)
        return absl::StrCat("#x", absl::Hex(static_cast<uint32_t>(c)));
    }
  }
  return {};
}

absl::Status BadAttribute(std::string_view name, std::string_view rule) {
  return Error(AwsError::kQueueInvalidParameterValue, "Message (user) attribute '", name, "' ",
               rule);
}

// Letters beyond ASCII pass: AWS takes them although its pages do not say so.
absl::Status ValidateAttributeName(std::string_view name, int64_t name_max) {
  if (name.empty()) return BadAttribute(name, "must have a name.");
  if (name.size() > static_cast<size_t>(name_max)) {
    return BadAttribute(name, StrCat("must have a name of at most ", name_max, " bytes."));
  }
  for (const char c : name) {
    const bool other_letter = (static_cast<unsigned char>(c) & 0x80) != 0;
    if (!other_letter && !absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' &&
        c != '-' && c != '.') {
      return BadAttribute(name,
                          "has an invalid name: it can contain A-Z, a-z, 0-9, underscore (_), "
                          "hyphen (-), and period (.) characters.");
    }
  }
  if (!FirstForbiddenCharacter(name).empty()) {
    return BadAttribute(name, "has an invalid name: it is not UTF-8.");
  }
  if (name.front() == '.' || name.back() == '.' || name.find("..") != std::string_view::npos) {
    return BadAttribute(name,
                        "has an invalid name: it must not start or end with a period or have "
                        "periods in succession.");
  }
  const std::string lower = absl::AsciiStrToLower(ToAbsl(name));
  if (lower.starts_with("aws.") || lower.starts_with("amazon.")) {
    return BadAttribute(name, "has an invalid name: 'AWS.' and 'Amazon.' are reserved prefixes.");
  }
  return absl::OkStatus();
}

bool HasTypePrefix(std::string_view type, std::string_view prefix) {
  return type.starts_with(prefix) && (type.size() == prefix.size() || type[prefix.size()] == '.');
}

size_t CountDigits(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[count]))) {
    ++count;
  }
  return count;
}

// A decimal number of at most 38 significant digits between -10^128 and 10^126.
bool IsQueueNumber(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);

  const size_t whole = CountDigits(text);
  std::string digits(text.substr(0, whole));
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const size_t fraction = CountDigits(text);
    digits.append(text.substr(0, fraction));
    text.remove_prefix(fraction);
  }
  if (digits.empty()) return false;

  int64_t exponent = 0;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    const bool down = text.starts_with('-');
    if (down || text.starts_with('+')) text.remove_prefix(1);
    const size_t count = CountDigits(text);
    if (count == 0) return false;
    for (const char c : text.substr(0, count)) {
      if (exponent < 1'000'000) exponent = exponent * 10 + (c - '0');
    }
    if (down) exponent = -exponent;
    text.remove_prefix(count);
  }
  if (!text.empty()) return false;

  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return true;  // zero, however written
  const size_t last = digits.find_last_not_of('0');
  if (last - first + 1 > 38) return false;
  // The value is 0.d1d2d3... x 10^magnitude with d1 not zero, so 10^n has magnitude n + 1.
  const int64_t magnitude = static_cast<int64_t>(whole) - static_cast<int64_t>(first) + exponent;
  const int64_t bound = negative ? 128 : 126;
  const bool is_power_of_ten = first == last && digits[first] == '1';
  return magnitude <= bound || (magnitude == bound + 1 && is_power_of_ten);
}

absl::Status ValidateAttribute(std::string_view name, const AttributeValue& attribute,
                               const Limits::Queue& limits) {
  BANYAN_RETURN_IF_ERROR(ValidateAttributeName(name, limits.attribute_name_max));
  const std::string_view type = attribute.type;
  const bool is_number = HasTypePrefix(type, "Number");
  const bool is_binary = HasTypePrefix(type, "Binary");
  if ((!is_number && !is_binary && !HasTypePrefix(type, "String")) ||
      !FirstForbiddenCharacter(type).empty()) {
    return Error(AwsError::kQueueInvalidParameterValue, "The message attribute '", name,
                 "' has an invalid message attribute type '", type,
                 "', the set of supported type prefixes is Binary, Number, and String.");
  }
  if (type.size() > static_cast<size_t>(limits.attribute_name_max)) {
    return BadAttribute(
        name, StrCat("must have a type of at most ", limits.attribute_name_max, " bytes."));
  }
  if (attribute.value.empty()) {
    return BadAttribute(name, StrCat("must contain a non-empty value of type '", type, "'."));
  }
  if (is_binary) return absl::OkStatus();
  if (const std::string bad = FirstForbiddenCharacter(attribute.value); !bad.empty()) {
    return BadAttribute(name, StrCat("has an invalid character in its value: ", bad,
                                     "; the set of allowed characters is ", kAllowedCharacters));
  }
  if (is_number && !IsQueueNumber(attribute.value)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Can't cast the value '", attribute.value,
                 "' of message (user) attribute '", name,
                 "' to a number: up to 38 digits, -10^128 to 10^126.");
  }
  return absl::OkStatus();
}

absl::Status BadOption(std::string_view name, std::string_view value, std::string_view low,
                       std::string_view high) {
  return Error(AwsError::kQueueInvalidAttributeValue, "Invalid value for the parameter ", name,
               ". Reason: ", value, " is outside ", low, " to ", high, ".");
}

absl::Status CheckOption(std::string_view name, absl::Duration value, absl::Duration low,
                         absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(name, SecondsText(value), SecondsText(low), SecondsText(high));
}

absl::Status CheckOption(std::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(name, StrCat(value), StrCat(low), StrCat(high));
}

absl::Status CheckParameter(std::string_view name, absl::Duration value, absl::Duration high) {
  if (value >= absl::ZeroDuration() && value <= high) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", SecondsText(value),
               " for parameter ", name,
               " is invalid. Reason: Must be >= 0 and <= ", SecondsText(high), ", if provided.");
}

}  // namespace

absl::Status ValidateQueueName(std::string_view name, const Limits& limits) {
  bool good = !name.empty() && name.size() <= static_cast<size_t>(limits.queue.name_max);
  for (const char c : name) {
    good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_');
  }
  if (good) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", name,
               " for parameter QueueName is invalid. Reason: Can only include alphanumeric "
               "characters, hyphens, or underscores. 1 to ",
               limits.queue.name_max, " in length");
}

absl::Status ValidateQueueOptions(const QueueOptions& options, const Limits& limits) {
  const Limits::Queue& l = limits.queue;
  const absl::Duration zero = absl::ZeroDuration();
  BANYAN_RETURN_IF_ERROR(
      CheckOption("VisibilityTimeout", options.visibility_timeout, zero, l.visibility_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("DelaySeconds", options.delay, zero, l.delay_max));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("ReceiveMessageWaitTimeSeconds", options.receive_wait, zero, l.wait_max));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("MessageRetentionPeriod", options.retention, l.retention_min, l.retention_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("MaximumMessageSize", options.message_bytes_max,
                                     l.message_bytes_floor, l.message_bytes_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("in_flight_max", options.in_flight_max, 1, l.in_flight_max));
  // A slot's index is 32 bits.
  BANYAN_RETURN_IF_ERROR(CheckOption("messages_max", options.messages_max, 1, 4'000'000'000));
  BANYAN_RETURN_IF_ERROR(CheckOption("bytes_max", options.bytes_max, 1, INT64_MAX));
  if (!options.redrive.has_value()) return absl::OkStatus();

  const RedrivePolicy& redrive = *options.redrive;
  if (redrive.max_receive_count < 1 || redrive.max_receive_count > l.receive_count_max) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", redrive.max_receive_count,
                 " for parameter RedrivePolicy is invalid. Reason: Invalid value for "
                 "maxReceiveCount: ",
                 redrive.max_receive_count, ", valid values are from 1 to ", l.receive_count_max,
                 " both inclusive.");
  }
  if (redrive.dead_letter.service != "sqs") {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", redrive.dead_letter.ToString(),
                 " for parameter RedrivePolicy is invalid. Reason: deadLetterTargetArn is not the "
                 "ARN of a queue.");
  }
  return absl::OkStatus();
}

absl::Status ValidateSend(const SendRequest& request, const Limits& limits) {
  if (request.body.empty()) {
    return Error(AwsError::kQueueMissingParameter,
                 "The request must contain the parameter MessageBody.");
  }
  if (const std::string bad = FirstForbiddenCharacter(request.body.view()); !bad.empty()) {
    return Error(AwsError::kQueueInvalidMessageContents,
                 "Invalid characters found in MessageBody: ", bad,
                 ". Valid unicode characters are ", kAllowedCharacters);
  }
  if (request.delay.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckParameter("DelaySeconds", *request.delay, limits.queue.delay_max));
  }
  if (request.attributes.size() > static_cast<size_t>(limits.queue.attributes_max)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Number of message attributes [",
                 request.attributes.size(), "] exceeds the allowed maximum [",
                 limits.queue.attributes_max, "].");
  }
  for (const auto& [name, value] : request.attributes) {
    BANYAN_RETURN_IF_ERROR(ValidateAttribute(name, value, limits.queue));
  }
  if (const std::string rule = BrokenTraceRule(request.trace_header); !rule.empty()) {
    return Error(AwsError::kQueueInvalidParameterValue,
                 "Value for parameter AWSTraceHeader is invalid. Reason: Must ", rule, ".");
  }
  return absl::OkStatus();
}

absl::Status ValidateReceive(const ReceiveOptions& options, const Limits& limits) {
  if (options.max_messages < 1 || options.max_messages > limits.queue.receive_max) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", options.max_messages,
                 " for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and ",
                 limits.queue.receive_max, ", if provided.");
  }
  if (options.wait.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckParameter("WaitTimeSeconds", *options.wait, limits.queue.wait_max));
  }
  if (options.visibility_timeout.has_value()) {
    BANYAN_RETURN_IF_ERROR(ValidateVisibility(*options.visibility_timeout, limits));
  }
  return absl::OkStatus();
}

absl::Status ValidateVisibility(absl::Duration from_now, const Limits& limits) {
  return CheckParameter("VisibilityTimeout", from_now, limits.queue.visibility_max);
}

absl::Status ValidateSize(size_t bytes, int64_t bytes_max) {
  if (bytes <= static_cast<size_t>(bytes_max)) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue,
               "One or more parameters are invalid. Reason: Message must be shorter than ",
               bytes_max, " bytes. It has ", bytes, ".");
}

}  // namespace banyan::inline v0_1::internal
