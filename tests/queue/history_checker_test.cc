// SPDX-License-Identifier: Apache-2.0
//
// The checker of histories must be able to complain: each test breaks one promise in a small
// history that is right but for that, and looks for the number of the promise.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "history.h"

namespace banyan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A history of one step after the other; each takes two ticks of the counter.
class HistoryChecker : public ::testing::Test {
 protected:
  Span Next() {
    const int64_t start = ++counter_;
    return {start, ++counter_, now_, now_};
  }
  // A step that begins with the latest one and ends with the next: nobody knows which was first.
  Span Beside(const Span& other) { return {other.start - 1, ++counter_, now_, now_}; }

  void Send(uint64_t id, const std::string& group = "") {
    ++history_.books.accepted;
    const std::string name = "m" + std::to_string(id);
    history_.sent.push_back({Next(), 0, name, group, name, Id{0, id}, id});
  }
  // Several in one receive.
  void Receive(const std::vector<uint64_t>& ids, int64_t count = 1) {
    const Span span = Next();
    int64_t entry = 0;
    for (const uint64_t id : ids) {
      ++history_.books.received;
      history_.received.push_back({span, entry++, absl::Seconds(30), "m" + std::to_string(id),
                                   Id{0, id}, Receipt(id, count), count});
    }
  }
  void Delete(uint64_t id, int64_t count = 1) {
    history_.deleted.push_back({Next(), Receipt(id, count), absl::ZeroDuration()});
    history_.books.deleted = history_.books.accepted;
  }
  void Change(uint64_t id, absl::Duration visibility, int64_t count = 1) {
    history_.changed.push_back({Next(), Receipt(id, count), visibility});
  }
  void Pass(absl::Duration d) { now_ += d; }
  static std::string Receipt(uint64_t id, int64_t count) {
    return std::to_string(id) + "/" + std::to_string(count);
  }

  // The promises broken.
  std::vector<std::string> Broken() {
    std::vector<std::string> numbers;
    for (const std::string& fault : FindFaults(history_)) {
      const std::string number = fault.substr(0, 2);
      if (numbers.empty() || numbers.back() != number) numbers.push_back(number);
    }
    return numbers;
  }

  History history_;

 private:
  int64_t counter_ = 0;
  absl::Duration now_ = absl::ZeroDuration();
};

TEST_F(HistoryChecker, BelievesACorrectHistory) {
  Send(1);
  Send(2);
  Receive({1, 2});
  Delete(1);
  Change(2, absl::ZeroDuration());
  Receive({2}, 2);
  Pass(absl::Seconds(30));
  Receive({2}, 3);
  Delete(2, 2);  // a stale receipt
  Delete(2, 3);
  Delete(2, 3);
  EXPECT_THAT(FindFaults(history_), IsEmpty());
}

TEST_F(HistoryChecker, FindsAnInventedMessage) {
  Receive({7});
  EXPECT_THAT(Broken(), Contains("H1"));
}

TEST_F(HistoryChecker, FindsAnotherBody) {
  Send(1);
  Receive({1});
  Delete(1);
  history_.received[0].body = "m2";
  EXPECT_THAT(Broken(), ElementsAre("H1"));
}

TEST_F(HistoryChecker, FindsAnAttemptThatWasNotCounted) {
  Send(1);
  Receive({1}, 2);
  Delete(1, 2);
  EXPECT_THAT(Broken(), Contains("H1"));
}

TEST_F(HistoryChecker, FindsAReceiptGivenTwice) {
  Send(1);
  Send(2);
  Receive({1, 2});
  Delete(1);
  Delete(2);
  history_.received[1].receipt = history_.received[0].receipt;
  EXPECT_THAT(Broken(), Contains("H2"));
}

TEST_F(HistoryChecker, FindsADeliveryWhileTheMessageIsHidden) {
  Send(1);
  Receive({1});
  Pass(absl::Seconds(30) - absl::Nanoseconds(1));
  Receive({1}, 2);
  Delete(1, 2);
  EXPECT_THAT(Broken(), ElementsAre("H3"));
}

TEST_F(HistoryChecker, FindsADeliveryInAnExtendedTimeout) {
  Send(1);
  Receive({1});
  Change(1, absl::Seconds(60));
  Pass(absl::Seconds(59));
  Receive({1}, 2);
  Delete(1, 2);
  EXPECT_THAT(Broken(), ElementsAre("H3"));
}

TEST_F(HistoryChecker, ExcusesADeliveryBesideAChangeThatMayHaveComeFirst) {
  Send(1);
  Receive({1});
  Receive({1}, 2);
  Delete(1, 2);
  ASSERT_THAT(Broken(), ElementsAre("H3"));
  history_.changed.push_back(
      {Beside(history_.received[1].span), Receipt(1, 1), absl::ZeroDuration()});
  EXPECT_THAT(Broken(), IsEmpty());
}

TEST_F(HistoryChecker, FindsADeliveryAfterADelete) {
  Send(1);
  Receive({1});
  Delete(1);
  Pass(absl::Seconds(30));
  Receive({1}, 2);
  Delete(1, 2);
  EXPECT_THAT(Broken(), ElementsAre("H4"));
}

TEST_F(HistoryChecker, FindsALostMessage) {
  Send(1);
  Send(2);
  Receive({1});
  Delete(1);
  EXPECT_THAT(FindFaults(history_), ElementsAre("H5: m2 is lost"));
}

TEST_F(HistoryChecker, FindsAMessageThatVanishedAfterItsReceive) {
  Send(1);
  Receive({1});
  history_.books.deleted = 1;
  EXPECT_THAT(Broken(), ElementsAre("H5"));
}

TEST_F(HistoryChecker, FindsAnOvertakingInAGroup) {
  history_.fifo = true;
  Send(1, "g");
  Send(2, "g");
  Receive({1});
  Receive({2});  // while 1 is in flight
  Delete(1);
  Delete(2);
  EXPECT_THAT(FindFaults(history_), ElementsAre(StartsWith("H6: m2 overtook")));
}

TEST_F(HistoryChecker, FindsAnOvertakingInOneReceive) {
  history_.fifo = true;
  Send(1, "g");
  Send(2, "g");
  Send(3, "h");
  Receive({3, 2, 1});
  for (const uint64_t id : {1u, 2u, 3u}) Delete(id);
  EXPECT_THAT(Broken(), ElementsAre("H6"));
}

TEST_F(HistoryChecker, FindsAGapInOneReceive) {
  history_.fifo = true;
  for (const uint64_t id : {1u, 2u, 3u}) Send(id, "g");
  Receive({1, 3});
  Delete(1);
  Delete(3);
  Receive({2});
  Delete(2);
  EXPECT_THAT(Broken(), ElementsAre("H6"));
}

TEST_F(HistoryChecker, BelievesGroupsThatPassEachOther) {
  history_.fifo = true;
  Send(1, "g");
  Send(2, "h");
  Send(3, "g");
  Receive({2});
  Receive({1, 3});
  for (const uint64_t id : {3u, 1u, 2u}) Delete(id);
  EXPECT_THAT(FindFaults(history_), IsEmpty());
}

TEST_F(HistoryChecker, FindsANumberThatFalls) {
  history_.fifo = true;
  Send(2, "g");
  Send(1, "g");
  Receive({1, 2});
  Delete(1);
  Delete(2);
  EXPECT_THAT(Broken(), Contains("H6"));
}

TEST_F(HistoryChecker, FindsTwoAnswersToOneDeduplicationId) {
  history_.fifo = true;
  Send(1, "g");
  Send(2, "g");
  history_.sent[1].deduplication_id = "m1";
  Receive({1, 2});
  Delete(1);
  Delete(2);
  EXPECT_THAT(Broken(), ElementsAre("H7"));
}

TEST_F(HistoryChecker, FindsBooksThatDoNotAgree) {
  Send(1);
  Receive({1});
  Delete(1);
  for (int64_t* entry :
       {&history_.books.accepted, &history_.books.received, &history_.books.deleted,
        &history_.books.duplicates, &history_.books.depth.visible}) {
    ++*entry;
    EXPECT_THAT(Broken(), ElementsAre("H8"));
    --*entry;
  }
  EXPECT_THAT(Broken(), IsEmpty());
}

}  // namespace
}  // namespace banyan
