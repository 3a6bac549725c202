// SPDX-License-Identifier: Apache-2.0
//
// Short words for the pattern room's tests.
#ifndef BANYAN_TESTS_PATTERN_PATTERN_TESTING_H_
#define BANYAN_TESTS_PATTERN_PATTERN_TESTING_H_

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "banyan/pattern.h"
#include "gtest/gtest.h"
#include "pattern/compiled_pattern.h"

namespace banyan::inline v0_1::internal {

// Does the pattern, which must be valid, match the event? Checks on the way that Explain agrees.
inline bool Matches(std::string_view pattern_json, std::string_view event_json,
                    PatternLanguage language = PatternLanguage::kEventBridge) {
  const absl::StatusOr<EventPattern> pattern = EventPattern::Parse(pattern_json, language);
  EXPECT_TRUE(pattern.ok()) << pattern.status() << "\n" << pattern_json;
  if (!pattern.ok()) return false;
  const bool matches = pattern->Matches(event_json);
  EXPECT_EQ(pattern->Explain(event_json).matched, matches) << pattern_json << "\n" << event_json;
  return matches;
}

// Why a pattern is refused, without prefix and position; "" if it is not.
inline std::string Reason(std::string_view pattern_json,
                          PatternLanguage language = PatternLanguage::kEventBridge,
                          const Limits& limits = Limits::Aws()) {
  const CompileResult result = CompilePattern(pattern_json, language, limits);
  const auto* error = std::get_if<PatternError>(&result);
  return error == nullptr ? "" : error->reason;
}

// A generator for a random test. Says its seed; BANYAN_TEST_SEED repeats a run.
inline std::mt19937_64 SeededRandom() {
  const char* chosen = std::getenv("BANYAN_TEST_SEED");
  const uint64_t seed =
      chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : std::random_device{}();
  std::cout << "             BANYAN_TEST_SEED=" << seed << std::endl;  // before a crash
  return std::mt19937_64(seed);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_PATTERN_TESTING_H_
