// SPDX-License-Identifier: Apache-2.0
//
// lib/route/bus_dead_letter.h -- floor 5: what a rule target's dead-letter queue gets.
//
// The original event, and why it is here in String attributes: RULE_ARN, TARGET_ARN, ERROR_CODE,
// ERROR_MESSAGE, RETRY_ATTEMPTS, and EXHAUSTED_RETRY_CONDITION if a limit of the retry policy
// ended it rather than a permanent fault.
// Source  docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
#ifndef BANYAN_LIB_ROUTE_BUS_DEAD_LETTER_H_
#define BANYAN_LIB_ROUTE_BUS_DEAD_LETTER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "deliver/courier.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

// The refusal's text as an attribute can carry it.
std::string DeadLetterErrorMessage(const absl::Status& refusal);

Delivery MakeBusDeadLetter(const Delivery& event, const GivenUp& why, std::string_view rule_arn,
                           std::string_view target_arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_BUS_DEAD_LETTER_H_
