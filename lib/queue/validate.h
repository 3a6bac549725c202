// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/validate.h -- floor 3, the queue room: what a queue refuses before it touches any
// state, code by code and in AWS's words where AWS has some.
#ifndef BANYAN_LIB_QUEUE_VALIDATE_H_
#define BANYAN_LIB_QUEUE_VALIDATE_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/attributes.h"
#include "banyan/limits.h"
#include "banyan/queue.h"

namespace banyan::inline v0_1::internal {

absl::Status ValidateQueueName(std::string_view name, const Limits& limits);

// Everything that can be said without knowing other queues; see QueueCore::ResolveDeadLetter.
absl::Status ValidateQueueOptions(const QueueOptions& options, const Limits& limits);

// All of a request but its size, which is the queue's own setting.
absl::Status ValidateSend(const SendRequest& request, const Limits& limits);

absl::Status ValidateReceive(const ReceiveOptions& options, const Limits& limits);

absl::Status ValidateVisibility(absl::Duration from_now, const Limits& limits);

// "Message must be shorter than N bytes"; equal is short enough.
absl::Status ValidateSize(size_t bytes, int64_t bytes_max);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_VALIDATE_H_
