// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/consumer_options.h -- floor 5: what a consumer may be asked for.
#ifndef BANYAN_LIB_CONSUME_CONSUMER_OPTIONS_H_
#define BANYAN_LIB_CONSUME_CONSUMER_OPTIONS_H_

#include "absl/status/status.h"
#include "banyan/consumer.h"
#include "banyan/limits.h"

namespace banyan::inline v0_1::internal {

enum class HandlerKind {
  kMessage,  // a call gets one message
  kBatch,    // a call gets a batch
};

absl::Status ValidateConsumerOptions(const ConsumerOptions& options, HandlerKind kind, bool is_fifo,
                                     const Limits& limits);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_CONSUMER_OPTIONS_H_
