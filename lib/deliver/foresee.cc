// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/foresee.cc -- floor 4: what a courier would do with a delivery. Kept in step with
// courier.cc by hand: the order of the questions is that of Deliver() and Answered().
#include <utility>

#include "base/strings.h"
#include "deliver/courier.h"
#include "message/arn_words.h"

namespace banyan::inline v0_1 {

std::string_view OutcomeName(Forecast::Outcome outcome) {
  switch (outcome) {
    case Forecast::Outcome::kFiltered:
      return "filtered";
    case Forecast::Outcome::kDelivered:
      return "delivered";
    case Forecast::Outcome::kDuplicate:
      return "duplicate";
    case Forecast::Outcome::kWaits:
      return "waits";
    case Forecast::Outcome::kRetried:
      return "retried";
    case Forecast::Outcome::kDeadLettered:
      return "dead-lettered";
    case Forecast::Outcome::kDropped:
      return "dropped";
  }
  return "";
}

namespace internal {

Forecast Courier::Foresee(Delivery delivery) const {
  using Outcome = Forecast::Outcome;
  Forecast forecast = {.outcome = Outcome::kDelivered, .target_arn = plan_.destination->arn_text()};
  delivery.source_arn = plan_.source_arn;
  delivery.presented_bytes.reset();
  if (plan_.form != nullptr) {
    forecast.refusal = plan_.form(delivery);
    if (!forecast.refusal.ok()) {
      forecast.outcome = Outcome::kDropped;
      forecast.sentence =
          StrCat("there is nothing to deliver: ", ToStd(forecast.refusal.message()));
      return forecast;
    }
  }

  int64_t waiting = 0;
  {
    MutexLock lock(&mu_);
    const auto line = lines_.find(delivery.message->group_id());
    if (plan_.in_order && line != lines_.end()) {
      forecast.outcome = Outcome::kWaits;
      forecast.sentence =
          StrCat("an earlier message of its group ", line->first,
                 " is not delivered yet; before it wait ", line->second.behind.size(), " more");
      return forecast;
    }
    waiting = static_cast<int64_t>(waiting_.size());
  }

  Prospect prospect = plan_.destination->Foresee(delivery);
  if (prospect.answer.ok()) {
    if (!prospect.is_duplicate) return forecast;
    forecast.outcome = Outcome::kDuplicate;
    forecast.sentence = "it has a message of this deduplication id already";
    return forecast;
  }
  forecast.refusal = std::move(prospect.answer);
  forecast.sentence = std::string(ToStd(forecast.refusal.message()));
  const int64_t retries_max =
      plan_.phases == nullptr ? plan_.retry.retries_max : plan_.phases().retries;
  if (!IsPermanent(forecast.refusal) && retries_max > 0 && waiting < plan_.retry.waiting_max) {
    forecast.outcome = Outcome::kRetried;
    return forecast;
  }
  const std::shared_ptr<Sink> dead_letter = this->dead_letter();
  if (dead_letter == nullptr) {
    forecast.outcome = Outcome::kDropped;
    StrAppend(&forecast.sentence, " There is no dead-letter queue.");
    return forecast;
  }
  Delivery letter = plan_.dead_letter_form(delivery, {.last_refusal = forecast.refusal});
  letter.accepted_before = true;
  const absl::Status rest = dead_letter->Foresee(letter).answer;
  forecast.outcome = rest.ok() ? Outcome::kDeadLettered : Outcome::kDropped;
  StrAppend(&forecast.sentence, " Its dead-letter queue is ", ArnWords(dead_letter->arn_text()),
            rest.ok() ? "." : StrCat(", which would refuse it: ", ToStd(rest.message())));
  return forecast;
}

}  // namespace internal

}  // namespace banyan::inline v0_1
