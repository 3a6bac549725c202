// SPDX-License-Identifier: Apache-2.0
//
// lib/route/bus_policy.h -- floor 5: a bus's access policy, as text. Banyan keeps it, shows it and
// changes it on request; it admits nobody and turns nobody away.
//
//   "" + AddBusPermission("partner", "123456789012", "events:PutEvents")
//      = {"Version":"2012-10-17","Statement":[{"Sid":"partner",...}]}
//
// Statements that were there stay as they were written. Pure functions.
#ifndef BANYAN_LIB_ROUTE_BUS_POLICY_H_
#define BANYAN_LIB_ROUTE_BUS_POLICY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace banyan::inline v0_1::internal {

// Empty (there is none), or a JSON object with statements, of at most 10,240 bytes.
absl::Status ValidateBusPolicy(std::string_view policy);

// `policy` with this statement, in place of the one with the same id if there is one. The id has 1
// to 64 letters, digits, hyphens and underscores; the principal is twelve digits, or "*".
absl::StatusOr<std::string> AddBusPermission(std::string_view policy, std::string_view bus_arn,
                                             std::string_view statement_id,
                                             std::string_view principal, std::string_view action);

// `policy` without the statement of that id. Empty when none is left.
absl::StatusOr<std::string> RemoveBusPermission(std::string_view policy,
                                                std::string_view statement_id);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_BUS_POLICY_H_
