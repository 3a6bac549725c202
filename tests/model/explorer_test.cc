// SPDX-License-Identifier: Apache-2.0
//
// The explorer tried on the small programs by which memory models are told apart: it must find
// every outcome that C++ allows (but those it says it does not model) and none that C++ forbids.
#include "explorer.h"

#include <functional>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::model {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr Order kRelaxed = Order::kRelaxed;
constexpr Order kAcquire = Order::kAcquire;
constexpr Order kRelease = Order::kRelease;
constexpr Order kAcqRel = Order::kAcqRel;
constexpr Order kSeqCst = Order::kSeqCst;

using Values = std::vector<Value>;

// --- Threads of two steps ------------------------------------------------------------------------

Task<> StoreOnce(World* w, Atomic a, Value value, Order order) {
  co_await w->Store(a, value, order);
}

Task<> StoreStore(World* w, Atomic a, Value va, Order oa, Atomic b, Value vb, Order ob) {
  co_await w->Store(a, va, oa);
  co_await w->Store(b, vb, ob);
}

Task<> StoreLoad(World* w, Atomic a, Order oa, Atomic b, Order ob, Value* seen) {
  co_await w->Store(a, 1, oa);
  *seen = co_await w->Load(b, ob);
}

Task<> ExchangeLoad(World* w, Atomic a, Order oa, Atomic b, Order ob, Value* seen) {
  co_await w->Exchange(a, 1, oa);
  *seen = co_await w->Load(b, ob);
}

Task<> LoadStore(World* w, Atomic a, Atomic b, Value* seen) {
  *seen = co_await w->Load(a, kRelaxed);
  co_await w->Store(b, 1, kRelaxed);
}

Task<> LoadLoad(World* w, Atomic a, Order oa, Atomic b, Order ob, Value* seen) {
  seen[0] = co_await w->Load(a, oa);
  seen[1] = co_await w->Load(b, ob);
}

Task<> AddOnce(World* w, Atomic a, Order order, Value* old) {
  *old = co_await w->FetchAdd(a, 1, order);
}

Task<> CompareExchangeOnce(World* w, Atomic a, Value desired, Value* won) {
  Value expected = 0;
  *won = co_await w->CompareExchange(a, &expected, desired, kRelaxed, kRelaxed);
}

// Writes plain data, then says so.
Task<> WriteThenStore(World* w, Plain data, Atomic flag, Order order) {
  w->Write(data, 7);
  co_await w->Store(flag, 1, order);
}

// Reads plain data once `flag` has come to `value`.
Task<> ReadAfter(World* w, Plain data, Atomic flag, Value value, Order order) {
  const Value seen = co_await w->Load(flag, order);
  if (seen == value) w->Check(w->Read(data) == 7, "old data");
}

Task<> LoadThenTell(World* w, Atomic data, Order order, Atomic told, Value* seen) {
  *seen = co_await w->Load(data, order);
  co_await w->Store(told, 1, kRelease);
}

Task<> ReadThenLeave(World* w, Plain data, Atomic holders, Order order) {
  w->Read(data);
  co_await w->FetchAdd(holders, -1, order);
}

Task<> WriteIfLeft(World* w, Plain data, Atomic holders, Order order) {
  const Value seen = co_await w->Load(holders, order);
  if (seen == 0) w->Write(data, 1);
}

Task<> WriteLocked(World* w, Mutex mutex, Plain data) {
  co_await w->Lock(mutex);
  w->Write(data, w->Read(data) + 1);
  w->Unlock(mutex);
}

Task<> LockBoth(World* w, Mutex first, Mutex second) {
  co_await w->Lock(first);
  co_await w->Lock(second);
  w->Unlock(second);
  w->Unlock(first);
}

// --- What a program can end with -----------------------------------------------------------------

Task<> Record(Values* seen, std::set<Values>* outcomes) {
  outcomes->insert(*seen);
  co_return;
}

Task<> RecordNewest(World* w, Atomic a, Atomic b, std::set<Values>* outcomes) {
  const Value newest_a = co_await w->Load(a, kRelaxed);
  const Value newest_b = co_await w->Load(b, kRelaxed);
  outcomes->insert({newest_a, newest_b});
}

// The values that the threads of `program` can leave in an array of n.
std::set<Values> Outcomes(size_t n, const std::function<void(World*, Value*)>& program) {
  std::set<Values> outcomes;
  const Outcome outcome = Explorer::Explore([&](World* w) {
    Values& seen = w->Make<Values>(n);
    program(w, seen.data());
    w->Finally(Record(&seen, &outcomes));
  });
  EXPECT_TRUE(outcome.passed()) << outcome.failure;
  return outcomes;
}

// --- Message passing -----------------------------------------------------------------------------

std::set<Values> MessagePassing(Order store, Order load) {
  return Outcomes(2, [=](World* w, Value* seen) {
    const Atomic data = w->NewAtomic("data");
    const Atomic flag = w->NewAtomic("flag");
    w->Spawn("writer", StoreStore(w, data, 1, kRelaxed, flag, 1, store));
    w->Spawn("reader", LoadLoad(w, flag, load, data, kRelaxed, seen));
  });
}

TEST(Explorer, ReleaseAndAcquirePassAMessage) {
  EXPECT_THAT(MessagePassing(kRelease, kAcquire),
              UnorderedElementsAre(Values{0, 0}, Values{0, 1}, Values{1, 1}));
}

TEST(Explorer, WithoutEitherTheMessageMayBeMissed) {
  EXPECT_THAT(MessagePassing(kRelaxed, kAcquire), Contains(Values{1, 0}));
  EXPECT_THAT(MessagePassing(kRelease, kRelaxed), Contains(Values{1, 0}));
}

TEST(Explorer, WhatOneHasReadItPassesOn) {
  const auto three = [](Order middle) {
    return Outcomes(3, [=](World* w, Value* seen) {
      const Atomic data = w->NewAtomic("data");
      const Atomic told = w->NewAtomic("told");
      w->Spawn("writer", StoreOnce(w, data, 1, kRelease));
      w->Spawn("teller", LoadThenTell(w, data, middle, told, seen));
      w->Spawn("reader", LoadLoad(w, told, kAcquire, data, kRelaxed, seen + 1));
    });
  };
  // By coherence alone: what the teller has read, whoever acquires from it cannot unread.
  EXPECT_THAT(three(kAcquire), Not(Contains(Values{1, 1, 0})));
  EXPECT_THAT(three(kRelaxed), Not(Contains(Values{1, 1, 0})));
  EXPECT_THAT(three(kRelaxed), Contains(Values{0, 1, 0}));
}

// --- Store buffering, and the order of seq_cst ---------------------------------------------------

std::set<Values> StoreBuffering(Order store_1, Order load_1, Order store_2, Order load_2) {
  return Outcomes(2, [=](World* w, Value* seen) {
    const Atomic x = w->NewAtomic("x");
    const Atomic y = w->NewAtomic("y");
    w->Spawn("one", StoreLoad(w, x, store_1, y, load_1, seen));
    w->Spawn("two", StoreLoad(w, y, store_2, x, load_2, seen + 1));
  });
}

TEST(Explorer, StoresAreBufferedUnlessAllIsSeqCst) {
  EXPECT_THAT(StoreBuffering(kSeqCst, kSeqCst, kSeqCst, kSeqCst),
              UnorderedElementsAre(Values{0, 1}, Values{1, 0}, Values{1, 1}));
  const Values both_missed = {0, 0};
  EXPECT_THAT(StoreBuffering(kRelease, kAcquire, kRelease, kAcquire), Contains(both_missed));
  EXPECT_THAT(StoreBuffering(kRelease, kSeqCst, kSeqCst, kSeqCst), Contains(both_missed));
  EXPECT_THAT(StoreBuffering(kSeqCst, kAcquire, kSeqCst, kSeqCst), Contains(both_missed));
}

TEST(Explorer, AnExchangeIsNotAFence) {
  const auto exchanged = [](Order order) {
    return Outcomes(2, [=](World* w, Value* seen) {
      const Atomic x = w->NewAtomic("x");
      const Atomic y = w->NewAtomic("y");
      w->Spawn("one", ExchangeLoad(w, x, order, y, kSeqCst, seen));
      w->Spawn("two", ExchangeLoad(w, y, kSeqCst, x, kSeqCst, seen + 1));
    });
  };
  EXPECT_THAT(exchanged(kSeqCst), Not(Contains(Values{0, 0})));
  EXPECT_THAT(exchanged(kAcqRel), Contains(Values{0, 0}));
}

TEST(Explorer, ReadersOfTwoLocationsAgreeOnlyInSeqCst) {
  const auto independent = [](Order store, Order load) {
    return Outcomes(4, [=](World* w, Value* seen) {
      const Atomic x = w->NewAtomic("x");
      const Atomic y = w->NewAtomic("y");
      w->Spawn("x", StoreOnce(w, x, 1, store));
      w->Spawn("y", StoreOnce(w, y, 1, store));
      w->Spawn("one", LoadLoad(w, x, load, y, load, seen));
      w->Spawn("two", LoadLoad(w, y, load, x, load, seen + 2));
    });
  };
  EXPECT_THAT(independent(kRelease, kAcquire), Contains(Values{1, 0, 1, 0}));
  const std::set<Values> agreed = independent(kSeqCst, kSeqCst);
  EXPECT_THAT(agreed, Not(Contains(Values{1, 0, 1, 0})));
  EXPECT_EQ(agreed.size(), 15u);  // all others
}

// --- One location --------------------------------------------------------------------------------

TEST(Explorer, ALocationHasOneOrderEvenWhenRelaxed) {
  const std::set<Values> outcomes = Outcomes(4, [](World* w, Value* seen) {
    const Atomic x = w->NewAtomic("x");
    w->Spawn("one", StoreOnce(w, x, 1, kRelaxed));
    w->Spawn("two", StoreOnce(w, x, 2, kRelaxed));
    w->Spawn("reader", LoadLoad(w, x, kRelaxed, x, kRelaxed, seen));
    w->Spawn("other reader", LoadLoad(w, x, kRelaxed, x, kRelaxed, seen + 2));
  });
  EXPECT_THAT(outcomes, Contains(Values{1, 2, 1, 2}));
  EXPECT_THAT(outcomes, Contains(Values{2, 1, 2, 1}));
  EXPECT_THAT(outcomes, Not(Contains(Values{1, 2, 2, 1})));
  EXPECT_THAT(outcomes, Not(Contains(Values{1, 0, 0, 0})));
}

// A store may come before another that was run earlier: both locations can end with the value that
// its writer wrote first.
TEST(Explorer, TwoLocationsNeedNotAgreeOnTheOrderOfTheirStores) {
  const auto newest = [](Order order) {
    std::set<Values> outcomes;
    const Outcome outcome = Explorer::Explore([&](World* w) {
      const Atomic x = w->NewAtomic("x");
      const Atomic y = w->NewAtomic("y");
      w->Spawn("one", StoreStore(w, x, 1, order, y, 2, order));
      w->Spawn("two", StoreStore(w, y, 1, order, x, 2, order));
      w->Finally(RecordNewest(w, x, y, &outcomes));
    });
    EXPECT_TRUE(outcome.passed());
    return outcomes;
  };
  EXPECT_THAT(newest(kRelease),
              UnorderedElementsAre(Values{1, 1}, Values{1, 2}, Values{2, 1}, Values{2, 2}));
  EXPECT_THAT(newest(kSeqCst), UnorderedElementsAre(Values{1, 2}, Values{2, 1}, Values{2, 2}));
}

TEST(Explorer, LoadBufferingIsNotModelled) {
  const std::set<Values> outcomes = Outcomes(2, [](World* w, Value* seen) {
    const Atomic x = w->NewAtomic("x");
    const Atomic y = w->NewAtomic("y");
    w->Spawn("one", LoadStore(w, x, y, seen));
    w->Spawn("two", LoadStore(w, y, x, seen + 1));
  });
  EXPECT_THAT(outcomes, UnorderedElementsAre(Values{0, 0}, Values{0, 1}, Values{1, 0}));
}

// --- Read-modify-writes --------------------------------------------------------------------------

TEST(Explorer, NoTwoReadModifyWritesTakeTheSameWrite) {
  const std::set<Values> outcomes = Outcomes(3, [](World* w, Value* seen) {
    const Atomic x = w->NewAtomic("x");
    for (int i = 0; i < 3; ++i) w->Spawn("adder", AddOnce(w, x, kRelaxed, seen + i));
  });
  EXPECT_THAT(outcomes, UnorderedElementsAre(Values{0, 1, 2}, Values{0, 2, 1}, Values{1, 0, 2},
                                             Values{1, 2, 0}, Values{2, 0, 1}, Values{2, 1, 0}));
}

TEST(Explorer, OneCompareExchangeWins) {
  EXPECT_THAT(Outcomes(2,
                       [](World* w, Value* seen) {
                         const Atomic x = w->NewAtomic("x");
                         w->Spawn("one", CompareExchangeOnce(w, x, 1, seen));
                         w->Spawn("two", CompareExchangeOnce(w, x, 2, seen + 1));
                       }),
              UnorderedElementsAre(Values{0, 1}, Values{1, 0}));
}

TEST(Explorer, AStoreDoesNotComeBetweenAReadModifyWriteAndWhatItTook) {
  std::set<Values> outcomes;
  const Outcome outcome = Explorer::Explore([&](World* w) {
    const Atomic x = w->NewAtomic("x");
    const Atomic unused = w->NewAtomic("unused");
    Values& seen = w->Make<Values>(1);
    w->Spawn("adder", AddOnce(w, x, kRelaxed, seen.data()));
    w->Spawn("storer", StoreOnce(w, x, 10, kRelaxed));
    w->Finally(RecordNewest(w, x, unused, &outcomes));
  });
  EXPECT_TRUE(outcome.passed());
  // 0, 1, 10 and 0, 10, 11; not 0, 10, 1.
  EXPECT_THAT(outcomes, UnorderedElementsAre(Values{10, 0}, Values{11, 0}));
}

// --- Races ---------------------------------------------------------------------------------------

std::string FailureOf(const Program& program) {
  const Outcome outcome = Explorer::Explore(program);
  EXPECT_TRUE(outcome.complete);
  return outcome.failure;
}

TEST(Explorer, AReadModifyWriteContinuesAReleaseSequenceAndAStoreEndsIt) {
  const auto through = [](bool by_store) {
    return FailureOf([=](World* w) {
      const Plain data = w->NewPlain("data");
      const Atomic flag = w->NewAtomic("flag");
      Values& seen = w->Make<Values>(1);
      w->Spawn("writer", WriteThenStore(w, data, flag, kRelease));
      w->Spawn("middle", by_store ? StoreOnce(w, flag, 2, kRelaxed)
                                  : AddOnce(w, flag, kRelaxed, seen.data()));
      w->Spawn("reader", ReadAfter(w, data, flag, 2, kAcquire));
    });
  };
  EXPECT_THAT(through(false), IsEmpty());
  EXPECT_THAT(through(true), HasSubstr("data race: reader reads data, written by writer"));
}

TEST(Explorer, FindsDataRaces) {
  const auto passed = [](Order store, Order load) {
    return FailureOf([=](World* w) {
      const Plain data = w->NewPlain("data");
      const Atomic flag = w->NewAtomic("flag");
      w->Spawn("writer", WriteThenStore(w, data, flag, store));
      w->Spawn("reader", ReadAfter(w, data, flag, 1, load));
    });
  };
  EXPECT_THAT(passed(kRelease, kAcquire), IsEmpty());
  EXPECT_THAT(passed(kSeqCst, kSeqCst), IsEmpty());
  EXPECT_THAT(passed(kRelaxed, kAcquire), HasSubstr("data race"));
  EXPECT_THAT(passed(kRelease, kRelaxed), HasSubstr("data race"));
}

// The reader is done before the writer begins, but does not say so in a way that counts.
TEST(Explorer, FindsAWriteThatRacesWithAnEarlierRead) {
  const auto handed_back = [](Order done, Order look) {
    return FailureOf([=](World* w) {
      const Plain data = w->NewPlain("data");
      const Atomic holders = w->NewAtomic("holders", 1);
      w->Spawn("reader", ReadThenLeave(w, data, holders, done));
      w->Spawn("writer", WriteIfLeft(w, data, holders, look));
    });
  };
  EXPECT_THAT(handed_back(kRelease, kAcquire), IsEmpty());
  EXPECT_THAT(handed_back(kRelaxed, kAcquire), HasSubstr("writer writes data, read by reader"));
  EXPECT_THAT(handed_back(kRelease, kRelaxed), HasSubstr("writer writes data, read by reader"));
}

// --- Mutexes -------------------------------------------------------------------------------------

Task<> ExpectValue(World* w, Plain data, Value value) {
  w->Check(w->Read(data) == value, "a lost update");
  co_return;
}

TEST(Explorer, AMutexOrdersWhatItGuards) {
  EXPECT_THAT(FailureOf([](World* w) {
                const Mutex mutex = w->NewMutex();
                const Plain data = w->NewPlain("data");
                for (int i = 0; i < 3; ++i) w->Spawn("adder", WriteLocked(w, mutex, data));
                w->Finally(ExpectValue(w, data, 3));
              }),
              IsEmpty());
  EXPECT_THAT(FailureOf([](World* w) {
                const Mutex mine = w->NewMutex();
                const Mutex yours = w->NewMutex();
                const Plain data = w->NewPlain("data");
                w->Spawn("one", WriteLocked(w, mine, data));
                w->Spawn("two", WriteLocked(w, yours, data));
              }),
              HasSubstr("data race"));
}

TEST(Explorer, FindsDeadlocks) {
  EXPECT_THAT(FailureOf([](World* w) {
                const Mutex a = w->NewMutex();
                const Mutex b = w->NewMutex();
                w->Spawn("one", LockBoth(w, a, b));
                w->Spawn("two", LockBoth(w, b, a));
              }),
              HasSubstr("deadlock"));
}

TEST(Explorer, SaysWhichStepsLedToAFailure) {
  const Outcome outcome = Explorer::Explore([](World* w) {
    const Plain data = w->NewPlain("data");
    const Atomic flag = w->NewAtomic("flag");
    w->Spawn("writer", WriteThenStore(w, data, flag, kRelaxed));
    w->Spawn("reader", ReadAfter(w, data, flag, 1, kAcquire));
  });
  EXPECT_THAT(outcome.trace, HasSubstr("writer: flag = 1 relaxed\n  reader: flag: 1, acquire\n"));
}

TEST(Explorer, SaysThatItGaveUp) {
  const Outcome outcome = Explorer::Explore(
      [](World* w) {
        const Atomic x = w->NewAtomic("x");
        Values& seen = w->Make<Values>(3);
        for (int i = 0; i < 3; ++i) w->Spawn("adder", AddOnce(w, x, kRelaxed, &seen[size_t(i)]));
      },
      2);
  EXPECT_FALSE(outcome.complete);
  EXPECT_FALSE(outcome.passed());
}

}  // namespace
}  // namespace banyan::model
