// SPDX-License-Identifier: Apache-2.0
#include "route/bus_rules.h"

#include <algorithm>

#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kDescriptionMax = 512;

}  // namespace

absl::Status ValidateBusName(std::string_view name, std::string_view field, int64_t max) {
  if (name.empty()) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '' at '", field,
                 "' failed to satisfy constraint: Member must have length greater than or equal to "
                 "1");
  }
  if (static_cast<int64_t>(name.size()) > max) {
    return Error(
        AwsError::kBusValidation, "1 validation error detected: Value '", name, "' at '", field,
        "' failed to satisfy constraint: Member must have length less than or equal to ", max);
  }
  if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", name, "' at '",
                 field,
                 "' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                 "[\\.\\-_A-Za-z0-9]+");
  }
  return absl::OkStatus();
}

absl::Status ValidateBusDescription(std::string_view description) {
  if (static_cast<int64_t>(description.size()) <= kDescriptionMax) return absl::OkStatus();
  return Error(AwsError::kBusValidation, "1 validation error detected: Value '", description,
               "' at 'description' failed to satisfy constraint: Member must have length less than "
               "or equal to ",
               kDescriptionMax);
}

absl::Status BusLimitExceeded(std::string_view what, int64_t count, int64_t max) {
  return Error(AwsError::kBusLimitExceeded,
               "The requested resource exceeds the maximum number allowed. There would be ", count,
               " ", what, "; at most ", max, " are allowed.");
}

}  // namespace banyan::inline v0_1::internal
