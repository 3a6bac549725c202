// SPDX-License-Identifier: Apache-2.0
//
// What the options of consumers, workers and mappings are refused for, in one form of words.
#ifndef BANYAN_LIB_CONSUME_OPTION_CHECKS_H_
#define BANYAN_LIB_CONSUME_OPTION_CHECKS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/error.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

// Lambda's bounds of a batch, for queues and streams.
inline constexpr int64_t kBatchSizeMax = 10'000;
inline constexpr absl::Duration kBatchWindowMax = absl::Minutes(5);

// `error` is what the service whose part is played answers.
struct OptionChecks {
  AwsError error;

  template <typename Value, typename... Reason>
  absl::Status Invalid(std::string_view field, const Value& value, const Reason&... reason) const {
    return Error(error, "Value ", value, " for parameter ", field,
                 " is invalid. Reason: ", reason...);
  }

  absl::Status Between(std::string_view field, int64_t value, int64_t min, int64_t max) const {
    if (value >= min && value <= max) return absl::OkStatus();
    return Invalid(field, value, "Must be between ", min, " and ", max, ".");
  }

  absl::Status Between(std::string_view field, absl::Duration value, absl::Duration min,
                       absl::Duration max) const {
    if (value >= min && value <= max) return absl::OkStatus();
    return Invalid(field, SecondsText(value), "Must be between ", SecondsText(min), " and ",
                   SecondsText(max), ".");
  }
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_OPTION_CHECKS_H_
