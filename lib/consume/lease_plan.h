// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/lease_plan.h -- floor 5: which leases should a worker have? A pure function, KCL's
// rules: what nobody has first, up to an equal share by count; only when there is none of that, one
// of the worker that has most. Beyond its share a worker takes what nobody has taken for long: its
// owner lives, but hangs in it, or the others hold as many as they may.
#ifndef BANYAN_LIB_CONSUME_LEASE_PLAN_H_
#define BANYAN_LIB_CONSUME_LEASE_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banyan::inline v0_1::internal {

// A lease that may be processed.
struct LeaseClaim {
  std::string key;
  std::string holder;        // who has it, or has asked for it; empty: nobody
  bool is_overdue = false;   // nobody has taken it for long
  bool is_reserved = false;  // not to be asked for: somebody has, or we still hang in it
};

struct LeasePlan {
  std::vector<std::string> take;     // nobody's
  std::vector<std::string> ask_for;  // another's
};

LeasePlan PlanLeases(const std::vector<LeaseClaim>& claims, std::string_view me, int64_t leases_max,
                     int64_t asked_for_max, uint64_t random);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_LEASE_PLAN_H_
