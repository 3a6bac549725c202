// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 5 and spec/topics.md 6: retries, limits, dead letters, books.
#include "deliver/courier.h"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "deliver_testing.h"
#include "gmock/gmock.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Status kBusy = absl::UnavailableError("busy");
const absl::Status kGone = absl::NotFoundError("gone");

class CourierTest : public ::testing::Test {
 protected:
  CourierTest() { env_->log = &log_; }

  std::shared_ptr<Courier> Make(RetryPolicy retry, bool with_dead_letter) {
    CourierPlan plan = {.destination = sink_,
                        .retry = retry,
                        .source_arn = "arn:aws:events:us-east-1:000000000000:rule/r",
                        .dead_letter = nullptr,
                        .dead_letter_form = nullptr};
    if (with_dead_letter) {
      plan.dead_letter = dead_;
      plan.dead_letter_form = [this](const Delivery& delivery, const GivenUp& why) {
        given_up_.push_back(why);
        return delivery;
      };
    }
    return Courier::Create(env_, std::move(plan));
  }

  void Deliver(Courier& courier, std::string_view body = "m") {
    Delivery delivery = {.message = MakeTestMessage(*env_, body)};
    courier.Deliver(delivery);
  }

  testing::SimulatedRuntime runtime_;
  RecordingLog log_;
  std::shared_ptr<Environment> env_ =
      std::make_shared<Environment>(runtime_, Limits::Aws(), /*id_seed=*/1);
  std::shared_ptr<ScriptedSink> sink_ = std::make_shared<ScriptedSink>();
  std::shared_ptr<ScriptedSink> dead_ = std::make_shared<ScriptedSink>();
  std::vector<GivenUp> given_up_;
};

TEST_F(CourierTest, AnOkAtOnceIsDelivered) {
  const auto courier = Make({}, false);
  Deliver(*courier);
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_EQ(courier->Stats().matched, 1);
  EXPECT_EQ(courier->Stats().failed_attempts, 0);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(CourierTest, TheDestinationIsToldSourceAndAttempt) {
  sink_->answers = {kBusy};
  const auto courier = Make({}, false);
  Deliver(*courier);
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(sink_->seen, SizeIs(2));
  EXPECT_EQ(sink_->seen[0].attempt, 1);
  EXPECT_EQ(sink_->seen[1].attempt, 2);
  EXPECT_EQ(sink_->seen[1].source_arn, "arn:aws:events:us-east-1:000000000000:rule/r");
  EXPECT_EQ(sink_->seen[0].message.get(), sink_->seen[1].message.get());
}

TEST_F(CourierTest, ATransientRefusalIsTriedAgainLaterAndNotWithinTheCall) {
  sink_->answers = {kBusy, kBusy};
  const auto courier = Make({}, true);
  Deliver(*courier);
  EXPECT_THAT(sink_->seen, SizeIs(1));
  EXPECT_EQ(courier->Stats().pending, 1);
  runtime_.Advance(absl::Seconds(3));  // first wait below 1 s, second below 2 s
  EXPECT_THAT(sink_->seen, SizeIs(3));
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_EQ(courier->Stats().failed_attempts, 2);
  EXPECT_THAT(dead_->seen, IsEmpty());
}

TEST_F(CourierTest, APermanentFaultGoesStraightToTheDeadLetterQueue) {
  sink_->answers = {kGone};
  const auto courier = Make({}, true);
  Deliver(*courier);
  ASSERT_THAT(dead_->seen, SizeIs(1));  // within the call, without a retry
  EXPECT_EQ(given_up_[0].retries, 0);
  EXPECT_EQ(given_up_[0].exhausted, "");
  EXPECT_EQ(courier->Stats().dead_lettered, 1);
}

TEST_F(CourierTest, TheFormIsMadeOnceForAllAttemptsAndIsNotThePublishers) {
  int made = 0;
  sink_->answers = {kBusy, kBusy};
  const auto courier = Courier::Create(env_, {.destination = sink_,
                                              .retry = {},
                                              .source_arn = "rule",
                                              .form =
                                                  [&made](Delivery& delivery) {
                                                    ++made;
                                                    delivery.presentation =
                                                        std::make_shared<Regrouped>("g");
                                                    return absl::OkStatus();
                                                  },
                                              .dead_letter = nullptr,
                                              .dead_letter_form = nullptr});
  Delivery delivery = {.message = MakeTestMessage(*env_, "m")};
  courier->Deliver(delivery);
  runtime_.Advance(absl::Seconds(3));
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_EQ(made, 1);
  ASSERT_THAT(sink_->seen, SizeIs(3));
  for (const Delivery& seen : sink_->seen) {
    EXPECT_EQ(seen.GroupId(), "g");
    EXPECT_EQ(seen.source_arn, "rule");
  }
  EXPECT_EQ(delivery.presentation, nullptr) << "others are shown the same object";
}

TEST_F(CourierTest, WithoutAFormTheDeliveryIsDroppedCountedAndLogged) {
  const auto courier = Courier::Create(
      env_,
      {.destination = sink_,
       .retry = {},
       .source_arn = "rule",
       .form = [](Delivery&) { return absl::InvalidArgumentError("no JSON"); },
       .dead_letter = dead_,
       .dead_letter_form = [](const Delivery& delivery, const GivenUp&) { return delivery; }});
  Deliver(*courier);
  EXPECT_THAT(sink_->seen, IsEmpty());
  EXPECT_THAT(dead_->seen, IsEmpty());
  EXPECT_EQ(courier->Stats().dropped, 1);
  EXPECT_EQ(courier->Stats().matched, 1);
  EXPECT_EQ(courier->Stats().failed_attempts, 0);
  ExpectBalanced(courier->Stats());
  EXPECT_THAT(log_.lines(), ElementsAre(HasSubstr("before any attempt: no JSON")));
}

TEST_F(CourierTest, OnlyTheDeadLetterSaysThatItWasAcceptedBefore) {
  sink_->answers = {kBusy, kGone};
  const auto courier = Make({}, true);
  Deliver(*courier);
  runtime_.Advance(absl::Minutes(1));
  ASSERT_THAT(sink_->seen, SizeIs(2));
  ASSERT_THAT(dead_->seen, SizeIs(1));
  EXPECT_FALSE(sink_->seen[0].accepted_before);
  EXPECT_FALSE(sink_->seen[1].accepted_before);
  EXPECT_TRUE(dead_->seen[0].accepted_before);
}

TEST_F(CourierTest, NoRetriesMeansOneAttempt) {
  sink_->otherwise = kBusy;
  const auto courier = Make({.retries_max = 0}, true);
  Deliver(*courier);
  EXPECT_THAT(sink_->seen, SizeIs(1));
  ASSERT_THAT(given_up_, SizeIs(1));
  EXPECT_EQ(given_up_[0].exhausted, "MaximumRetryAttempts");
  EXPECT_EQ(given_up_[0].retries, 0);
}

TEST_F(CourierTest, RetriesEndAfterTheirNumber) {
  sink_->otherwise = kBusy;
  const auto courier = Make({.retries_max = 3}, true);
  Deliver(*courier);
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(sink_->seen, SizeIs(4));
  ASSERT_THAT(given_up_, SizeIs(1));
  EXPECT_EQ(given_up_[0].retries, 3);
  EXPECT_EQ(given_up_[0].exhausted, "MaximumRetryAttempts");
  EXPECT_EQ(given_up_[0].last_refusal, kBusy);
}

TEST_F(CourierTest, RetriesEndAtTheAgeLimitWithOneLastAttemptThere) {
  sink_->otherwise = kBusy;
  const auto courier = Make({.retries_max = 185, .age_max = absl::Minutes(1)}, true);
  Deliver(*courier);
  runtime_.Advance(absl::Seconds(60) - absl::Nanoseconds(1));
  EXPECT_THAT(given_up_, IsEmpty());
  runtime_.Advance(absl::Nanoseconds(1));
  ASSERT_THAT(given_up_, SizeIs(1));
  EXPECT_EQ(given_up_[0].exhausted, "MaximumEventAgeInSeconds");
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(CourierTest, TheAgeIsNotMovedByAJumpOfTheWallClock) {
  sink_->answers = {kBusy};
  const auto courier = Make({}, true);
  Deliver(*courier);
  runtime_.JumpWallClock(absl::Hours(48));
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(courier->Stats().delivered, 1);
}

TEST_F(CourierTest, WithoutADeadLetterQueueItIsDroppedCountedAndLogged) {
  sink_->answers = {kGone};
  const auto courier = Make({}, false);
  Deliver(*courier);
  EXPECT_EQ(courier->Stats().dropped, 1);
  ASSERT_THAT(log_.lines(), SizeIs(1));
  EXPECT_THAT(log_.lines()[0], HasSubstr("gone"));
  EXPECT_THAT(log_.lines()[0], HasSubstr(sink_->arn));
  EXPECT_THAT(log_.lines()[0], HasSubstr(sink_->seen[0].message->id.ToString()));
}

TEST_F(CourierTest, ADeadLetterQueueThatRefusesDropsIt) {
  sink_->answers = {kGone};
  dead_->answers = {absl::ResourceExhaustedError("full")};
  const auto courier = Make({}, true);
  Deliver(*courier);
  EXPECT_EQ(courier->Stats().dropped, 1);
  EXPECT_EQ(courier->Stats().dead_lettered, 0);
  ASSERT_THAT(log_.lines(), SizeIs(1));
  EXPECT_THAT(log_.lines()[0], HasSubstr("full"));
}

TEST_F(CourierTest, AnAnswerThatComesLaterIsPendingUntilThen) {
  sink_->answers = {std::nullopt, std::nullopt};
  const auto courier = Make({}, true);
  Deliver(*courier);
  Deliver(*courier);
  EXPECT_EQ(courier->Stats().pending, 2);
  EXPECT_EQ(courier->Stats().matched, 2);
  std::move(sink_->later[0])(absl::OkStatus());
  std::move(sink_->later[1])(kBusy);
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_EQ(courier->Stats().pending, 1);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(courier->Stats().delivered, 2);
}

TEST_F(CourierTest, WhenTooManyWaitTheNextIsGivenUpAtOnce) {
  sink_->otherwise = kBusy;
  const auto courier = Make({.waiting_max = 2}, true);
  for (int i = 0; i < 5; ++i) Deliver(*courier);
  EXPECT_EQ(courier->Stats().pending, 2);
  EXPECT_EQ(courier->Stats().dead_lettered, 3);
}

TEST_F(CourierTest, ARetryUnderWayOutlivesItsOwner) {
  sink_->answers = {kBusy};
  auto courier = Make({}, true);
  Deliver(*courier);
  courier.reset();
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sink_->seen, SizeIs(2));
}

TEST_F(CourierTest, StoppingTriesNothingAgainAndSaysWhatIsLeft) {
  sink_->answers = {kBusy, std::nullopt, kBusy};
  const auto courier = Make({}, true);
  for (int i = 0; i < 3; ++i) Deliver(*courier);
  courier->Close(CloseKind::kStopped);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  std::move(sink_->later[0])(kBusy);  // an answer after the stop
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(sink_->seen, SizeIs(3));
  EXPECT_EQ(courier->Stats().pending, 3);
  EXPECT_THAT(dead_->seen, IsEmpty());
}

TEST_F(CourierTest, DeletingGivesUpWhatWaits) {
  sink_->answers = {kBusy, kBusy};
  const auto courier = Make({}, true);
  Deliver(*courier);
  Deliver(*courier);
  courier->Close(CloseKind::kDeleted);
  EXPECT_EQ(courier->Stats().dead_lettered, 2);
  EXPECT_EQ(courier->Stats().pending, 0);
}

TEST_F(CourierTest, NothingRunsOnceTheTasksGateIsClosed) {
  sink_->answers = {kBusy};
  const auto courier = Make({}, true);
  Deliver(*courier);
  env_->tasks.Close();
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(sink_->seen, SizeIs(1));
}

// The waits lie below first * 2^(n-1), and over many deliveries they fill that range.
TEST_F(CourierTest, WaitsAreRandomBelowADoublingBound) {
  const RetryPolicy policy = {
      .retries_max = 1, .backoff_first = absl::Seconds(8), .backoff_max = absl::Seconds(8)};
  sink_->otherwise = kBusy;
  const auto courier = Make(policy, true);
  for (int i = 0; i < 400; ++i) Deliver(*courier);
  std::vector<size_t> after;
  for (int second = 1; second <= 8; ++second) {
    runtime_.Advance(absl::Seconds(1));
    after.push_back(sink_->seen.size() - 400);
  }
  EXPECT_EQ(after.back(), 400u);
  EXPECT_GT(after[0], 10u);   // of 50 expected
  EXPECT_GT(after[3], 120u);  // of 200
  EXPECT_LT(after[3], 280u);
}

// What is pending, from the records alone.
class Replay : public Journal {
 public:
  void Append(const ChangeRecord& record) override {
    lines.push_back(Line(record));
    EXPECT_NE(record.message, nullptr);
    if (record.change == Change::kAccepted) {
      EXPECT_TRUE(pending.insert(record.message_id).second) << "pending twice";
      return;
    }
    EXPECT_EQ(pending.erase(record.message_id), 1u) << "ended, but was not pending";
    ++ended[record.change];
  }

  static std::string Line(const ChangeRecord& record) {
    constexpr const char* kNames[] = {"accepted", "received", "settled", "moved", "expired"};
    std::string line = kNames[static_cast<int>(record.change)];
    line.append(" ").append(record.resource.substr(record.resource.rfind('/') + 1));
    line.append(" -> ").append(record.destination.substr(record.destination.rfind(':') + 1));
    return line;
  }

  std::vector<std::string> lines;
  std::set<Id> pending;
  std::map<Change, int64_t> ended;
};

TEST_F(CourierTest, TheJournalHearsOfWhatWaitsAndWhatBecameOfIt) {
  Replay journal;
  env_->journal = &journal;
  dead_->arn = "arn:aws:sqs:us-east-1:000000000000:dead";
  const auto with = Make({.retries_max = 1}, true);
  Deliver(*with);
  EXPECT_THAT(journal.lines, IsEmpty()) << "delivered at once: nothing ever waited";

  sink_->answers = {kBusy};
  Deliver(*with);
  EXPECT_THAT(journal.lines, ElementsAre("accepted r -> scripted"));
  EXPECT_EQ(*journal.pending.begin(), sink_->seen.back().message->id);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(journal.lines, ElementsAre("accepted r -> scripted", "settled r -> scripted"));

  journal.lines.clear();
  sink_->answers = {kGone};
  Deliver(*with);
  EXPECT_THAT(journal.lines, ElementsAre("accepted r -> scripted", "moved r -> dead"));

  journal.lines.clear();
  sink_->answers = {kGone};
  Deliver(*Make({}, false));
  EXPECT_THAT(journal.lines, ElementsAre("accepted r -> scripted", "expired r -> scripted"));
  EXPECT_THAT(journal.pending, IsEmpty());
  env_->journal = nullptr;
}

// Who replays the records delivers it again: twice is better than never.
TEST_F(CourierTest, TheJournalHearsOfNoEndAfterTheBrokerStopped) {
  Replay journal;
  env_->journal = &journal;
  sink_->answers = {std::nullopt};
  const auto courier = Make({}, true);
  Deliver(*courier);
  courier->Close(CloseKind::kStopped);
  std::move(sink_->later[0])(absl::OkStatus());
  EXPECT_EQ(courier->Stats().delivered, 1);
  EXPECT_THAT(journal.lines, ElementsAre("accepted r -> scripted"));
  env_->journal = nullptr;
}

// Whatever a destination answers, now or later: the books balance at every step, and in the end
// each message is delivered, in the dead-letter queue, or dropped and logged; none twice. At each
// step the journal's records say which are pending.
TEST_F(CourierTest, BooksBalanceUnderRandomFaults) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    testing::SeedReporter reporter(seed);
    std::mt19937_64 random(seed);
    sink_ = std::make_shared<ScriptedSink>();
    dead_ = std::make_shared<ScriptedSink>();
    const size_t logged_before = log_.lines().size();
    Replay journal;
    env_->journal = &journal;
    const bool with_dead_letter = random() % 2 == 0;
    const auto courier = Make({.retries_max = static_cast<int64_t>(random() % 5),
                               .age_max = absl::Minutes(1),
                               .waiting_max = static_cast<int64_t>(1 + random() % 6)},
                              with_dead_letter);
    int64_t sent = 0;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 4) {
        case 0:
        case 1: {
          const std::optional<absl::Status> choices[] = {absl::OkStatus(), kBusy, kGone,
                                                         std::nullopt};
          sink_->answers = {choices[random() % 4]};
          sink_->otherwise = random() % 2 == 0 ? kBusy : absl::OkStatus();
          if (random() % 8 == 0) dead_->answers.push_back(kBusy);
          Deliver(*courier);
          ++sent;
          break;
        }
        case 2:
          runtime_.Advance(absl::Milliseconds(random() % 4000));
          break;
        default:
          if (sink_->later.empty()) break;
          Completion done = std::move(sink_->later.back());
          sink_->later.pop_back();
          std::move(done)(random() % 2 == 0 ? absl::OkStatus() : kBusy);
      }
      ExpectBalanced(courier->Stats());
      EXPECT_EQ(courier->Stats().matched, sent);
      EXPECT_EQ(static_cast<int64_t>(journal.pending.size()), courier->Stats().pending);
    }
    sink_->answers.clear();
    while (!sink_->later.empty()) {
      Completion done = std::move(sink_->later.back());
      sink_->later.pop_back();
      std::move(done)(kBusy);
    }
    sink_->otherwise = kBusy;
    runtime_.Advance(absl::Minutes(5));
    const DeliveryStats end = courier->Stats();
    ExpectBalanced(end);
    EXPECT_EQ(end.matched, sent);
    EXPECT_EQ(end.pending, 0);
    EXPECT_EQ(static_cast<int64_t>(log_.lines().size() - logged_before), end.dropped);
    EXPECT_THAT(journal.pending, IsEmpty());
    EXPECT_EQ(journal.ended[Change::kMoved], end.dead_lettered);
    EXPECT_EQ(journal.ended[Change::kExpired], end.dropped);
    EXPECT_LE(journal.ended[Change::kSettled], end.delivered);
    env_->journal = nullptr;
    if (!with_dead_letter) {
      EXPECT_EQ(end.dead_lettered, 0);
    }
  }
}

}  // namespace
}  // namespace banyan::internal
