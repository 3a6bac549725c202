// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 5: what a rule's dead-letter queue gets.
#include "route/bus_dead_letter.h"

#include <string>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

constexpr char kRule[] = "arn:aws:events:us-east-1:000000000000:rule/shop/r";
constexpr char kTarget[] = "arn:aws:sqs:us-east-1:000000000000:q";

Attributes LetterAttributes(const GivenUp& why) {
  const Delivery event = {.message = MakeMessage({.id = {1, 2}, .event_id = {3, 4}, .body = "{}"})};
  const Delivery letter = MakeBusDeadLetter(event, why, kRule, kTarget);
  EXPECT_TRUE(letter.message->body.SharesBlockWith(event.message->body));
  EXPECT_EQ(letter.message->event_id, (Id{3, 4}));
  return letter.message->attributes;
}

TEST(BusDeadLetterTest, APermanentFaultHasNoExhaustedCondition) {
  EXPECT_EQ(LetterAttributes({.last_refusal = absl::NotFoundError("queue is gone")}),
            (Attributes{{"RULE_ARN", kRule},
                        {"TARGET_ARN", kTarget},
                        {"ERROR_CODE", "NO_RESOURCE"},
                        {"ERROR_MESSAGE", "queue is gone"},
                        {"RETRY_ATTEMPTS", "0"}}));
}

TEST(BusDeadLetterTest, ALimitIsNamed) {
  EXPECT_EQ(LetterAttributes({.last_refusal = absl::UnavailableError("busy"),
                              .retries = 185,
                              .exhausted = kExhaustedAttempts}),
            (Attributes{{"RULE_ARN", kRule},
                        {"TARGET_ARN", kTarget},
                        {"ERROR_CODE", "ERROR_FROM_TARGET"},
                        {"ERROR_MESSAGE", "busy"},
                        {"RETRY_ATTEMPTS", "185"},
                        {"EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"}}));
}

std::string ErrorMessageFor(std::string_view text) {
  return LetterAttributes(
             {.last_refusal = absl::UnavailableError(absl::string_view(text.data(), text.size()))})
      .Find("ERROR_MESSAGE")
      ->value;
}

// A handler may say anything; the letter must still fit into a queue.
TEST(BusDeadLetterTest, ErrorTextsAreMadeFitForAQueue) {
  EXPECT_EQ(ErrorMessageFor(""), "UNAVAILABLE");
  EXPECT_EQ(ErrorMessageFor(std::string_view("a\0b\x01\xFF\n", 6)), "a?b???");
  EXPECT_EQ(ErrorMessageFor("\xC3\xA4\xEF\xBF\xBF"), "\xC3\xA4?");
  EXPECT_LE(ErrorMessageFor(std::string(100'000, 'x')).size(), 1'024u);
}

}  // namespace
}  // namespace banyan::internal
