// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/validate.h -- floor 3, the queue room: what a queue refuses before it touches any
// state, code by code and in AWS's words where AWS has some.
//
// A queue's name and options are looked at in validate_options.cc, requests in validate.cc. Sizes
// are apart, because a queue has its own setting for them.
//
// Batches  What is wrong with the shape of a batch (how many, which ids, how long together, a FIFO
//          message without its ids) fails all of it; what is wrong with one message fails that one.
#ifndef BANYAN_LIB_QUEUE_VALIDATE_H_
#define BANYAN_LIB_QUEUE_VALIDATE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/limits.h"
#include "banyan/queue.h"

namespace banyan::inline v0_1::internal {

// --- Queues; validate_options.cc

// A FIFO queue's name ends in ".fifo", which counts towards its length; no other name does.
absl::Status ValidateQueueName(std::string_view name, bool fifo, const Limits& limits);

// Everything that can be said without knowing other queues; see CheckRedriveAllowed
// (queue/attributes.h) for what a dead-letter queue has to say.
absl::Status ValidateQueueOptions(const QueueOptions& options, const Limits& limits);

// --- Sending; validate.cc

// All of a request but its size.
absl::Status ValidateSend(const SendRequest& request, bool fifo, bool content_based_deduplication,
                          const Limits& limits);

// What fails a whole batch of sends. Each request still has to pass ValidateSend.
absl::Status ValidateBatchSend(absl::Span<const SendRequest> requests, bool fifo,
                               bool content_based_deduplication, const Limits& limits);

enum class Asked { kSingly, kInBatch };

// "Message must be shorter than N bytes"; equal is short enough.
absl::Status ValidateSize(size_t bytes, int64_t bytes_max, Asked asked = Asked::kSingly);

// --- Receiving and settling; validate.cc

absl::Status ValidateReceive(const ReceiveOptions& options, bool fifo, const Limits& limits);

absl::Status ValidateVisibility(absl::Duration from_now, const Limits& limits);

// --- Batches of whatever; validate.cc

// None, or too many.
absl::Status ValidateBatchCount(size_t count, const Limits& limits);

// The ids by which a caller of the wire tells the entries of a batch apart.
absl::Status ValidateBatchEntryIds(absl::Span<const std::string_view> ids);

absl::Status ValidateBatchBytes(size_t bytes, const Limits& limits);

// --- Move tasks; validate.cc

// The rate. Whether source and destination exist is for who can look.
absl::Status ValidateMoveTask(const MessageMoveTaskOptions& options);
absl::Status ValidateListMoveTasks(int64_t max_results);

absl::Status MoveSourceIsNoDeadLetterQueue();
absl::Status MoveTaskRunsAlready();
absl::Status NoMoveDestination();
absl::Status BadMoveTaskHandle();
absl::Status NoMoveTask();

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_VALIDATE_H_
