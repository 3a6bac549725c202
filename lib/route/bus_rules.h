// SPDX-License-Identifier: Apache-2.0
//
// lib/route/bus_rules.h -- floor 5: what EventBridge asks of the names and texts of buses, rules,
// archives and replays, and how it refuses.
#ifndef BANYAN_LIB_ROUTE_BUS_RULES_H_
#define BANYAN_LIB_ROUTE_BUS_RULES_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace banyan::inline v0_1::internal {

// 1 to `max` of [.-_A-Za-z0-9]. `field` is what the service calls the name: "archiveName".
absl::Status ValidateBusName(std::string_view name, std::string_view field, int64_t max);

// At most 512 bytes; the service counts characters.
absl::Status ValidateBusDescription(std::string_view description);

// The sentence of the service, and behind it how many `what` there would be.
absl::Status BusLimitExceeded(std::string_view what, int64_t count, int64_t max);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_BUS_RULES_H_
