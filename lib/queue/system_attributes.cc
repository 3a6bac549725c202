// SPDX-License-Identifier: Apache-2.0
#include "queue/system_attributes.h"

#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

// A message's times are in milliseconds, a queue's in seconds.
std::string Milliseconds(int64_t unix_ns) { return StrCat(unix_ns / 1'000'000); }

}  // namespace

std::map<std::string, std::string> MakeSystemAttributes(const SystemAttributeValues& values) {
  std::map<std::string, std::string> made;
  const auto put = [&made](const char* name, std::string_view value) {
    if (!value.empty()) made.emplace(name, value);
  };
  made.emplace("ApproximateReceiveCount", StrCat(values.receive_count));
  made.emplace("SentTimestamp", Milliseconds(values.sent_unix_ns));
  if (values.receive_count > 0) {
    made.emplace("ApproximateFirstReceiveTimestamp", Milliseconds(values.first_received_unix_ns));
  }
  if (values.sequence_number != 0) {
    made.emplace("SequenceNumber", SequenceNumberText(values.sequence_number));
  }
  put("SenderId", values.sender_id);
  put("MessageGroupId", values.message_group_id);
  put("MessageDeduplicationId", values.message_deduplication_id);
  put("AWSTraceHeader", values.trace_header);
  put("DeadLetterQueueSourceArn", values.dead_letter_source);
  return made;
}

std::string SequenceNumberText(uint64_t sequence_number) {
  return StrCat(absl::Dec(sequence_number, absl::kZeroPad20));
}

}  // namespace banyan::inline v0_1::internal
