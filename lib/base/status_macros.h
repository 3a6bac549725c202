// SPDX-License-Identifier: Apache-2.0
//
// Early return for absl::Status. The Abseil that Debian ships has no such macros yet; these have
// the shape of its later ones and retire when the oldest supported Abseil brings them.
#ifndef BANYAN_LIB_BASE_STATUS_MACROS_H_
#define BANYAN_LIB_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define BANYAN_RETURN_IF_ERROR(expression)                             \
  do {                                                                 \
    ::absl::Status banyan_status = (expression);                       \
    if (ABSL_PREDICT_FALSE(!banyan_status.ok())) return banyan_status; \
  } while (false)

#define BANYAN_STATUS_CONCAT_INNER(a, b) a##b
#define BANYAN_STATUS_CONCAT(a, b) BANYAN_STATUS_CONCAT_INNER(a, b)

// BANYAN_ASSIGN_OR_RETURN(auto queue, Find(name));
#define BANYAN_ASSIGN_OR_RETURN(lhs, expression) \
  BANYAN_ASSIGN_OR_RETURN_IMPL(BANYAN_STATUS_CONCAT(banyan_or_, __LINE__), lhs, expression)
#define BANYAN_ASSIGN_OR_RETURN_IMPL(value, lhs, expression)             \
  auto value = (expression);                                             \
  if (ABSL_PREDICT_FALSE(!value.ok())) return std::move(value).status(); \
  lhs = *std::move(value)

#endif  // BANYAN_LIB_BASE_STATUS_MACROS_H_
