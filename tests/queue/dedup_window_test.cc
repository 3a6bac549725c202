// SPDX-License-Identifier: Apache-2.0
//
// The deduplication window by its rules (W1 to W6 of the header), and against a std::map.
#include "queue/dedup_window.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "base/mix.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

constexpr int64_t kWindowNs = FifoDedupWindow::kFiveMinutesNs;
constexpr int64_t kNowNs = 1'000'000'000'000;
constexpr SipKey kSecret = {.low = 0x243f6a8885a308d3u, .high = 0x13198a2e03707344u};

using Original = FifoDedupWindow::Original;

DedupKey DedupKeyOf(uint64_t n) { return MakeDedupKey("", "order-" + std::to_string(n), kSecret); }

// A cheaper one for floods; its bits are as good.
DedupKey MixedKey(uint64_t n) { return {.hi = n, .lo = Mix64(n * kMixStep)}; }

Original OriginalOf(uint64_t n) {
  return {.message_id = {.hi = n, .lo = ~n}, .sequence_number = n + 1};
}

std::optional<Original> Find(FifoDedupWindow& window, const DedupKey& key, int64_t now_ns) {
  const Original* found = window.Find(key, now_ns);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

// --- keys -----------------------------------------------------------------------------------

TEST(DedupKey, TellsWhereTheGroupEndsAndTheIdBegins) {
  std::set<std::pair<uint64_t, uint64_t>> keys;
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const DedupKey key = MakeDedupKey(text.substr(0, cut), text.substr(cut), kSecret);
    EXPECT_TRUE(keys.insert({key.hi, key.lo}).second) << "cut at " << cut;
  }
  EXPECT_NE(MakeDedupKey("ab", "c", kSecret), MakeDedupKey("a", "bc", kSecret));
}

// The group is padded to whole words; the padding must not pass for a part of it, or of the id.
TEST(DedupKey, DoesNotTakePaddingForText) {
  const auto key = [](std::string_view group, std::string_view id) {
    return MakeDedupKey(group, id, kSecret);
  };
  EXPECT_NE(key("a", "x"), key(std::string_view("a\0", 2), "x"));
  EXPECT_NE(key("", std::string_view("a\0\0\0\0\0\0\0x", 9)), key("a", "x"));
  EXPECT_NE(key("", "x"), key("", std::string_view("x\0", 2)));
  EXPECT_NE(key("", ""), key("", std::string_view("\0", 1)));
}

TEST(DedupKey, IsTheSameForTheSameOnly) {
  EXPECT_EQ(MakeDedupKey("g", "id", kSecret), MakeDedupKey("g", "id", kSecret));
  EXPECT_NE(MakeDedupKey("g", "id", kSecret), MakeDedupKey("h", "id", kSecret));
  EXPECT_NE(MakeDedupKey("g", "id", kSecret), MakeDedupKey("g", "ie", kSecret));
  EXPECT_NE(MakeDedupKey("g", "id", kSecret), MakeDedupKey("g", "id", {.low = 1, .high = 2}));
}

// --- W1 -------------------------------------------------------------------------------------

TEST(FifoDedupWindow, KnowsAKeyForExactlyTheWindow) {
  FifoDedupWindow window;
  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs), std::nullopt);
  window.Insert(DedupKeyOf(1), OriginalOf(1), kNowNs);

  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs), OriginalOf(1));
  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs + kWindowNs - 1), OriginalOf(1));
  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs + kWindowNs), std::nullopt);
}

TEST(FifoDedupWindow, IsNotProlongedByDuplicates) {
  FifoDedupWindow window;
  window.Insert(DedupKeyOf(1), OriginalOf(1), kNowNs);
  for (int64_t part = 1; part < 10; ++part) {
    EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs + kWindowNs * part / 10), OriginalOf(1));
  }
  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs + kWindowNs), std::nullopt);
}

TEST(FifoDedupWindow, TakesAKeyAgainWhenItsWindowIsOver) {
  FifoDedupWindow window;
  window.Insert(DedupKeyOf(1), OriginalOf(1), kNowNs);
  const int64_t again_ns = kNowNs + kWindowNs;
  ASSERT_EQ(Find(window, DedupKeyOf(1), again_ns), std::nullopt);
  window.Insert(DedupKeyOf(1), OriginalOf(2), again_ns);
  EXPECT_EQ(Find(window, DedupKeyOf(1), again_ns + kWindowNs - 1), OriginalOf(2));
}

// Find() forgets only two a call, so the old record of the key is still held, and found first.
TEST(FifoDedupWindow, PrefersTheLiveRecordOfAKeyToOneThatIsOver) {
  FifoDedupWindow window;
  for (uint64_t n = 0; n < 100; ++n) window.Insert(DedupKeyOf(n), OriginalOf(n), kNowNs);
  const int64_t again_ns = kNowNs + kWindowNs;
  ASSERT_EQ(Find(window, DedupKeyOf(99), again_ns), std::nullopt);
  window.Insert(DedupKeyOf(99), OriginalOf(1'000), again_ns);
  ASSERT_GT(window.size(), 90u) << "most are held still";

  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Find(window, DedupKeyOf(99), again_ns), OriginalOf(1'000)) << "after " << i;
  }
  EXPECT_EQ(window.size(), 1u);
  window.CheckInvariants();
}

TEST(FifoDedupWindow, AnswersTheOriginalAfterManyOthers) {
  constexpr uint64_t kMany = 20'000;
  FifoDedupWindow window;
  for (uint64_t n = 0; n < kMany; ++n) {
    const int64_t now_ns = kNowNs + static_cast<int64_t>(n);
    ASSERT_EQ(Find(window, DedupKeyOf(n), now_ns), std::nullopt);
    window.Insert(DedupKeyOf(n), OriginalOf(n), now_ns);
  }
  window.CheckInvariants();
  for (uint64_t n = 0; n < kMany; ++n) {
    ASSERT_EQ(Find(window, DedupKeyOf(n), kNowNs + kWindowNs - 1), OriginalOf(n)) << n;
  }
  EXPECT_EQ(Find(window, DedupKeyOf(kMany), kNowNs + kWindowNs - 1), std::nullopt);
  EXPECT_EQ(window.size(), kMany);
}

// Digests whose 32 bits for the index are all the same: a chain as long as it can be.
TEST(FifoDedupWindow, ComparesWholeKeysAndNotTheirHashes) {
  const auto key = [](uint64_t n) {
    return DedupKey{.hi = n / 2, .lo = (n % 2) << 63 | 0xbadcafe};
  };
  FifoDedupWindow window;
  for (uint64_t n = 0; n < 500; ++n) {
    ASSERT_EQ(Find(window, key(n), kNowNs), std::nullopt);
    window.Insert(key(n), OriginalOf(n), kNowNs + static_cast<int64_t>(n));
  }
  window.CheckInvariants();
  for (uint64_t n = 0; n < 500; ++n) EXPECT_EQ(Find(window, key(n), kNowNs + 500), OriginalOf(n));

  for (uint64_t n = 0; n < 500; ++n) {
    const int64_t over_ns = kNowNs + static_cast<int64_t>(n) + kWindowNs;
    EXPECT_EQ(Find(window, key(n), over_ns - 1), OriginalOf(n));
    EXPECT_EQ(Find(window, key(n), over_ns), std::nullopt);
  }
  EXPECT_EQ(window.bytes(), 0u);
}

TEST(FifoDedupWindow, TakesAnyLengthOfWindow) {
  FifoDedupWindow window(/*window_ns=*/1);
  window.Insert(DedupKeyOf(1), OriginalOf(1), 0);
  EXPECT_EQ(Find(window, DedupKeyOf(1), 0), OriginalOf(1));
  EXPECT_EQ(Find(window, DedupKeyOf(1), 1), std::nullopt);
}

// --- clearing, moving, the bound ------------------------------------------------------------

TEST(FifoDedupWindow, ForgetsAllWhenCleared) {
  FifoDedupWindow window;
  for (uint64_t n = 0; n < 1'000; ++n) window.Insert(DedupKeyOf(n), OriginalOf(n), kNowNs);
  window.Clear();
  EXPECT_EQ(window.size(), 0u);
  EXPECT_EQ(window.bytes(), 0u);
  for (uint64_t n = 0; n < 1'000; ++n) EXPECT_EQ(Find(window, DedupKeyOf(n), kNowNs), std::nullopt);

  window.Insert(DedupKeyOf(7), OriginalOf(70), kNowNs);
  EXPECT_EQ(Find(window, DedupKeyOf(7), kNowNs), OriginalOf(70));
}

TEST(FifoDedupWindow, IsAsGoodAsNewWhenMovedFrom) {
  FifoDedupWindow window(/*window_ns=*/1'000, /*records_max=*/5);
  window.Insert(DedupKeyOf(1), OriginalOf(1), 0);
  FifoDedupWindow taken = std::move(window);
  EXPECT_EQ(Find(taken, DedupKeyOf(1), 999), OriginalOf(1));

  EXPECT_EQ(window.size(), 0u);  // NOLINT(bugprone-use-after-move): the header says what it is
  EXPECT_EQ(Find(window, DedupKeyOf(1), 0), std::nullopt);
  window.Insert(DedupKeyOf(1), OriginalOf(2), 0);
  EXPECT_EQ(Find(window, DedupKeyOf(1), 999), OriginalOf(2));
}

// Full: what is new is refused, what is known is still answered, nothing is forgotten early.
TEST(FifoDedupWindow, IsFullAtItsBoundUntilTheOldestIsOver) {
  constexpr uint64_t kMost = 10;
  FifoDedupWindow window(kWindowNs, kMost);
  for (uint64_t n = 0; n < kMost; ++n) {
    EXPECT_FALSE(window.full());
    window.Insert(DedupKeyOf(n), OriginalOf(n), kNowNs + static_cast<int64_t>(n));
  }
  EXPECT_TRUE(window.full());
  EXPECT_EQ(Find(window, DedupKeyOf(99), kNowNs + kWindowNs - 1), std::nullopt);
  EXPECT_TRUE(window.full());
  for (uint64_t n = 0; n < kMost; ++n) {
    EXPECT_EQ(Find(window, DedupKeyOf(n), kNowNs + kWindowNs - 1), OriginalOf(n));
  }

  EXPECT_EQ(Find(window, DedupKeyOf(99), kNowNs + kWindowNs), std::nullopt);
  EXPECT_FALSE(window.full());
  window.Insert(DedupKeyOf(99), OriginalOf(99), kNowNs + kWindowNs);
  EXPECT_TRUE(window.full());
}

TEST(FifoDedupWindowDeathTest, DiesOfAnInsertionBeyondItsBound) {
  FifoDedupWindow window(kWindowNs, /*records_max=*/1);
  window.Insert(DedupKeyOf(1), OriginalOf(1), kNowNs);
  EXPECT_DEATH(window.Insert(DedupKeyOf(2), OriginalOf(2), kNowNs), "full");
}

// --- memory ---------------------------------------------------------------------------------

TEST(FifoDedupWindow, CostsNextToNothingWhileEmpty) {
  EXPECT_LE(sizeof(FifoDedupWindow), 24u);
  FifoDedupWindow window;
  EXPECT_EQ(Find(window, DedupKeyOf(1), kNowNs), std::nullopt);
  EXPECT_EQ(window.bytes(), 0u);

  window.Insert(DedupKeyOf(1), OriginalOf(1), kNowNs);
  EXPECT_LE(window.bytes(), 6u * 1'024);
  EXPECT_EQ(Find(window, DedupKeyOf(2), kNowNs + kWindowNs), std::nullopt);
  EXPECT_EQ(window.bytes(), 0u) << "W5";
}

TEST(FifoDedupWindow, HoldsAtMostEightyBytesAnIdWhileItGrowsAndShrinks) {
  constexpr uint64_t kMany = 200'000;
  FifoDedupWindow window;
  for (uint64_t n = 0; n < kMany; ++n) {
    window.Insert(MixedKey(n), OriginalOf(n), kNowNs + static_cast<int64_t>(n));
    if (n < 1'000) continue;
    ASSERT_LE(window.bytes(), 80 * window.size()) << window.size();
  }
  for (uint64_t n = 0; n < kMany; ++n) {
    ASSERT_EQ(window.Forget(kNowNs + kWindowNs + static_cast<int64_t>(n), 2), 1u);
    if (window.size() < 1'000) continue;
    ASSERT_LE(window.bytes(), 80 * window.size()) << window.size();
  }
  EXPECT_EQ(window.bytes(), 0u);
}

TEST(FifoDedupWindow, GivesMemoryBackAfterAFlood) {
  constexpr uint64_t kFlood = 100'000;
  FifoDedupWindow window;
  for (uint64_t n = 0; n < kFlood; ++n) window.Insert(MixedKey(n), OriginalOf(n), kNowNs);
  const size_t flooded = window.bytes();

  // By the traffic that follows: each send forgets two and brings one.
  int64_t now_ns = kNowNs + kWindowNs;
  for (uint64_t n = kFlood; n < kFlood + kFlood / 2; ++n) {
    ASSERT_EQ(window.Find(MixedKey(n), now_ns), nullptr);
    window.Insert(MixedKey(n), OriginalOf(n), now_ns);
  }
  EXPECT_LE(window.size(), kFlood / 2 + 1);
  EXPECT_LE(window.bytes(), flooded * 6 / 10);

  // By Trim(), at once; but not what still lives.
  now_ns += kWindowNs - 1;
  window.Trim(now_ns);
  EXPECT_EQ(window.size(), kFlood / 2);
  window.CheckInvariants();
  window.Trim(now_ns + 1);
  EXPECT_EQ(window.size(), 0u);
  EXPECT_EQ(window.bytes(), 0u);
}

TEST(FifoDedupWindow, ForgetsInPiecesAsLargeAsItIsTold) {
  FifoDedupWindow window;
  for (uint64_t n = 0; n < 1'000; ++n) window.Insert(DedupKeyOf(n), OriginalOf(n), kNowNs);
  EXPECT_EQ(window.Forget(kNowNs + kWindowNs - 1, 600), 0u);
  EXPECT_EQ(window.Forget(kNowNs + kWindowNs, 600), 600u);
  EXPECT_EQ(window.size(), 400u);
  window.CheckInvariants();
  EXPECT_EQ(window.Forget(kNowNs + kWindowNs, 600), 400u);
  EXPECT_EQ(window.Forget(kNowNs + kWindowNs, 600), 0u);
}

// --- bounded work ---------------------------------------------------------------------------

// No call may do the work of many, neither while the table grows nor when all expire at once. A
// rehash of these would be 300,000 steps. Counted, not timed, so that it fails for one reason.
TEST(FifoDedupWindow, DoesABoundedPieceOfWorkInEachCall) {
  constexpr uint64_t kFlood = 300'000;
  constexpr uint64_t kStepsMax = 100;
  FifoDedupWindow window;
  uint64_t worst = 0;
  uint64_t before = 0;
  const auto note = [&] {
    const uint64_t after = window.steps();
    if (after >= before) worst = std::max(worst, after - before);  // less: the table went, W5
    before = after;
  };
  const auto send = [&](uint64_t n, int64_t now_ns) {
    ASSERT_EQ(window.Find(MixedKey(n), now_ns), nullptr);
    note();
    window.Insert(MixedKey(n), OriginalOf(n), now_ns);
    note();
  };

  for (uint64_t n = 0; n < kFlood; ++n) send(n, kNowNs);
  EXPECT_LE(worst, kStepsMax) << "while growing";
  EXPECT_GT(window.steps(), kFlood) << "steps are counted";

  worst = 0;
  for (uint64_t n = kFlood; n < 2 * kFlood; ++n) send(n, kNowNs + kWindowNs);
  EXPECT_LE(worst, kStepsMax) << "while all that were there expire";
  EXPECT_EQ(window.size(), kFlood);

  worst = 0;
  while (window.size() > 0) {
    ASSERT_EQ(window.Find(MixedKey(0), kNowNs + 2 * kWindowNs), nullptr);
    note();
  }
  EXPECT_LE(worst, kStepsMax) << "while shrinking";
}

// --- the second answerer --------------------------------------------------------------------

struct Twin {
  struct Entry {
    Original original;
    int64_t accepted_ns;
  };

  std::optional<Original> Find(uint64_t n, int64_t now_ns) const {
    const auto at = entries.find(n);
    if (at == entries.end() || now_ns >= at->second.accepted_ns + window_ns) return std::nullopt;
    return at->second.original;
  }

  size_t Live(int64_t now_ns) const {
    return static_cast<size_t>(std::count_if(entries.begin(), entries.end(), [&](const auto& at) {
      return now_ns < at.second.accepted_ns + window_ns;
    }));
  }

  int64_t window_ns;
  std::map<uint64_t, Entry> entries;
};

class FifoDedupWindowTwinTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(FifoDedupWindowTwinTest, AnswersLikeAMap) {
  const uint64_t seed = GetParam();
  testing::SeedReporter reporter(seed);
  std::mt19937_64 dice(seed);
  const auto below = [&](uint64_t n) { return dice() % n; };

  const int64_t window_ns = static_cast<int64_t>(1 + below(20'000));
  FifoDedupWindow window(window_ns);
  Twin twin = {.window_ns = window_ns, .entries = {}};
  int64_t now_ns = 0;
  uint64_t sent = 0;
  for (int phase = 0; phase < 12; ++phase) {
    // How many ids there are and how fast time goes decide whether the table grows or shrinks.
    const uint64_t ids = uint64_t{1} << below(18);
    const uint64_t most_ns = uint64_t{1} << below(6);
    for (int i = 0; i < 4'000; ++i) {
      now_ns += static_cast<int64_t>(below(most_ns));
      const uint64_t n = below(ids);
      const std::optional<Original> expected = twin.Find(n, now_ns);
      ASSERT_EQ(Find(window, DedupKeyOf(n), now_ns), expected)
          << "phase " << phase << ", send " << i;
      if (expected.has_value()) continue;
      const Original original = OriginalOf(++sent);
      window.Insert(DedupKeyOf(n), original, now_ns);
      twin.entries[n] = {.original = original, .accepted_ns = now_ns};
    }
    window.CheckInvariants();
    ASSERT_GE(window.size(), twin.Live(now_ns));
    switch (below(6)) {
      case 0:
        window.Clear();
        twin.entries.clear();
        break;
      case 1:
        window.Trim(now_ns);
        ASSERT_EQ(window.size(), twin.Live(now_ns));
        window.CheckInvariants();
        break;
      case 2:
        now_ns += window_ns;  // all that are held are over
        break;
      case 3:
        window.Forget(now_ns, below(1'000));
        window.CheckInvariants();
        break;
      default:
        break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FifoDedupWindowTwinTest, ::testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace banyan::internal
