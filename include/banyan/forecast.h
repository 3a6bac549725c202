// SPDX-License-Identifier: Apache-2.0
//
// Forecast: what would become of a message at one target, were it delivered now. A part of what
// Topic::Explain and EventBus::Explain answer.
//
// The target is asked as a delivery would ask it, and takes nothing. The answer holds for the
// moment: another message may take the room that was left.
#ifndef BANYAN_FORECAST_H_
#define BANYAN_FORECAST_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

struct Forecast {
  enum class Outcome {
    kFiltered,      // a filter policy or pattern stops it
    kDelivered,     // the target would take it; whether a function's handler succeeds is not known
    kDuplicate,     // it would be answered as delivered, and not stored: it is there already
    kWaits,         // FIFO: behind an earlier message of its group, which is tried again
    kRetried,       // the target would refuse for now, and be asked again
    kDeadLettered,  // refused for good; the dead-letter queue would have it
    kDropped,       // refused for good; there is no dead-letter queue, or it is gone
  };
  Outcome outcome = Outcome::kFiltered;
  std::string target_arn = {};
  absl::Status refusal = {};  // what the target would answer; OK unless it would refuse
  std::string sentence = {};  // the reason, for a person; empty where there is none to give

  bool reaches() const { return outcome == Outcome::kDelivered; }
};

// "delivered", "dead-lettered".
BANYAN_EXPORT std::string_view OutcomeName(Forecast::Outcome outcome);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_FORECAST_H_
