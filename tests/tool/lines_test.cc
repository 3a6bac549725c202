// SPDX-License-Identifier: Apache-2.0
#include "tool/lines.h"

#include <unistd.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> LinesOf(std::string_view text, size_t line_bytes_max = 1 << 20) {
  const ScratchFile file(text);
  LineReader reader(file.fd(), line_bytes_max);
  std::vector<std::string> lines;
  Line line;
  while (reader.Fill()) {
    while (reader.Next(&line)) {
      lines.emplace_back(line.text);
      EXPECT_EQ(line.number, static_cast<int64_t>(lines.size()));
      if (line.too_long) lines.back() += " (too long)";
    }
  }
  EXPECT_EQ(reader.error(), 0);
  EXPECT_EQ(reader.bytes_read(), text.size());
  return lines;
}

TEST(LinesTest, ReadsEachLineAsItStands) {
  EXPECT_THAT(LinesOf("a\nbc\r\n\n d \n"), ElementsAre("a", "bc\r", "", " d "));
}

TEST(LinesTest, LastLineNeedsNoEnd) {
  EXPECT_THAT(LinesOf("a\nb"), ElementsAre("a", "b"));
  EXPECT_THAT(LinesOf("b"), ElementsAre("b"));
}

TEST(LinesTest, AnEmptyFileHasNoLine) {
  EXPECT_THAT(LinesOf(""), IsEmpty());
  EXPECT_THAT(LinesOf("\n"), ElementsAre(""));
}

TEST(LinesTest, ZeroBytesArePartOfALine) {
  const std::string text("a\0b\n\0", 5);
  EXPECT_THAT(LinesOf(text), ElementsAre(std::string("a\0b", 3), std::string("\0", 1)));
}

// Lines of all sizes around those of the buffer, so that they meet its end in every way.
TEST(LinesTest, LinesCrossBlocks) {
  constexpr uint64_t kSeed = 20260101;
  std::mt19937_64 dice(kSeed);
  for (const size_t longest : {size_t{7}, size_t{3'000}, size_t{131'072}, size_t{600'000}}) {
    std::string text;
    std::vector<std::string> expected;
    while (text.size() < 4'000'000) {
      expected.emplace_back(dice() % longest, static_cast<char>('a' + dice() % 26));
      text += expected.back() + "\n";
    }
    EXPECT_TRUE(LinesOf(text) == expected) << "seed " << kSeed << ", lines up to " << longest;
  }
}

TEST(LinesTest, ALineAsLongAsAllowedIsWhole) {
  const std::string line(300'000, 'x');
  EXPECT_THAT(LinesOf(line + "\nb\n", line.size()), ElementsAre(line, "b"));
  EXPECT_THAT(LinesOf(line, line.size()), ElementsAre(line));
}

TEST(LinesTest, ALongerOneIsCutAndTheNextIsWhole) {
  const std::string start(1024, 'x');
  for (const size_t size : {size_t{300'001}, size_t{1'000'000}, size_t{10'000'000}}) {
    const std::string line(size, 'x');
    EXPECT_THAT(LinesOf("a\n" + line + "\nb\n", 300'000),
                ElementsAre("a", start + " (too long)", "b"));
    EXPECT_THAT(LinesOf(line, 300'000), ElementsAre(start + " (too long)"));
  }
}

// A reader of a pipe gets what is there; it does not wait until a block is full.
TEST(LinesTest, HandsOutWhatAPipeHolds) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  LineReader reader(ends[0], 1 << 20);
  Line line;

  ASSERT_EQ(write(ends[1], "one\ntw", 6), 6);
  ASSERT_TRUE(reader.Fill());
  ASSERT_TRUE(reader.Next(&line));
  EXPECT_EQ(line.text, "one");
  EXPECT_FALSE(reader.Next(&line));

  ASSERT_EQ(write(ends[1], "o\n", 2), 2);
  ASSERT_TRUE(reader.Fill());
  ASSERT_TRUE(reader.Next(&line));
  EXPECT_EQ(line.text, "two");

  close(ends[1]);
  EXPECT_FALSE(reader.Fill());
  close(ends[0]);
}

TEST(LinesTest, AnErrorIsToldAndEndsTheFile) {
  LineReader reader(-1, 1 << 20);
  EXPECT_FALSE(reader.Fill());
  EXPECT_EQ(reader.error(), EBADF);
  EXPECT_FALSE(reader.Fill());
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
