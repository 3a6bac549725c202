// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a pattern, any bytes as an event: no crash, one answer, and Explain agrees with it.
//
// Input: one byte that chooses the language, the pattern, a zero byte, the event.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "banyan/pattern.h"
#include "base/check.h"
#include "base/json.h"

using banyan::EventPattern;
using banyan::PatternLanguage;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const PatternLanguage languages[] = {PatternLanguage::kEventBridge,
                                       PatternLanguage::kSnsMessageAttributes,
                                       PatternLanguage::kSnsMessageBody};
  const PatternLanguage language = languages[data[0] % 3];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t zero = input.find('\0');
  const std::string_view pattern_text = input.substr(0, zero);
  const std::string_view event = zero == std::string_view::npos ? "{}" : input.substr(zero + 1);

  const auto pattern = EventPattern::Parse(pattern_text, language);
  if (!pattern.ok()) {
    BANYAN_CHECK(EventPattern::Parse(pattern_text, language).status() == pattern.status(),
                 "a pattern is refused the same way every time");
    return 0;
  }
  const bool matches = pattern->Matches(event);
  BANYAN_CHECK(pattern->Matches(event) == matches, "matching has one answer");
  const banyan::Explanation why = pattern->Explain(event);
  BANYAN_CHECK(why.matched == matches, "Explain agrees with Matches");
  BANYAN_CHECK(!why.sentence.empty(), "Explain has something to say");

  const auto again = EventPattern::Parse(std::string(pattern->text()), language);
  BANYAN_CHECK(again.ok() && again->Matches(event) == matches,
               "a pattern's text means what it means");

  // White space between tokens carries no meaning.
  std::string compact;
  if (banyan::internal::CompactJson(event, &compact)) {
    BANYAN_CHECK(pattern->Matches(compact) == matches, "a compacted event matches the same");
  }
  return 0;
}
