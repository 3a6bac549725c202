// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers of one rule set at the same time: an event meets the rules of one moment,
// nobody who matches waits, memory comes back.
//
// How a reader knows what it may see: writers count in shared variables what they have begun and
// finished. A Match() that began after a Put() had returned must find the rule, one that ended
// before it began must not; in between both are right.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/rule_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1 {
namespace {

using ::testing::ElementsAre;

#ifdef BANYAN_SANITIZER
constexpr int kThreadsScale = 10;
#else
constexpr int kThreadsScale = 1;
#endif
constexpr int kReaders = 3;

// Eight ways to want something of one event; each is filed in another place of an index.
constexpr int kKinds = 8;
constexpr std::string_view kConditions[kKinds] = {
    R"("a":["x"])",
    R"("b":[{"prefix":"pre"}])",
    R"("c":[{"suffix":"fix"}])",
    R"("d":{"e":[{"numeric":[">",1,"<",3]}]})",
    R"("f":[{"equals-ignore-case":"CASE"}])",
    R"("g":[{"wildcard":"*mid*"}])",
    R"("h":[{"anything-but":"no"}])",
    R"("none":[{"exists":false}])",
};
constexpr std::string_view kFields[kKinds] = {
    R"("a":"x")",    R"("b":"prefer")", R"("c":"suffix")", R"("d":{"e":2})",
    R"("f":"case")", R"("g":"amidst")", R"("h":"yes")",    R"("none":[])",
};

std::string PatternOfKind(int kind) { return "{" + std::string(kConditions[kind % kKinds]) + "}"; }

// Satisfies every kind.
std::string WholeEvent() {
  std::string event = "{";
  for (const std::string_view field : kFields) {
    event += (event.size() > 1 ? "," : "") + std::string(field);
  }
  return event + "}";
}

// Satisfies one kind. A field "none" keeps the others from seeing it absent.
std::string EventOfKind(int kind) {
  return "{" + std::string(kFields[kind]) + (kind == kKinds - 1 ? "}" : R"(,"none":1})");
}

// Runs `read` in several threads until `write` is done in this one.
template <typename Write, typename Read>
void ReadWhile(const Write& write, const Read& read) {
  std::atomic<bool> done{false};
  std::atomic<int> reading{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      for (int i = 0; i == 0 || !done.load(); ++i) {
        read(r, i);
        if (i == 0) ++reading;
      }
    });
  }
  while (reading.load() < kReaders) std::this_thread::yield();
  write();
  done.store(true);
  for (std::thread& reader : readers) reader.join();
}

// Rules of one kind after the other come and go in the order of their numbers, so that at every
// moment those in the set are a run low..high. A match that mixes two moments has a hole, or an end
// that cannot be.
TEST(RuleSetConcurrencyTest, EachMatchSeesOneMoment) {
  RuleSet rules;
  const std::string text = WholeEvent();
  const CheckedEvent event = CheckedEvent::Check(text).value();
  constexpr int kWindow = 12;
  std::atomic<int> put_begun{0}, put_done{0}, remove_begun{0}, remove_done{0};
  std::atomic<int> wrong{0}, seen{0};
  const auto write = [&] {
    for (int n = 1; n <= 6'000 / kThreadsScale; ++n) {
      put_begun.store(n);
      ASSERT_TRUE(rules.Put(std::to_string(n), PatternOfKind(n)).ok());
      put_done.store(n);
      if (n <= kWindow) continue;
      remove_begun.store(n - kWindow);
      ASSERT_TRUE(rules.Remove(std::to_string(n - kWindow)));
      remove_done.store(n - kWindow);
    }
  };
  ReadWhile(write, [&](int, int i) {
    const int must_be_put = put_done.load(), must_be_gone = remove_done.load();
    const std::vector<std::string> ids = i % 2 == 0 ? rules.Match(text) : rules.Match(event);
    const int may_be_put = put_begun.load(), may_be_gone = remove_begun.load();
    // Nothing must be there if all that was put then may be gone by now.
    if (ids.empty()) {
      wrong += may_be_gone < must_be_put;
      return;
    }
    const int low = std::atoi(ids.front().c_str()), high = std::atoi(ids.back().c_str());
    bool right = high - low + 1 == static_cast<int>(ids.size());
    for (size_t k = 0; k < ids.size(); ++k) {
      right = right && ids[k] == std::to_string(low + static_cast<int>(k));
    }
    right = right && low > must_be_gone && low <= may_be_gone + 1;
    right = right && high >= must_be_put && high <= may_be_put;
    wrong += !right;
    ++seen;
  });
  EXPECT_EQ(wrong.load(), 0) << "of " << seen.load();
  EXPECT_GT(seen.load(), 0);
}

// A rule with a branch of each kind, and a reader that asks for one branch after the other: from
// the moment a Put() has returned all of them are there, from the moment a Remove() has returned
// none.
TEST(RuleSetConcurrencyTest, AllBranchesOfARuleComeAndGoTogether) {
  RuleSet rules;
  std::string pattern = R"({"$or":[)";
  for (int kind = 0; kind < kKinds; ++kind) pattern += (kind > 0 ? "," : "") + PatternOfKind(kind);
  pattern += "]}";
  std::vector<std::string> events;
  for (int kind = 0; kind < kKinds; ++kind) events.push_back(EventOfKind(kind));
  // Even: the rule is absent; odd: it is there; changed before a call begins and after it ended.
  std::atomic<int> begun{0}, done{0};
  std::atomic<int> wrong{0}, present{0}, absent{0};
  const auto write = [&] {
    for (int n = 1; n <= 6'000 / kThreadsScale; ++n) {
      begun.store(n);
      if (n % 2 == 1) {
        ASSERT_TRUE(rules.Put("r", pattern).ok());
      } else {
        ASSERT_TRUE(rules.Remove("r"));
      }
      done.store(n);
    }
  };
  ReadWhile(write, [&](int r, int i) {
    const int before = done.load();
    int hits = 0;
    for (int kind = 0; kind < kKinds; ++kind) {
      const size_t found = rules.Match(events[static_cast<size_t>((kind + r + i) % kKinds)]).size();
      if (found > 1) ++wrong;
      hits += found == 1;
    }
    if (begun.load() != before) return;  // it changed meanwhile
    if (before % 2 == 1 ? hits != kKinds : hits != 0) ++wrong;
    ++(before % 2 == 1 ? present : absent);
  });
  EXPECT_EQ(wrong.load(), 0) << "of " << present.load() << " and " << absent.load();
}

// Rules are replaced by others that match the event in another way: the old one or the new one,
// never both, never none.
TEST(RuleSetConcurrencyTest, AReplacedRuleIsThereExactlyOnce) {
  RuleSet rules;
  constexpr int kRules = 5;
  for (int i = 0; i < kRules; ++i) {
    ASSERT_TRUE(rules.Put(std::to_string(i), PatternOfKind(i)).ok());
  }
  const std::string text = WholeEvent();
  std::atomic<int> wrong{0}, next{kRules};
  const auto replace = [&] {
    for (int n = next++; n < 6'000 / kThreadsScale; n = next++) {
      ASSERT_TRUE(rules.Put(std::to_string(n % kRules), PatternOfKind(n)).ok());
    }
  };
  const auto write = [&] {  // two writers, which wait for each other
    std::thread other(replace);
    replace();
    other.join();
  };
  ReadWhile(write, [&](int, int) {
    int times[kRules] = {};
    const size_t found = rules.Match(text, [&times](std::string_view id) { ++times[id[0] - '0']; });
    wrong += found != kRules;
    for (const int count : times) wrong += count != 1;
  });
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(rules.Stats().rules, kRules);
}

// A replacement that changes what the rule wants, among rules that stay.
TEST(RuleSetConcurrencyTest, WhatStaysIsAlwaysFound) {
  RuleSet rules;
  const std::string text = WholeEvent();
  for (int kind = 0; kind < kKinds; ++kind) {
    ASSERT_TRUE(rules.Put("stays" + std::to_string(kind), PatternOfKind(kind)).ok());
  }
  std::atomic<int> wrong{0};
  const auto write = [&] {
    for (int n = 0; n < 4'000 / kThreadsScale; ++n) {
      // The same conditions, others on the same paths, and paths that nobody has seen.
      const std::string number = std::to_string(n % 100);
      ASSERT_TRUE(rules.Put("a" + number, PatternOfKind(n)).ok());
      ASSERT_TRUE(rules
                      .Put("b" + number, R"({"a":["y)" + number + R"("],"d":{"e":[)" + number +
                                             R"(]},"d":{"f)" + number + R"(":["z"]}})")
                      .ok());
      rules.Remove("a" + std::to_string((n + 50) % 100));
      rules.Remove("b" + std::to_string((n + 50) % 100));
    }
  };
  ReadWhile(write, [&](int, int) {
    int stays = 0;
    rules.Match(text, [&](std::string_view id) {
      stays += id.starts_with("stays");
      wrong += id.starts_with("b");
    });
    wrong += stays != kKinds;
  });
  EXPECT_EQ(wrong.load(), 0);
}

TEST(RuleSetConcurrencyTest, AttributesMeetOneMomentToo) {
  RuleSet rules(PatternLanguage::kSnsMessageAttributes);
  ASSERT_TRUE(rules.Put("r", R"({"a":["x"]})").ok());
  const Attributes message = {{"a", "x"}, {"b", AttributeValue::Number("5")}};
  std::atomic<int> wrong{0};
  const auto write = [&] {
    for (int n = 0; n < 6'000 / kThreadsScale; ++n) {
      ASSERT_TRUE(
          rules
              .Put("r", n % 2 == 0 ? R"({"b":[{"numeric":[">",4]}]})" : R"({"a":[{"prefix":"x"}]})")
              .ok());
    }
  };
  ReadWhile(write, [&](int, int) { wrong += rules.Match(message).size() != 1; });
  EXPECT_EQ(wrong.load(), 0);
}

// ---- Visits.

TEST(RuleSetConcurrencyTest, VisitorsMayChangeTheSetUnderOthersMatches) {
  RuleSet rules;
  const std::string text = WholeEvent();
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(rules.Put(std::to_string(i), PatternOfKind(i)).ok());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kReaders; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300 / kThreadsScale; ++i) {
        rules.Match(text, [&](std::string_view id) {
          const std::string copy(id);
          if ((i + t) % 3 == 0) rules.Remove(copy);
          if (!rules.Put(copy, PatternOfKind(i)).ok()) ++wrong;
          rules.Put("extra" + copy.substr(0, 2), PatternOfKind(i + 1)).IgnoreError();
          rules.Match(text, [&](std::string_view inner) { wrong += inner.empty(); });
          rules.Remove("extra" + copy.substr(0, 2));
          wrong += id != copy;  // still there, whatever became of the rule
        });
        rules.Stats();
        rules.Explain(text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

// One that is in the middle of a visit keeps nobody from writing or matching.
TEST(RuleSetConcurrencyTest, AVisitHoldsNobodyUp) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("r", R"({"a":[1]})").ok());
  std::atomic<bool> inside{false}, changed{false};
  std::thread reader([&] {
    rules.Match(R"({"a":1})", [&](std::string_view id) {
      inside.store(true);
      while (!changed.load()) std::this_thread::yield();
      EXPECT_EQ(id, "r");
    });
  });
  while (!inside.load()) std::this_thread::yield();
  for (int i = 0; i < 1'000 / kThreadsScale; ++i) {
    ASSERT_TRUE(rules.Put("r", R"({"a":[1,)" + std::to_string(i) + "]}").ok());
    ASSERT_TRUE(rules.Put("s", R"({"a":[1]})").ok());
    ASSERT_EQ(rules.Match(R"({"a":1})").size(), 2u);
    ASSERT_TRUE(rules.Remove("s"));
  }
  ASSERT_TRUE(rules.Remove("r"));
  changed.store(true);
  reader.join();
  EXPECT_EQ(rules.Stats().rules, 0);
}

// However many are inside at once, in threads and in each other's visits.
TEST(RuleSetConcurrencyTest, ThereIsRoomForManyReaders) {
  RuleSet rules;
  ASSERT_TRUE(rules.Put("r", R"({"a":[1]})").ok());
  constexpr int kThreads = 150 / kThreadsScale, kDeep = 50;
  std::atomic<int> inside{0}, left{0};
  std::atomic<bool> go_on{false};
  // `depth` more matches inside of this one.
  struct Nest {
    RuleSet& rules;
    std::atomic<int>& inside;
    std::atomic<bool>& go_on;

    size_t Match(int depth) {
      return rules.Match(R"({"a":1})", [&](std::string_view id) {
        if (depth > 0) {
          EXPECT_EQ(Match(depth - 1), 1u);
        } else {
          ++inside;
          while (!go_on.load()) std::this_thread::yield();
        }
        EXPECT_EQ(id, "r");
      });
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      EXPECT_EQ((Nest{rules, inside, go_on}.Match(kDeep)), 1u);
      ++left;
    });
  }
  while (inside.load() < kThreads) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rules.Put("r", R"({"a":[1,2]})").ok());
  EXPECT_THAT(rules.Match(R"({"a":2})"), ElementsAre("r"));
  go_on.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(left.load(), kThreads);
}

// ---- Memory.

// A writer tidies up what readers have left; give it the occasion.
int64_t MemoryAfterTidying(RuleSet& rules) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(rules.Put("tidy", R"({"a":[1]})").ok());
    EXPECT_TRUE(rules.Remove("tidy"));
  }
  return rules.Stats().memory_bytes;
}

TEST(RuleSetConcurrencyTest, MemoryComesBackWhenReadersHaveLeft) {
  RuleSet rules;
  const std::string text = WholeEvent();
  const int64_t empty = MemoryAfterTidying(rules);
  const auto write = [&] {
    for (int n = 0; n < 20'000 / kThreadsScale; ++n) {
      ASSERT_TRUE(rules
                      .Put(std::to_string(n % 50),
                           R"({"a":["x","v)" + std::to_string(n) + R"("],"b":[{"prefix":"p"}]})")
                      .ok());
    }
    for (int n = 0; n < 50; ++n) ASSERT_TRUE(rules.Remove(std::to_string(n)));
  };
  ReadWhile(write, [&](int, int) { rules.Match(text); });
  EXPECT_LE(MemoryAfterTidying(rules), empty + 100'000);
}

TEST(RuleSetConcurrencyTest, MemoryComesBackBehindALongVisit) {
  RuleSet rules;
  const int64_t empty = MemoryAfterTidying(rules);
  ASSERT_TRUE(rules.Put("r", R"({"a":[1]})").ok());
  int64_t during = 0;
  rules.Match(R"({"a":1})", [&](std::string_view id) {
    for (int n = 0; n < 5'000 / kThreadsScale; ++n) {
      ASSERT_TRUE(
          rules.Put("s", R"({"a":["a text that takes some room )" + std::to_string(n) + R"("]})")
              .ok());
    }
    during = rules.Stats().memory_bytes;
    EXPECT_EQ(id, "r");
  });
  ASSERT_TRUE(rules.Remove("r"));
  ASSERT_TRUE(rules.Remove("s"));
  EXPECT_LE(MemoryAfterTidying(rules), empty + 100'000) << "it was " << during;
}

// Sets come and go while others read theirs.
TEST(RuleSetConcurrencyTest, SetsAreIndependent) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 200 / kThreadsScale; ++i) {
        RuleSet rules;
        ASSERT_TRUE(rules.Put("r", PatternOfKind(i + t)).ok());
        EXPECT_THAT(rules.Match(WholeEvent()), ElementsAre("r"));
        RuleSet other;
        EXPECT_TRUE(other.Match(WholeEvent()).empty());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace banyan::inline v0_1
