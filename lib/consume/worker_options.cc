// SPDX-License-Identifier: Apache-2.0
#include "consume/worker_options.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/option_checks.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kApplicationMax = 128;

constexpr OptionChecks kWorkerOption{AwsError::kStreamInvalidArgument};

}  // namespace

absl::Status ValidateWorkerOptions(const WorkerOptions& options, const Limits& limits) {
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  const std::string& application = options.application;
  if (application.empty() || application.size() > kApplicationMax ||
      !std::all_of(application.begin(), application.end(), IsNameCharacter)) {
    return kWorkerOption.Invalid("Application", application, "Must match [a-zA-Z0-9_.-]{1,128}.");
  }
  const StartAt::Kind start = options.start_at.kind();
  if (start == StartAt::Kind::kAtSequence || start == StartAt::Kind::kAfterSequence) {
    return kWorkerOption.Invalid("StartAt", options.start_at.sequence().ToString(),
                                 "Must be TRIM_HORIZON, LATEST or AT_TIMESTAMP.");
  }
  BANYAN_RETURN_IF_ERROR(
      kWorkerOption.Between("MaxRecords", options.max_records, 1, limits.stream.get_records_max));
  BANYAN_RETURN_IF_ERROR(
      kWorkerOption.Between("MaxLeasesForWorker", options.max_leases_for_worker, 1, kAny));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("MaxLeasesToStealAtOneTime",
                                               options.max_leases_to_steal_at_one_time, 1, kAny));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("FailoverTime", options.failover_time,
                                               absl::Milliseconds(1), absl::Hours(1)));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("HandoverWithin", options.handover_within,
                                               absl::ZeroDuration(), absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("CallTimeout", options.call_timeout,
                                               absl::Milliseconds(1), absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("Retry.Max", options.retry.max, absl::ZeroDuration(),
                                               limits.queue.visibility_max));
  BANYAN_RETURN_IF_ERROR(kWorkerOption.Between("Retry.First", options.retry.first,
                                               absl::ZeroDuration(), options.retry.max));
  return kWorkerOption.Between("DrainWithin", options.drain_within, absl::ZeroDuration(),
                               absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
