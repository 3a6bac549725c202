// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 4, row Kinesis.
#include "deliver/stream_target.h"

#include "banyan/stream.h"
#include "banyan/testing/simulated_runtime.h"
#include "deliver_testing.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

class StreamTargetTest : public ::testing::Test {
 protected:
  // The one record of the stream after `body` was delivered.
  std::string KeyOf(std::string_view body, const char* path) {
    std::optional<JsonPath> key_path;
    if (path != nullptr) key_path = JsonPath::Parse(path);
    const auto core = StreamCore::Create(env_, "clicks", {});
    StreamTarget target(core, key_path);
    message_ = MakeTestMessage(*env_, body);
    const std::optional<absl::Status> answer =
        target.Accept({.message = message_}, []() -> Completion { return nullptr; });
    EXPECT_TRUE(answer.has_value() && answer->ok());
    const Stream stream(core);
    const RecordBatch batch =
        stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
            .value();
    EXPECT_EQ(batch.size(), 1u);
    EXPECT_EQ(batch[0].data(), body);
    EXPECT_EQ(batch[0].event_id(), message_->event_id);
    std::string key(batch[0].partition_key());
    core->Close(CloseKind::kDeleted);
    return key;
  }

  testing::SimulatedRuntime runtime_;
  std::shared_ptr<Environment> env_ =
      std::make_shared<Environment>(runtime_, Limits::Aws(), /*id_seed=*/1);
  MessageRef message_;
};

TEST_F(StreamTargetTest, TheKeyIsWhatThePathFinds) {
  EXPECT_EQ(KeyOf(R"({"detail":{"order":{"id":"o-1"}}})", "$.detail.order.id"), "o-1");
  EXPECT_EQ(KeyOf(R"({"detail":{"n":17}})", "$.detail.n"), "17");
}

TEST_F(StreamTargetTest, WithoutPathOrFindingItIsTheEventId) {
  const struct {
    const char* body;
    const char* path;
  } cases[] = {{R"({"detail":{}})", nullptr},
               {R"({"detail":{}})", "$.detail.n"},
               {R"({"detail":{"n":""}})", "$.detail.n"},
               {"no json", "$.detail.n"}};
  for (const auto& c : cases) {
    const std::string key = KeyOf(c.body, c.path);
    EXPECT_EQ(key, message_->event_id.ToString()) << c.body;
  }
}

TEST_F(StreamTargetTest, ADeletedStreamIsAPermanentFault) {
  const auto core = StreamCore::Create(env_, "clicks", {});
  StreamTarget target(core, std::nullopt);
  core->Close(CloseKind::kDeleted);
  const std::optional<absl::Status> answer = target.Accept(
      {.message = MakeTestMessage(*env_, "{}")}, []() -> Completion { return nullptr; });
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(IsPermanent(*answer));
}

TEST_F(StreamTargetTest, AKeyThatIsTooLongIsAPermanentFault) {
  const auto core = StreamCore::Create(env_, "clicks", {});
  StreamTarget target(core, JsonPath::Parse("$.k"));
  const std::optional<absl::Status> answer = target.Accept(
      {.message = MakeTestMessage(*env_, "{\"k\":\"" + std::string(257, 'k') + "\"}")},
      []() -> Completion { return nullptr; });
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(IsPermanent(*answer));
  core->Close(CloseKind::kDeleted);
}

}  // namespace
}  // namespace banyan::internal
