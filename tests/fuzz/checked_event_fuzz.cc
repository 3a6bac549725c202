// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as an event: what EventChecker says of them is what JsonReader says, and its outline is
// the one that a plain reading finds.
//
// Input: one byte that chooses the limits, the text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "base/check.h"
#include "pattern/event_checker.h"
#include "pattern/plain_checker.h"

using banyan::CheckedEvent;
using banyan::Limits;
using banyan::internal::EventChecker;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Limits limits = Limits::Aws();
  if (data[0] % 4 == 1) limits.pattern.depth_max = 5;
  if (data[0] % 4 == 2) limits.pattern.event_names_max = 5;

  // Kept from input to input: nothing of the last one may show in the next.
  static EventChecker& checker = *new EventChecker();
  static CheckedEvent& event = *new CheckedEvent(EventChecker::Blank());
  const std::string fault = banyan::internal::Fault(text, limits, &checker, &event);
  BANYAN_CHECK(fault.empty(), fault.c_str());

  const auto again = CheckedEvent::Check(text, limits);
  BANYAN_CHECK(again.ok() == !event.json().empty(), "a text gets the same answer from everybody");
  return 0;
}
