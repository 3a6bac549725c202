// SPDX-License-Identifier: Apache-2.0
#include "route/explain_text.h"

#include "base/strings.h"
#include "message/arn_words.h"

namespace banyan::inline v0_1::internal {

void AppendForecast(std::string* text, const Forecast& forecast) {
  constexpr size_t kWidth = 15;  // the longest outcome and two spaces
  std::string outcome(OutcomeName(forecast.outcome));
  outcome.resize(kWidth, ' ');
  StrAppend(text, "  ", outcome, ArnWords(forecast.target_arn));
  if (!forecast.sentence.empty()) StrAppend(text, ": ", forecast.sentence);
  text->push_back('\n');
}

}  // namespace banyan::inline v0_1::internal
