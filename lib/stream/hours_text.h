// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/hours_text.h -- floor 3, the stream room: retention as Kinesis writes it in errors.
#ifndef BANYAN_LIB_STREAM_HOURS_TEXT_H_
#define BANYAN_LIB_STREAM_HOURS_TEXT_H_

#include <string>

#include "absl/time/time.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

// "24 hours" where the duration is whole hours.
inline std::string HoursText(absl::Duration d) {
  const int64_t hours = absl::ToInt64Hours(d);
  if (absl::Hours(hours) == d) return StrCat(hours, " hours");
  return absl::FormatDuration(d);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_HOURS_TEXT_H_
