// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/message_filter.h -- floor 5: which messages does a consumer want? Its filters, asked
// all at once, about the record that Lambda's functions get of a message. The body is its payload
// (record_filter.h).
#ifndef BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_
#define BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/limits.h"
#include "banyan/queue.h"
#include "consume/record_filter.h"

namespace banyan::inline v0_1::internal {

// Threads   One at a time.
class MessageFilter {
 public:
  // `queue` is where the messages come from. Null if there are no filters.
  //
  // Errors  as RecordFilter::Make().
  static absl::StatusOr<std::unique_ptr<MessageFilter>> Make(absl::Span<const std::string> filters,
                                                             const Arn& queue,
                                                             const Limits& limits);

  // Does any filter match?
  bool Matches(const Received& message);

 private:
  MessageFilter(std::unique_ptr<RecordFilter> filter, const Arn& queue);

  const std::unique_ptr<RecordFilter> filter_;
  const std::string queue_arn_;
  const std::string region_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_
