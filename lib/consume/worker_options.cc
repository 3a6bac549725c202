// SPDX-License-Identifier: Apache-2.0
#include "consume/worker_options.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kApplicationMax = 128;

absl::Status Invalid(std::string_view value, std::string_view field, std::string_view reason) {
  return Error(AwsError::kStreamInvalidArgument, "Value ", value, " for parameter ", field,
               " is invalid. Reason: ", reason);
}

absl::Status CheckCount(std::string_view field, int64_t value, int64_t max) {
  if (value >= 1 && value <= max) return absl::OkStatus();
  return Invalid(StrCat(value), field, StrCat("Must be between 1 and ", max, "."));
}

absl::Status CheckDuration(std::string_view field, absl::Duration value, absl::Duration min,
                           absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(SecondsText(value), field,
                 StrCat("Must be between ", SecondsText(min), " and ", SecondsText(max), "."));
}

}  // namespace

absl::Status ValidateWorkerOptions(const WorkerOptions& options, const Limits& limits) {
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  const std::string& application = options.application;
  const auto is_name_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  if (application.empty() || application.size() > kApplicationMax ||
      !std::all_of(application.begin(), application.end(), is_name_char)) {
    return Invalid(application, "Application", "Must match [a-zA-Z0-9_.-]{1,128}.");
  }
  const StartAt::Kind start = options.start_at.kind();
  if (start == StartAt::Kind::kAtSequence || start == StartAt::Kind::kAfterSequence) {
    return Invalid(options.start_at.sequence().ToString(), "StartAt",
                   "Must be TRIM_HORIZON, LATEST or AT_TIMESTAMP.");
  }
  BANYAN_RETURN_IF_ERROR(
      CheckCount("MaxRecords", options.max_records, limits.stream.get_records_max));
  BANYAN_RETURN_IF_ERROR(CheckCount("MaxLeasesForWorker", options.max_leases_for_worker, kAny));
  BANYAN_RETURN_IF_ERROR(
      CheckCount("MaxLeasesToStealAtOneTime", options.max_leases_to_steal_at_one_time, kAny));
  BANYAN_RETURN_IF_ERROR(
      CheckDuration("FailoverTime", options.failover_time, absl::Milliseconds(1), absl::Hours(1)));
  BANYAN_RETURN_IF_ERROR(CheckDuration("HandoverWithin", options.handover_within,
                                       absl::ZeroDuration(), absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(CheckDuration("CallTimeout", options.call_timeout, absl::Milliseconds(1),
                                       absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(CheckDuration("Retry.Max", options.retry.max, absl::ZeroDuration(),
                                       limits.queue.visibility_max));
  BANYAN_RETURN_IF_ERROR(
      CheckDuration("Retry.First", options.retry.first, absl::ZeroDuration(), options.retry.max));
  return CheckDuration("DrainWithin", options.drain_within, absl::ZeroDuration(),
                       absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
