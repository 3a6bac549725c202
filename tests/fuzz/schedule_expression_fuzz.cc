// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a schedule expression: refused with a reason, or it fires in rising order, and asked
// between two firings it names the second.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "calendar/expression.h"
#include "calendar/recurrence.h"

using banyan::internal::FindTimeZone;
using banyan::internal::ParseScheduleExpression;
using banyan::internal::Recurrence;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string reason;
  const auto expression = ParseScheduleExpression(text, &reason);
  BANYAN_CHECK(expression.has_value() == reason.empty(), "what is refused is refused for a reason");
  if (!expression.has_value()) return 0;

  for (const char* zone : {"UTC", "America/New_York", "Australia/Lord_Howe"}) {
    const Recurrence recurrence = {.expression = *expression,
                                   .zone = FindTimeZone(zone).value_or(absl::UTCTimeZone())};
    absl::Time last = absl::InfinitePast();
    for (int i = 0; i < 20; ++i) {
      const std::optional<absl::Time> next = recurrence.Next(last);
      if (!next.has_value()) break;
      BANYAN_CHECK(*next > last, "firings rise");
      BANYAN_CHECK(recurrence.Next(*next - absl::Nanoseconds(1)) == next,
                   "a firing is the next one until it is there");
      last = *next;
    }
  }
  return 0;
}
