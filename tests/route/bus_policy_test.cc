// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 8: permissions of a bus, which are stored.
#include "route/bus_policy.h"

#include <string>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BusPolicyTest : public RouteTest {
 protected:
  std::string Policy() { return bus_.Policy().value_or("(error)"); }

  EventBus bus_ = house_.MakeBus("shop");
};

constexpr char kPartner[] =
    R"({"Sid":"partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},)"
    R"("Action":"events:PutEvents",)"
    R"("Resource":"arn:aws:events:us-east-1:000000000000:event-bus/shop"})";
constexpr char kAll[] =
    R"({"Sid":"all","Effect":"Allow","Principal":"*","Action":"events:PutEvents",)"
    R"("Resource":"arn:aws:events:us-east-1:000000000000:event-bus/shop"})";

TEST_F(BusPolicyTest, StatementsComeAndGo) {
  EXPECT_EQ(Policy(), "");
  ASSERT_THAT(bus_.PutPermission("partner", "123456789012"), testing::IsOk());
  ASSERT_THAT(bus_.PutPermission("all", "*"), testing::IsOk());
  EXPECT_EQ(Policy(),
            std::string(R"({"Version":"2012-10-17","Statement":[)") + kPartner + "," + kAll + "]}");
  ASSERT_THAT(bus_.RemovePermission("partner"), testing::IsOk());
  EXPECT_EQ(Policy(), std::string(R"({"Version":"2012-10-17","Statement":[)") + kAll + "]}");
  ASSERT_THAT(bus_.RemovePermission("all"), testing::IsOk());
  EXPECT_EQ(Policy(), "");
}

TEST_F(BusPolicyTest, TheSameIdReplacesItsStatement) {
  ASSERT_THAT(bus_.PutPermission("partner", "*", "events:PutRule"), testing::IsOk());
  ASSERT_THAT(bus_.PutPermission("all", "*"), testing::IsOk());
  ASSERT_THAT(bus_.PutPermission("partner", "123456789012"), testing::IsOk());
  EXPECT_EQ(Policy(),
            std::string(R"({"Version":"2012-10-17","Statement":[)") + kPartner + "," + kAll + "]}");
}

TEST_F(BusPolicyTest, AnUnknownStatementIsNotFound) {
  for (int i = 0; i < 2; ++i) {
    const absl::Status refused = bus_.RemovePermission("nobody");
    EXPECT_EQ(CodeOf(refused), "ResourceNotFoundException");
    EXPECT_EQ(TextOf(refused), "Statement with the provided id does not exist.");
    ASSERT_THAT(bus_.PutPermission("all", "*"), testing::IsOk());
  }
}

TEST_F(BusPolicyTest, BadStatementsChangeNothing) {
  for (const std::string& id : {std::string(), std::string(65, 'i'), std::string("a b")}) {
    EXPECT_EQ(CodeOf(bus_.PutPermission(id, "*")), "ValidationException");
  }
  for (const char* principal : {"", "12345678901", "1234567890123", "12345678901x", "**"}) {
    EXPECT_EQ(CodeOf(bus_.PutPermission("s", principal)), "ValidationException");
  }
  for (const char* action : {"", "events:", "sqs:SendMessage", "events:Put*", "PutEvents"}) {
    EXPECT_EQ(CodeOf(bus_.PutPermission("s", "*", action)), "ValidationException");
  }
  EXPECT_EQ(Policy(), "");
  EXPECT_THAT(bus_.PutPermission(std::string(64, 'i'), "*"), testing::IsOk());
}

TEST_F(BusPolicyTest, AWholePolicyIsKeptAsItWasWritten) {
  const std::string policy = R"({ "Statement" : { "Sid" : "mine", "Effect" : "Deny" } })";
  ASSERT_THAT(bus_.SetPolicy(policy), testing::IsOk());
  EXPECT_EQ(Policy(), policy);
  ASSERT_THAT(bus_.PutPermission("all", "*"), testing::IsOk());
  EXPECT_THAT(Policy(), HasSubstr(R"({ "Sid" : "mine", "Effect" : "Deny" })"));
  ASSERT_THAT(bus_.RemovePermission("mine"), testing::IsOk());
  EXPECT_THAT(Policy(), Not(HasSubstr("mine")));
  for (const char* bad : {"x", "[]", R"({"Statement":1})", R"({"Statement":[1]})"}) {
    EXPECT_EQ(CodeOf(bus_.SetPolicy(bad)), "ValidationException") << bad;
  }
  ASSERT_THAT(bus_.SetPolicy(""), testing::IsOk());
  EXPECT_EQ(Policy(), "");
}

TEST_F(BusPolicyTest, APolicyHasABound) {
  absl::Status status;
  int statements = 0;
  while (status.ok() && statements < 1'000) {
    status = bus_.PutPermission("s" + std::to_string(statements++), "*");
  }
  EXPECT_EQ(CodeOf(status), "PolicyLengthExceededException");
  EXPECT_LE(Policy().size(), 10'240u);
  EXPECT_GT(Policy().size(), 10'000u);
}

// A long policy makes each change take its time, so that the others wait in the middle of theirs.
TEST_F(BusPolicyTest, WhoChangeStatementsAtOnceAllHaveTheirWay) {
#ifdef BANYAN_SANITIZER
  constexpr int kRounds = 20;
#else
  constexpr int kRounds = 200;
#endif
  ASSERT_THAT(bus_.SetPolicy(R"({"Statement":[{"Sid":")" + std::string(9'000, 'x') + R"("}]})"),
              testing::IsOk());
  const auto id = [](int thread) { return "label" + std::to_string(thread); };
  for (int round = 0; round < kRounds; ++round) {
    AtOnce(4,
           [&](int thread) { EXPECT_THAT(bus_.PutPermission(id(thread), "*"), testing::IsOk()); });
    for (int thread = 0; thread < 4; ++thread) ASSERT_THAT(Policy(), HasSubstr(id(thread)));
    AtOnce(4, [&](int thread) { EXPECT_THAT(bus_.RemovePermission(id(thread)), testing::IsOk()); });
    ASSERT_THAT(Policy(), Not(HasSubstr("label")));
  }
}

TEST_F(BusPolicyTest, ADeletedBusHasNone) {
  bus_.core()->Close(CloseKind::kDeleted);
  for (const absl::Status& status :
       {bus_.PutPermission("s", "*"), bus_.RemovePermission("s"), bus_.SetPolicy(""),
        bus_.Policy().status(), EventBus().RemovePermission("s")}) {
    EXPECT_EQ(CodeOf(status), "ResourceNotFoundException");
  }
  EXPECT_EQ(TextOf(bus_.RemovePermission("s")), "Event bus shop does not exist.");
}

}  // namespace
}  // namespace banyan::internal
