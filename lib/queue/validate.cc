// SPDX-License-Identifier: Apache-2.0
#include "queue/validate.h"

#include <cstdint>
#include <cstring>
#include <set>
#include <string>

#include "absl/base/optimization.h"
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
  uint8_t others = 0;
  for (int i = 0; i < 64; ++i) {
    // As signed numbers those beyond ASCII are negative: one comparison tells both kinds.
    others |= static_cast<uint8_t>(static_cast<int8_t>(bytes[i]) < 0x20);
  }
  return others == 0;
}

// The same of 8 bytes: none has its high bit, and adding 0x60 sets it in each that is 0x20 or more.
// Where a byte has it already, what is carried over spoils nothing: the answer is no anyhow.
bool AllPrintable8(const char* bytes) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return ((word + 0x6060606060606060) & ~word & kHighBits) == kHighBits;
}

// Empty if every character of `text` is allowed; else the first other one: "#x0", or "a byte that
// is not UTF-8".
std::string FirstForbiddenCharacter(std::string_view text) {
  while (!text.empty()) {
    if (text.size() >= 64 && AllPrintable64(text.data())) {
      text.remove_prefix(64);
      continue;
    }
    // The rest of these 64 bytes in smaller steps.
    const size_t stop = text.size() > 64 ? text.size() - 64 : 0;
    while (text.size() > stop) {
      if (text.size() >= 8 && AllPrintable8(text.data())) {
        text.remove_prefix(8);
        continue;
      }
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

absl::Status BadParameter(std::string_view name, std::string_view value, std::string_view reason) {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", value, " for parameter ", name,
               " is invalid. Reason: ", reason);
}

absl::Status NotForThisQueueType(std::string_view name, std::string_view value) {
  return BadParameter(name, value,
                      "The request include parameter that is not valid for this queue type.");
}

absl::Status CheckParameter(std::string_view name, absl::Duration value, absl::Duration high) {
  if (value >= absl::ZeroDuration() && value <= high) return absl::OkStatus();
  return BadParameter(name, SecondsText(value),
                      StrCat("Must be >= 0 and <= ", SecondsText(high), ", if provided."));
}

absl::Status CheckParameter(std::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadParameter(name, StrCat(value),
                      StrCat("Must be between ", low, " and ", high, ", if provided."));
}

// Group, deduplication and attempt ids: letters, digits and punctuation of ASCII are together just
// the printable characters but the space.
absl::Status CheckId(std::string_view name, std::string_view id) {
  constexpr size_t kIdMax = 128;
  bool good = !id.empty() && id.size() <= kIdMax;
  for (const char c : id.substr(0, kIdMax)) good &= c > ' ' && c < '\x7F';
  if (ABSL_PREDICT_TRUE(good)) return absl::OkStatus();
  return BadParameter(name, id,
                      StrCat(name,
                             " can only include alphanumeric and punctuation characters. 1 "
                             "to 128 in length."));
}

// The ids that a FIFO queue cannot do without. What a missing group is called depends on how many
// were sent.
absl::Status CheckFifoIds(const SendRequest& request, bool content_based_deduplication,
                          AwsError missing_group) {
  if (request.message_group_id.empty()) {
    return Error(missing_group, "The request must contain the parameter MessageGroupId.");
  }
  if (request.message_deduplication_id.empty() && !content_based_deduplication) {
    return Error(AwsError::kQueueInvalidParameterValue,
                 "The queue should either have ContentBasedDeduplication enabled or "
                 "MessageDeduplicationId provided explicitly");
  }
  return absl::OkStatus();
}

size_t BytesOf(const SendRequest& request) {
  return request.body.size() + request.attributes.bytes();
}

}  // namespace

// Every sent message comes through here: with neither attributes nor ids it costs a few comparisons
// beside the look at the body.
absl::Status ValidateSend(const SendRequest& request, bool fifo, bool content_based_deduplication,
                          const Limits& limits) {
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
    // An explicit zero passes, and means as much as none.
    if (fifo && *request.delay > absl::ZeroDuration()) {
      return NotForThisQueueType("DelaySeconds", SecondsText(*request.delay));
    }
  }
  if (fifo) {
    BANYAN_RETURN_IF_ERROR(
        CheckFifoIds(request, content_based_deduplication, AwsError::kQueueMissingParameter));
  }
  if (!request.message_group_id.empty()) {
    BANYAN_RETURN_IF_ERROR(CheckId("MessageGroupId", request.message_group_id));
  }
  if (!request.message_deduplication_id.empty()) {
    if (!fifo) {
      return NotForThisQueueType("MessageDeduplicationId", request.message_deduplication_id);
    }
    BANYAN_RETURN_IF_ERROR(CheckId("MessageDeduplicationId", request.message_deduplication_id));
  }
  if (!request.attributes.empty()) {
    if (request.attributes.size() > static_cast<size_t>(limits.queue.attributes_max)) {
      return Error(AwsError::kQueueInvalidParameterValue, "Number of message attributes [",
                   request.attributes.size(), "] exceeds the allowed maximum [",
                   limits.queue.attributes_max, "].");
    }
    for (const auto& [name, value] : request.attributes) {
      BANYAN_RETURN_IF_ERROR(ValidateAttribute(name, value, limits.queue));
    }
  }
  if (!request.trace_header.empty()) {
    if (const std::string rule = BrokenTraceRule(request.trace_header); !rule.empty()) {
      return Error(AwsError::kQueueInvalidParameterValue,
                   "Value for parameter AWSTraceHeader is invalid. Reason: Must ", rule, ".");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateBatchSend(absl::Span<const SendRequest> requests, bool fifo,
                               bool content_based_deduplication, const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(ValidateBatchCount(requests.size(), limits));
  size_t bytes = 0;
  for (const SendRequest& request : requests) bytes += BytesOf(request);
  BANYAN_RETURN_IF_ERROR(ValidateBatchBytes(bytes, limits));
  if (!fifo) return absl::OkStatus();
  for (const SendRequest& request : requests) {
    BANYAN_RETURN_IF_ERROR(
        CheckFifoIds(request, content_based_deduplication, AwsError::kQueueInvalidParameterValue));
  }
  return absl::OkStatus();
}

absl::Status ValidateSize(size_t bytes, int64_t bytes_max, Asked asked) {
  if (bytes <= static_cast<size_t>(bytes_max)) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue, "One or more parameters ",
               asked == Asked::kSingly ? "are invalid" : "cannot be validated",
               ". Reason: Message must be shorter than ", bytes_max, " bytes. It has ", bytes, ".");
}

absl::Status ValidateReceive(const ReceiveOptions& options, bool fifo, const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(
      CheckParameter("MaxNumberOfMessages", options.max_messages, 1, limits.queue.receive_max));
  if (options.wait.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckParameter("WaitTimeSeconds", *options.wait, limits.queue.wait_max));
  }
  if (options.visibility_timeout.has_value()) {
    BANYAN_RETURN_IF_ERROR(ValidateVisibility(*options.visibility_timeout, limits));
  }
  if (const std::string& attempt = options.receive_request_attempt_id; !attempt.empty()) {
    if (!fifo) return NotForThisQueueType("ReceiveRequestAttemptId", attempt);
    BANYAN_RETURN_IF_ERROR(CheckId("ReceiveRequestAttemptId", attempt));
  }
  return absl::OkStatus();
}

absl::Status ValidateVisibility(absl::Duration from_now, const Limits& limits) {
  return CheckParameter("VisibilityTimeout", from_now, limits.queue.visibility_max);
}

absl::Status ValidateBatchCount(size_t count, const Limits& limits) {
  if (count == 0) {
    return Error(AwsError::kQueueEmptyBatch, "The batch request doesn't contain any entries.");
  }
  if (count > static_cast<size_t>(limits.queue.batch_entries_max)) {
    return Error(AwsError::kQueueTooManyEntriesInBatch,
                 "Maximum number of entries per request are ", limits.queue.batch_entries_max,
                 ". You have sent ", count, ".");
  }
  return absl::OkStatus();
}

absl::Status ValidateBatchEntryIds(absl::Span<const std::string_view> ids) {
  constexpr size_t kIdMax = 80;
  for (const std::string_view id : ids) {
    bool good = !id.empty() && id.size() <= kIdMax;
    for (const char c : id.substr(0, kIdMax)) {
      good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_');
    }
    if (!good) {
      return Error(AwsError::kQueueInvalidBatchEntryId,
                   "A batch entry id can only contain alphanumeric characters, hyphens and "
                   "underscores. It can be at most 80 letters long.");
    }
  }
  std::set<std::string_view> seen;
  for (const std::string_view id : ids) {
    if (seen.insert(id).second) continue;
    return Error(AwsError::kQueueBatchEntryIdsNotDistinct, "Id ", id, " repeated.");
  }
  return absl::OkStatus();
}

absl::Status ValidateBatchBytes(size_t bytes, const Limits& limits) {
  if (bytes <= static_cast<size_t>(limits.queue.batch_bytes_max)) return absl::OkStatus();
  return Error(AwsError::kQueueBatchTooLong, "Batch requests cannot be longer than ",
               limits.queue.batch_bytes_max, " bytes. You have sent ", bytes, " bytes.");
}

absl::Status ValidateMoveTask(const MessageMoveTaskOptions& options) {
  if (!options.max_per_second.has_value()) return absl::OkStatus();
  return CheckParameter("MaxNumberOfMessagesPerSecond", *options.max_per_second, 1, 500);
}

absl::Status ValidateListMoveTasks(int64_t max_results) {
  return CheckParameter("MaxResults", max_results, 1, 10);
}

absl::Status MoveSourceIsNoDeadLetterQueue() {
  return Error(AwsError::kQueueInvalidParameterValue,
               "Source queue must be configured as a Dead Letter Queue.");
}

absl::Status MoveTaskRunsAlready() {
  return Error(AwsError::kQueueInvalidParameterValue,
               "There is already a task running. Only one active task is allowed for a source "
               "queue arn at a given time.");
}

absl::Status NoMoveDestination() {
  return Error(AwsError::kQueueResourceNotFound,
               "The resource that you specified for the DestinationArn parameter doesn't exist.");
}

absl::Status BadMoveTaskHandle() {
  return Error(AwsError::kQueueInvalidParameterValue, "Value for parameter TaskHandle is invalid.");
}

absl::Status NoMoveTask() {
  return Error(AwsError::kQueueResourceNotFound, "Task does not exist.");
}

}  // namespace banyan::inline v0_1::internal
