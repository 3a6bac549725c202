// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/system_attributes.h -- floor 3, the queue room: what AWS says of a received message
// beside its body, under AWS's names. Made when somebody asks.
// Source  docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
#ifndef BANYAN_LIB_QUEUE_SYSTEM_ATTRIBUTES_H_
#define BANYAN_LIB_QUEUE_SYSTEM_ATTRIBUTES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

// What is empty or zero does not apply, and is left out.
struct SystemAttributeValues {
  std::string_view sender_id = {};  // the account
  int64_t sent_unix_ns = 0;
  int64_t receive_count = 0;           // 0: looked at, never received
  int64_t first_received_unix_ns = 0;  // of a message that was
  uint64_t sequence_number = 0;
  std::string_view message_group_id = {};
  std::string_view message_deduplication_id = {};
  std::string_view trace_header = {};
  std::string_view dead_letter_source = {};  // ARN
};

std::map<std::string, std::string> MakeSystemAttributes(const SystemAttributeValues& values);

// Twenty digits, as AWS writes them.
std::string SequenceNumberText(uint64_t sequence_number);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_SYSTEM_ATTRIBUTES_H_
