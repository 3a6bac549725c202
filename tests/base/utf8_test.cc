// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

// Texts of all lengths around the steps in which ASCII is passed over.
TEST(Utf8Test, TheFirstBadByteIsFoundWhereverItStands) {
  for (size_t length = 1; length <= 100; ++length) {
    EXPECT_EQ(FirstBadUtf8(std::string(length, 'a')), std::nullopt) << length;
    for (size_t at = 0; at < length; ++at) {
      std::string text(length, 'a');
      text[at] = '\xFF';
      EXPECT_EQ(FirstBadUtf8(text), at) << length;
      text.back() = '\x80';
      EXPECT_EQ(FirstBadUtf8(text), at) << length;
    }
  }
  EXPECT_EQ(FirstBadUtf8(""), std::nullopt);
}

TEST(Utf8Test, CharactersMayLieAcrossEveryBoundary) {
  for (const std::string character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\xB3"}) {
    for (size_t before = 0; before < 70; ++before) {
      std::string text(before, 'a');
      text += character + character + std::string(40, 'b');
      EXPECT_EQ(FirstBadUtf8(text), std::nullopt) << before;
      text.resize(before + character.size() - 1);
      EXPECT_EQ(FirstBadUtf8(text), before) << "cut off";
    }
  }
}

TEST(Utf8Test, WhatLooksLikeUtf8ButIsNoneIsBad) {
  for (const std::string bad : {"\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xED\xA0\x80",
                                "\xF4\x90\x80\x80", "\x80", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_EQ(FirstBadUtf8("ab" + bad), 2u);
  }
}

TEST(Utf8Test, ControlCharactersAreUtf8) {
  EXPECT_EQ(FirstBadUtf8(std::string("\0\x01\x7F\n", 4)), std::nullopt);
}

}  // namespace
}  // namespace banyan::internal
