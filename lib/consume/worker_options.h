// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/worker_options.h -- floor 5: what a worker may be asked for.
#ifndef BANYAN_LIB_CONSUME_WORKER_OPTIONS_H_
#define BANYAN_LIB_CONSUME_WORKER_OPTIONS_H_

#include "absl/status/status.h"
#include "banyan/limits.h"
#include "banyan/worker.h"

namespace banyan::inline v0_1::internal {

absl::Status ValidateWorkerOptions(const WorkerOptions& options, const Limits& limits);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_WORKER_OPTIONS_H_
