// SPDX-License-Identifier: Apache-2.0
//
// The error table of archives and replays, code and text, and the bounds with their sentences. The
// numbered row is the sheet's.
#include <string>
#include <vector>

#include "archive_testing.h"

namespace banyan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ArchiveErrors : public ArchiveFixture {
 protected:
  std::string Create(std::string_view name, ArchiveOptions options = {}) {
    return Refusal(broker_.CreateArchive(name, std::move(options)).status());
  }
  std::string Update(std::string_view name, ArchiveUpdate update) {
    return Refusal(broker_.UpdateArchive(name, std::move(update)).status());
  }
  std::string Start(std::string_view name, ReplayOptions options) {
    return Refusal(broker_.StartReplay(name, std::move(options)).status());
  }
};

TEST_F(ArchiveErrors, AnArchiveThatExists) {
  Make("a", {.description = "first"});
  EXPECT_EQ(Create("a", {.bus = "shop", .description = "first"}),
            "ResourceAlreadyExistsException: Archive a already exists.")
      << "also with the same options, and";
  EXPECT_EQ(Create("a"), "ResourceAlreadyExistsException: Archive a already exists.")
      << "of another bus";
}

TEST_F(ArchiveErrors, AnArchiveThatDoesNotExist) {
  const std::string gone = "ResourceNotFoundException: Archive a does not exist.";
  EXPECT_EQ(Refusal(broker_.DescribeArchive("a").status()), gone);
  EXPECT_EQ(Update("a", {.description = "x"}), gone);
  EXPECT_EQ(Refusal(broker_.DeleteArchive("a")), gone);
}

TEST_F(ArchiveErrors, B17_NothingToUpdateIsSaidBeforeThereIsNoSuchArchive) {
  const std::string nothing =
      "ValidationException: At least one of EventPattern, RetentionDays or Description must be "
      "provided.";
  EXPECT_EQ(Update("never was", {}), nothing);
  Make("a");
  EXPECT_EQ(Update("a", {}), nothing);
}

TEST_F(ArchiveErrors, ABusThatDoesNotExist) {
  const std::string gone = "ResourceNotFoundException: Event bus b does not exist.";
  EXPECT_EQ(Create("a", {.bus = "b"}), gone);
  EXPECT_EQ(Refusal(broker_.ListArchives({.bus = "b"}).status()), gone);
  Make("a");
  EXPECT_EQ(Start("r", {.archive = "a", .destination = "b"}), gone);
}

TEST_F(ArchiveErrors, NamesOfArchives) {
  EXPECT_EQ(Create(""),
            "ValidationException: 1 validation error detected: Value '' at 'archiveName' failed to "
            "satisfy constraint: Member must have length greater than or equal to 1");
  const std::string longest(48, 'x');
  EXPECT_EQ(Create(longest), "OK");
  EXPECT_EQ(Create(longest + "x"),
            "ValidationException: 1 validation error detected: Value '" + longest +
                "x' at 'archiveName' failed to satisfy constraint: Member must have length less "
                "than or equal to 48");
  EXPECT_EQ(Create("a/b"),
            "ValidationException: 1 validation error detected: Value 'a/b' at 'archiveName' failed "
            "to satisfy constraint: Member must satisfy regular expression pattern: "
            "[\\.\\-_A-Za-z0-9]+");
  EXPECT_EQ(Create("a.b-c_D9"), "OK");
}

TEST_F(ArchiveErrors, OptionsOfArchives) {
  EXPECT_THAT(Create("a", {.event_pattern = "{"}), StartsWith("InvalidEventPatternException: "));
  EXPECT_THAT(Create("a", {.retention = -absl::Seconds(1)}),
              AllOf(StartsWith("ValidationException: "),
                    HasSubstr("Value '-1s' at 'retentionDays' failed to satisfy constraint: Member "
                              "must have value greater than or equal to 0")));
  EXPECT_THAT(Create("a", {.description = std::string(513, 'x')}),
              AllOf(StartsWith("ValidationException: "), HasSubstr("at 'description'")));
  EXPECT_THAT(Create("a", {.bytes_max = 0}),
              AllOf(StartsWith("ValidationException: "), HasSubstr("Value '0' at 'bytesMax'")));
  // What an update would break it leaves as it is.
  Make("a", {.description = "mine"});
  EXPECT_THAT(Update("a", {.event_pattern = "[]", .description = "yours"}),
              StartsWith("InvalidEventPatternException: "));
  EXPECT_THAT(Update("a", {.retention = -kDay, .description = "yours"}),
              StartsWith("ValidationException: "));
  EXPECT_EQ(Look("a").description, "mine");
}

TEST_F(ArchiveErrors, AReplayOfAnArchiveThatDoesNotExist) {
  EXPECT_EQ(Start("r", {.archive = "a"}),
            "ValidationException: Parameter EventSourceArn is not valid. Reason: Archive a does "
            "not exist.");
}

TEST_F(ArchiveErrors, AReplayIntoAnotherBus) {
  Make("a");
  EXPECT_EQ(Start("r", {.archive = "a", .destination = "default"}),
            "ValidationException: Parameter Destination.Arn is not valid. Reason: Cross event bus "
            "replay is not permitted.");
  EXPECT_EQ(Start("r", {.archive = "a", .destination = "shop"}), "OK");
}

TEST_F(ArchiveErrors, AReplayThatDoesNotStartBeforeItsEnd) {
  Make("a");
  const std::string wrong =
      "ValidationException: Parameter EventEndTime is not valid. Reason: EventStartTime must be "
      "before EventEndTime.";
  EXPECT_EQ(Start("r", {.archive = "a", .start = At(10), .end = At(0)}), wrong);
  EXPECT_EQ(Start("r", {.archive = "a", .start = At(10), .end = At(10)}), wrong);
  // Whole seconds, as SDKs send them.
  EXPECT_EQ(Start("r", {.archive = "a", .start = At(10), .end = At(10) + absl::Milliseconds(999)}),
            wrong);
  // On record: this is said before "cross event bus".
  EXPECT_EQ(Start("r", {.archive = "a", .start = At(10), .end = At(0), .destination = "default"}),
            wrong);
  EXPECT_EQ(Start("r", {.archive = "a", .start = At(10), .end = At(11)}), "OK");
}

TEST_F(ArchiveErrors, AReplayForARuleThatDoesNotExist) {
  Make("a");
  Listen("here");
  EXPECT_EQ(Start("r", {.archive = "a", .rules = {"here", "nowhere"}}),
            "ValidationException: Parameter Destination.FilterArns is not valid. Reason: Rule "
            "nowhere does not exist on EventBus shop.");
}

TEST_F(ArchiveErrors, AReplayThatExistsAndOneThatDoesNot) {
  Make("a");
  Make("b");
  ASSERT_EQ(Start("r", {.archive = "a"}), "OK");
  const std::string taken = "ResourceAlreadyExistsException: Replay r already exists.";
  EXPECT_EQ(Start("r", {.archive = "a"}), taken);
  EXPECT_EQ(Start("r", {.archive = "b"}), taken) << "of another archive";
  runtime_.RunUntilIdle();
  EXPECT_EQ(Start("r", {.archive = "a"}), taken) << "when it has ended";
  const std::string gone = "ResourceNotFoundException: Replay s does not exist.";
  EXPECT_EQ(Refusal(broker_.DescribeReplay("s").status()), gone);
  EXPECT_EQ(Refusal(broker_.CancelReplay("s").status()), gone);
}

TEST_F(ArchiveErrors, NamesOfReplays) {
  Make("a");
  const std::string longest(64, 'x');
  EXPECT_EQ(Start(longest, {.archive = "a"}), "OK");
  EXPECT_THAT(Start(longest + "x", {.archive = "a"}),
              AllOf(StartsWith("ValidationException: "), HasSubstr("at 'replayName'"),
                    HasSubstr("less than or equal to 64")));
  EXPECT_THAT(Start("", {.archive = "a"}), StartsWith("ValidationException: "));
  EXPECT_THAT(Start("r r", {.archive = "a"}), StartsWith("ValidationException: "));
  EXPECT_THAT(Start("r", {.archive = "a", .description = std::string(513, 'x')}),
              HasSubstr("at 'description'"));
}

TEST_F(ArchiveErrors, TheEleventhActiveReplay) {
  Make("a");
  const auto name = [](int i) { return "r" + std::to_string(i); };
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Start(name(i), {.archive = "a"}), "OK");
  EXPECT_THAT(
      Start("r10", {.archive = "a"}),
      StartsWith("LimitExceededException: The requested resource exceeds the maximum number "
                 "allowed."));
  // One that is being cancelled is neither starting nor running; nor is one that has ended.
  broker_.CancelReplay("r3").value();
  EXPECT_EQ(Start("r10", {.archive = "a"}), "OK");
  EXPECT_THAT(Start("r11", {.archive = "a"}), StartsWith("LimitExceededException: "));
  runtime_.RunUntilIdle();
  EXPECT_EQ(Start("r11", {.archive = "a"}), "OK");
}

TEST_F(ArchiveErrors, CancellingWhatIsNotActive) {
  Make("a");
  const std::string illegal =
      "IllegalStatusException: Replay r is not in a valid state for this operation.";
  ASSERT_EQ(Start("r", {.archive = "a"}), "OK");
  ASSERT_TRUE(broker_.CancelReplay("r").ok());
  EXPECT_EQ(Refusal(broker_.CancelReplay("r").status()), illegal);
  runtime_.RunUntilIdle();
  EXPECT_EQ(Replay("r").state, ReplayState::kCancelled);
  EXPECT_EQ(Refusal(broker_.CancelReplay("r").status()), illegal);
}

TEST_F(ArchiveErrors, ListsTakeOneFilterAndUpToAHundred) {
  EXPECT_EQ(Refusal(broker_.ListArchives({.name_prefix = "a", .bus = "shop"}).status()),
            "ValidationException: At most one filter is allowed for ListArchives. Use either : "
            "State, EventSourceArn, or NamePrefix.");
  EXPECT_EQ(
      Refusal(broker_.ListReplays({.name_prefix = "a", .state = ReplayState::kFailed}).status()),
      "ValidationException: At most one filter is allowed for ListReplays. Use either : State, "
      "EventSourceArn, or NamePrefix.");
  for (const int64_t limit : {0, 101}) {
    EXPECT_THAT(Refusal(broker_.ListArchives({.limit = limit}).status()),
                StartsWith("ValidationException: "));
    EXPECT_THAT(Refusal(broker_.ListReplays({.limit = limit}).status()),
                StartsWith("ValidationException: "));
  }
  EXPECT_THAT(Refusal(broker_.ListReplays({.name_prefix = "a", .next_token = "b"}).status()),
              StartsWith("ValidationException: Parameter NextToken is not valid."));
}

class ArchiveBounds : public ArchiveFixture {
 protected:
  static Limits Small() {
    Limits limits = Limits::Aws();
    limits.broker.archives_max = 2;
    limits.broker.replays_kept_max = 3;
    return limits;
  }
  ArchiveBounds() : ArchiveFixture(Small()) {}
};

TEST_F(ArchiveBounds, OneArchiveTooMany) {
  Make("a");
  Make("b");
  EXPECT_EQ(Refusal(broker_.CreateArchive("c", {}).status()),
            "LimitExceededException: The requested resource exceeds the maximum number allowed. "
            "There would be 3 archives; at most 2 are allowed.");
  ASSERT_TRUE(broker_.DeleteArchive("a").ok());
  EXPECT_TRUE(broker_.CreateArchive("c", {}).ok());
}

TEST_F(ArchiveBounds, OneReplayTooManyToRememberAndTheFirstToEndIsForgotten) {
  Make("a");
  for (const char* name : {"r3", "r1", "r2"}) {
    broker_.StartReplay(name, {.archive = "a"}).value();
    runtime_.Advance(absl::Seconds(1));
  }
  broker_.StartReplay("r4", {.archive = "a"}).value();
  EXPECT_TRUE(absl::IsNotFound(broker_.DescribeReplay("r3").status()));
  std::vector<std::string> names;
  const ReplayPage page = broker_.ListReplays().value();
  for (const ReplayDescription& replay : page.replays) {
    names.push_back(replay.name);
  }
  EXPECT_THAT(names, ElementsAre("r1", "r2", "r4"));
  EXPECT_TRUE(broker_.StartReplay("r3", {.archive = "a"}).ok());
}

}  // namespace
}  // namespace banyan
