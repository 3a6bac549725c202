// SPDX-License-Identifier: Apache-2.0
//
// lib/message/errors.h -- floor 1: where every Status of the library is made.
//
//   return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
//
// The table itself is in errors.cc. Texts follow AWS's where AWS has one, and name field, value
// and rule where it is vague.
#ifndef BANYAN_LIB_MESSAGE_ERRORS_H_
#define BANYAN_LIB_MESSAGE_ERRORS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/error.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

absl::Status MakeError(AwsError error, std::string_view text);

template <typename... T>
absl::Status Error(AwsError error, const T&... parts) {
  return MakeError(error, StrCat(parts...));
}

absl::Span<const AwsErrorRow> AwsErrorTable();

// A duration as AWS's texts write it: whole seconds as "30", others as "1.5s".
std::string SecondsText(absl::Duration d);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_ERRORS_H_
