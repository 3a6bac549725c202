// SPDX-License-Identifier: Apache-2.0
//
// The answers of handlers that speak Lambda's JSON: the table of the sheet, row by row, each read
// as text and then seen to do to a batch what the row says.
#include <gmock/gmock.h>

#include <functional>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kId = "5fea7756-0ea4-451a-a703-a558b933e274";

std::string Listing(std::string_view id) {
  return R"({"batchItemFailures": [{"itemIdentifier": ")" + std::string(id) + R"("}]})";
}

class BatchResponse : public ConsumerTest {
 protected:
  // How many of five messages are still there when a batch of them was answered so.
  int64_t LeftAfter(const std::function<std::string(absl::Span<const Received>)>& answer) {
    Queue jobs = MakeQueue("jobs");
    for (const char* body : {"a", "b", "c", "d", "e"}) Send(jobs, body);
    Consumer consumer =
        Consumer::StartBatch(jobs, {.batch_size = 5}, [&](absl::Span<const Received> batch) {
          return ParseBatchResponse(answer(batch));
        }).value();
    runtime_.RunUntilIdle();
    EXPECT_EQ(consumer.Stats().handled + consumer.Stats().failed, 5);
    const int64_t left = jobs.Depth().total();
    EXPECT_EQ(consumer.Stats().failed, left);
    return left;
  }
  int64_t LeftAfter(std::string_view answer) {
    return LeftAfter([answer](absl::Span<const Received>) { return std::string(answer); });
  }
};

class CompleteSuccess : public BatchResponse,
                        public ::testing::WithParamInterface<std::string_view> {};

TEST_P(CompleteSuccess, S18_DeletesTheBatch) {
  const absl::StatusOr<BatchResult> result = ParseBatchResponse(GetParam());
  ASSERT_THAT(result, testing::IsOk());
  EXPECT_THAT(result->failures, IsEmpty());
  EXPECT_EQ(LeftAfter(GetParam()), 0);
}

INSTANTIATE_TEST_SUITE_P(Rows, CompleteSuccess,
                         ::testing::Values("null", R"("")", "[]", "{}",
                                           R"({"batchItemFailures": []})",
                                           R"({"batchItemFailures": null})",
                                           // A function that answers nothing at all; white space;
                                           // members that are not about failures.
                                           "", " \n", " null ", "\t{ }\n",
                                           R"({"state": {"a": [1]}, "batchItemFailures": []})"));

class CompleteFailure : public BatchResponse,
                        public ::testing::WithParamInterface<std::string_view> {};

TEST_P(CompleteFailure, S19_LeavesTheBatch) {
  EXPECT_THAT(ParseBatchResponse(GetParam()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no batch response")));
  EXPECT_EQ(LeftAfter(GetParam()), 5);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CompleteFailure,
    ::testing::Values(
        // The id is empty, null, no text, no id.
        R"({"batchItemFailures": [{"itemIdentifier": ""}]})",
        R"({"batchItemFailures": [{"itemIdentifier": null}]})",
        R"({"batchItemFailures": [{"itemIdentifier": 123}]})",
        R"({"batchItemFailures": [{"itemIdentifier": "123"}]})",
        R"({"batchItemFailures": [{"itemIdentifier": {"id": "x"}}]})",
        // A wrong key.
        R"({"batchItemFailures": [{"foo": 123}]})", R"({"batchItemFailures": [{"foo": null}]})",
        R"({"batchItemFailures": [{}]})", R"({"batchItemFailure": []})", R"({"failures": []})",
        R"({"batchItemFailures": [{"ItemIdentifier": "5fea7756-0ea4-451a-a703-a558b933e274"}]})",
        // One bad item spoils the good ones.
        R"({"batchItemFailures": [{"itemIdentifier": "5fea7756-0ea4-451a-a703-a558b933e274"}, 5]})",
        // No such shape.
        R"({"batchItemFailures": "x"})", R"({"batchItemFailures": {}})",
        R"({"batchItemFailures": [["x"]]})", "[1]", "[[]]", R"("done")", "0", "true",
        // No JSON.
        "done", "{", "[", "{]", R"({"batchItemFailures": [)", R"({"batchItemFailures": []} x)",
        R"({"batchItemFailures": [{"itemIdentifier": )", "null null", "\xff",
        R"({'batchItemFailures': []})"));

TEST_F(BatchResponse, AListedIdIsRead) {
  const absl::StatusOr<BatchResult> result = ParseBatchResponse(Listing(kId));
  ASSERT_THAT(result, testing::IsOk());
  EXPECT_THAT(result->failures, ElementsAre(*Id::Parse(kId)));
}

TEST_F(BatchResponse, OtherMembersOfAnItemAreLetPass) {
  const absl::StatusOr<BatchResult> result =
      ParseBatchResponse(R"({"batchItemFailures": [{"why": [1, {"x": null}], "itemIdentifier": ")" +
                         std::string(kId) + R"(", "n": 5}], "more": "text"})");
  ASSERT_THAT(result, testing::IsOk());
  EXPECT_THAT(result->failures, ElementsAre(*Id::Parse(kId)));
}

TEST_F(BatchResponse, ListedMessagesStay) {
  EXPECT_EQ(LeftAfter([](absl::Span<const Received> batch) {
              return R"({"batchItemFailures": [{"itemIdentifier": ")" + batch[1].id().ToString() +
                     R"("}, {"itemIdentifier": ")" + batch[4].id().ToString() + R"("}]})";
            }),
            2);
}

TEST_F(BatchResponse, AnIdThatIsNotInTheBatchFailsAllOfIt) {
  EXPECT_EQ(LeftAfter(Listing(kId)), 5);
}

}  // namespace
}  // namespace banyan
