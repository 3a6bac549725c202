// SPDX-License-Identifier: Apache-2.0
//
// GoogleTest's own main with one option more: --conformance=DIR names the folder of the recorded
// cases (recorded_cases.h). It wins over the environment, by being written there.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

int main(int argc, char** argv) {
  constexpr std::string_view kOption = "--conformance=";
  char** kept = argv + std::min(argc, 1);
  for (char** word = kept; word != argv + argc; ++word) {
    if (std::string_view(*word).starts_with(kOption)) {
      setenv("BANYAN_CONFORMANCE_DIR", *word + kOption.size(), 1);
    } else {
      *kept++ = *word;
    }
  }
  argc = static_cast<int>(kept - argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
