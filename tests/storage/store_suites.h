// SPDX-License-Identifier: Apache-2.0
//
// What every implementation of a store has to do. One that is written later runs the same suites:
//
//   struct MyLeases {
//     std::unique_ptr<internal::LeaseStore> Make(int64_t leases_max);
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, LeaseStoreSuite, MyLeases);
#ifndef BANYAN_TESTS_STORAGE_STORE_SUITES_H_
#define BANYAN_TESTS_STORAGE_STORE_SUITES_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "banyan/testing/matchers.h"
#include "message/message.h"
#include "storage/dedup_window.h"
#include "storage/lease_store.h"
#include "storage/outbox.h"

namespace banyan {

// --- Leases

template <typename Maker>
class LeaseStoreSuite : public ::testing::Test {
 protected:
  std::unique_ptr<internal::LeaseStore> store_ = Maker().Make(3);
};
TYPED_TEST_SUITE_P(LeaseStoreSuite);

TYPED_TEST_P(LeaseStoreSuite, APutLeaseCanBeReadAndHasAVersion) {
  EXPECT_EQ(this->store_->Get("app", "shard-0").value(), std::nullopt);
  const auto put = this->store_->Put("app", {.key = "shard-0", .owner = "w1", .checkpoint = "17"});
  ASSERT_THAT(put, testing::IsOk());
  ASSERT_TRUE(put->has_value());
  EXPECT_NE((*put)->version, 0);
  EXPECT_EQ(this->store_->Get("app", "shard-0").value(), **put);
  EXPECT_EQ((*put)->owner, "w1");
  EXPECT_EQ((*put)->checkpoint, "17");
}

TYPED_TEST_P(LeaseStoreSuite, OfTwoThatSawTheSameVersionOneWins) {
  internal::Lease seen = this->store_->Put("app", {.key = "s"}).value().value();
  internal::Lease a = seen;
  a.owner = "a";
  internal::Lease b = seen;
  b.owner = "b";
  EXPECT_TRUE(this->store_->Put("app", a).value().has_value());
  EXPECT_FALSE(this->store_->Put("app", b).value().has_value());
  EXPECT_EQ(this->store_->Get("app", "s").value()->owner, "a");
}

TYPED_TEST_P(LeaseStoreSuite, ANewLeaseDoesNotReplaceOneThatIsThere) {
  ASSERT_TRUE(this->store_->Put("app", {.key = "s", .owner = "a"}).value().has_value());
  EXPECT_FALSE(this->store_->Put("app", {.key = "s", .owner = "b"}).value().has_value());
  EXPECT_FALSE(this->store_->Put("app", {.key = "gone", .version = 5}).value().has_value());
}

TYPED_TEST_P(LeaseStoreSuite, VersionsNeverRepeatNotEvenAfterARemove) {
  const internal::Lease first = this->store_->Put("app", {.key = "s"}).value().value();
  EXPECT_FALSE(this->store_->Remove("app", "s", first.version + 1).value());
  EXPECT_TRUE(this->store_->Remove("app", "s", first.version).value());
  EXPECT_FALSE(this->store_->Remove("app", "s", first.version).value());
  const internal::Lease second = this->store_->Put("app", {.key = "s"}).value().value();
  EXPECT_NE(second.version, first.version);
}

TYPED_TEST_P(LeaseStoreSuite, TablesAreApartAndListsAreByKey) {
  ASSERT_THAT(this->store_->Put("app", {.key = "b"}), testing::IsOk());
  ASSERT_THAT(this->store_->Put("app", {.key = "a"}), testing::IsOk());
  ASSERT_THAT(this->store_->Put("app2", {.key = "c"}), testing::IsOk());
  const std::vector<internal::Lease> leases = this->store_->List("app").value();
  ASSERT_EQ(leases.size(), 2u);
  EXPECT_EQ(leases[0].key, "a");
  EXPECT_EQ(leases[1].key, "b");
  EXPECT_THAT(this->store_->List("none").value(), ::testing::IsEmpty());
}

TYPED_TEST_P(LeaseStoreSuite, TablesAreRemovedByWhatTheirNamesBeginWith) {
  ASSERT_THAT(this->store_->Put("stream 1 app", {.key = "a"}), testing::IsOk());
  ASSERT_THAT(this->store_->Put("stream 1 other", {.key = "a"}), testing::IsOk());
  ASSERT_THAT(this->store_->Put("stream 11 app", {.key = "a"}), testing::IsOk());
  EXPECT_THAT(this->store_->RemoveTables("stream 1 "), testing::IsOk());
  EXPECT_THAT(this->store_->List("stream 1 app").value(), ::testing::IsEmpty());
  EXPECT_THAT(this->store_->List("stream 1 other").value(), ::testing::IsEmpty());
  EXPECT_THAT(this->store_->List("stream 11 app").value(), ::testing::SizeIs(1));
  EXPECT_THAT(this->store_->RemoveTables("none"), testing::IsOk());
}

TYPED_TEST_P(LeaseStoreSuite, FullItRefusesNewLeasesAndStillChangesOldOnes) {
  internal::Lease old = this->store_->Put("app", {.key = "0"}).value().value();
  ASSERT_THAT(this->store_->Put("app", {.key = "1"}), testing::IsOk());
  ASSERT_THAT(this->store_->Put("app", {.key = "2"}), testing::IsOk());
  EXPECT_THAT(this->store_->Put("app", {.key = "3"}),
              testing::StatusIs(absl::StatusCode::kResourceExhausted));
  old.owner = "w";
  EXPECT_TRUE(this->store_->Put("app", old).value().has_value());
}

TYPED_TEST_P(LeaseStoreSuite, NamelessTablesAndKeysAreRefused) {
  EXPECT_THAT(this->store_->Put("", {.key = "s"}),
              testing::StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->store_->Put("app", {}), testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

TYPED_TEST_P(LeaseStoreSuite, ThreadsThatCountByCompareAndPutLoseNoCount) {
  ASSERT_THAT(this->store_->Put("app", {.key = "s", .checkpoint = "0"}), testing::IsOk());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int done = 0; done < 200;) {
        internal::Lease lease = this->store_->Get("app", "s").value().value();
        lease.checkpoint = std::to_string(std::stoi(lease.checkpoint) + 1);
        if (this->store_->Put("app", lease).value().has_value()) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(this->store_->Get("app", "s").value()->checkpoint, "800");
}

REGISTER_TYPED_TEST_SUITE_P(LeaseStoreSuite, APutLeaseCanBeReadAndHasAVersion,
                            OfTwoThatSawTheSameVersionOneWins,
                            ANewLeaseDoesNotReplaceOneThatIsThere,
                            VersionsNeverRepeatNotEvenAfterARemove, TablesAreApartAndListsAreByKey,
                            TablesAreRemovedByWhatTheirNamesBeginWith,
                            FullItRefusesNewLeasesAndStillChangesOldOnes,
                            NamelessTablesAndKeysAreRefused,
                            ThreadsThatCountByCompareAndPutLoseNoCount);

// --- Outbox

inline internal::MessageRef MessageOf(std::string_view body) {
  internal::MessageParts parts;
  parts.body = Payload(body);
  return internal::MakeMessage(std::move(parts));
}

template <typename Maker>
class OutboxSuite : public ::testing::Test {
 protected:
  std::vector<std::string> Bodies(std::string_view partition, int64_t max = 100) {
    std::vector<std::string> bodies;
    const std::vector<internal::OutboxEntry> entries = outbox_->Read(partition, max).value();
    for (const internal::OutboxEntry& entry : entries) {
      bodies.push_back(std::to_string(entry.position) + std::string(entry.message->body.view()));
    }
    return bodies;
  }

  // Four messages, ten bytes.
  std::unique_ptr<internal::Outbox> outbox_ = Maker().Make({.messages_max = 4, .bytes_max = 10});
};
TYPED_TEST_SUITE_P(OutboxSuite);

TYPED_TEST_P(OutboxSuite, EntriesAreReadInOrderAsOftenAsOneLikes) {
  EXPECT_EQ(this->outbox_->Append("p", MessageOf("a")).value(), 1);
  EXPECT_EQ(this->outbox_->Append("p", MessageOf("b")).value(), 2);
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("1a", "2b"));
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("1a", "2b"));
  EXPECT_THAT(this->Bodies("p", 1), ::testing::ElementsAre("1a"));
  EXPECT_THAT(this->Bodies("other"), ::testing::IsEmpty());
}

TYPED_TEST_P(OutboxSuite, AdvanceForgetsAndPositionsGoOn) {
  for (const char* body : {"a", "b", "c"}) {
    ASSERT_THAT(this->outbox_->Append("p", MessageOf(body)), testing::IsOk());
  }
  ASSERT_THAT(this->outbox_->Advance("p", 2), testing::IsOk());
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("3c"));
  ASSERT_THAT(this->outbox_->Advance("p", 1), testing::IsOk()) << "the past is no error";
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("3c"));
  ASSERT_THAT(this->outbox_->Advance("p", 3), testing::IsOk());
  EXPECT_EQ(this->outbox_->Append("p", MessageOf("d")).value(), 4);
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("4d"));
}

TYPED_TEST_P(OutboxSuite, TheFutureCannotBeDone) {
  EXPECT_THAT(this->outbox_->Advance("p", 1), testing::StatusIs(absl::StatusCode::kOutOfRange));
  ASSERT_THAT(this->outbox_->Append("p", MessageOf("a")), testing::IsOk());
  EXPECT_THAT(this->outbox_->Advance("p", 2), testing::StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(this->Bodies("p"), ::testing::ElementsAre("1a"));
}

TYPED_TEST_P(OutboxSuite, PartitionsHaveCursorsOfTheirOwn) {
  ASSERT_THAT(this->outbox_->Append("q", MessageOf("x")), testing::IsOk());
  ASSERT_THAT(this->outbox_->Append("p", MessageOf("a")), testing::IsOk());
  EXPECT_THAT(this->outbox_->Partitions().value(), ::testing::ElementsAre("p", "q"));
  ASSERT_THAT(this->outbox_->Advance("p", 1), testing::IsOk());
  EXPECT_THAT(this->Bodies("q"), ::testing::ElementsAre("1x"));
  EXPECT_THAT(this->outbox_->Partitions().value(), ::testing::ElementsAre("q"));
}

TYPED_TEST_P(OutboxSuite, FullInMessagesOrBytesItAddsNothingUntilThereIsRoom) {
  EXPECT_THAT(this->outbox_->Append("p", MessageOf("eleven bytes")),
              testing::StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_THAT(this->outbox_->Append("p", MessageOf("eight...")), testing::IsOk());
  EXPECT_THAT(this->outbox_->Append("q", MessageOf("xyz")),
              testing::StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(this->outbox_->Depth(), (internal::OutboxDepth{.messages = 1, .bytes = 8}));
  ASSERT_THAT(this->outbox_->Advance("p", 1), testing::IsOk());
  EXPECT_EQ(this->outbox_->Depth(), internal::OutboxDepth{});
  for (int i = 0; i < 4; ++i) {
    ASSERT_THAT(this->outbox_->Append("q", MessageOf("x")), testing::IsOk());
  }
  EXPECT_THAT(this->outbox_->Append("q", MessageOf("x")),
              testing::StatusIs(absl::StatusCode::kResourceExhausted));
}

TYPED_TEST_P(OutboxSuite, BadArgumentsAreRefused) {
  EXPECT_THAT(this->outbox_->Append("", MessageOf("a")),
              testing::StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->outbox_->Append("p", internal::MessageRef()),
              testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

TYPED_TEST_P(OutboxSuite, OneSendsWhileAnotherAppends) {
  constexpr int64_t kCount = 2'000;
  std::thread writer([this] {
    for (int64_t i = 0; i < kCount;) {
      if (this->outbox_->Append("p", MessageOf("x")).ok()) ++i;  // else full: the reader is behind
    }
  });
  int64_t last = 0;
  while (last < kCount) {
    const std::vector<internal::OutboxEntry> entries = this->outbox_->Read("p", 3).value();
    for (const internal::OutboxEntry& entry : entries) {
      ASSERT_EQ(entry.position, last + 1);
      last = entry.position;
      ASSERT_THAT(this->outbox_->Advance("p", last), testing::IsOk());
    }
  }
  writer.join();
  EXPECT_EQ(this->outbox_->Depth(), internal::OutboxDepth{});
}

REGISTER_TYPED_TEST_SUITE_P(OutboxSuite, EntriesAreReadInOrderAsOftenAsOneLikes,
                            AdvanceForgetsAndPositionsGoOn, TheFutureCannotBeDone,
                            PartitionsHaveCursorsOfTheirOwn,
                            FullInMessagesOrBytesItAddsNothingUntilThereIsRoom,
                            BadArgumentsAreRefused, OneSendsWhileAnotherAppends);

// --- Dedup window

template <typename Maker>
class DedupWindowSuite : public ::testing::Test {
 protected:
  // The first of `key` at `second`, for five minutes; the id says which call it was.
  absl::StatusOr<std::optional<internal::FirstSeen>> Remember(std::string_view key, int64_t second,
                                                              uint64_t id) {
    const int64_t ns = second * 1'000'000'000;
    return window_->Remember(key, {.message_id = {.hi = id, .lo = 1}, .sequence = id},
                             {.uptime_ns = ns, .unix_ns = ns}, absl::Minutes(5));
  }

  std::unique_ptr<internal::DedupWindow> window_ = Maker().Make(3);
};
TYPED_TEST_SUITE_P(DedupWindowSuite);

TYPED_TEST_P(DedupWindowSuite, ADuplicateIsAnsweredWithTheFirst) {
  EXPECT_FALSE(this->Remember("k", 0, 1).value().has_value());
  const auto duplicate = this->Remember("k", 299, 2).value();
  ASSERT_TRUE(duplicate.has_value());
  EXPECT_EQ(duplicate->message_id.hi, 1u);
  EXPECT_EQ(duplicate->sequence, 1u);
  EXPECT_FALSE(this->Remember("other", 299, 3).value().has_value());
}

TYPED_TEST_P(DedupWindowSuite, TheWindowRunsFromTheFirstAndDuplicatesDoNotProlongIt) {
  EXPECT_FALSE(this->Remember("k", 0, 1).value().has_value());
  EXPECT_TRUE(this->Remember("k", 200, 2).value().has_value());
  EXPECT_TRUE(this->Remember("k", 299, 3).value().has_value());
  EXPECT_FALSE(this->Remember("k", 300, 4).value().has_value()) << "its five minutes are over";
  EXPECT_EQ(this->Remember("k", 301, 5).value()->sequence, 4u);
}

TYPED_TEST_P(DedupWindowSuite, FullItRefusesNewKeysAndForgetsNoneEarly) {
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(this->Remember(std::to_string(i), 10, i).value().has_value());
  }
  EXPECT_THAT(this->Remember("one more", 11, 9),
              testing::StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(this->Remember("0", 11, 9).value().has_value()) << "duplicates need no room";
  EXPECT_FALSE(this->Remember("one more", 310, 9).value().has_value());
  EXPECT_EQ(this->window_->size(), 1);
}

TYPED_TEST_P(DedupWindowSuite, ClearMakesEveryKeyNew) {
  EXPECT_FALSE(this->Remember("k", 0, 1).value().has_value());
  this->window_->Clear();
  EXPECT_EQ(this->window_->size(), 0);
  EXPECT_FALSE(this->Remember("k", 1, 2).value().has_value());
}

TYPED_TEST_P(DedupWindowSuite, AWindowWithoutLengthIsRefused) {
  EXPECT_THAT(this->window_->Remember("k", {}, {}, absl::ZeroDuration()),
              testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

TYPED_TEST_P(DedupWindowSuite, WindowsOfDifferentLengthEndEachInItsTime) {
  const auto remember = [this](std::string_view key, int64_t second, absl::Duration length) {
    const int64_t ns = second * 1'000'000'000;
    return this->window_->Remember(key, {}, {.uptime_ns = ns, .unix_ns = ns}, length)
        .value()
        .has_value();
  };
  EXPECT_FALSE(remember("long", 0, absl::Minutes(5)));
  EXPECT_FALSE(remember("short", 1, absl::Seconds(5)));
  EXPECT_FALSE(remember("short", 6, absl::Seconds(5)));
  EXPECT_TRUE(remember("long", 6, absl::Minutes(5)));
}

TYPED_TEST_P(DedupWindowSuite, OfManyThreadsOneIsFirst) {
  for (int round = 0; round < 3; ++round) {
    const std::string key = std::to_string(round);
    std::atomic<int> firsts{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        if (!this->Remember(key, 1, 1).value().has_value()) ++firsts;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(firsts, 1);
  }
}

REGISTER_TYPED_TEST_SUITE_P(DedupWindowSuite, ADuplicateIsAnsweredWithTheFirst,
                            TheWindowRunsFromTheFirstAndDuplicatesDoNotProlongIt,
                            FullItRefusesNewKeysAndForgetsNoneEarly, ClearMakesEveryKeyNew,
                            AWindowWithoutLengthIsRefused, WindowsOfDifferentLengthEndEachInItsTime,
                            OfManyThreadsOneIsFirst);

}  // namespace banyan

#endif  // BANYAN_TESTS_STORAGE_STORE_SUITES_H_
